"""
The log without a journal: what is added is stored, answered and pushed at once.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred, fail

from tests.message.delivery.store_log_case import StoreLogTestCase
from tests.message.log.log_contract import sent
from wsmsg.errors import Unavailable
from wsmsg.events.recall import RECALL
from wsmsg.message.delivery.store_log import APART_S
from wsmsg.model import RECALLED, Message
from wsmsg.settings.values import MessageSettings


class BatchTests(StoreLogTestCase):
    """
    One transaction at a time.
    """

    def test_gathers(self) -> None:
        """
        Messages that are added while a transaction is under way are stored by the next
        one, in the order in which they were added.
        """
        first = self.add(sent(1))
        later = [self.add(sent(n)) for n in (2, 3)]
        self.assertEqual(self.store.inserting(), [["c1"]])
        self.assertEqual(self.log.counts()["in_flight"], 3)
        self.store.end()
        self.accepted(first)
        self.assertNoResult(later[0])
        self.assertEqual(self.store.inserting(), [["c2", "c3"]])
        self.store.end()
        for added in later:
            self.accepted(added)
        self.assertEqual(self.pushed(), [("c1", 1), ("c2", 2), ("c3", 3)])
        self.assertEqual(self.heard, [["c1"], ["c2", "c3"]])
        self.assertEqual(self.log.counts()["in_flight"], 0)

    def test_limit(self) -> None:
        """
        A transaction takes no more once it has a full batch; what one call adds stays
        together.
        """
        self.add(sent(1))
        self.add(sent(2), sent(3))
        self.add(sent(4), sent(5))
        self.add(sent(6))
        self.store.end()
        self.assertEqual(self.store.inserting(), [["c2", "c3", "c4", "c5"]])
        self.store.end()
        self.assertEqual(self.store.inserting(), [["c6"]])
        self.store.end()

    def test_answer_and_push_in_one_turn(self) -> None:
        """
        The answer comes first, and the message is pushed before anything else happens.
        """
        seen: list[str] = []
        self.patch(self.links, "push", lambda *_: seen.append("pushed"))
        self.add(sent(1)).addCallback(lambda _: seen.append("answered"))
        self.store.end()
        self.assertEqual(seen, ["answered", "pushed"])

    def test_added_by_an_answer(self) -> None:
        """
        A message that is added in an answer is pushed after the answered message.
        """
        self.add(sent(1)).addCallback(lambda _: self.add(sent(2)))
        self.store.end()
        self.assertEqual(self.store.inserting(), [["c2"]])
        self.store.end()
        self.assertEqual(self.pushed(), [("c1", 1), ("c2", 2)])

    def test_same_identity(self) -> None:
        """
        The first of two messages of one identity in a transaction is stored, and the
        result of the second names it.
        """
        self.add(sent(0))
        first = self.add(sent(1))
        second = self.add(sent(1, "another", message_id=99))
        self.store.end()
        self.store.end()
        for added in (first, second):
            found = self.accepted(added).stored[sent(1).identity]
            self.assertEqual((found.content, found.message_id), ("hi", 11))

    def test_settled(self) -> None:
        """
        A message is settled when its push is acknowledged; one that nobody is there to
        get is settled at once.
        """
        self.add(sent(1))
        self.store.end()
        caught_up = self.log.caught_up()
        self.clock.advance(2)
        self.assertEqual((self.log.unsettled, self.log.counts()["lag"]), (1, 1))
        self.assertEqual(self.log.oldest_unsettled_s(), 2)
        frame = self.link.next_frame()
        assert frame is not None
        self.link.acknowledged(frame.batch.number)
        self.successResultOf(caught_up)
        self.assertEqual((self.log.unsettled, self.log.oldest_unsettled_s()), (0, 0.0))
        self.links.give_up_all()
        self.add(sent(2))
        self.assertNoResult(self.log.caught_up())
        self.store.end()
        self.assertEqual(self.log.unsettled, 0)

    def test_push_fails(self) -> None:
        """
        If a message that is stored cannot be pushed, it is accepted all the same, and
        all sessions sync.
        """

        def broken(*_: object) -> None:
            raise RuntimeError("a bug")

        self.patch(self.links, "push", broken)
        added = self.add(sent(1))
        self.store.end()
        self.accepted(added)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.assertTrue(self.link.broken)
        self.assertEqual(self.log.unsettled, 0)

    def test_settings(self) -> None:
        """
        The size of a transaction and the time for a step are settings.
        """
        self.log.apply_settings(MessageSettings(read_batch=7, stalled_s=9))
        self.assertEqual((self.log.batch, self.log.stalled_s), (7, 9.0))

    def test_stalled(self) -> None:
        """
        A transaction that does not end is named, and so are pushes that are not
        acknowledged.
        """
        self.add(sent(1))
        self.clock.advance(5)
        self.assertIn("storing stands still", self.log.stalled())
        self.store.end()
        self.assertEqual(self.log.stalled(), "")
        self.clock.advance(5)
        self.assertIn("pushing stands still", self.log.stalled())
        self.assertEqual(self.log.oldest_unstored_s(), 0.0)

    def test_refused(self) -> None:
        """
        A message that the store can never take is refused to its sender for good, and
        those with it are stored.
        """
        self.store.refuse.add("poison")
        added = self.add(sent(1), sent(2, "poison"), sent(3))
        self.store.end()
        self.store.end()
        refused = self.accepted(added).refused
        self.assertEqual(list(refused), [sent(2).identity])
        self.assertFalse(refused[sent(2).identity].retry)
        self.assertEqual(self.pushed(), [("c1", 1), ("c3", 2)])


class FailureTests(StoreLogTestCase):
    """
    A store that is away, or fails.
    """

    def test_away(self) -> None:
        """
        While the store is away, senders are refused at once, with the reason and a hint
        when to repeat, and it is certain that nothing is stored.
        """
        self.store.dependency.lost("no disk")
        problem = self.problem(self.add(sent(1)))
        self.assertEqual(problem.code, "unavailable")
        self.assertIn("no disk", problem.reason)
        self.assertGreater(problem.retry_after_ms, 0)
        self.assertFalse(problem.uncertain)
        self.store.dependency.succeeded()
        added = self.add(sent(1))
        self.store.end()
        self.accepted(added)

    def test_lost_with_a_transaction(self) -> None:
        """
        If the store is lost with a transaction, its senders learn that their messages
        may be stored; those who wait for the next one, that theirs are not.
        """
        first, second = self.add(sent(1)), self.add(sent(2))
        self.store.dependency.lost("no disk")
        self.assertNoResult(second)
        self.store.end(Unavailable("no disk"), stores=False)
        self.assertTrue(self.problem(first).uncertain)
        self.assertFalse(self.problem(second).uncertain)
        self.assertEqual(self.store.waiting, [])
        self.store.dependency.succeeded()
        self.assertEqual(self.store.waiting, [])
        self.assertEqual(self.pushed(), [])

    def test_stored_all_the_same(self) -> None:
        """
        Messages that a failed transaction has stored all the same are pushed when the
        store is back, before anything that is added then.
        """
        self.add(sent(1), sent(2))
        self.store.end(Unavailable("no disk"))
        self.store.dependency.lost("no disk")
        self.assertEqual(self.pushed(), [])
        self.store.dependency.on_change(lambda _: self.add(sent(3)))
        self.store.dependency.succeeded()
        while self.store.waiting:
            self.store.end()
        self.assertEqual(self.pushed(), [("c1", 1), ("c2", 2), ("c3", 3)])

    def test_fails_while_up(self) -> None:
        """
        If a transaction fails and the store is not lost, what it has stored is pushed
        soon, also if nobody sends anything more.
        """
        added = self.add(sent(1))
        self.store.end(Unavailable("no answer"))
        self.assertTrue(self.problem(added).uncertain)
        self.assertEqual(self.pushed(), [])
        self.clock.advance(1)
        while self.store.waiting:
            self.store.end()
        self.assertEqual(self.pushed(), [("c1", 1)])

    def test_repeat_of_an_uncertain_message(self) -> None:
        """
        The sender of an uncertain message repeats it, and learns of the first.  The
        message is pushed once, and so is each later one.
        """
        self.add(sent(1))
        self.store.end(Unavailable("no answer"))
        again = self.add(sent(1, message_id=99), sent(2))
        while self.store.waiting:
            self.store.end()
        found = self.accepted(again).stored[sent(1).identity]
        self.assertEqual(found.message_id, 11)
        self.assertEqual(self.pushed(), [("c1", 1), ("c2", 2)])
        self.clock.advance(1)

    def test_cannot_be_asked(self) -> None:
        """
        While the store cannot tell what a failed transaction has stored, nothing
        further is stored: it would be pushed too early.
        """
        self.add(sent(1))
        self.store.end(Unavailable("no answer"))
        find = self.store.find
        self.patch(self.store, "find", lambda _: fail(Unavailable("no answer")))
        problem = self.problem(self.add(sent(2)))
        self.assertFalse(problem.uncertain)
        self.assertEqual(self.store.waiting, [])
        self.patch(self.store, "find", find)
        self.clock.advance(1)
        while self.store.waiting:
            self.store.end()
        self.assertEqual(self.pushed(), [("c1", 1)])

    def test_bug(self) -> None:
        """
        An exception refuses those of its transaction, who may repeat; for a while each
        message is then stored alone, so that one of them harms no other.
        """
        self.add(sent(0))
        added = [self.add(sent(n)) for n in (1, 2)]
        self.store.end()
        self.store.end(RuntimeError("a bug"), stores=False)
        for each in added:
            self.assertTrue(self.problem(each).retry)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.assertTrue(self.log.apart)
        added = [self.add(sent(n)) for n in (1, 2)]
        self.assertEqual(self.store.inserting(), [["c1"]])
        self.store.end(RuntimeError("a bug"), stores=False)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.assertEqual(self.store.inserting(), [["c2"]])
        self.store.end()
        self.assertTrue(self.problem(added[0]).retry)
        self.accepted(added[1])
        self.clock.advance(APART_S)
        self.assertFalse(self.log.apart)

    def test_stopping(self) -> None:
        """
        A log that stops ends its transaction, stores what was added before, and refuses
        what comes then.
        """
        first, second = self.add(sent(1)), self.add(sent(2))
        stopped = Deferred.fromCoroutine(self.log.stop())
        self.assertEqual(self.problem(self.add(sent(3))).code, "unavailable")
        self.assertNoResult(stopped)
        self.store.end()
        self.store.end()
        self.accepted(first)
        self.accepted(second)
        self.successResultOf(stopped)

    def test_event_that_is_not_applied(self) -> None:
        """
        An event that is stored and cannot be applied is uncertain for its sender.  It
        is applied and pushed when it can.
        """
        self.add(sent(1))
        self.store.end()
        self.assertEqual(self.pushed(), [("c1", 1)])
        self.store.fail_apply = True
        added = self.add(Message("u:1:2", 1, "c2", 21, "1", RECALL, 5))
        self.store.end()
        self.assertTrue(self.problem(added).uncertain)
        self.store.fail_apply = False
        self.clock.advance(1)
        while self.store.waiting:
            self.store.end()
        self.assertEqual(self.pushed(), [("c2", 2)])
        self.assertEqual(self.store.messages[sent(1).identity].kind, RECALLED)
