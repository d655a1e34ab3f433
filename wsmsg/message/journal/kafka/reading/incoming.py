"""
The incoming records: on hand until the reader takes them, settled, committed.

Each record arrives once: from memory, if this process wrote it and nothing of its
partition comes before it; else from the consumer.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Mapping
from typing import Protocol

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from wsmsg.dependency.alarms import Alarms
from wsmsg.message.journal.interface import JournalEntry
from wsmsg.message.journal.kafka.reading.ahead import Ahead
from wsmsg.message.journal.kafka.reading.owner import Settled
from wsmsg.message.journal.kafka.reading.partitions import Partitions
from wsmsg.message.journal.witness import Witness
from wsmsg.text.counted import counted, plural

_COMMIT_S = 0.2
# The delay before records are read again that could not be taken.
_AGAIN_S = 1.0
#: With fewer records on hand than this the consumer is asked for more.
_ON_HAND = 1000


class Reads(Protocol):
    """
    The parts of a consumer that are used here.
    """

    @property
    def ends(self) -> Mapping[int, int]: ...

    def want_more(self) -> None: ...

    def commit(self, positions: Mapping[int, int]) -> None: ...

    def rewind(self, epoch: int, positions: Mapping[int, int]) -> None: ...


class IncomingRecords:
    """
    The owner of the consumer: L{wsmsg.message.journal.kafka.reading.owner}.

    @param topic: returns the name of the topic.
    @param revoke_s: time for which a revoked partition waits for unsettled records.
    @param consumer: returns the consumer; L{None}: there is none.
    @param lost: called when the brokers do not serve the consumer.
    @ivar records_lost: records that were removed before this process read them.
    @ivar from_memory: the number of records that were taken from memory.
    """

    _log = Logger()

    def __init__(
        self,
        topic: Callable[[], str],
        reactor: IReactorTime,
        alarms: Alarms,
        *,
        revoke_s: float,
        consumer: Callable[[], Reads | None],
        lost: Callable[[str, bool], object],
    ) -> None:
        self.records_lost = self.from_memory = 0
        self.partitions = Partitions()
        self._lost = lost
        self._witness = Witness()
        self.keep_witness = self._witness.keep
        self.witness = self._witness.texts
        self._topic = topic
        self._reactor = reactor
        self._alarms = alarms
        self._revoke_s = revoke_s
        self._consumer = consumer
        self._on_hand: deque[JournalEntry] = deque()
        self._epoch = 0
        self._reader: tuple[int, Deferred[list[JournalEntry]]] | None = None
        self._revoking: list[tuple[frozenset[int], Settled, IDelayedCall]] = []
        self._committing: IDelayedCall | None = None
        self._forget: list[Callable[[], object]] = []
        self._stopping = False

    # As of IJournal

    def read(self, limit: int) -> Deferred[list[JournalEntry]]:
        if self._reader is not None:
            raise RuntimeError("a read is open already")
        if self._stopping:
            return succeed([])
        done: Deferred[list[JournalEntry]] = Deferred()
        self._reader = (max(limit, 1), done)
        self._serve()
        return done

    def rewind(self) -> None:
        self._on_hand.clear()
        self._epoch += 1
        consumer = self._consumer()
        if consumer is not None:
            # Records on their way are of the epoch before and dropped: read them again.
            consumer.rewind(self._epoch, self.partitions.rewind())

    def commit(self, positions: Mapping[int, int]) -> None:
        self.partitions.settle(positions)
        if self._committing is None and not self._stopping:
            self._committing = self._reactor.callLater(_COMMIT_S, self._commit)
        for partitions, settled, timeout in list(self._revoking):
            if not self.partitions.has_unsettled(partitions):
                timeout.cancel()
                self._end_revoking(partitions, settled)

    def on_revoked(self, forget: Callable[[], object]) -> None:
        self._forget.append(forget)

    def counts(self) -> dict[str, int]:
        """
        Return the counts of the records that are read.
        """
        consumer = self._consumer()
        ends = consumer.ends if consumer is not None else {}
        settled = self.partitions.positions()
        return {
            "lag": sum(max(end - (settled.get(p) or 0), 0) for p, end in ends.items()),
            "unread": self.partitions.unread(ends),
            "partitions": len(self.partitions),
            "from_memory": self.from_memory,
            "records_lost": self.records_lost,
        }

    # Life

    def close(self) -> None:
        """
        Take no further records, and let revoked partitions go at once.
        """
        self._stopping = True
        if self._committing is not None:
            self._committing.cancel()
            self._committing = None
        for partitions, settled, timeout in list(self._revoking):
            timeout.cancel()
            self._end_revoking(partitions, settled)

    def end_read(self) -> None:
        """
        End the read that is open.
        """
        if self._reader is not None:
            (_, reader), self._reader = self._reader, None
            reader.callback([])

    def give_up(self) -> None:
        """
        Note that the consumer, with all of its partitions, is given up.
        """
        self.revoked(frozenset(self.partitions.positions()))

    # Taking records

    def delivered(self, entries: Collection[JournalEntry]) -> None:
        """
        Take from memory those of the records that this process wrote which come next.
        """
        if not self._stopping and len(self._on_hand) < _ON_HAND:
            n_before = len(self._on_hand)
            self._take(lambda: self.partitions.delivered(entries))
            self.from_memory += len(self._on_hand) - n_before
            self._serve()

    def arrived(self, epoch: int, entries: list[JournalEntry]) -> None:
        if self._stopping or epoch != self._epoch:
            self._want_more()
            return
        self._take(lambda: self.partitions.fetched(entries))
        self._want_more()
        self._serve()

    def _take(self, chosen: Callable[[], list[JournalEntry]]) -> None:
        with self._log.failuresHandled("records cannot be taken") as taking:
            self._on_hand.extend(chosen())
        if taking.failed:
            # Some may be lost on the way: read them again.
            self._reactor.callLater(_AGAIN_S, self._read_again)

    def _read_again(self) -> None:
        if not self._stopping:
            self.rewind()

    def _serve(self) -> None:
        if self._reader is None or not self._on_hand:
            return
        (limit, reader), self._reader = self._reader, None
        some = [self._on_hand.popleft() for _ in range(min(limit, len(self._on_hand)))]
        self.partitions.handed_out(some)
        self._want_more()
        reader.callback(some)

    def _want_more(self) -> None:
        consumer = self._consumer()
        if consumer is not None and len(self._on_hand) < _ON_HAND:
            consumer.want_more()

    def _commit(self) -> None:
        self._committing = None
        due, consumer = self.partitions.take_due(), self._consumer()
        if due and consumer is not None:
            consumer.commit(due)

    # Partitions that come and go

    def assigned(
        self, readings: Mapping[int, Ahead], witness: Mapping[int, str]
    ) -> None:
        self.partitions.assign(readings)
        self._witness.found(witness)
        self._log.info("assigned partitions {partitions}", partitions=sorted(readings))
        self._call_forget()

    def read_anew(self, epoch: int, readings: Mapping[int, Ahead]) -> None:
        if epoch == self._epoch:
            self.partitions.read_anew(readings)

    def revoking(self, partitions: frozenset[int], settled: Settled) -> None:
        self._drop(partitions)
        if self._stopping or not self.partitions.has_unsettled(partitions):
            self._end_revoking(partitions, settled)
            return
        timeout = self._reactor.callLater(
            self._revoke_s, self._end_revoking, partitions, settled
        )
        self._revoking.append((partitions, settled, timeout))

    def revoked(self, partitions: frozenset[int]) -> None:
        self._drop(partitions)
        self.partitions.revoke(partitions)
        self._log.info(
            "revoked partitions {partitions}",
            partitions=sorted(partitions),
        )
        self._call_forget()

    def removed(self, partition: int, oldest: int) -> None:
        settled = self.partitions.positions().get(partition)
        count = max(oldest - settled, 1) if settled is not None else 1
        self.records_lost += count
        self._log.error(
            "topic {topic}, partition {partition}: {count} {noun} removed before being "
            "read; reading continues at {oldest}",
            topic=self._topic(),
            partition=partition,
            count=count,
            noun=plural(count, "record was", "records were"),
            oldest=oldest,
        )
        self._alarms.raise_alarm(
            "records_lost",
            f"{counted(self.records_lost, 'accepted record')} of topic "
            f"{self._topic()} {plural(self.records_lost, 'was', 'were')} removed "
            "(by its retention, or by hand) before being read",
        )

    def lost(self, reason: str, ruined: bool) -> None:
        self._lost(reason, ruined)

    def commit_failed(self, partitions: frozenset[int]) -> None:
        self.partitions.commit_failed(partitions)

    def _end_revoking(self, partitions: frozenset[int], settled: Settled) -> None:
        self._revoking = [each for each in self._revoking if each[1] is not settled]
        settled.set(self.partitions.take_due(partitions))
        self.revoked(partitions)

    def _drop(self, partitions: frozenset[int]) -> None:
        self.partitions.only_fetched(partitions)
        self._on_hand = deque(e for e in self._on_hand if e.partition not in partitions)

    def _call_forget(self) -> None:
        for forget in self._forget:
            forget()
