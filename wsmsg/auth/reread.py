"""
Files with keys and certificates that a reload reads again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple


class FileRead(NamedTuple):
    """
    A file that a reload has read, for the log.

    @ivar name: of the file or its setting, with what operators know its content by.
    @ivar changed: whether the content is another one than before.
    """

    name: str
    changed: bool


#: Returned by what reads no file, or could not use it: then that is in the log already.
NOTHING_READ: Sequence[FileRead] = ()


def describe(files: Iterable[FileRead]) -> str:
    """
    Return the end of a line about a reload; empty, if it read no such files.
    """
    kinds: dict[bool, list[str]] = {True: [], False: []}
    for file in files:
        kinds[file.changed].append(file.name)
    text = ""
    if kinds[True]:
        text += f"; changed files: {', '.join(kinds[True])}"
    if kinds[False]:
        text += f"; read again, unchanged: {', '.join(kinds[False])}"
    return text
