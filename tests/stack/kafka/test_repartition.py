"""
Tests of a topic in the place of another one: the steps at real brokers, and a journal
that goes on.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import deferLater

from tests.doubles import up
from tests.message.journal.journal_contract import messages, read_all, sent
from tests.stack.kafka.places import REACTOR, kafka_place, soon
from tests.stack.kafka.test_faults import KafkaCase
from tests.stack.servers import needs
from wsmsg.dependency.cause import Cause
from wsmsg.dependency.state import Dependency
from wsmsg.errors import Unavailable
from wsmsg.message.journal.kafka.config import KafkaPlace
from wsmsg.message.journal.kafka.journal import KafkaJournal
from wsmsg.message.journal.kafka.moving.topic_move import NotMoved, TopicMove

_N = 20


class Topics:
    """
    The topics that took the place of others, as a store has them.
    """

    def __init__(self) -> None:
        self.after: dict[str, str] = {}

    def current(self, topic: str) -> Deferred[str]:
        while topic in self.after:
            topic = self.after[topic]
        return succeed(topic)


@needs("kafka")
class TopicMoveTests(KafkaCase):
    """
    A topic of three partitions, which is moved to one of five.
    """

    def setUp(self) -> None:
        self.topics = Topics()
        self.place = kafka_place()

    async def open(self, place: KafkaPlace | None = None) -> KafkaJournal:
        """
        Return a journal that follows the topics.
        """
        dependency = Dependency("journal", REACTOR)
        journal = KafkaJournal(
            place or self.place,
            REACTOR,
            retry=soon,
            dependency=dependency,
            successor=self.topics.current,
        )
        self.addCleanup(journal.stop)
        await up(journal)
        return journal

    def move(self, partitions: int = 5) -> TopicMove:
        """
        Return a move of the first topic, whatever the journal goes on with.
        """
        self.first = KafkaPlace(
            brokers=self.place.brokers,
            topic=self.place.topic,
            record_bytes=self.place.record_bytes,
            settings=self.place.settings,
        )
        return TopicMove(self.first, partitions)

    async def test_moved(self) -> None:
        """
        A retired topic refuses records, those that it has are read and settled, and the
        journal goes on with the new topic once it is named.
        """
        journal = await self.open()
        await journal.append([sent(i) for i in range(_N)])
        move = self.move()
        plan = move.plan()
        self.assertEqual((plan.facts.partitions, plan.exists), (3, False))
        move.make(plan)
        move.retire(plan.before)
        ends = move.seal(plan)
        with self.assertRaises(Unavailable):
            await journal.append([sent(99)])
        self.assertEqual(move.left(plan.before, ends), _N)
        entries = await read_all(journal, _N)
        self.assertEqual(messages(entries), [sent(i) for i in range(_N)])
        seen = await self.until_cause(journal)
        self.assertIn("takes no more records", seen)
        self.topics.after[plan.before] = plan.after
        journal.commit({e.partition: e.offset + 1 for e in entries})
        while not journal.dependency.up:
            await deferLater(REACTOR, 0.02)
        self.assertEqual(move.left(plan.before, ends), 0)
        self.assertEqual(move.ends(plan), ends)
        while journal.counts()["partitions"] < 5:
            await deferLater(REACTOR, 0.02)
        await journal.append([sent(_N)])
        self.assertEqual(messages(await read_all(journal, 1)), [sent(_N)])

    async def until_cause(self, journal: KafkaJournal) -> str:
        """
        Wait until the journal knows that the topic is retired.
        """
        while journal.dependency.snapshot().cause is not Cause.TOPIC_RETIRED:
            await deferLater(REACTOR, 0.02)
        return journal.dependency.snapshot().last_error

    async def test_started_later(self) -> None:
        """
        A journal that begins on a retired topic reads what it has, and one that begins
        after the move uses the new topic at once.
        """
        journal = await self.open()
        await journal.append([sent(1)])
        await journal.stop()
        move = self.move()
        plan = move.plan()
        move.make(plan)
        move.retire(plan.before)
        later = self.journal(self.first)
        later.start()
        entries = await read_all(later, 1)
        self.assertEqual(messages(entries), [sent(1)])
        await later.dead_letter([(entries[0], "a reason")])
        self.assertFalse(later.dependency.up)
        later.commit({entries[0].partition: entries[0].offset + 1})
        await later.stop()
        self.assertEqual(move.left(plan.before, move.seal(plan)), 0)
        self.topics.after[plan.before] = plan.after
        last = await self.open(self.first)
        await last.append([sent(2)])
        self.assertEqual(messages(await read_all(last, 1)), [sent(2)])

    async def test_again(self) -> None:
        """
        Each step may be repeated, and a topic that an earlier attempt made is used.
        """
        await self.open()
        move = self.move()
        plan = move.plan()
        for _ in range(2):
            move.make(plan)
            plan = move.plan()
            self.assertTrue(plan.exists)
        for _ in range(2):
            move.retire(plan.before)
        self.assertEqual(move.plan().after, plan.after)
        self.assertEqual(move.seal(plan).keys(), {0, 1, 2})

    async def test_cancelled(self) -> None:
        """
        A topic that is opened again takes records, and nothing has changed.
        """
        journal = await self.open()
        move = self.move()
        plan = move.plan()
        move.make(plan)
        move.retire(plan.before)
        self.assertTrue(move.reopen(plan.before))
        self.assertFalse(move.reopen(plan.before))
        await journal.append([sent(1)])
        self.assertEqual(messages(await read_all(journal, 1)), [sent(1)])

    async def test_nothing_to_move(self) -> None:
        """
        A topic that has the number, or that does not exist, is not moved.
        """
        with self.assertRaisesRegex(NotMoved, "does not exist"):
            self.move().plan()
        await self.open()
        with self.assertRaisesRegex(NotMoved, "3 partitions already"):
            self.move(3).plan()
