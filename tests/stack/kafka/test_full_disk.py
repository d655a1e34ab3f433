"""
Tests of the Kafka journal with a broker whose disk becomes full.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred

from tests.integration.small_disk import SmallDisk
from tests.message.journal.journal_contract import sent
from tests.stack.kafka.places import kafka_place
from tests.stack.kafka.test_faults import KafkaCase
from tests.stack.servers import needs, own_kafka
from wsmsg.errors import Unavailable
from wsmsg.message.journal.interface import JournalEntry
from wsmsg.message.journal.kafka.journal import KafkaJournal


@needs("kafka")
class FullDiskTests(KafkaCase):
    """
    A broker that writes to a small disk.
    """

    async def filled(self, journal: KafkaJournal) -> list[int]:
        """
        Append until that is refused.

        @return: the numbers of the messages that are durable.
        """
        durable: list[int] = []
        for n in range(1, 2000):
            try:
                await journal.append([sent(n, content="x" * 20_000)])
            except Unavailable:
                return durable
            durable.append(n)
        raise AssertionError("the disk takes everything")

    async def up_again(self, journal: KafkaJournal) -> None:
        """
        Wait until the journal is up.
        """
        back: Deferred[None] = Deferred()
        journal.dependency.on_change(
            lambda d: back.callback(None) if d.up and not back.called else None
        )
        if not journal.dependency.up:
            await back

    async def test_full(self) -> None:
        """
        While the disk of the broker is full, messages and dead letters are refused as
        unavailable; once it has room and was started again, the journal is up by
        itself, everything that was acknowledged is read once and in order, and the dead
        letter is written once.
        """
        disk = SmallDisk.mount("48m")
        if disk is None:
            self.skipTest("no disk can be mounted")
        self.addCleanup(disk.unmount)
        broker = await own_kafka(self, data=disk.folder)
        place = kafka_place(broker.address, delivery_timeout_s=3, partitions=1)
        journal = await self.opened(place)
        await journal.append([sent(0)])
        disk.occupy(disk.free - 2_000_000)
        durable = await self.filled(journal)
        self.assertGreater(len(durable), 10)
        letter = [(JournalEntry(0, 5, None, b"\xff" * 20_000), "not decoded")]
        with self.assertRaises(Unavailable):
            await journal.dead_letter(letter)
        disk.empty()
        broker.kill()
        await broker.start()
        await self.up_again(journal)
        await journal.dead_letter(letter)
        await journal.append([sent(9999)])
        read: list[str] = []
        while sent(9999).client_id not in read:
            entries = await journal.read(100)
            read += [e.message.client_id for e in entries if e.message is not None]
        # The outcome of the append that was refused is not known.
        refused = sent(len(durable) + 1).client_id
        kept = [sent(n).client_id for n in (0, *durable, 9999)]
        self.assertEqual([x for x in read if x != refused], kept)
        letters = await journal.dead_letters(0, 10)
        self.assertEqual([(x.offset, x.size) for x in letters], [(5, 20_000)])
