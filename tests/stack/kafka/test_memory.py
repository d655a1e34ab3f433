"""
Tests of records that a journal need not fetch, as it wrote them itself.
"""

from __future__ import annotations

import attrs
from twisted.internet.defer import gatherResults

from tests.message.journal.journal_contract import messages, read_all, sent
from tests.stack.kafka.places import kafka_place
from tests.stack.kafka.test_faults import KafkaCase
from tests.stack.servers import needs, unique

_ROUNDS = 50


@needs("kafka")
class FromMemoryTests(KafkaCase):
    """
    A journal that reads the partitions which it writes.
    """

    async def test_alone(self) -> None:
        """
        Own records are read from memory, once and in order.
        """
        journal = await self.opened(kafka_place())
        for i in range(_ROUNDS):
            await journal.append([sent(i)])
            self.assertEqual(messages(await read_all(journal, 1)), [sent(i)])
        self.assertGreater(journal.counts()["from_memory"], 0)
        await journal.append([sent(_ROUNDS)])
        self.assertEqual(messages(await read_all(journal, 1)), [sent(_ROUNDS)])

    async def test_rewound(self) -> None:
        """
        Records that were read from memory and not settled are read again after a
        rewind.
        """
        journal = await self.opened(kafka_place())
        for i in range(_ROUNDS):
            await journal.append([sent(i)])
        first = await read_all(journal, _ROUNDS)
        journal.commit({first[9].partition: first[9].offset + 1})
        journal.rewind()
        self.assertEqual(await read_all(journal, _ROUNDS - 10), first[10:])

    async def test_shared(self) -> None:
        """
        Between records of another process own ones are read once, in the order in which
        the brokers have them.
        """
        place = kafka_place()
        journal = await self.opened(place)
        settings = place.settings.model_copy(update={"group": unique("group")})
        other = await self.opened(attrs.evolve(place, settings=settings))
        for i in range(_ROUNDS):
            await gatherResults(
                [journal.append([sent(2 * i)]), other.append([sent(2 * i + 1)])]
            )
        entries = await read_all(journal, 2 * _ROUNDS)
        self.assertEqual(entries, await read_all(other, 2 * _ROUNDS))
        self.assertEqual(len({e.offset for e in entries}), 2 * _ROUNDS)
