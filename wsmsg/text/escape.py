"""
Text of other users, made safe for terminals and logs.
"""

from __future__ import annotations

import unicodedata

#: Joiners of emoji and of words in some scripts; they do not move the cursor.
_JOINERS = frozenset("\u200c\u200d")

#: Control and format characters, surrogates, ends of lines and paragraphs.
_OBEYED = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})

#: The plane of tags and selectors, which no terminal shows.
_INVISIBLE = range(0xE0000, 0xE1000)


def harmless(text: str) -> str:
    """
    Return the text on one line, with visible characters in place of those that a
    terminal would obey (escape sequences, line ends, changes of direction).
    """
    if text.isprintable() and (text.isascii() or ord(max(text)) < _INVISIBLE.start):
        return text
    return "".join(map(_shown, text))


def harmless_lines(text: str) -> str:
    """
    Return the text as L{harmless} does, but keep its line ends.
    """
    return "\n".join(map(harmless, text.split("\n")))


def _shown(char: str) -> str:
    code = ord(char)
    if code not in _INVISIBLE:
        if char in _JOINERS or unicodedata.category(char) not in _OBEYED:
            return char
        if code < 0x20:
            return chr(0x2400 + code)
        if code == 0x7F:
            return "\u2421"
    return f"<U+{code:04X}>"
