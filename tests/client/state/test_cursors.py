"""
Tests for the reports of progress.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from wsmsg.client.state.cursors import REMEMBERED, CursorState
from wsmsg.protocol.frames import Deliver, Delivered, Head, Read

U = "u:1:2"


class CursorsTests(SynchronousTestCase):
    """
    Reports of the user's cursors.
    """

    def setUp(self) -> None:
        self.cursors = CursorState()

    def test_coalesced(self) -> None:
        """
        However many messages were taken, only the last seq is reported, once.
        """
        for seq in range(1, 50):
            self.cursors.delivered(U, seq)
        self.cursors.read(U, 7)
        self.cursors.delivered(U, 3)
        self.assertEqual(self.cursors.due(10, 0.0), [Delivered(U, 49), Read(U, 7)])
        self.assertEqual(self.cursors.due(10, 0.0), [])

    def test_told_again(self) -> None:
        """
        Cursors that were reported on a broken connection are reported again.
        """
        self.cursors.delivered(U, 1)
        self.cursors.due(10, 0.0)
        self.cursors.lost()
        self.assertEqual(self.cursors.due(10, 0.0), [Delivered(U, 1)])

    def test_few_at_once(self) -> None:
        """
        Cursors of many conversations are reported in portions.
        """
        for n in range(5):
            self.cursors.delivered(f"u:1:{n}", 1)
        self.assertEqual(
            [len(self.cursors.due(2, 0.0)) for _ in range(4)], [2, 2, 1, 0]
        )

    def test_server_knows_better(self) -> None:
        """
        A cursor that the server knows is not reported.
        """
        self.cursors.delivered(U, 3)
        self.cursors.apply_head(Head(U, 9, delivered=5))
        self.assertEqual(self.cursors.due(10, 0.0), [])

    def test_server_knows_less(self) -> None:
        """
        A cursor of an earlier run that the server does not know is reported.
        """
        self.cursors = CursorState({U: 5})
        self.assertEqual(self.cursors.due(10, 0.0), [])
        self.cursors.apply_head(Head(U, 9, delivered=2))
        self.assertEqual(self.cursors.due(10, 0.0), [Delivered(U, 5)])

    def test_pace(self) -> None:
        """
        A number delivered in a conversation with a pace is reported once in each slot,
        also if a message arrives as soon as a slot ends; what is read, and other
        conversations, are reported at once.
        """
        told = []
        for tenth in range(100, 141):
            now = tenth / 10
            self.cursors.pace(paced(tenth), now)
            self.cursors.delivered(U, tenth)
            told += [(now, frame) for frame in self.cursors.due(10, now)]
        self.assertEqual(
            told,
            [(t, Delivered(U, round(t * 10))) for t in (11.0, 12.0, 13.0, 14.0)],
        )
        self.cursors.pace(paced(200), 20.5)
        self.cursors.delivered(U, 200)
        self.assertEqual(self.cursors.next_report(20.5), 21.0)
        self.cursors.read(U, 200)
        self.cursors.delivered("u:1:3", 1)
        self.assertEqual(self.cursors.next_report(20.5), 20.5)
        frames = self.cursors.due(10, 20.5)
        self.assertEqual(frames, [Read(U, 200), Delivered("u:1:3", 1)])
        self.assertEqual(self.cursors.next_report(20.5), 21.0)

    def test_pace_of_a_lost_connection(self) -> None:
        """
        On the next connection everything is reported at once.
        """
        self.cursors.pace(paced(7), 0.5)
        self.cursors.delivered(U, 7)
        self.assertEqual(self.cursors.due(10, 0.5), [])
        self.cursors.lost()
        self.assertEqual(self.cursors.due(10, 0.5), [Delivered(U, 7)])

    def test_remembered(self) -> None:
        """
        The reports of a connection that are repeated are bounded.
        """
        for n in range(REMEMBERED + 5):
            self.cursors.delivered(f"u:1:{n}", 1)
        self.assertEqual(len(self.cursors.due(2 * REMEMBERED, 0.0)), REMEMBERED + 5)
        self.cursors.lost()
        again = self.cursors.due(2 * REMEMBERED, 0.0)
        self.assertEqual(len(again), REMEMBERED)
        self.assertEqual(again[0], Delivered("u:1:5", 1))


def paced(seq: int) -> Deliver:
    """
    Make a message whose recipients are to acknowledge once a second.
    """
    return Deliver(U, seq, seq, 2, "", 1, 0, ack_ms=1000)
