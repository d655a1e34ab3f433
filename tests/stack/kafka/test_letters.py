"""
Tests of dead letters in Kafka: records that are too long, and too many letters.
"""

from __future__ import annotations

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import (
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
)
from twisted.internet.task import deferLater

from tests.message.journal.journal_contract import read_all, sent
from tests.stack.kafka.places import REACTOR, kafka_place
from tests.stack.kafka.test_faults import KafkaCase
from tests.stack.servers import kafka_address, needs
from wsmsg.message.journal.interface import CONFLICT_REASON, JournalEntry
from wsmsg.message.journal.record import encode


@needs("kafka")
class LetterTests(KafkaCase):
    """
    Dead letters in a topic of a real broker.
    """

    async def test_long_poison(self) -> None:
        """
        Records that cannot be decoded and are longer than a dead letter may be delay no
        other record: their letters are cut short, with size and place, and stay when
        they are replayed.
        """
        place = kafka_place(content_bytes=16_384, partitions=1)
        journal = await self.opened(place)
        client = Producer(
            {"bootstrap.servers": kafka_address(), "message.max.bytes": 2_000_000}
        )
        sizes = [100, 200_000, 1_048_000, 100]
        for size in sizes:
            client.produce(place.topic, b"\xff" * size)
        client.produce(place.topic, encode(sent(1)))
        self.assertEqual(client.flush(10), 0)
        entries = await read_all(journal, 5)
        self.assertEqual(entries[4].message, sent(1))
        await journal.dead_letter([(e, e.problem) for e in entries[:4]])
        letters = await journal.dead_letters(0, 10)
        self.assertEqual([x.size for x in letters], sizes)
        self.assertEqual([x.offset for x in letters], [0, 1, 2, 3])
        self.assertEqual([x.is_cut for x in letters], [False, False, True, False])
        replayed = await journal.replay([x.number for x in letters[1:]])
        self.assertEqual(replayed, [letters[1].number, letters[3].number])
        left = await journal.dead_letters(0, 10)
        self.assertEqual([x.offset for x in left], [0, 2])

    async def test_replay_is_seen_at_once(self) -> None:
        """
        A letter that was replayed is not listed any more when the replay returns:
        Kafka ends a transaction before its readers see it.
        """
        journal = await self.opened(kafka_place(partitions=50))
        letters = [(JournalEntry(i, 0, None, b"junk"), "why") for i in range(40)]
        await journal.dead_letter(letters)
        left = [x.number for x in await journal.dead_letters(0, 100)]
        self.assertEqual(len(left), 40)
        while left:
            picked, left = left[:2], left[2:]
            self.assertEqual(await journal.replay(picked), picked)
            listed = await journal.dead_letters(0, 100)
            self.assertEqual([x.number for x in listed], left)

    async def test_topic_of_letters_takes_less(self) -> None:
        """
        A topic of dead letters that takes less than it did when the journal opened gets
        the letters cut shorter; no append in flight is given up for it.
        """
        place = kafka_place(content_bytes=40_000, partitions=1)
        journal = await self.opened(place)
        admin = AdminClient({"bootstrap.servers": kafka_address()})
        change = ConfigResource(
            ConfigResource.Type.TOPIC,
            place.dead_letters,
            incremental_configs=[
                ConfigEntry(
                    "max.message.bytes",
                    "5000",
                    incremental_operation=AlterConfigOpType.SET,
                )
            ],
        )
        for answer in admin.incremental_alter_configs([change]).values():
            answer.result(10)
        entry = JournalEntry(0, 7, None, b"\xff" * 200_000)
        appends = [journal.append([sent(i)]) for i in range(5)]
        await journal.dead_letter([(entry, "why")])
        (letter,) = await journal.dead_letters(0, 10)
        self.assertEqual((letter.offset, letter.size), (7, 200_000))
        self.assertTrue(letter.is_cut)
        for append in appends:
            await append
        await journal.append([sent(5)])
        self.assertEqual(len(await read_all(journal, 6)), 6)

    async def test_letters_are_bounded(self) -> None:
        """
        The newest dead letters of conflicts are kept, letters of other kinds stay, and
        those that were removed are counted.
        """
        place = kafka_place(partitions=1)
        journal = await self.opened(place)
        await journal.dead_letter([(JournalEntry(0, 0, None, b"junk"), "why")])
        for at in range(1, 1301, 100):
            conflicts = [
                (JournalEntry(0, at + i, None, b"x"), CONFLICT_REASON)
                for i in range(100)
            ]
            await journal.dead_letter(conflicts)
        removed = "dead_letters_dropped"

        while journal.counts()[removed] < 300:
            await deferLater(REACTOR, 0.05)
        letters = await journal.dead_letters(0, 10_000)
        self.assertEqual([x.offset for x in letters], [0, *range(301, 1301)])
