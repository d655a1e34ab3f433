"""
The assigned partitions: which records were read, and which are settled; no I/O.

A partition may be revoked and assigned again while records that were read before are
still in flight.  When those are settled, that counts: within a partition all records
were read without a gap from the committed position, so a settled position is settled
for any owner of the partition.  But it never moves a partition that is not assigned
here, and never moves one back.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

import attrs

from wsmsg.message.journal.interface import JournalEntry
from wsmsg.message.journal.kafka.reading.ahead import Ahead


@attrs.define
class _Partition:
    """
    @ivar settled: all records below are settled; L{None}: none was read.
    @ivar read: the lowest offset of the next record.
    @ivar written: the position of the last commit.
    @ivar ahead: what may be taken from memory; L{None}: nothing now.
    """

    settled: int | None
    read: int | None
    written: int | None
    ahead: Ahead | None

    @property
    def has_unsettled(self) -> bool:
        return (self.read or 0) > (self.settled or 0)

    def read_anew(self, ahead: Ahead | None) -> None:
        self.ahead = ahead

    def arrived(self, offset: int) -> None:
        if self.settled is None:
            self.settled = self.written = offset

    def handed_out(self, offset: int) -> None:
        self.arrived(offset)
        self.read = offset + 1

    def settle(self, position: int) -> None:
        if self.settled is not None:
            self.settled = max(self.settled, position)

    def take_due(self) -> int | None:
        """
        Return the position to commit, and note it as committed; L{None}: there is none.
        """
        if self.settled == self.written:
            return None
        self.written = self.settled
        return self.settled

    def commit_failed(self) -> None:
        self.written = None

    def rewind(self) -> int | None:
        """
        Return to the settled position; L{None}: no record arrived.
        """
        if self.settled is not None:
            self.read = self.settled
            self.ahead = None
        return self.settled


class Partitions:
    """
    The partitions of one member of the group.
    """

    def __init__(self) -> None:
        self._ours: dict[int, _Partition] = {}
        self._out: dict[int, int] = {}

    def __contains__(self, partition: int) -> bool:
        return partition in self._ours

    def __len__(self) -> int:
        return len(self._ours)

    def assign(self, readings: Mapping[int, Ahead]) -> None:
        """
        Add partitions.

        @param readings: of each, from the committed position.
        """
        for partition, ahead in readings.items():
            position = ahead.next
            self._ours[partition] = _Partition(position, position, position, ahead)

    def read_anew(self, readings: Mapping[int, Ahead]) -> None:
        """
        Note that the consumer begins at other positions from now on.
        """
        for partition, ahead in readings.items():
            if partition in self._ours:
                self._ours[partition].read_anew(ahead)

    def only_fetched(self, partitions: Iterable[int]) -> None:
        """
        Take nothing of these partitions from memory any more.
        """
        for partition in partitions:
            if partition in self._ours:
                self._ours[partition].read_anew(None)

    def revoke(self, partitions: Iterable[int]) -> None:
        for partition in partitions:
            self._ours.pop(partition, None)

    def fetched(self, entries: Iterable[JournalEntry]) -> list[JournalEntry]:
        """
        Return those of fetched entries that are of assigned partitions, and were not
        taken from memory.
        """
        taken = []
        for entry in entries:
            mine = self._ours.get(entry.partition)
            if mine is None:
                continue
            if mine.ahead is None or mine.ahead.fetched(entry.offset):
                mine.arrived(entry.offset)
                taken.append(entry)
        return taken

    def delivered(self, entries: Iterable[JournalEntry]) -> list[JournalEntry]:
        """
        Return those of entries that this process wrote which come next in a partition
        of its own.
        """
        taken = []
        for entry in entries:
            mine = self._ours.get(entry.partition)
            if mine is None or mine.ahead is None:
                continue
            if mine.ahead.take(entry.offset):
                taken.append(entry)
        return taken

    def handed_out(self, entries: Iterable[JournalEntry]) -> None:
        """
        Note that the reader got these entries.
        """
        for entry in entries:
            mine = self._ours.get(entry.partition)
            if mine is not None:
                mine.handed_out(entry.offset)
            after = max(entry.offset + 1, self._out.get(entry.partition, 0))
            self._out[entry.partition] = after

    @property
    def all_settled(self) -> bool:
        """
        All records that were handed out are settled, of whatever partition.
        """
        return not self._out

    def settle(self, positions: Mapping[int, int]) -> None:
        """
        Note that all records below these positions are settled.
        """
        for partition, position in positions.items():
            mine = self._ours.get(partition)
            if mine is not None:
                mine.settle(position)
            if position >= self._out.get(partition, position + 1):
                del self._out[partition]

    def has_unsettled(self, partitions: Iterable[int]) -> bool:
        """
        Return L{True} if a record of these partitions was handed out and is not
        settled.
        """
        for partition in partitions:
            mine = self._ours.get(partition)
            if mine is not None and mine.has_unsettled:
                return True
        return False

    def take_due(self, among: Collection[int] | None = None) -> dict[int, int]:
        """
        Return the positions to commit, of all or of some partitions, and note them as
        committed.
        """
        positions: dict[int, int] = {}
        for partition, mine in self._ours.items():
            if among is not None and partition not in among:
                continue
            due = mine.take_due()
            if due is not None:
                positions[partition] = due
        return positions

    def commit_failed(self, partitions: Iterable[int]) -> None:
        """
        Note that the commits of these partitions failed, and are due again.
        """
        for partition in partitions:
            if partition in self._ours:
                self._ours[partition].commit_failed()

    def rewind(self) -> dict[int, int]:
        """
        Return to the settled positions, where any record arrived.

        @return: the positions to read from.
        """
        positions: dict[int, int] = {}
        for partition, mine in self._ours.items():
            position = mine.rewind()
            if position is not None:
                positions[partition] = position
        return positions

    def unread(self, ends: Mapping[int, int]) -> int:
        """
        Return the number of records that the reader did not get yet.

        @param ends: the end of each partition.
        """
        found = ((self._ours[p].read, end) for p, end in ends.items() if p in self)
        return sum(max(end - read, 0) for read, end in found if read is not None)

    def positions(self) -> dict[int, int | None]:
        """
        Return the settled position of each partition.
        """
        return {partition: mine.settled for partition, mine in self._ours.items()}


#: Time without a record after which the broker is asked whether there is one.
SILENT_S = 3.0
#: The longest time between two attempts to read from a partition again.
_LONGEST_S = 60.0


@attrs.define
class _Reading:
    """
    @ivar next: the offset of the next record; L{None}: that of the oldest.
    @ivar heard_s: when a record arrived, or the broker was asked.
    @ivar is_behind: the broker had a record at the last question.
    @ivar wait_s: the time until the next question.
    """

    next: int | None
    heard_s: float
    is_behind: bool = False
    wait_s: float = SILENT_S

    def answered(self, oldest: int, end: int, now_s: float) -> int | None:
        self.heard_s = now_s
        following = max(self.next or 0, oldest)
        if end <= following:
            self.is_behind, self.wait_s = False, SILENT_S
        elif not self.is_behind:
            self.is_behind = True
        else:
            self.wait_s = min(2 * self.wait_s, _LONGEST_S)
            return following
        return None


class SilentPartitions:
    """
    Finds partitions of which no record arrives although the broker has some.

    After all brokers were away for some seconds, the library has been seen to fetch
    nothing more from a partition, without an error and for over a minute (compare
    librdkafka's issue 4492).
    """

    def __init__(self) -> None:
        self._readings: dict[int, _Reading] = {}
        self._resumed_s = 0.0

    def begin(self, positions: Mapping[int, int | None], now_s: float) -> None:
        """
        Note that partitions are read from these offsets on; L{None}: from the oldest.
        """
        for partition, offset in positions.items():
            self._readings[partition] = _Reading(offset, now_s)

    def end(self, partition: int) -> None:
        """
        Note that a partition is not read any more.
        """
        self._readings.pop(partition, None)

    def resumed(self, now_s: float) -> None:
        """
        Note that records of all partitions are wanted again.
        """
        self._resumed_s = now_s

    def arrived(self, last: Mapping[int, int], now_s: float) -> None:
        """
        Note that records arrived.

        @param last: the offset of the last one, by partition.
        """
        self.begin({p: offset + 1 for p, offset in last.items()}, now_s)

    def due(self, now_s: float) -> list[int]:
        """
        Return the partitions for whose ends the broker is to be asked.
        """
        return [
            partition
            for partition, reading in self._readings.items()
            if now_s - max(reading.heard_s, self._resumed_s) >= reading.wait_s
        ]

    def answered(
        self, partition: int, oldest: int, end: int, now_s: float
    ) -> int | None:
        """
        Note the answer of the broker.

        @return: the offset from which the partition is to be read anew, as it had a
            record at the question before as well; L{None}: it is not.
        """
        return self._readings[partition].answered(oldest, end, now_s)
