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

from collections.abc import Callable, Mapping, Sequence

from twisted.internet.defer import Deferred, fail, succeed
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
from wsmsg.message.journal.kafka.errors import RetiredTopic
from wsmsg.message.journal.kafka.letter_writer import LetterProducer, LetterWriter
from wsmsg.message.journal.kafka.message_producers import MessageProducers
from wsmsg.message.journal.kafka.producer import KafkaProducer, Outgoing
from wsmsg.message.journal.kafka.pulse import BrokerPulse
from wsmsg.message.journal.kafka.reading.incoming import IncomingRecords
from wsmsg.message.journal.kafka.topics import KafkaTopics
from wsmsg.model import Message

#: The consumer waits for further records behind a first one for this part of the time
#: between two appends: the records of one append arrive within a millisecond or two.
_GATHER = 5


Successor = Callable[[str], Deferred[str]]


@implementer(IJournal)
class KafkaJournal:
    """
    The journal at C{place}.

    @param reactor: for the time, and for calls from threads.
    @param successor: returns the topic that has the place of another one now, or the
        same; L{None}: nobody knows.
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
        successor: Successor | None = None,
    ) -> None:
        self.dependency = dependency
        alarms = alarms or Alarms()
        self.spacing_s = place.settings.linger_ms / 1000
        self._place = place
        self._successor = successor
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
        self._consumer: KafkaConsumer | None = None
        self._ending: list[Deferred[None]] = []
        self._incoming = incoming = IncomingRecords(
            lambda: place.topic,
            reactor,
            alarms,
            revoke_s=place.settings.revoke_s,
            consumer=lambda: self._consumer,
            lost=self._lost,
        )
        self._producers = MessageProducers(
            place, self._topics, reactor, self._lost, incoming.delivered
        )
        self.read = incoming.read
        self.rewind = incoming.rewind
        self.commit = incoming.commit
        self.on_revoked = incoming.on_revoked
        self.keep_witness = incoming.keep_witness
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

    def counts(self) -> Mapping[str, int]:
        counts = self._incoming.counts()
        return {
            **counts,
            "lag_bytes": self._producers.sizes.bytes_of(counts["lag"]),
            "in_flight": self._producers.in_flight,
            "dead_letters_dropped": self._writer.dropped.total,
        }

    def dead_letter(
        self, letters: Sequence[tuple[JournalEntry, str]]
    ) -> Deferred[None]:
        if not self._writes_letters:
            return fail(self._kept.refusal())
        if not letters:
            return succeed(None)
        return Deferred.fromCoroutine(self._writer.write(letters))

    def dead_letters(self, after: int, limit: int) -> Deferred[list[DeadLetter]]:
        return self._call(self._letters.after, after, limit)

    def replay(self, numbers: Sequence[int]) -> Deferred[list[int]]:
        return self._call(self._letters.replay, list(numbers))

    @property
    def _writes_letters(self) -> bool:
        return self._kept.up or self._topics.retired

    def _send(self, topic: str, records: Sequence[Outgoing]) -> Deferred[None]:
        if not self._writes_letters:
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
        await self._follow()
        try:
            await self._worker.do(self._topics.check)
        except RetiredTopic:
            self._consume()  # what it has must be stored
            raise
        finally:
            self._watch.report()
        if self._stopping.begun:
            return
        before = self._producers.current
        if made := self._producers.replace():
            self._end(before)
            await self._worker.do(made.prepare, (self._place.topic,))
        self._consume()

    def _consume(self) -> None:
        if self._stopping.begun:
            return
        if self._consumer is None or self._consumer.ruined:
            self._end(self._consumer)
            self._consumer = KafkaConsumer(
                consumer(self._place),
                self._place.topic,
                self._reactor,
                self._incoming,
                gather_s=self.spacing_s / _GATHER,
                revoke_s=self._place.settings.revoke_s,
            )
            self._consumer.start()

    async def _follow(self) -> None:
        """
        Go on with the topic that took the place of this one, if there is one.
        """
        if self._successor is None:
            return
        before = self._place.topic
        try:
            topic = await self._successor(before)
        except Unavailable:
            return  # the check finds out whether it is retired
        if topic == before or self._stopping.begun:
            return
        if not self._incoming.partitions.all_settled:
            raise Unavailable(f"records of topic {before} are being settled")
        consumer, self._consumer = self._consumer, None
        self._end(self._producers.drop())
        if consumer is not None:
            await consumer.close(self._incoming.partitions.take_due())
            self._incoming.give_up()
        self._place.go_on_with(topic)
        self._log.info(
            "topic {before} is retired: the journal goes on with {topic}",
            before=before,
            topic=topic,
        )

    def _end(self, client: KafkaProducer | KafkaConsumer | None) -> None:
        if isinstance(client, KafkaProducer):
            self._ending.append(client.close(0))
        elif client is not None:
            self._ending.append(client.close(self._incoming.partitions.take_due()))
            self._incoming.give_up()

    def _lost(self, reason: str, ruined: bool) -> None:
        self._kept.lost(Unavailable(reason))

    async def _stop(self) -> None:
        self._incoming.close()
        self._watch.stop()
        await self._pulse.stop()
        await self._kept.stop()
        if self._producers.current is not None:
            seconds = self._place.settings.delivery_timeout_s
            self._ending.append(self._producers.current.close(seconds))
        if self._consumer is not None:
            due = self._incoming.partitions.take_due()
            self._ending.append(self._consumer.close(due))
        await self._letter_producer.close()
        for ended in self._ending:
            await ended
        await self._worker.quit()
        self.dependency.stopped()
        self._incoming.end_read()
