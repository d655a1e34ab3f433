"""
Cursors that are told before they are stored.
"""

from __future__ import annotations

from collections.abc import Sequence

from twisted.internet.defer import Deferred, fail
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.message.doubles import MemoryStore
from tests.message.links.test_links import message
from wsmsg.errors import Unavailable
from wsmsg.message.links.cursors import CursorWriter
from wsmsg.message.links.recipients import ToldCursors
from wsmsg.model import Cursor

US = "u:1:2"


class ToldCursorsTests(SynchronousTestCase):
    """
    L{ToldCursors}.
    """

    def setUp(self) -> None:
        self.told = ToldCursors(limit=3)
        self.told.pushed([message(seq, US) for seq in (4, 5)])
        self.told.told(Cursor(US, 2, 3, 1))

    def test_raised(self) -> None:
        """
        A cursor rises, and neither of its numbers falls.
        """
        self.assertEqual(self.told.ahead(Cursor(US, 2, 5, 0)), Cursor(US, 2, 5, 1))
        self.assertEqual(self.told.ahead(Cursor(US, 2, 2, 2)), Cursor(US, 2, 3, 2))
        self.told.told(Cursor(US, 2, 1, 1))
        self.assertTrue(self.told.is_told(Cursor(US, 2, 3, 1)))

    def test_not_known(self) -> None:
        """
        Only the store can say where it concerns a number above the last message, a user
        who was never told of, or a group.
        """
        self.told.told(Cursor("g:7", 2, 3, 3))
        self.told.pushed([message(9, "g:7")])
        for cursor in (
            Cursor(US, 2, 6, 0),
            Cursor(US, 1, 5, 5),
            Cursor("u:2:3", 2, 1, 0),
            Cursor("g:7", 2, 9, 0),
        ):
            self.assertIsNone(self.told.ahead(cursor))
            self.assertFalse(self.told.is_told(cursor))

    def test_withheld(self) -> None:
        """
        A message that is withheld raises no head: nobody hears that it was delivered.
        """
        self.told.pushed([message(5, US).numbered(6, 6)])
        self.assertIsNone(self.told.ahead(Cursor(US, 2, 6, 0)))

    def test_bounded(self) -> None:
        """
        The oldest cursors and heads are forgotten beyond the limit.
        """
        for other in range(3, 6):
            name = f"u:2:{other}"
            self.told.pushed([message(1, name)])
            self.told.told(Cursor(name, 2, 1, 0))
        self.assertFalse(self.told.is_told(Cursor(US, 2, 3, 1)))
        self.told.told(Cursor(US, 2, 3, 1))
        self.assertIsNone(self.told.ahead(Cursor(US, 2, 5, 0)))


class EarlyTests(SynchronousTestCase):
    """
    L{CursorWriter}, of a Message whose store no other one uses.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.store = MemoryStore()
        self.told = ToldCursors()
        self.receipts: list[tuple[Cursor, str]] = []
        self.moves: list[list[Cursor]] = []
        move = self.store.move_cursors

        def moved(cursors: Sequence[Cursor]) -> Deferred[list[Cursor]]:
            self.moves.append(list(cursors))
            return move(cursors)

        self.store.move_cursors = moved  # type: ignore[method-assign]
        self.cursors = CursorWriter(
            self.store, self.receipt, self.clock, told=self.told
        )
        self.told.pushed([message(seq, US) for seq in range(1, 10)])
        self.cursors.move([Cursor(US, 2, 1, 0)], "a")
        self.clock.advance(0.03)
        self.receipts.clear()
        self.moves.clear()

    def receipt(self, cursor: Cursor, alone_at: str) -> None:
        """
        Do as L{Links.receipt}.
        """
        self.told.told(cursor)
        self.receipts.append((cursor, alone_at))

    def test_first(self) -> None:
        """
        The first cursor of a user is stored soon, and then told.
        """
        self.cursors.move([Cursor(US, 1, 2, 0)])
        self.assertEqual(self.receipts, [])
        self.clock.advance(0.03)
        self.assertEqual(self.receipts, [(Cursor(US, 1, 2, 0), "")])

    def test_at_once(self) -> None:
        """
        The next cursors are told at once, each once, and stored together in a second.
        """
        for seq in (2, 3, 3, 2):
            self.cursors.move([Cursor(US, 2, seq, 0)], "a")
        expected = [(Cursor(US, 2, seq, 0), "a") for seq in (2, 3)]
        self.assertEqual(self.receipts, expected)
        self.clock.advance(0.99)
        self.assertEqual(self.moves, [])
        self.clock.advance(0.01)
        self.assertEqual(self.moves, [[Cursor(US, 2, 3, 0)]])
        self.assertEqual(self.receipts, expected)

    def test_beyond_the_head(self) -> None:
        """
        A cursor above the last message is told as the store has it, soon.
        """
        self.store.move_cursors = lambda cursors: Deferred()  # type: ignore[method-assign]
        self.cursors.move([Cursor(US, 2, 2, 0)])
        self.receipts.clear()
        self.cursors.move([Cursor(US, 2, 1000, 0)])
        self.assertEqual(self.receipts, [])
        answer: Deferred[list[Cursor]] = Deferred()
        self.store.move_cursors = lambda cursors: answer  # type: ignore[method-assign]
        self.clock.advance(0.03)
        answer.callback([Cursor(US, 2, 9, 0)])
        self.assertEqual([c for c, _ in self.receipts], [Cursor(US, 2, 9, 0)])

    def test_group(self) -> None:
        """
        A cursor in a group waits a second if only one session has to know of it; for
        several devices it is stored soon, and told.
        """
        for alone_at, wait_s in (("a", 1.0), ("", 0.03)):
            self.cursors.move([Cursor("g:7", 2, 1, 0)], alone_at)
            self.clock.advance(wait_s - 0.01)
            self.assertEqual(self.moves, [])
            self.clock.advance(0.01)
            self.assertEqual(len(self.moves), 1)
            self.moves.clear()

    def test_readers_wait(self) -> None:
        """
        Both users of the conversation who read cursors meanwhile wait until the store
        has what they were told, which is at once then; others do not wait.
        """
        for user in (1, 2):
            self.cursors.move([Cursor(US, 2, 3 + user, 0)])
            self.assertEqual(self.moves, [])
            self.successResultOf(Deferred.fromCoroutine(self.cursors.stored(3)))
            waiting = Deferred.fromCoroutine(self.cursors.stored(user))
            self.assertNoResult(waiting)
            self.clock.advance(0)
            self.successResultOf(waiting)
            self.assertEqual(len(self.moves), 1)
            self.moves.clear()
        self.successResultOf(Deferred.fromCoroutine(self.cursors.stored(1)))

    def test_readers_do_not_wait_for_a_store_that_fails(self) -> None:
        """
        Nobody waits for a store that fails; when it is back, it has what was told.
        """
        move = self.store.move_cursors
        self.store.move_cursors = lambda cursors: fail(Unavailable("away"))  # type: ignore[method-assign]
        self.cursors.move([Cursor(US, 2, 4, 0)])
        waiting = Deferred.fromCoroutine(self.cursors.stored(1))
        self.clock.advance(0)
        self.successResultOf(waiting)
        self.successResultOf(Deferred.fromCoroutine(self.cursors.stored(1)))
        self.store.move_cursors = move  # type: ignore[method-assign]
        self.clock.pump([0.5, 1.0])
        self.assertEqual(self.moves, [[Cursor(US, 2, 4, 0)]])
        self.assertEqual(len(self.receipts), 1)

    def test_stop(self) -> None:
        """
        A Message that stops stores at once what was told.
        """
        self.cursors.move([Cursor(US, 2, 4, 0)])
        idle = self.cursors.idle()
        self.clock.advance(0)
        self.successResultOf(idle)
        self.assertEqual(self.moves, [[Cursor(US, 2, 4, 0)]])
