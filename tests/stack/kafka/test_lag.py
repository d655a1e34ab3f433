"""
Tests of the count of records that wait in Kafka.
"""

from __future__ import annotations

from twisted.internet.task import deferLater

from tests.message.journal.journal_contract import read_all, sent
from tests.stack.kafka.places import REACTOR, kafka_place
from tests.stack.kafka.test_faults import KafkaCase
from tests.stack.servers import needs

_RECORDS = 8000


@needs("kafka")
class LagTests(KafkaCase):
    """
    A reader that does not read, as its store is away.
    """

    async def test_waiting(self) -> None:
        """
        All records that wait are counted, all the time, however long nobody reads them;
        none is counted once they are settled.
        """
        journal = await self.opened(kafka_place())
        for first in range(0, _RECORDS, 500):
            await journal.append([sent(i) for i in range(first, first + 500)])
        while journal.counts()["lag"] < _RECORDS:
            await deferLater(REACTOR, 0.02)
        seen = set()
        for _ in range(100):
            await deferLater(REACTOR, 0.03)  # the count changes without an event
            seen.add(journal.counts()["lag"])
        self.assertEqual(seen, {_RECORDS})
        entries = await read_all(journal, _RECORDS)
        journal.commit({e.partition: e.offset + 1 for e in entries})
        self.assertEqual((journal.counts()["lag"], journal.counts()["unread"]), (0, 0))
