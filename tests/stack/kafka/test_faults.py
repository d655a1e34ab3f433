"""
Tests of the Kafka journal with faults of Kafka and of the records in it.
"""

from __future__ import annotations

import os
import sys
from typing import Any, ClassVar

import attrs
import msgspec
from confluent_kafka import Producer
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory, ProcessProtocol, Protocol
from twisted.internet.task import deferLater
from twisted.logger import ILogObserver, globalLogPublisher
from twisted.trial.unittest import TestCase
from zope.interface import provider

from tests.doubles import up
from tests.message.journal.journal_contract import messages, read_all, sent
from tests.stack.kafka.places import (
    REACTOR,
    kafka_journal_at,
    kafka_place,
)
from tests.stack.servers import (
    GUEST,
    PASSWORD,
    USER,
    kafka_address,
    kafka_sasl_address,
    kafka_ssl,
    needs,
    own_kafka,
)
from tests.stalls import Span
from wsmsg.errors import Unavailable
from wsmsg.message.journal.interface import JournalEntry
from wsmsg.message.journal.kafka.config import KafkaPlace
from wsmsg.message.journal.kafka.journal import KafkaJournal
from wsmsg.message.journal.record import encode
from wsmsg.model import Message
from wsmsg.rpc.record_pb2 import Record


class KafkaCase(TestCase):
    """
    Base class with journals that stop with the test.
    """

    timeout = 300

    def journal(self, place: KafkaPlace) -> KafkaJournal:
        made = kafka_journal_at(place)
        self.addCleanup(made.stop)
        return made

    async def opened(self, place: KafkaPlace) -> KafkaJournal:
        made = self.journal(place)
        await up(made)
        return made

    def refused(self, place: KafkaPlace) -> Deferred[str]:
        """
        Start a journal that cannot come up.

        @return: a Deferred that fires with the reason in the log.
        """
        made = self.journal(place)
        told: Deferred[str] = Deferred()

        @provider(ILogObserver)
        def observe(event: dict[str, Any]) -> None:
            if event.get("dependency") == "journal" and "reason" in event:
                REACTOR.callFromThread(tell, event["reason"])

        def tell(reason: str) -> None:
            if not told.called:
                globalLogPublisher.removeObserver(observe)
                self.assertFalse(made.dependency.up)
                self.assertEqual(made.dependency.snapshot().last_error, reason)
                self.failureResultOf(made.append([sent(1)]), Unavailable)
                told.callback(reason)

        globalLogPublisher.addObserver(observe)
        made.start()
        return told


class _Silent(Protocol):
    """
    A server that accepts connections and never answers.
    """

    open: ClassVar[dict[Protocol, Deferred[None]]] = {}

    def connectionMade(self) -> None:
        self.open[self] = Deferred()

    def connectionLost(self, reason: Any = None) -> None:
        self.open.pop(self).callback(None)

    @classmethod
    async def all_gone(cls) -> None:
        """
        Close the open connections.
        """
        for each, gone in list(cls.open.items()):
            each.transport.abortConnection()  # type: ignore[union-attr]
            await gone


@needs("kafka")
class RecordTests(KafkaCase):
    """
    Records that other programs wrote.
    """

    async def written(self, *values: bytes) -> tuple[KafkaJournal, list[JournalEntry]]:
        place = kafka_place(partitions=1)
        journal = await self.opened(place)
        client = Producer({"bootstrap.servers": kafka_address()})
        for value in values:
            client.produce(place.topic, value)
        client.flush(10)
        return journal, await read_all(journal, len(values))

    async def test_poison(self) -> None:
        """
        A record that cannot be decoded is read with its problem, becomes a dead letter,
        and delays no other record.
        """
        journal, entries = await self.written(b"\xff\xff", encode(sent(1)))
        self.assertEqual(messages(entries), [None, sent(1)])
        await journal.dead_letter([(entries[0], entries[0].problem)])
        (letter,) = await journal.dead_letters(0, 10)
        self.assertEqual((letter.value, letter.offset), (b"\xff\xff", 0))
        self.assertIn("not a protobuf", letter.reason)

    async def test_newer(self) -> None:
        """
        A record of a newer version is not decoded: it waits in the dead letters, and is
        read again when it is replayed.
        """
        value = Record(version=99, sender=1).SerializeToString()
        journal, entries = await self.written(value)
        self.assertIn("has version 99", entries[0].problem)
        await journal.dead_letter([(entries[0], entries[0].problem)])
        (letter,) = await journal.dead_letters(0, 10)
        self.assertEqual(await journal.replay([letter.number]), [letter.number])
        (again,) = await read_all(journal, 1)
        self.assertEqual(again.value, value)
        self.assertEqual(await journal.dead_letters(0, 10), [])


@needs("kafka")
class RefusedTests(KafkaCase):
    """
    Unsuitable topics and missing rights.
    """

    async def test_partitions(self) -> None:
        """
        A topic with another number of partitions keeps it; a topic of dead letters with
        several is refused, by name.
        """
        place = kafka_place(partitions=2)
        await (await self.opened(place)).stop()
        other = kafka_place(partitions=5, dead_letters=place.topic)
        kept = attrs.evolve(place, settings=kafka_place(partitions=5).settings)
        journal = await self.opened(kept)
        while journal.counts()["partitions"] < 2:
            await deferLater(REACTOR, 0.02)
        reason = await self.refused(other)
        self.assertIn("2 partitions and must have 1", reason)

    async def test_missing(self) -> None:
        """
        A missing topic is created only if the settings allow it.
        """
        place = kafka_place(create_topics=False)
        reason = await self.refused(place)
        self.assertIn(f"topic {place.topic}", reason)
        self.assertIn("does not exist", reason)

    async def test_credentials(self) -> None:
        """
        A wrong password is reported as such.
        """
        place = kafka_place(
            kafka_sasl_address(), sasl="PLAIN", username=USER, password="wrong"
        )
        self.assertIn("refuses our credentials", await self.refused(place))

    async def test_rights(self) -> None:
        """
        A missing right is reported with the name of the topic.
        """
        place = kafka_place(
            kafka_sasl_address(), sasl="PLAIN", username=GUEST, password=PASSWORD
        )
        reason = await self.refused(place)
        self.assertIn(place.topic, reason)

    async def test_good_credentials(self) -> None:
        """
        The journal comes up with the right password.
        """
        journal = await self.opened(
            kafka_place(
                kafka_sasl_address(), sasl="PLAIN", username=USER, password=PASSWORD
            )
        )
        await journal.append([sent(1)])
        self.assertEqual(messages(await read_all(journal, 1)), [sent(1)])

    async def test_tls(self) -> None:
        """
        The journal comes up over TLS with the broker's authority.
        """
        address, authority = kafka_ssl()
        journal = await self.opened(
            kafka_place(address, tls=True, tls_ca=str(authority))
        )
        await journal.append([sent(1)])
        self.assertEqual(messages(await read_all(journal, 1)), [sent(1)])

    async def test_silent(self) -> None:
        """
        A broker that accepts connections and never answers is reported after some
        seconds.
        """
        factory = Factory.forProtocol(_Silent)
        port = REACTOR.listenTCP(0, factory, interface="127.0.0.1")
        self.addCleanup(lambda: Deferred.fromCoroutine(_Silent.all_gone()))
        self.addCleanup(port.stopListening)
        reason = await self.refused(kafka_place(f"127.0.0.1:{port.getHost().port}"))
        self.assertIn("broker", reason)


class BrokerTests(KafkaCase):
    """
    A broker that is killed.
    """

    timeout = 300

    async def test_killed(self) -> None:
        """
        A broker that is killed during appends comes back with every acknowledged
        record; the other appends are refused, and the journal is up again without a
        restart.
        """
        broker = await own_kafka(self)
        place = kafka_place(broker.address, delivery_timeout_s=2, partitions=1)
        journal = await self.opened(place)
        await journal.append([sent(0)])
        broker.kill()
        tries = [journal.append([sent(i)]) for i in range(1, 5)]
        for attempt in tries:
            with self.assertRaises(Unavailable):
                await attempt
        self.assertFalse(journal.dependency.up)
        back: Deferred[None] = Deferred()
        journal.dependency.on_change(
            lambda d: back.callback(None) if d.up and not back.called else None
        )
        await broker.start()
        await back
        await journal.append([sent(9)])
        read: list[Message | None] = []
        while sent(9) not in read:
            read += messages(await journal.read(100))
        self.assertEqual(read[0], sent(0))


class _Reader(ProcessProtocol):
    """
    A process of C{kafka_reader}.
    """

    def __init__(self) -> None:
        self.lines = 0
        self.enough: Deferred[None] = Deferred()
        self.ended: Deferred[None] = Deferred()
        self.wanted = 0

    def outReceived(self, data: bytes) -> None:
        self.lines += data.count(b"\n")
        if self.lines >= self.wanted and not self.enough.called:
            self.enough.callback(None)

    def errReceived(self, data: bytes) -> None:
        sys.stderr.write(data.decode(errors="replace"))

    def processEnded(self, reason: Any) -> None:
        self.ended.callback(None)


@needs("kafka")
class GroupTests(KafkaCase):
    """
    Several members of a group.
    """

    #: The broker's smallest session timeout and the time of a takeover.
    SLOWEST_S = 6.0

    async def taken_over(self, protocol: str) -> str:
        place = kafka_place(group_protocol=protocol, partitions=4)
        first = await self.opened(place)
        said = [
            Message(f"u:1:{i}", 1, f"c{i}", i + 1, "x", 1, 5) for i in range(1, 201)
        ]
        await first.append(said)
        await first.stop()
        reader = _Reader()
        reader.wanted = len(said)
        settings = {
            **place.settings.model_dump(exclude={"password"}),
        }
        process = REACTOR.spawnProcess(
            reader,
            sys.executable,
            [
                *(sys.executable, "-m", "tests.stack.kafka.reader_process"),
                *(str(place.brokers[0]), place.topic),
                msgspec.json.encode(settings).decode(),
            ],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        await reader.enough
        process.signalProcess("KILL")
        killed = Span()
        await reader.ended
        second = await self.opened(place)
        again = await read_all(second, len(said))
        told = killed.check(self.SLOWEST_S)
        self.assertEqual(
            sorted(m.client_id for m in messages(again) if m),
            sorted(m.client_id for m in said),
        )
        return told

    async def test_killed_consumer(self) -> None:
        """
        Another member soon reads what a killed process had read and not settled.
        """
        told = await self.taken_over("consumer")
        print(f"the takeover {told}", file=sys.stderr)

    async def test_killed_consumer_classic(self) -> None:
        """
        The same holds with the older protocol.
        """
        told = await self.taken_over("classic")
        print(f"classic: the takeover {told}", file=sys.stderr)

    async def test_shared(self) -> None:
        """
        If another member joins, settled records are not read again, unsettled ones are,
        and each conversation stays in order.
        """
        place = kafka_place(partitions=4, revoke_s=0.2)
        first = await self.opened(place)
        forgotten: list[int] = []
        first.on_revoked(lambda: forgotten.append(1))
        said = [
            Message(f"u:1:{i % 20 + 1}", 1, f"c{i}", i + 1, "x", 1, 5)
            for i in range(200)
        ]
        await first.append(said)
        entries = await read_all(first, len(said))
        half = {}
        for e in entries[:100]:
            half[e.partition] = e.offset + 1
        first.commit(half)
        second = await self.opened(place)
        moved = await second.read(1000)
        partitions = {e.partition for e in moved}
        left = [
            e
            for e in entries
            if e.partition in partitions and e.offset >= half.get(e.partition, 0)
        ]
        count = len(left)
        moved += await read_all(second, count - len(moved)) if count else []
        late = {e.partition for e in moved} - partitions
        self.assertEqual(
            [e for e in moved if e.partition not in late],
            sorted(left, key=moved.index),
        )
        for partition in partitions:
            offsets = [e.offset for e in moved if e.partition == partition]
            self.assertEqual(offsets, sorted(offsets))
        self.assertTrue(forgotten)
        self.assertLess(first.counts()["partitions"], 4)
