"""
The kinds of dead letters, and how many of each kind are kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import NamedTuple

import attrs
from twisted.logger import Logger

from wsmsg.message.journal.interface import LetterKind
from wsmsg.text.counted import plural


@attrs.frozen
class LetterBound:
    """
    The most letters of one kind that are kept; the newest one is always kept.
    """

    letters: int
    n_bytes: int


_MIB = 2**20

#: Letters of a conflict are bounded closely: any client can make them.
BOUNDS: Mapping[LetterKind, LetterBound] = MappingProxyType(
    {
        LetterKind.CONFLICT: LetterBound(1000, 16 * _MIB),
        LetterKind.REFUSED: LetterBound(100_000, 1024 * _MIB),
        LetterKind.UNREADABLE: LetterBound(100_000, 1024 * _MIB),
    }
)


class KeptLetter(NamedTuple):
    """
    A letter that is kept, as the bounds see it.
    """

    number: int
    kind: LetterKind
    n_bytes: int


class DroppedLetters:
    """
    Counts the dead letters that were removed for newer ones.

    @ivar total: letters of all kinds.
    """

    _log = Logger()

    def __init__(self) -> None:
        self.total = 0

    def add(self, dropped: Mapping[LetterKind, int]) -> None:
        """
        Count removed letters, and log them.
        """
        for kind, n in dropped.items():
            self.total += n
            self._log.warn(
                "{n} of the oldest dead letters of the kind {kind} {were} removed, as"
                " {most} letters or {n_bytes} bytes of it are kept",
                n=n,
                were=plural(n, "was", "were"),
                kind=kind.value,
                most=BOUNDS[kind].letters,
                n_bytes=BOUNDS[kind].n_bytes,
            )


def over_bounds(
    newest_first: Iterable[KeptLetter],
    bounds: Mapping[LetterKind, LetterBound] = BOUNDS,
) -> list[KeptLetter]:
    """
    Return the letters to remove: of each kind, those older than the newest within the
    bound.
    """
    count = dict.fromkeys(LetterKind, 0)
    n_bytes = dict.fromkeys(LetterKind, 0)
    excess = []
    for letter in newest_first:
        kind, bound = letter.kind, bounds[letter.kind]
        count[kind] += 1
        n_bytes[kind] += letter.n_bytes
        too_many = count[kind] > bound.letters or n_bytes[kind] > bound.n_bytes
        if too_many and count[kind] > 1:
            excess.append(letter)
    return excess
