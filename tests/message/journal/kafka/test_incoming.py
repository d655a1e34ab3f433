"""
Tests of L{wsmsg.message.journal.kafka.reading.incoming}: records that are taken from
memory, and the same records when the consumer fetches them.
"""

from __future__ import annotations

import random
from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from wsmsg.dependency.alarms import Alarms
from wsmsg.message.journal.interface import JournalEntry
from wsmsg.message.journal.kafka.reading.ahead import Ahead
from wsmsg.message.journal.kafka.reading.incoming import IncomingRecords
from wsmsg.message.journal.kafka.reading.owner import Settled


def entries(*offsets: int, partition: int = 0) -> list[JournalEntry]:
    """
    Return records of a partition.
    """
    return [JournalEntry(partition, offset, None, b"") for offset in offsets]


class FakeConsumer:
    """
    A consumer that notes what it is asked for.
    """

    def __init__(self) -> None:
        self.ends: Mapping[int, int] = {}
        self.committed: dict[int, int] = {}
        self.rewound: list[tuple[int, Mapping[int, int]]] = []

    def want_more(self) -> None:
        pass

    def commit(self, positions: Mapping[int, int]) -> None:
        self.committed.update(positions)

    def rewind(self, epoch: int, positions: Mapping[int, int]) -> None:
        self.rewound.append((epoch, positions))


class IncomingCase(SynchronousTestCase):
    """
    A partition that is read from 10 on.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.consumer = FakeConsumer()
        self.incoming = IncomingRecords(
            lambda: "t",
            self.clock,
            Alarms(),
            revoke_s=1.0,
            consumer=lambda: self.consumer,
            lost=lambda reason, ruined: None,
        )
        self.incoming.assigned({0: Ahead(10)}, {})

    def read(self) -> list[int]:
        """
        Return the offsets of the records on hand.
        """
        offsets: list[int] = []
        while self.incoming._on_hand:
            reading = self.incoming.read(2)
            offsets += [entry.offset for entry in self.successResultOf(reading)]
        return offsets


class FromMemoryTests(IncomingCase):
    """
    Records that this process wrote.
    """

    def test_next(self) -> None:
        """
        The next record is read as soon as the brokers have it, and not again when it is
        fetched.
        """
        reading = self.incoming.read(5)
        self.incoming.delivered(entries(10, 11))
        self.assertEqual(self.successResultOf(reading), entries(10, 11))
        self.incoming.arrived(0, entries(10, 11, 12))
        self.assertEqual(self.read(), [12])
        self.assertEqual(self.incoming.from_memory, 2)

    def test_not_next(self) -> None:
        """
        A record behind one of another Message, or of an unknown offset, waits until the
        consumer has fetched both.
        """
        self.incoming.delivered(entries(11))
        self.assertEqual(self.read(), [])
        self.incoming.arrived(0, entries(10, 11))
        self.assertEqual(self.read(), [10, 11])
        self.incoming.delivered(entries(12))
        self.assertEqual(self.read(), [12])

    def test_fetched_before(self) -> None:
        """
        A record that was fetched before its acknowledgement arrives is read once.
        """
        self.incoming.arrived(0, entries(10))
        self.incoming.delivered(entries(10, 11))
        self.assertEqual(self.read(), [10, 11])

    def test_unknown_position(self) -> None:
        """
        The first record of a partition without a committed position must be fetched.
        """
        self.incoming.assigned({1: Ahead(None)}, {})
        self.incoming.delivered(entries(0, partition=1))
        self.assertEqual(self.read(), [])
        self.incoming.arrived(0, entries(0, partition=1))
        self.incoming.delivered(entries(1, partition=1))
        self.assertEqual(self.read(), [0, 1])

    def test_foreign(self) -> None:
        """
        A record in a partition of another Message is left to that.
        """
        self.incoming.delivered(entries(0, partition=7))
        self.assertEqual(self.read(), [])

    def test_revoking(self) -> None:
        """
        Nothing more is taken of a partition that is being revoked, whose unsettled
        records are still waited for.
        """
        self.incoming.delivered(entries(10))
        self.assertEqual(self.read(), [10])
        settled = Settled()
        self.incoming.revoking(frozenset([0]), settled)
        self.incoming.delivered(entries(11))
        self.assertEqual(self.read(), [])
        self.incoming.commit({0: 11})
        self.assertEqual(settled.wait(0), {0: 11})
        self.incoming.delivered(entries(11))
        self.assertEqual(self.read(), [])

    def test_rewound(self) -> None:
        """
        After a rewind, records are fetched from the settled position on, also those
        that were taken from memory before.
        """
        self.incoming.delivered(entries(10, 11, 12))
        self.read()
        self.incoming.commit({0: 11})
        self.incoming.rewind()
        self.assertEqual(self.consumer.rewound, [(1, {0: 11})])
        self.incoming.delivered(entries(13))
        self.incoming.arrived(0, entries(10))
        self.assertEqual(self.read(), [])
        self.incoming.read_anew(1, {0: Ahead(11)})
        self.incoming.arrived(1, entries(11, 12, 13))
        self.assertEqual(self.read(), [11, 12, 13])

    def test_rewound_before_any_was_read(self) -> None:
        """
        A rewind returns to the first record that arrived, where none was committed and
        none was read yet.
        """
        self.incoming.assigned({1: Ahead(None)}, {})
        self.incoming.arrived(0, entries(5, partition=1))
        self.incoming.rewind()
        self.assertEqual(self.consumer.rewound, [(1, {0: 10, 1: 5})])

    def test_rewound_twice(self) -> None:
        """
        The beginning of an earlier rewind counts no more after a later one.
        """
        self.incoming.rewind()
        self.incoming.rewind()
        self.incoming.read_anew(1, {0: Ahead(10)})
        self.incoming.delivered(entries(10))
        self.assertEqual(self.read(), [])

    def test_begun_again(self) -> None:
        """
        A consumer that begins again by itself, as records are gone, hands over all it
        finds, whatever was taken from memory.
        """
        self.incoming.delivered(entries(10, 11))
        self.assertEqual(self.read(), [10, 11])
        self.incoming.read_anew(0, {0: Ahead(None)})
        self.incoming.arrived(0, entries(3, 4))
        self.assertEqual(self.read(), [3, 4])

    def test_enough_on_hand(self) -> None:
        """
        While the reader is far behind, records are left to the brokers.
        """
        self.incoming.arrived(0, entries(*range(10, 1010)))
        self.incoming.delivered(entries(1010))
        self.assertEqual(self.read()[-1], 1009)


class Partition:
    """
    A partition of a broker, read by a consumer and written by this Message and others,
    with all that may be on its way.
    """

    def __init__(self, chance: random.Random, test: IncomingCase) -> None:
        self._chance = chance
        self._test = test
        self._end = 10
        self._gap = False
        self._reports: list[int] = []
        self._ahead = Ahead(10)
        self._epoch = 0
        self._at = 10
        self._arriving: list[tuple[int, list[JournalEntry]]] = []
        self.read: list[int] = []
        self.records: list[int] = []
        test.incoming.assigned({0: self._ahead}, {})

    def write(self) -> None:
        """
        Let somebody write a record; sometimes the mark of a transaction is before it.
        """
        self._end += self._chance.random() < 0.05
        self.records.append(self._end)
        if self._chance.random() < 0.8:
            self._reports.append(self._end)
        self._end += 1

    def report(self) -> None:
        """
        Let some acknowledgements arrive.
        """
        n = self._chance.randint(0, len(self._reports))
        reports, self._reports = self._reports[:n], self._reports[n:]
        self._test.incoming.delivered(entries(*reports))

    def fetch(self) -> None:
        """
        Let the consumer fetch some records.
        """
        for epoch, positions in self._test.consumer.rewound:
            self._epoch, self._at = epoch, positions[0]
            self._ahead = Ahead(self._at)
            self._test.incoming.read_anew(epoch, {0: self._ahead})
        self._test.consumer.rewound.clear()
        upto = self._chance.randint(self._at, self._end)
        fetched = [o for o in self.records if self._at <= o < upto]
        self._at = upto
        kept = [o for o in fetched if o >= self._ahead.taken]
        if kept:
            self._arriving.append((self._epoch, entries(*kept)))

    def arrive(self) -> None:
        """
        Let fetched records arrive.
        """
        while self._arriving:
            self._test.incoming.arrived(*self._arriving.pop(0))

    def take(self) -> None:
        """
        Let the reader read some records, and settle them.
        """
        self.read += self._test.read()
        if self.read:
            self._test.incoming.commit({0: self.read[-1] + 1})

    def rewind(self) -> None:
        """
        Read anew from the settled records on.
        """
        if self._chance.random() < 0.1:
            self._test.incoming.rewind()


class AnyOrderTests(IncomingCase):
    """
    All orders of writing, acknowledging, fetching and reading.
    """

    @given(st.integers(0, 2**32), st.integers(1, 120))
    def test_each_once(self, seed: int, steps: int) -> None:
        """
        Each record is read once, in order, whoever wrote it and whatever is on its way.
        """
        self.setUp()
        chance = random.Random(seed)
        log = Partition(chance, self)
        log.write()
        log.take()
        ways = [log.write, log.report, log.fetch, log.arrive, log.take, log.rewind]
        for _ in range(steps):
            chance.choice(ways)()
        while log.read != log.records and steps < 1000:
            steps += 1
            log.fetch()
            log.arrive()
            log.take()
        self.assertEqual(log.read, log.records)
