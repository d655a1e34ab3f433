"""
Tests for L{wsmsg.client.state.listing.ServerHistory}.
"""

from __future__ import annotations

from msgspec.structs import replace
from twisted.trial.unittest import SynchronousTestCase

from tests.client.state.test_inbound import Given, U, message
from wsmsg.client.state.inbound import Inbound
from wsmsg.client.state.inflow import Position
from wsmsg.client.state.listing import NEWEST, ServerHistory
from wsmsg.protocol import frames


class HistoryTests(SynchronousTestCase):
    """
    The name of the server's history.
    """

    def history(self, *seqs: int) -> tuple[Inbound, ServerHistory]:
        """
        Return the history of a client that has these messages.
        """
        it = Given()
        it.came(*seqs)
        return it.inbound, ServerHistory("e1", "", it.inbound)

    def test_late_page(self) -> None:
        """
        The answer about the newest message of an earlier history says nothing about
        the one that was learnt of meanwhile.
        """
        _, history = self.history(1, 2)
        history.welcomed(0.0)
        self.assertEqual(history.due(0.0), [frames.Sync(NEWEST, U, 1, 1)])
        lacking = frames.Page(NEWEST, U, (), 0, epoch="e2")
        self.assertTrue(history.is_replaced(lacking.epoch))
        history.begin_anew(lacking.epoch)
        self.assertFalse(history.is_rewound_in(lacking))
        history.welcomed(1.0)
        self.assertEqual(len(history.due(1.0)), 1)
        self.assertTrue(history.is_rewound_in(lacking))

    def test_checks(self) -> None:
        """
        One check is open at a time; it finds another message, or none, under the
        number; one that is refused is asked again, or given up.
        """
        inbound, history = self.history(1, 2)
        other = "u:1:3", Position(7, 7)
        inbound.suspect_newest()
        inbound.suspects[other] = None
        self.assertEqual(history.due(0.0), [frames.Sync(NEWEST, U, 1, 1)])
        self.assertEqual(history.due(0.0), [])
        self.assertIsNone(history.next_due(0.0))
        mine = frames.Page(NEWEST, U, (message(2),), 2)
        self.assertFalse(history.is_rewound_in(mine))
        self.assertEqual(history.due(0.0), [frames.Sync(NEWEST, "u:1:3", 6, 1)])
        history.refused(3.0)
        self.assertEqual((history.due(2.0), history.next_due(2.0)), ([], 3.0))
        self.assertEqual(len(history.due(3.0)), 1)
        any_id = frames.Deliver("u:1:3", 7, 1, 2, "x", 1, 1)
        page = frames.Page(NEWEST, "u:1:3", (any_id,), 7)
        self.assertFalse(history.is_rewound_in(page))
        for page in (
            frames.Page(NEWEST, U, (message(3),), 1),
            frames.Page(NEWEST, U, (), 1),
            frames.Page(NEWEST, U, (replace(message(2), message_id=9),), 2),
        ):
            inbound.suspect_newest()
            self.assertEqual(len(history.due(4.0)), 1)
            self.assertTrue(history.is_rewound_in(page))
        inbound.suspect_newest()
        self.assertEqual(len(history.due(5.0)), 1)
        history.lost()
        self.assertEqual(len(history.due(5.0)), 1)
        history.refused(None)
        self.assertEqual((history.due(9.0), history.next_due(9.0)), ([], None))

    def test_late_check(self) -> None:
        """
        A check that is refused, or whose connection is lost, asks for the same message
        again, whatever the program was given meanwhile.
        """
        inbound, history = self.history(1, 2)
        inbound.suspect_newest()
        (asked,) = history.due(0.0)
        inbound.delivered(message(3))
        history.refused(1.0)
        self.assertEqual(history.due(1.0), [asked])
        inbound.delivered(message(4))
        history.lost()
        self.assertEqual(history.due(2.0), [asked])
        page = frames.Page(NEWEST, U, (replace(message(2), message_id=9),), 4)
        self.assertTrue(history.is_rewound_in(page))

    def test_held_back(self) -> None:
        """
        Messages that are held back are given when the server has the message that is
        checked, or will not tell.
        """
        for told in (True, False):
            it = Given()
            it.came(1, 2)
            history = ServerHistory("e1", "", it.inbound)
            it.inbound.delivered(replace(message(1), message_id=9))
            it.came(3)
            self.assertEqual(len(history.due(0.0)), 1)
            self.assertEqual(it.seqs, [1, 2])
            if told:
                page = frames.Page(NEWEST, U, (message(2),), 3)
                self.assertFalse(history.is_rewound_in(page))
            else:
                history.refused(None)
            self.assertEqual(it.seqs, [1, 2, 3])

    def test_witness(self) -> None:
        """
        A witness is taken, and asked for once a minute, until it is newer than the
        last message.
        """
        _, history = self.history()
        history.ponged(frames.Pong("h", 5, "w0"), 1.0)
        history.ponged(frames.Pong("h", 5, "w1"), 2.0)
        self.assertEqual(history.witness, "w0")
        history.heard(10.0)
        self.assertEqual((history.next_due(10.0), history.due(61.0)), (62.0, []))
        self.assertEqual(history.due(62.0), [frames.Ping("w")])
        self.assertEqual(history.due(62.0), [])
        history.ponged(frames.Pong("w", 5, "w2"), 63.0)
        history.ponged(frames.Pong("w", 5), 64.0)
        self.assertEqual((history.witness, history.next_due(64.0)), ("w2", 124.0))
        history.ponged(frames.Pong("w", 5, "w3"), 130.0)
        self.assertEqual((history.witness, history.next_due(130.0)), ("w3", None))
        history.begin_anew("e2")
        self.assertEqual((history.epoch, history.witness), ("e2", ""))
