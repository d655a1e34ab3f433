"""
The ledger of what has to be written to the Redis of legacy Connects, and when.

::

    added --> unwritten --next_writes--> written --REFRESH_S--> written again
                 ^                          |
                 `--- write_all_again ------+--remove--> removing --next_removals-->

After a loss in Redis everything is written again.  An entry has a name, so writing it
twice does no harm.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import TypeVar

import attrs

K = TypeVar("K")

#: An entry is written again after so long: a legacy Connect may have removed the user.
REFRESH_S = 60.0


@attrs.define(eq=False)
class LedgerEntry:
    """
    A session, as it is in Redis.

    @ivar since_s: when the session began, in unix seconds.  With the user it makes the
        name, so a session that began in the same second as another of the user is
        given a later second.
    @ivar written_s: when it was written last, in clock seconds; -1: never.
    """

    user: int
    client_type: str
    since_s: int
    written_s: float = -1.0

    @property
    def name(self) -> str:
        return f"conn-{self.user}-{self.since_s}"

    def written(self, now_s: float) -> None:
        """
        Note that the entry was written.
        """
        self.written_s = now_s

    def rename(self) -> None:
        """
        Take the name of the next second, under which nothing was written.
        """
        self.since_s += 1
        self.written_s = -1.0


class PresenceLedger:
    """
    All sessions of a Connect.

    @param limit: the most removals that are kept; over it the oldest are dropped, and
        their entries expire in Redis.
    @ivar forgotten: the number of dropped removals.
    """

    def __init__(self, limit: int) -> None:
        self.forgotten = 0
        self._limit = limit
        self._unwritten: dict[object, LedgerEntry] = {}
        # In the order of the last write, so the first entry is due first.
        self._written: dict[object, LedgerEntry] = {}
        self._removing: dict[str, LedgerEntry] = {}
        self._keys: dict[str, object] = {}

    def __len__(self) -> int:
        return len(self._unwritten) + len(self._written)

    @property
    def waiting(self) -> int:
        """
        The number of writes and removals that are due, without repeated writes.
        """
        return len(self._unwritten) + len(self._removing)

    def add(self, key: object, user: int, client_type: str, since_s: float) -> None:
        """
        Add a session.

        @param key: a hashable that names the session for L{remove}.
        """
        entry = LedgerEntry(user, client_type, int(since_s))
        self._give_name(key, entry)
        self._unwritten[key] = entry

    def remove(self, key: object) -> None:
        """
        Remove a session; an unknown one is ignored.
        """
        entry = self._unwritten.pop(key, None) or self._written.pop(key, None)
        if entry is None:
            return
        if entry.written_s < 0:
            del self._keys[entry.name]
            return
        self._add_removal(entry)

    def next_writes(self, now_s: float, limit: int) -> list[tuple[object, LedgerEntry]]:
        """
        Return the entries to write now, which count as written.
        """
        keys = _first(self._unwritten, limit)
        entries = [(key, self._unwritten.pop(key)) for key in keys]
        for key in _first(self._written, limit - len(entries)):
            if self._written[key].written_s > now_s - REFRESH_S:
                break
            entries.append((key, self._written.pop(key)))
        for key, entry in entries:
            entry.written(now_s)
            self._written[key] = entry
        return entries

    def next_removals(self, limit: int) -> list[LedgerEntry]:
        """
        Return the entries to remove now, which count as removed.
        """
        entries = [self._removing.pop(name) for name in _first(self._removing, limit)]
        for entry in entries:
            del self._keys[entry.name]
        return entries

    def removal_failed(self, entries: Iterable[LedgerEntry]) -> None:
        """
        Have these removed again.
        """
        for entry in entries:
            if entry.name not in self._keys:
                self._add_removal(entry)

    def name_taken(self, name: str) -> None:
        """
        Give the session of this name the next name: another Connect has this one.
        """
        key = self._keys.get(name)
        entry = self._written.pop(key, None)
        if entry is None:  # the session ended meanwhile
            if self._removing.pop(name, None) is not None:
                del self._keys[name]
            return
        del self._keys[name]
        entry.rename()
        self._give_name(key, entry)
        self._unwritten[key] = entry

    def write_all_again(self) -> None:
        """
        Have everything written again, as Redis may have lost it.
        """
        self._unwritten = {**self._written, **self._unwritten}
        self._written = {}

    def _give_name(self, key: object, entry: LedgerEntry) -> None:
        while entry.name in self._keys:
            entry.rename()
        self._keys[entry.name] = key

    def _add_removal(self, entry: LedgerEntry) -> None:
        if len(self._removing) >= self._limit:
            (oldest,) = _first(self._removing, 1)
            del self._removing[oldest], self._keys[oldest]
            self.forgotten += 1
        self._removing[entry.name] = entry
        self._keys[entry.name] = None


def _first(entries: Mapping[K, LedgerEntry], limit: int) -> list[K]:
    return list(islice(entries, max(0, limit)))
