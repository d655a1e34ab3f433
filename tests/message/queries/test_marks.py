"""
Tests for L{wsmsg.message.queries.marks} and L{wsmsg.message.queries.recent}.
"""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.message.doubles import MemoryStore
from tests.message.store.cursor_contract import said
from wsmsg.errors import Overloaded, Unavailable
from wsmsg.message.queries.marks import Marks, RecentMessages
from wsmsg.model import Cursor, Mark


def by_id(seq: int, user: int = 2) -> Mark:
    """
    Return a mark of a message that L{said} made, by its id alone.
    """
    return Mark(user, seq + 100)


def by_place(seq: int, user: int = 2) -> Mark:
    """
    Return a mark of a message that L{said} made, by its place.
    """
    return Mark(user, seq + 100, "u:1:2", seq)


class MarksTests(SynchronousTestCase):
    """
    Marks by id and by place, early and late.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.store = MemoryStore()
        self.told: list[Cursor] = []
        self.marks = Marks(
            self.store, self.told.append, self.clock, limit=4, places=8, early=2
        )
        self.addCleanup(self.assert_quiet)

    def assert_quiet(self) -> None:
        """
        Check that nothing is left of the marks once they are stopped.
        """
        self.marks.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def keep(self, *seqs: int) -> None:
        """
        Store these messages.
        """
        for seq in seqs:
            message = said(seq)
            self.store.messages[message.identity] = message

    def asked(self, *marks: Mark, user: int = 2) -> list[bool]:
        """
        Return the answer to a call after the linger time.
        """
        answer = self.marks.mark(user, marks)
        self.assertNoResult(answer)
        self.clock.advance(0.01)
        return self.successResultOf(answer)

    def test_stored_and_told(self) -> None:
        """
        A mark is stored and answered, and the new cursor is sent.
        """
        self.keep(1, 2)
        self.assertEqual(self.asked(by_place(1)), [True])
        self.assertEqual(self.told, [Cursor("u:1:2", 2, 1, 1)])
        self.assertEqual(self.store.located_for, [])
        self.assertEqual(self.marks.marked, 1)

    def test_nothing(self) -> None:
        """
        A call without marks is answered at once.
        """
        self.assertEqual(self.successResultOf(self.marks.mark(2, [])), [])

    def test_gathered(self) -> None:
        """
        Marks of any number of users that arrive within the linger time make one batch.
        """
        self.keep(1, 2, 3)
        answers = [
            self.marks.mark(2, [by_place(1), by_place(9)]),
            self.marks.mark(1, [by_place(2, 1)]),
        ]
        self.clock.advance(0.01)
        self.assertEqual(
            [self.successResultOf(a) for a in answers], [[True, False], [True]]
        )
        self.assertEqual(len(self.store.marks), 1)

    def test_as_the_user(self) -> None:
        """
        Marks belong to the user of the call, whatever user they name.
        """
        self.keep(1)
        self.assertEqual(self.asked(by_place(1, user=2), user=3), [False])
        self.assertEqual(self.told, [])

    def test_pushed_lately(self) -> None:
        """
        The store is not searched for messages that were pushed recently.
        """
        self.keep(1)
        self.marks.pushed([said(1)])
        self.assertEqual(self.asked(by_id(1)), [True])
        self.assertEqual(self.store.located_for, [])

    def test_searched(self) -> None:
        """
        Messages that were pushed long ago, or by another Message, are located by id.
        """
        self.keep(1, 2)
        self.assertEqual(self.asked(by_id(1), by_id(2)), [True, True])
        self.assertEqual(self.store.located_for, [2])
        self.assertEqual(self.told, [Cursor("u:1:2", 2, 2, 2)])

    def test_place_wrong(self) -> None:
        """
        A mark with the place of another message is unknown.
        """
        self.keep(1, 2)
        self.assertEqual(self.asked(Mark(2, 101, "u:1:2", 2)), [False])

    def test_store_down(self) -> None:
        """
        While the store is down, marks by id and by place fail.
        """
        self.store.down = True
        for mark in (by_id(1), by_place(1)):
            answer = self.marks.mark(2, [mark])
            self.clock.advance(0.01)
            self.failureResultOf(answer, Unavailable)
        self.store.down = False
        self.keep(1)
        self.assertEqual(self.asked(by_place(1)), [True])

    def test_too_many(self) -> None:
        """
        Marks above the limit are rejected, and those that wait are stored.
        """
        self.keep(1)
        waiting = self.marks.mark(2, [by_place(1)] * 3)
        self.failureResultOf(self.marks.mark(2, [by_place(1)] * 2), Overloaded)
        self.clock.advance(0.01)
        self.assertEqual(self.successResultOf(waiting), [True] * 3)

    def test_idle(self) -> None:
        """
        A caller can wait until all marks are stored.
        """
        self.successResultOf(self.marks.idle())
        self.keep(1)
        self.marks.mark(2, [by_place(1)])
        idle = self.marks.idle()
        self.assertNoResult(idle)
        self.clock.advance(0.01)
        self.successResultOf(idle)

    def test_overtakes_the_storing(self) -> None:
        """
        A mark that arrives before its message is answered as unknown, and stored as
        soon as the message is pushed.
        """
        self.assertEqual(self.asked(by_id(1)), [False])
        self.keep(1)
        self.marks.pushed([said(1)])
        self.clock.advance(0.01)
        self.assertEqual(self.told, [Cursor("u:1:2", 2, 1, 1)])

    def test_overtakes_the_storing_by_another(self) -> None:
        """
        An early mark is stored within two seconds if another Message stores its
        message.
        """
        self.assertEqual(self.asked(by_id(1)), [False])
        self.clock.advance(1)
        self.clock.advance(0.01)
        self.assertEqual(self.told, [])
        self.keep(1)
        self.clock.advance(1)
        self.clock.advance(0.01)
        self.assertEqual(self.told, [Cursor("u:1:2", 2, 1, 1)])

    def test_early_while_down(self) -> None:
        """
        An early mark is not lost if the store is down when its message is pushed.
        """
        self.assertEqual(self.asked(by_id(1)), [False])
        self.store.down = True
        self.marks.pushed([said(1)])
        self.clock.advance(0.01)
        self.store.down = False
        self.keep(1)
        self.clock.advance(1)
        self.clock.advance(0.01)
        self.assertEqual(self.told, [Cursor("u:1:2", 2, 1, 1)])

    def test_never_there(self) -> None:
        """
        An early mark whose message never comes is forgotten after some seconds.
        """
        self.assertEqual(self.asked(by_id(1)), [False])
        for _ in range(6):
            self.clock.advance(1)
            self.clock.advance(0.01)
        self.assertEqual(self.marks.forgotten, 1)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_too_many_early(self) -> None:
        """
        Above the limit of early marks, the oldest is forgotten and counted.
        """
        self.assertEqual(self.asked(by_id(1), by_id(2), by_id(3)), [False] * 3)
        self.assertEqual(self.marks.forgotten, 1)
        self.keep(1, 2, 3)
        self.marks.pushed([said(i) for i in (1, 2, 3)])
        self.clock.advance(0.01)
        self.assertEqual([m.seq for m in self.store.marks[-1]], [2, 3])

    def test_not_an_id(self) -> None:
        """
        The store is not searched for an id that no message can have.
        """
        marks = [Mark(2, 0), Mark(2, -1), Mark(2, 2**63)]
        self.assertEqual(self.asked(*marks), [False] * 3)
        self.assertEqual(self.store.located_for, [])
        self.assertEqual(self.clock.getDelayedCalls(), [])


class RecentMessagesTests(SynchronousTestCase):
    """
    The places of recent messages.
    """

    def test_bounded(self) -> None:
        """
        The last messages are kept, older ones are dropped.
        """
        places = RecentMessages(8)
        for seq in range(1, 101):
            places.add([said(seq)])
            self.assertLessEqual(len(places), 8)
        self.assertEqual([places.get(100 + i) for i in (1, 90)], [None, None])
        for seq in range(97, 101):
            self.assertEqual(places.get(100 + seq), ("u:1:2", seq))
