"""
What a deployed Connect's Redis is to be told of the sessions here, and when.

::

    joined --> untold --take--> told --REFRESH_S--> told again
                 ^                |
                 `---- anew ------+--left--> parting --part--> gone

Whatever is known to be lost there is told anew; what was told stands by its name, so
that to say it twice does no harm.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import TypeVar

import attrs

K = TypeVar("K")

#: What is told is told again after so long: theirs may have removed a user of ours.
REFRESH_S = 60.0


@attrs.define(eq=False)
class LedgerEntry:
    """
    A session, as their Redis has it.

    @ivar since_s: when it began, in unix seconds; with the user it makes the name, so
        a session that came in the same second as another is a second later.
    @ivar told_s: when it was told last, in clock seconds; -1: Redis does not know it.
    """

    user: int
    client_type: str
    since_s: int
    told_s: float = -1.0

    @property
    def name(self) -> str:
        return f"conn-{self.user}-{self.since_s}"


class PresenceLedger:
    """
    All sessions of a Connect.

    @param limit: of how many that have gone it is remembered that Redis must be told;
        over it the oldest are left to expire.
    @ivar forgotten: how many were left to expire.
    """

    def __init__(self, limit: int) -> None:
        self.forgotten = 0
        self._limit = limit
        self._untold: dict[object, LedgerEntry] = {}
        # By the time of the last telling: the first is due first.
        self._told: dict[object, LedgerEntry] = {}
        self._parting: dict[str, LedgerEntry] = {}
        self._named: dict[str, object] = {}

    def __len__(self) -> int:
        return len(self._untold) + len(self._told)

    @property
    def waiting(self) -> int:
        """
        How much is to be written that is not a repetition.
        """
        return len(self._untold) + len(self._parting)

    def joined(self, key: object, user: int, client_type: str, since_s: float) -> None:
        """
        A session is here.

        @param key: what it is known by, to L{left}; hashable.
        """
        entry = LedgerEntry(user, client_type, int(since_s))
        self._name(key, entry)
        self._untold[key] = entry

    def left(self, key: object) -> None:
        """
        A session ended; one that is not known is no matter.
        """
        entry = self._untold.pop(key, None) or self._told.pop(key, None)
        if entry is None:
            return
        if entry.told_s < 0:
            del self._named[entry.name]
            return
        self._part(entry)

    def take(self, now_s: float, limit: int) -> list[tuple[object, LedgerEntry]]:
        """
        What is to be told now; it counts as told.
        """
        taken = [(key, self._untold[key]) for key in _first(self._untold, limit)]
        for key, _ in taken:
            del self._untold[key]
        for key in _first(self._told, limit - len(taken)):
            if self._told[key].told_s > now_s - REFRESH_S:
                break
            taken.append((key, self._told.pop(key)))
        for key, entry in taken:
            entry.told_s = now_s
            self._told[key] = entry
        return taken

    def part(self, limit: int) -> list[LedgerEntry]:
        """
        What is to be removed now; it counts as removed.
        """
        parted = [self._parting.pop(name) for name in _first(self._parting, limit)]
        for entry in parted:
            del self._named[entry.name]
        return parted

    def unparted(self, entries: Iterable[LedgerEntry]) -> None:
        """
        These may not have been removed after all.
        """
        for entry in entries:
            if entry.name not in self._named:
                self._part(entry)

    def refused(self, name: str) -> None:
        """
        This name is somebody else's: the session takes the next.
        """
        key = self._named.get(name)
        entry = self._told.pop(key, None)
        if entry is None:  # it left meanwhile
            if self._parting.pop(name, None) is not None:
                del self._named[name]
            return
        del self._named[name]
        entry.since_s += 1
        entry.told_s = -1.0
        self._name(key, entry)
        self._untold[key] = entry

    def anew(self) -> None:
        """
        Redis may know nothing of what it was told.
        """
        self._untold = {**self._told, **self._untold}
        self._told = {}

    def _name(self, key: object, entry: LedgerEntry) -> None:
        while entry.name in self._named:
            entry.since_s += 1
        self._named[entry.name] = key

    def _part(self, entry: LedgerEntry) -> None:
        if len(self._parting) >= self._limit:
            (oldest,) = _first(self._parting, 1)
            del self._parting[oldest], self._named[oldest]
            self.forgotten += 1
        self._parting[entry.name] = entry
        self._named[entry.name] = None


def _first(entries: Mapping[K, LedgerEntry], limit: int) -> list[K]:
    return list(islice(entries, max(0, limit)))
