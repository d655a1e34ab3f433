"""
Text in the cells of a terminal: what it draws alike everywhere, and lines of a width.
"""

from __future__ import annotations

import re

from wcwidth import wcwidth, wrap

from wsmsg.text.escape import harmless_lines

_JOINER = "\u200d"
_SELECTORS = frozenset("\ufe0e\ufe0f")
_SKIN_TONES = frozenset(map(chr, range(0x1F3FB, 0x1F400)))
# Two of these letters are a flag.
_FLAG = re.compile("[\U0001f1e6-\U0001f1ff]{2}")
_FLAG_A = 0x1F1E6


def cells(text: str) -> int:
    """
    Return the number of cells that a line takes.
    """
    return sum(max(0, wcwidth(char)) for char in text)


def drawable(text: str) -> str:
    """
    Return the text as every terminal draws it at the same width.

    Terminals do not agree on the width of an emoji that consists of several characters,
    and a line whose width the chat does not know breaks the screen.  So the parts of
    such an emoji stand side by side, without joiners, skin tones and selectors, and a
    flag is the two letters of its country.
    """
    text = harmless_lines(text)
    if text.isascii():
        return text
    text = _FLAG.sub(_country, text)
    kept: list[str] = []
    for at, char in enumerate(text):
        before = kept[-1] if kept else ""
        after = text[at + 1 : at + 2]
        if char in _SELECTORS:
            continue
        if char in _SKIN_TONES and _is_wide(before):
            continue
        if char == _JOINER and (_is_emoji(before) or _is_emoji(after)):
            continue
        kept.append(char)
    return "".join(kept)


def wrapped(text: str, width: int, first: int = 0) -> list[str]:
    """
    Return the lines of a text, broken between words, or within one that is too long for
    a line.

    @param first: cells that are taken on the first line.
    """
    lines: list[str] = []
    for paragraph in text.split("\n"):
        indent = "" if lines else "_" * first
        broken = wrap(paragraph, width, initial_indent=indent, propagate_sgr=False) or [
            indent
        ]
        broken[0] = broken[0][len(indent) :]
        lines += broken
    return lines


def _is_wide(char: str) -> bool:
    return bool(char) and wcwidth(char) == 2


def _is_emoji(char: str) -> bool:
    return bool(char) and (ord(char) >= 0x1F000 or 0x2190 <= ord(char) < 0x2C00)


def _country(flag: re.Match[str]) -> str:
    return f"[{''.join(chr(ord('A') + ord(char) - _FLAG_A) for char in flag[0])}]"
