"""
The commands of a page: those in its blocks, and those in its lines.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from textwrap import dedent

import attrs

ROOT = Path(__file__).resolve().parents[3]

_FENCE = re.compile(r"^```(\w*)$")
_SHELL = ("console", "sh", "bash")
_PROGRAMS = "wsmsg|twistd|make|curl|python|systemctl|redis-cli|docker|pip|kill"
_INLINE = re.compile(rf"`((?:{_PROGRAMS})\s[^`]+)`")
_ITEM = re.compile(r"(?:\d+\.|[*-]) ")
_COMMENT = re.compile(r"(?:^| +)# .*$", re.M)


@attrs.frozen
class PageCommand:
    """
    A command on a page.

    @ivar text: the command as it is typed, without its comment.
    @ivar output: the lines that the page shows below it.
    """

    page: str
    line: int
    text: str
    output: str = ""


def pages() -> list[Path]:
    """
    Return the pages whose commands are typed.
    """
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def commands() -> Iterator[PageCommand]:
    """
    Return all commands in the blocks of all pages.
    """
    return chain.from_iterable(map(block_commands, pages()))


def block_commands(page: Path) -> Iterator[PageCommand]:
    """
    Yield the commands in the blocks of a page.
    """
    name = page.relative_to(ROOT).as_posix()
    for first, lines in _blocks(page.read_text().splitlines()):
        shown = any(line.startswith("$ ") for line in lines)
        yield from (
            _with_output(name, first, lines) if shown else _plain(name, first, lines)
        )


def inline_commands(page: Path) -> Iterator[PageCommand]:
    """
    Yield the commands, with at least one word behind the program, that stand within the
    lines and tables of a page.
    """
    text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.M | re.S)
    for found in _INLINE.findall(text):
        typed = " ".join(found.replace("\\|", "|").split())
        yield PageCommand(page.relative_to(ROOT).as_posix(), 0, typed)


def _blocks(lines: list[str]) -> Iterator[tuple[int, list[str]]]:
    fence: str | None = None
    block: list[str] = []
    in_list = False
    for number, line in enumerate([*lines, ""], 1):
        if line and not line.startswith(" "):
            in_list = bool(_ITEM.match(line))
        if (mark := _FENCE.match(line)) or fence is not None:
            if mark and fence is None:
                fence = mark[1]
            elif mark:
                if fence in _SHELL:
                    yield number - len(block), block
                fence, block = None, []
            else:
                block.append(line)
        elif _is_code(line, in_list) and (block or not lines[number - 2]):
            block.append(line[4:])
        elif block:
            # Of a list item, the code is indented further.
            yield number - len(block), dedent("\n".join(block)).splitlines()
            block = []


def _is_code(line: str, in_list: bool) -> bool:
    """
    Tell whether an indented line is code.  Four columns more are a paragraph of a list
    item.
    """
    return line.startswith("    " * (2 if in_list else 1))


def _with_output(name: str, first: int, lines: list[str]) -> Iterator[PageCommand]:
    begins = [i for i, line in enumerate(lines) if line.startswith("$ ")]
    for i, end in zip(begins, [*begins[1:], len(lines)], strict=True):
        text, after = lines[i].removeprefix("$ "), i + 1
        while not _is_complete(text):
            text += f"\n{lines[after]}"
            after += 1
        yield PageCommand(name, first + i, text, "\n".join(lines[after:end]))


def _plain(name: str, first: int, lines: list[str]) -> Iterator[PageCommand]:
    text = ""
    for number, line in enumerate(lines, first):
        text = f"{text}\n{line}" if text else _COMMENT.sub("", line)
        if text and _is_complete(text):
            yield PageCommand(name, number, text)
            text = ""


def _is_complete(text: str) -> bool:
    quotes = sum(text.count(q) - text.count(f"\\{q}") for q in "'\"")
    open_loop = len(re.findall(r"^for ", text, re.M)) > len(
        re.findall(r"^done\b", text, re.M)
    )
    return not (quotes % 2 or text.endswith("\\") or open_loop)
