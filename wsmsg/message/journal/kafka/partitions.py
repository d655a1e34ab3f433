"""
The partitions that are ours: what was read of each, and what is settled; no I/O.

A partition may be taken away and come back while records that were read before are
still on their way.  Their settling counts only for what it is: within a partition all
that was read was read without a hole from where it was committed, so a position that
was settled is settled whoever owns the partition.  But it never moves a partition that
is not ours, and never moves one back.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

import attrs

from wsmsg.message.journal.interface import JournalEntry


@attrs.define
class _Partition:
    """
    @ivar settled: all below was settled; L{None}: nothing was read of it.
    @ivar read: what the next record is at, at least.
    @ivar written: what the last commit was.
    """

    settled: int | None
    read: int | None
    written: int | None


class Partitions:
    """
    Of one member of the group.
    """

    def __init__(self) -> None:
        self._ours: dict[int, _Partition] = {}

    def __contains__(self, partition: int) -> bool:
        return partition in self._ours

    def __len__(self) -> int:
        return len(self._ours)

    def came(self, positions: Mapping[int, int | None]) -> None:
        """
        These are ours now.

        @param positions: what each was committed to; L{None}: that is not known.
        """
        for partition, position in positions.items():
            self._ours[partition] = _Partition(position, position, position)

    def went(self, partitions: Iterable[int]) -> None:
        for partition in partitions:
            self._ours.pop(partition, None)

    def ours(self, entries: Collection[JournalEntry]) -> list[JournalEntry]:
        """
        Those of the entries that are of our partitions.
        """
        return [e for e in entries if e.partition in self._ours]

    def handed(self, entries: Iterable[JournalEntry]) -> None:
        """
        These were given to the reader.
        """
        for entry in entries:
            mine = self._ours.get(entry.partition)
            if mine is not None:
                if mine.settled is None:
                    mine.settled = mine.written = entry.offset
                mine.read = entry.offset + 1

    def settle(self, positions: Mapping[int, int]) -> None:
        """
        All below these positions is settled.
        """
        for partition, position in positions.items():
            mine = self._ours.get(partition)
            if mine is not None and mine.settled is not None:
                mine.settled = max(mine.settled, position)

    def open(self, partitions: Iterable[int]) -> bool:
        """
        Whether something that was given of these is not settled.
        """
        for partition in partitions:
            mine = self._ours.get(partition)
            if mine is not None and (mine.read or 0) > (mine.settled or 0):
                return True
        return False

    def due(self, among: Collection[int] | None = None) -> dict[int, int]:
        """
        What is to be committed, of all or of some; it counts as committed then.
        """
        positions: dict[int, int] = {}
        for partition, mine in self._ours.items():
            if among is not None and partition not in among:
                continue
            if mine.settled is not None and mine.settled != mine.written:
                positions[partition] = mine.written = mine.settled
        return positions

    def not_written(self, partitions: Iterable[int]) -> None:
        """
        The commits of these failed; they are due again.
        """
        for partition in partitions:
            if partition in self._ours:
                self._ours[partition].written = None

    def rewound(self) -> dict[int, int]:
        """
        What was given and is not settled is to be given again.

        @return: where to read on, for each of which something was given.
        """
        positions: dict[int, int] = {}
        for partition, mine in self._ours.items():
            if mine.settled is not None:
                positions[partition] = mine.read = mine.settled
        return positions

    def positions(self) -> dict[int, int | None]:
        """
        What is settled, of all.
        """
        return {partition: mine.settled for partition, mine in self._ours.items()}
