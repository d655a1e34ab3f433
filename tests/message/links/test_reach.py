"""
Tests for L{wsmsg.message.links.reach}: Connects and Messages without a stream between
them.
"""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.message.presence.doubles import RecordingPresence
from wsmsg.message.links.link import Link
from wsmsg.message.links.links import Links
from wsmsg.rpc import rest_pb2


class ReachTests(SynchronousTestCase):
    """
    One Message, with one Connect.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1000)
        self.links = Links(
            RecordingPresence(),
            self.clock,
            grace_s=1.5,
            limit_records=10,
            limit_bytes=10**6,
            unix_s=self.clock.seconds,
        )
        self.link = self.stream("connect-1")

    def stream(self, node: str) -> Link:
        link, _ = self.links.subscribe(
            rest_pb2.SubscribeRequest(connect_service_id=node, incarnation="i"), "own"
        )
        link.opened(lambda: None, lambda reason: None)
        return link

    def sent(self, node: str, age_s: float = 0.0) -> None:
        """
        Read a record that came through a Connect.
        """
        accepted_ms = int((self.clock.seconds() - age_s) * 1000)
        self.links.came_through({node: accepted_ms})

    def test_list(self) -> None:
        """
        A Connect is told the list of Messages when it changes, and not when it does
        not.
        """
        self.links.set_list("a:1", {"c:1", "b:1"})
        frame = self.link.next_frame()
        assert frame is not None
        self.assertEqual(list(frame.batch.messages.addresses), ["a:1", "b:1", "c:1"])
        self.assertEqual(frame.batch.number, 0)
        self.links.set_list("a:1", {"b:1", "c:1"})
        self.assertIsNone(self.link.next_frame())
        self.links.set_list("a:1", ())
        frame = self.link.next_frame()
        assert frame is not None
        self.assertEqual(list(frame.batch.messages.addresses), ["a:1"])

    def test_unreached(self) -> None:
        """
        A Message that a Connect does not reach is named, until the Connect says
        otherwise or is gone.
        """
        reach = self.links.reach
        self.assertEqual(reach.unreached(), "")
        reach.set_unreached("connect-1", ["b:1"])
        self.assertEqual(
            reach.unreached(), "connect-1 has no stream to the Message at b:1"
        )
        reach.set_unreached("connect-1", [])
        self.assertEqual(reach.unreached(), "")
        reach.set_unreached("connect-1", ["b:1"])
        self.links.lost(self.link, self.link.stream, "test")
        self.assertEqual(reach.unreached(), "")
        self.clock.advance(2)

    def test_unlinked(self) -> None:
        """
        A Connect whose users' messages are delivered here again and again, and that has
        no stream to here, is named until it has one.
        """
        for _ in range(5):
            self.sent("connect-1")
            self.sent("connect-2")
            self.assertEqual(self.links.unlinked(), "")
            self.clock.advance(1)
        self.sent("connect-2")
        self.assertEqual(
            self.links.unlinked(),
            "messages of its users are delivered here, and it has no stream to here: "
            "connect-2",
        )
        self.stream("connect-2")
        self.assertEqual(self.links.unlinked(), "")

    def test_restarted(self) -> None:
        """
        A Connect that ended, whose last messages are delivered now, is not named; nor
        is one whose records waited for long.
        """
        self.sent("connect-2")
        self.sent("connect-2", 5)
        self.clock.advance(30)
        for _ in range(10):
            self.sent("connect-2", 60)
            self.clock.advance(1)
        self.assertEqual(self.links.unlinked(), "")

    def test_forgotten(self) -> None:
        """
        A Connect that sends no more is forgotten.
        """
        for _ in range(7):
            self.sent("connect-2")
            self.clock.advance(1)
        self.assertIn("connect-2", self.links.unlinked())
        self.clock.advance(61)
        self.assertEqual(self.links.unlinked(), "")

    def test_many(self) -> None:
        """
        A few of many are named.
        """
        self.links.reach.set_unreached("connect-1", [f"m{n}:1" for n in range(9)])
        self.assertTrue(self.links.reach.unreached().endswith("m4:1 and 4 more"))
