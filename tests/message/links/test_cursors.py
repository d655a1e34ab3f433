"""
Tests for L{wsmsg.message.links.cursors}.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock, deferLater
from twisted.trial.unittest import SynchronousTestCase

from tests.message.doubles import MemoryStore
from wsmsg.errors import Unavailable
from wsmsg.message.links.cursors import CursorWriter
from wsmsg.model import Cursor


def cursor(
    user: int, delivered: int = 0, read: int = 0, conversation: str = "u:1:2"
) -> Cursor:
    """
    Return a cursor in the conversation of users 1 and 2.
    """
    return Cursor(conversation, user, delivered, read)


class CursorsTests(SynchronousTestCase):
    """
    Cursors are stored in batches and sent to the members.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.store = MemoryStore()
        self.receipts: list[Cursor] = []
        self.alone_at: list[str] = []
        self.cursors = CursorWriter(self.store, self.receipt, self.clock, limit=2)

    def receipt(self, cursor: Cursor, alone_at: str) -> None:
        """
        Note a receipt.
        """
        self.receipts.append(cursor)
        self.alone_at.append(alone_at)

    def test_stored_and_told(self) -> None:
        """
        A cursor is stored and then sent to the members; a read message counts as
        delivered.
        """
        self.cursors.move([cursor(2, read=3)])
        self.assertEqual(self.receipts, [])
        self.clock.advance(0.03)
        self.assertEqual(self.receipts, [Cursor("u:1:2", 2, 3, 3)])
        self.assertEqual(self.store.moved["u:1:2", 2], Cursor("u:1:2", 2, 3, 3))

    def test_gathered_while_down(self) -> None:
        """
        Cursors that arrive while the store is down are merged, and stored when it is up
        again.
        """
        self.store.down = True
        self.cursors.move([cursor(2, delivered=3)])
        self.clock.advance(0.03)
        self.cursors.move([cursor(2, delivered=5)])
        self.cursors.move([cursor(2, delivered=4, read=1)])
        self.assertNoResult(self.cursors.idle())
        self.store.down = False
        self.clock.advance(0.5)
        self.clock.advance(0.03)
        self.assertEqual(self.receipts, [Cursor("u:1:2", 2, 5, 1)])
        self.successResultOf(self.cursors.idle())

    def test_alone(self) -> None:
        """
        The receipt names the Connect whose only session of the user said all of it.
        """
        for said in (["a"], ["a", "a"], ["a", ""], ["", "a"], ["a", "b"]):
            for at, node in enumerate(said):
                self.cursors.move([cursor(2, 10 * len(self.alone_at) + at + 1)], node)
            self.clock.advance(0.03)
        self.assertEqual(self.alone_at, ["a", "a", "", "", ""])

    def test_alone_after_a_failure(self) -> None:
        """
        The Connect is still known after a move that failed.
        """
        self.store.down = True
        self.cursors.move([cursor(2, 1)], "a")
        self.clock.advance(0.03)
        self.store.down = False
        self.clock.pump([0.5, 0.03])
        self.assertEqual(self.alone_at, ["a"])

    def test_further_than_said(self) -> None:
        """
        A cursor that rose further than the session said is told to that session, too.
        """
        further = Cursor("u:1:2", 2, 9, 9)
        self.store.move_cursors = lambda cursors: succeed([further])  # type: ignore[method-assign]
        self.cursors.move([cursor(2, 3, 3)], "a")
        self.clock.advance(0.03)
        self.assertEqual((self.receipts, self.alone_at), ([further], [""]))

    def slow(self, seconds: float) -> None:
        """
        Let the store take this long for each move of cursors.
        """
        move = partial(MemoryStore.move_cursors, self.store)

        def later(cursors: Sequence[Cursor]) -> Deferred[list[Cursor]]:
            return deferLater(self.clock, seconds).addCallback(lambda _: move(cursors))

        self.store.move_cursors = later  # type: ignore[method-assign]

    def test_moved_while_a_move_fails(self) -> None:
        """
        A read cursor is kept where the store fails while it is stored, and the same
        user reports only a delivery meanwhile.
        """
        moves: list[tuple[Sequence[Cursor], Deferred[list[Cursor]]]] = []

        def held(cursors: Sequence[Cursor]) -> Deferred[list[Cursor]]:
            moves.append((cursors, Deferred()))
            return moves[-1][1]

        self.store.move_cursors = held  # type: ignore[method-assign]
        self.cursors.move([cursor(2, delivered=10, read=10)])
        self.clock.advance(0.03)
        self.cursors.move([cursor(2, delivered=12)])
        moves[0][1].errback(Unavailable("the store is away"))
        self.clock.pump([0.5, 0.03])
        self.assertEqual(moves[1][0], [Cursor("u:1:2", 2, 12, 10)])
        moves[1][1].callback([])
        self.clock.advance(0.5)

    def test_rest(self) -> None:
        """
        After a slow move the writer rests for three times as long, and then stores all
        cursors that arrived meanwhile in one move.
        """
        self.slow(0.1)
        self.cursors.move([cursor(2, 1)])
        self.clock.pump([0.03, 0.1])
        self.assertEqual(self.receipts, [Cursor("u:1:2", 2, 1, 0)])
        for number in (2, 3, 4):
            self.cursors.move([cursor(2, number)])
            self.clock.advance(0.09)
        self.slow(0)
        self.clock.pump([0.02, 0])
        self.assertEqual(len(self.receipts), 1)
        self.clock.pump([0.02, 0, 0])
        self.assertEqual(self.receipts[1:], [Cursor("u:1:2", 2, 4, 0)])

    def test_rest_is_bounded(self) -> None:
        """
        The writer rests for at most half a second.
        """
        self.slow(9)
        self.cursors.move([cursor(2, 1)])
        self.clock.pump([0.03, 9])
        self.cursors.move([cursor(2, 2)])
        self.clock.pump([0.49, 0.02, 9])
        self.assertEqual(self.receipts[1:], [Cursor("u:1:2", 2, 2, 0)])

    def test_no_rest(self) -> None:
        """
        The writer does not rest after a quick move, nor when the rest is over already.
        """
        for number, (seconds, pause) in enumerate(
            ((0.005, 0), (0.005, 0), (0.1, 0.3), (0.005, 0)), 1
        ):
            self.slow(seconds)
            self.cursors.move([cursor(2, number)])
            self.clock.pump([0.03, seconds])
            self.assertEqual(len(self.receipts), number)
            self.clock.advance(pause)

    def test_bounded(self) -> None:
        """
        Cursors above the limit are dropped and counted.
        """
        self.store.down = True
        for other in range(2, 6):
            self.cursors.move([cursor(1, 1, conversation=f"u:1:{other}")])
        self.assertEqual(self.cursors.dropped, 2)
        self.store.down = False
        self.clock.advance(0.5)
        self.clock.advance(0.03)
        self.assertEqual(len(self.receipts), 2)

    def test_not_a_member(self) -> None:
        """
        A cursor of a user who is not in the conversation is dropped.
        """
        self.cursors.move([cursor(3, 1), cursor(1, 1, conversation="nonsense")])
        self.assertEqual(self.receipts, [])
        self.assertEqual(self.cursors.dropped, 2)
