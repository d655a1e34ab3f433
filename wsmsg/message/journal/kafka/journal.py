"""
The journal in a topic of Apache Kafka: L{IJournal} for many Messages.

The key of a record is its conversation, so that all records of a conversation are in
one partition, in order.  All Messages form one consumer group: each reads partitions of
its own, and takes over those of a lost Message from their last commit.  The client
library speaks the protocol; this module joins the producer, the consumer, the topics
and the dead letters::

    append -> KafkaProducer ............ acknowledged -> answered
    KafkaConsumer -> on hand -> read ... settled -> Partitions -> commit
    KafkaTopics: checks -> KeptOpen -> dependency
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from zope.interface import implementer

from wsmsg.dependency.alarms import Alarms
from wsmsg.dependency.reopen import KeptOpen
from wsmsg.dependency.retry import RetryPolicy
from wsmsg.dependency.state import Dependency
from wsmsg.dependency.stop import StopOnce
from wsmsg.dependency.worker import TimeAndThreads, Worker
from wsmsg.errors import Unavailable
from wsmsg.message.journal.interface import DeadLetter, IJournal, JournalEntry
from wsmsg.message.journal.kafka.config import KafkaPlace, consumer
from wsmsg.message.journal.kafka.consumer import KafkaConsumer
from wsmsg.message.journal.kafka.dead_letters import KafkaDeadLetters
from wsmsg.message.journal.kafka.durability import DurabilityWatch
from wsmsg.message.journal.kafka.letter_writer import LetterProducer, LetterWriter
from wsmsg.message.journal.kafka.owner import Settled
from wsmsg.message.journal.kafka.partitions import Partitions
from wsmsg.message.journal.kafka.producer import (
    KafkaProducer,
    MessageProducers,
    Outgoing,
)
from wsmsg.message.journal.kafka.pulse import BrokerPulse
from wsmsg.message.journal.kafka.topics import KafkaTopics
from wsmsg.message.journal.witness import Witness
from wsmsg.model import Message
from wsmsg.text.counted import counted, plural

_COMMIT_S = 0.2
# The delay before records are read again that could not be taken.
_AGAIN_S = 1.0
#: The consumer waits for further records behind a first one for this part of the time
#: between two appends: the records of one append arrive within a millisecond or two.
_GATHER = 5
#: With fewer records on hand than this the consumer is asked for more.
_ON_HAND = 1000


@implementer(IJournal)
class KafkaJournal:
    """
    The journal at C{place}.

    @param reactor: for the time, and for calls from threads.
    @ivar records_lost: records that were removed before this process read them.
    """

    _log = Logger()

    def __init__(
        self,
        place: KafkaPlace,
        reactor: TimeAndThreads,
        *,
        retry: RetryPolicy,
        dependency: Dependency,
        alarms: Alarms | None = None,
    ) -> None:
        self.dependency = dependency
        self._alarms = alarms = alarms or Alarms()
        self.spacing_s = place.settings.linger_ms / 1000
        self.records_lost = 0
        self._place = place
        self._reactor = reactor
        self._worker = Worker("wsmsg-kafka", reactor)
        self._topics = KafkaTopics(place)
        self._letters = KafkaDeadLetters(place)
        self._letter_producer = LetterProducer(place, reactor, self._worker)
        self._writer = LetterWriter(
            place,
            self._send,
            lambda: self._topics.letter_bytes,
            self._letters,
            self._call,
        )
        self._kept = KeptOpen(self._open, reactor, retry, dependency)
        self._watch = DurabilityWatch(self._topics, self._kept_call, alarms, reactor)
        self._pulse = BrokerPulse(
            self._kept,
            lambda: self._producers.current,
            place,
            Worker("wsmsg-kafka-pulse", reactor),
            reactor,
        )
        self._producers = MessageProducers(place, self._topics, reactor, self._lost)
        self._consumer: KafkaConsumer | None = None
        self._ending: list[Deferred[None]] = []
        self._partitions = Partitions()
        self._on_hand: deque[JournalEntry] = deque()
        self._epoch = 0
        self._witness = Witness()
        self.keep_witness = self._witness.keep
        self._reader: tuple[int, Deferred[list[JournalEntry]]] | None = None
        self._revoking: list[tuple[frozenset[int], Settled, IDelayedCall]] = []
        self._committing: IDelayedCall | None = None
        self._forget: list[Callable[[], object]] = []
        self._stopping = StopOnce(self._stop)

    @property
    def content_bytes(self) -> int:
        return self._place.content_bytes_of(self._topics.record_bytes)

    @property
    def retention_s(self) -> float:
        return self._topics.retention_s

    def start(self) -> None:
        self._kept.start()
        self._watch.start()
        self._pulse.start()

    def stop(self) -> Deferred[None]:
        return self._stopping()

    def append(self, messages: Sequence[Message]) -> Deferred[None]:
        if not self._kept.up:
            return fail(self._kept.refusal())
        return self._producers.append(messages)

    def read(self, limit: int) -> Deferred[list[JournalEntry]]:
        if self._reader is not None:
            raise RuntimeError("a read is open already")
        if self._stopping.begun:
            return succeed([])
        done: Deferred[list[JournalEntry]] = Deferred()
        self._reader = (max(limit, 1), done)
        self._serve()
        return done

    def rewind(self) -> None:
        self._on_hand.clear()
        self._epoch += 1
        if self._consumer is not None:
            # Records on their way are of the epoch before and dropped: read them again.
            self._consumer.rewind(self._epoch, self._partitions.rewind())

    def commit(self, positions: Mapping[int, int]) -> None:
        self._partitions.settle(positions)
        if self._committing is None and not self._stopping.begun:
            self._committing = self._reactor.callLater(_COMMIT_S, self._commit)
        for partitions, settled, timeout in list(self._revoking):
            if not self._partitions.has_unsettled(partitions):
                timeout.cancel()
                self._end_revoking(partitions, settled)

    def on_revoked(self, forget: Callable[[], object]) -> None:
        self._forget.append(forget)

    def counts(self) -> Mapping[str, int]:
        ends = dict(self._consumer.ends) if self._consumer is not None else {}
        settled = self._partitions.positions()
        lag = sum(max(end - (settled.get(p) or 0), 0) for p, end in ends.items())
        return {
            "lag": lag,
            "unread": self._partitions.unread(ends),
            "lag_bytes": self._producers.sizes.bytes_of(lag),
            "in_flight": self._producers.in_flight,
            "partitions": len(self._partitions),
            "dead_letters_dropped": self._writer.dropped.total,
            "records_lost": self.records_lost,
        }

    def dead_letter(
        self, letters: Sequence[tuple[JournalEntry, str]]
    ) -> Deferred[None]:
        if not self._kept.up:
            return fail(self._kept.refusal())
        if not letters:
            return succeed(None)
        return Deferred.fromCoroutine(self._writer.write(letters))

    def dead_letters(self, after: int, limit: int) -> Deferred[list[DeadLetter]]:
        return self._call(self._letters.after, after, limit)

    def replay(self, numbers: Sequence[int]) -> Deferred[list[int]]:
        return self._call(self._letters.replay, list(numbers))

    def _send(self, topic: str, records: Sequence[Outgoing]) -> Deferred[None]:
        if not self._kept.up:
            return fail(self._kept.refusal())
        return Deferred.fromCoroutine(self._letter_producer.send(topic, records))

    def _kept_call(self, f: Callable[[], None]) -> Deferred[None]:
        return self._kept.run(self._worker, f)

    def _call(self, f: Callable[..., list], *args: object) -> Deferred:  # type: ignore[type-arg]
        # A failure here does not mean that the journal is lost.
        if not self._kept.up:
            return fail(self._kept.refusal())
        return self._worker.do(f, *args)

    # Opening and closing

    def _open(self) -> Deferred[None]:
        return Deferred.fromCoroutine(self._opened())

    async def _opened(self) -> None:
        try:
            await self._worker.do(self._topics.check)
        finally:
            self._watch.report()
        if self._stopping.begun:
            return
        before = self._producers.current
        if made := self._producers.replace():
            self._end(before)
            await self._worker.do(made.prepare, (self._place.topic,))
        if self._consumer is None or self._consumer.ruined:
            self._end(self._consumer)
            self._consumer = KafkaConsumer(
                consumer(self._place),
                self._place.topic,
                self._reactor,
                self,
                gather_s=self.spacing_s / _GATHER,
                revoke_s=self._place.settings.revoke_s,
            )
            self._consumer.start()

    def _end(self, client: KafkaProducer | KafkaConsumer | None) -> None:
        if isinstance(client, KafkaProducer):
            self._ending.append(client.close(0))
        elif client is not None:
            self._ending.append(client.close(self._partitions.take_due()))
            self.revoked(frozenset(self._partitions.positions()))

    def _lost(self, reason: str, ruined: bool) -> None:
        self._kept.lost(Unavailable(reason))

    async def _stop(self) -> None:
        self._watch.stop()
        await self._pulse.stop()
        await self._kept.stop()
        if self._committing is not None:
            self._committing.cancel()
            self._committing = None
        for partitions, settled, timeout in list(self._revoking):
            timeout.cancel()
            self._end_revoking(partitions, settled)
        if self._producers.current is not None:
            seconds = self._place.settings.delivery_timeout_s
            self._ending.append(self._producers.current.close(seconds))
        if self._consumer is not None:
            self._ending.append(self._consumer.close(self._partitions.take_due()))
        await self._letter_producer.close()
        for ended in self._ending:
            await ended
        await self._worker.quit()
        self.dependency.stopped()
        if self._reader is not None:
            (_, reader), self._reader = self._reader, None
            reader.callback([])

    # Reading

    def _serve(self) -> None:
        if self._reader is None or not self._on_hand:
            return
        (limit, reader), self._reader = self._reader, None
        some = [self._on_hand.popleft() for _ in range(min(limit, len(self._on_hand)))]
        self._partitions.handed_out(some)
        self._want_more()
        reader.callback(some)

    def _want_more(self) -> None:
        if self._consumer is not None and len(self._on_hand) < _ON_HAND:
            self._consumer.want_more()

    def _commit(self) -> None:
        self._committing = None
        due = self._partitions.take_due()
        if due and self._consumer is not None:
            self._consumer.commit(due)

    # L{wsmsg.message.journal.kafka.owner.ConsumerOwner}

    def arrived(self, epoch: int, entries: list[JournalEntry]) -> None:
        if self._stopping.begun or epoch != self._epoch:
            self._want_more()
            return
        with self._log.failuresHandled("records cannot be taken") as taking:
            self._on_hand.extend(self._partitions.ours(entries))
            self._want_more()
            self._serve()
        if taking.failed:
            # Some may be lost on the way: read them again.
            self._reactor.callLater(_AGAIN_S, self._read_again)

    def _read_again(self) -> None:
        if not self._stopping.begun:
            self.rewind()

    def witness(self) -> Mapping[int, str]:
        return self._witness.texts()

    def assigned(
        self, positions: Mapping[int, int | None], witness: Mapping[int, str]
    ) -> None:
        self._partitions.assign(positions)
        self._witness.found(witness)
        self._log.info("assigned partitions {partitions}", partitions=sorted(positions))
        self._call_forget()

    def revoking(self, partitions: frozenset[int], settled: Settled) -> None:
        self._drop(partitions)
        if self._stopping.begun or not self._partitions.has_unsettled(partitions):
            self._end_revoking(partitions, settled)
            return
        timeout = self._reactor.callLater(
            self._place.settings.revoke_s, self._end_revoking, partitions, settled
        )
        self._revoking.append((partitions, settled, timeout))

    def revoked(self, partitions: frozenset[int]) -> None:
        self._drop(partitions)
        self._partitions.revoke(partitions)
        self._log.info(
            "revoked partitions {partitions}",
            partitions=sorted(partitions),
        )
        self._call_forget()

    def removed(self, partition: int, oldest: int) -> None:
        settled = self._partitions.positions().get(partition)
        count = max(oldest - settled, 1) if settled is not None else 1
        self.records_lost += count
        self._log.error(
            "topic {topic}, partition {partition}: {count} {noun} removed before being "
            "read; reading continues at {oldest}",
            topic=self._place.topic,
            partition=partition,
            count=count,
            noun=plural(count, "record was", "records were"),
            oldest=oldest,
        )
        self._alarms.raise_alarm(
            "records_lost",
            f"{counted(self.records_lost, 'accepted record')} of topic "
            f"{self._place.topic} {plural(self.records_lost, 'was', 'were')} removed "
            "(by its retention, or by hand) before being read",
        )

    def commit_failed(self, partitions: frozenset[int]) -> None:
        self._partitions.commit_failed(partitions)

    def lost(self, reason: str, ruined: bool) -> None:
        self._lost(reason, ruined)

    def _end_revoking(self, partitions: frozenset[int], settled: Settled) -> None:
        self._revoking = [each for each in self._revoking if each[1] is not settled]
        settled.set(self._partitions.take_due(partitions))
        self.revoked(partitions)

    def _drop(self, partitions: frozenset[int]) -> None:
        self._on_hand = deque(e for e in self._on_hand if e.partition not in partitions)

    def _call_forget(self) -> None:
        for forget in self._forget:
            forget()
