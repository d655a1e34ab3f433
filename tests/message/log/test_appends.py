"""
Tests of L{wsmsg.message.log.appends}.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.message.delivery.cases import message
from tests.message.doubles import ManualJournal, MemoryStore
from tests.message.store.inserts import insert_into
from wsmsg.errors import TooLarge, Unavailable
from wsmsg.message.log.appends import Appends
from wsmsg.message.log.interface import Appended
from wsmsg.model import Message, MessageIdentity


class AppendsTests(SynchronousTestCase):
    """
    The first message is appended at once, those within the spacing together.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.journal = ManualJournal()
        self.journal.spacing_s = 0.01
        self.store = MemoryStore()
        self.store.start()
        self.appends = Appends(self.journal, self.store, self.clock)

    def appended(self) -> list[list[str]]:
        return [[m.client_id for m in batch] for batch, _ in self.journal.appends]

    def result(self, added: Deferred[Appended]) -> Appended:
        return self.successResultOf(added)

    def test_gathers(self) -> None:
        """
        Messages that arrive within the spacing are appended together, in their order.
        """
        for n in range(5):
            self.appends.add([message(n)])
        self.assertEqual(self.appended(), [["c0"]])
        self.clock.advance(0.009)
        self.assertEqual(self.appended(), [["c0"]])
        self.clock.advance(0.002)
        self.assertEqual(self.appended(), [["c0"], ["c1", "c2", "c3", "c4"]])
        self.clock.advance(1)
        self.appends.add([message(5)])  # nothing was under way: at once
        self.assertEqual(self.appended()[2:], [["c5"]])

    def test_store_hangs(self) -> None:
        """
        A message that is durable is accepted without its look-up, once the store turns
        out to hang.
        """
        hanging: Deferred[dict[MessageIdentity, Message]] = Deferred()
        self.patch(self.store, "find", lambda identities: hanging)
        added = self.appends.add([message(0)])
        self.journal.appends[0][1].callback(None)
        self.assertNoResult(added)
        self.store.dependency.lost("no answer")
        self.assertEqual(self.result(added), Appended({}, None))
        hanging.callback({})

    def test_fails_while_the_store_hangs(self) -> None:
        """
        A message that is not durable is refused without its look-up: one that is sent
        after the failure, and accepted, would overtake it.
        """
        hanging: Deferred[dict[MessageIdentity, Message]] = Deferred()
        self.patch(self.store, "find", lambda identities: hanging)
        added = self.appends.add([message(0)])
        problem = Unavailable("no broker")
        self.journal.appends[0][1].errback(problem)
        self.assertIs(self.result(added).problem, problem)
        hanging.errback(Unavailable("no answer"))

    def test_waits_no_longer_than_the_spacing(self) -> None:
        """
        A clock that goes back does not keep messages waiting.
        """
        self.appends.add([message(0)])
        self.clock.advance(1)
        self.clock.rightNow -= 3600
        self.appends.add([message(1)])
        self.clock.advance(0.011)
        self.assertEqual(self.appended(), [["c0"], ["c1"]])

    def test_each_is_told(self) -> None:
        """
        Each caller learns whether the batch is durable, or why it may not be.
        """
        first, second, third = (self.appends.add([message(n)]) for n in range(3))
        self.journal.appends[0][1].callback(None)
        self.assertEqual(self.result(first), Appended({}, None))
        self.clock.advance(0.01)
        self.assertNoResult(second)
        problem = Unavailable("no broker")
        self.journal.appends[1][1].errback(problem)
        self.assertIs(self.result(second).problem, problem)
        self.assertIs(self.result(third).problem, problem)

    def test_shared_refusal(self) -> None:
        """
        A refusal for good of gathered messages is a temporary one for each of them, and
        for a while those that are gathered are appended one by one.
        """
        self.appends.add([message(0)])
        second, third = (self.appends.add([message(n)]) for n in (1, 2))
        self.clock.advance(0.01)
        self.journal.appends[1][1].errback(TooLarge("too long"))
        for added in (second, third):
            problem = self.result(added).problem
            assert problem is not None
            self.assertTrue(problem.retry)
        self.assertTrue(self.appends.apart)
        second, third = (self.appends.add([message(n)]) for n in (1, 2))
        self.clock.advance(0.01)
        self.assertEqual(self.appended()[2:], [["c1"], ["c2"]])
        refusal = TooLarge("too long")
        self.journal.appends[2][1].errback(refusal)
        self.assertIs(self.result(second).problem, refusal)
        self.clock.advance(10)
        self.assertFalse(self.appends.apart)

    def test_found(self) -> None:
        """
        The result includes the messages that the store had already.
        """
        known = message(0)
        self.successResultOf(insert_into(self.store, [known.numbered(1)], 5))
        added = self.appends.add([message(0), message(1)])
        self.journal.appends[0][1].callback(None)
        self.assertEqual(list(self.result(added).stored), [known.identity])

    def test_no_spacing(self) -> None:
        """
        With a journal whose cost is by record, nothing waits.
        """
        self.journal.spacing_s = 0.0
        appends = Appends(self.journal, self.store, self.clock)
        for n in range(3):
            appends.add([message(n)])
        self.assertEqual(self.appended(), [["c0"], ["c1"], ["c2"]])
        self.assertEqual(self.clock.getDelayedCalls(), [])
