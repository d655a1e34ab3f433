"""
Tests for L{wsmsg.client.state.listing.ServerHistory}.
"""

from __future__ import annotations

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from wsmsg.client.state.inflow import Position
from wsmsg.client.state.listing import NEWEST, ServerHistory
from wsmsg.protocol import frames


class HistoryTests(SynchronousTestCase):
    """
    The name of the server's history.
    """

    def test_late_page(self) -> None:
        """
        The answer about the newest message of an earlier history says nothing about
        the one that was learnt of meanwhile.
        """
        newest = ("u:1:2", Position(5, 5, 50))
        history = ServerHistory("e1", "", lambda _: newest)
        history.welcomed(0.0)
        self.assertEqual(history.due(0.0), [frames.Sync(NEWEST, "u:1:2", 4, 1)])
        lacking = frames.Page(NEWEST, "u:1:2", (), 0, epoch="e2")
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
        first, other = ("u:1:2", Position(5, 5, 50)), ("u:1:3", Position(7, 7))
        last = {"": first, "u:1:2": first, "u:1:3": other}
        history = ServerHistory("e1", "", last.get)
        for name in ("", "u:1:3", "u:1:4"):
            history.suspect(name)
        (sync,) = history.due(0.0)
        self.assertEqual(sync, frames.Sync(NEWEST, "u:1:2", 4, 1))
        self.assertEqual(history.due(0.0), [])
        self.assertIsNone(history.next_due(0.0))
        mine = frames.Deliver("u:1:2", 5, 50, 2, "x", 1, 1)
        self.assertFalse(
            history.is_rewound_in(frames.Page(NEWEST, "u:1:2", (mine,), 5))
        )
        self.assertEqual(history.due(0.0), [frames.Sync(NEWEST, "u:1:3", 6, 1)])
        history.refused(3.0)
        self.assertEqual((history.due(2.0), history.next_due(2.0)), ([], 3.0))
        self.assertEqual(len(history.due(3.0)), 1)
        any_id = frames.Deliver("u:1:3", 7, 1, 2, "x", 1, 1)
        page = frames.Page(NEWEST, "u:1:3", (any_id,), 7)
        self.assertFalse(history.is_rewound_in(page))
        for pages in (
            frames.Page(NEWEST, "u:1:2", (msgspec.structs.replace(mine, seq=6),), 4),
            frames.Page(NEWEST, "u:1:2", (), 4),
            frames.Page(
                NEWEST, "u:1:2", (msgspec.structs.replace(mine, message_id=9),), 5
            ),
        ):
            history.suspect("")
            self.assertEqual(len(history.due(4.0)), 1)
            self.assertTrue(history.is_rewound_in(pages))
        history.suspect("")
        self.assertEqual(len(history.due(5.0)), 1)
        history.lost()
        self.assertEqual(len(history.due(5.0)), 1)
        history.refused(None)
        self.assertEqual((history.due(9.0), history.next_due(9.0)), ([], None))

    def test_witness(self) -> None:
        """
        A witness is taken, and asked for once a minute, until it is newer than the
        last message.
        """
        history = ServerHistory("e1", "", lambda _: None)
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
