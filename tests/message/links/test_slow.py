"""
Tests for L{wsmsg.message.links.slow}: Connects that do not keep up with their pushes.
"""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from tests.message.links.test_links import SNAPSHOT, message
from tests.message.presence.doubles import RecordingPresence
from wsmsg.message.links.link import Link
from wsmsg.message.links.links import Links
from wsmsg.message.links.slow import REMEMBERED_S
from wsmsg.model import Cursor
from wsmsg.rpc import rest_pb2


class SlowConnectTests(SynchronousTestCase):
    """
    A Connect with user 1 that acknowledges late or not at all, and one with user 2.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.links = Links(
            RecordingPresence(),
            self.clock,
            grace_s=1.5,
            limit_records=100,
            limit_bytes=10**6,
            ack_s=5.0,
        )
        self.seq = 0
        self.settled: list[int] = []
        self.slow = self.connect("slow", 1)
        self.quick = self.connect("quick", 2)

    def connect(self, node: str, user: int) -> Link:
        link, _ = self.links.subscribe(
            rest_pb2.SubscribeRequest(connect_service_id=node, incarnation="i"), "own"
        )
        link.opened(lambda: None, lambda reason: None)
        whole = rest_pb2.PresenceDelta(number=1, online=[user], snapshot=SNAPSHOT.WHOLE)
        self.links.users.apply_presence(link, whole)
        link.next_frame()
        return link

    def push(self, *quick: Link) -> None:
        """
        Push a message to both users; these Connects acknowledge it.
        """
        self.seq += 1
        seq = self.seq
        self.links.push([message(seq)], lambda: self.settled.append(seq))
        for link in quick:
            frame = link.next_frame()
            assert frame is not None
            link.acknowledged(frame.batch.number)

    def seconds(self, n: int) -> None:
        """
        Let seconds pass, each with its check.
        """
        for _ in range(n):
            self.clock.advance(1)
            self.links.check_slow()

    def test_age(self) -> None:
        """
        A Connect that has not acknowledged a push in time is cut, however few pushes
        there are; the pushes are settled, and the other Connect is not touched.
        """
        self.push(self.quick)
        self.seconds(5)
        self.assertEqual((self.slow.broken, self.settled), ("", []))
        self.seconds(1)
        self.assertIn("not been acknowledged for 5.0 s", self.slow.broken)
        self.assertEqual(self.settled, [1])
        self.assertEqual(self.quick.broken, "")

    def test_acknowledges_slowly(self) -> None:
        """
        A Connect that acknowledges each push after a while, but in time, is not cut.
        """
        for _ in range(20):
            self.push(self.quick)
            self.seconds(4)
            frame = self.slow.next_frame()
            assert frame is not None
            self.slow.acknowledged(frame.batch.number)
        self.assertEqual((self.slow.broken, len(self.settled)), ("", 20))

    def test_slower_than_the_traffic(self) -> None:
        """
        A Connect that acknowledges steadily, and falls behind more and more, is cut.
        """
        for _ in range(20):
            for _ in range(3):
                self.push(self.quick)
            frame = self.slow.next_frame()
            if self.slow.broken:
                break
            assert frame is not None
            self.slow.acknowledged(max(frame.batch.number - 6, 0))
            self.seconds(1)
        self.assertIn("acknowledged for 5.0 s", self.slow.broken)

    def test_receipts(self) -> None:
        """
        Receipts that are not acknowledged count as well: by their number, and by age.
        """
        for n in range(1, 102):
            self.links.receipt(Cursor(f"u:1:{n + 1}", n + 1, n, n))
            self.slow.next_frame()
        self.assertIn("101 receipts", self.slow.broken)
        other = self.connect("other", 1)
        self.links.receipt(Cursor("u:1:2", 2, 1, 1))
        other.next_frame()
        self.seconds(6)
        self.assertIn("acknowledged for 5.0 s", other.broken)

    def test_stalled(self) -> None:
        """
        A Message that did not run for a while cuts nobody for what it has not read.
        """
        self.push(self.quick)
        self.clock.advance(60)
        self.links.check_slow()
        self.assertEqual(self.slow.broken, "")

    def test_lost_and_resumed(self) -> None:
        """
        A link without a stream waits for the grace time; one that resumes has the whole
        time again to acknowledge what is replayed.
        """
        self.links.grace_s = 30.0
        self.push(self.quick)
        self.links.lost(self.slow, self.slow.stream, "test")
        self.seconds(20)
        self.assertEqual(self.slow.broken, "")
        hello = rest_pb2.SubscribeRequest(
            connect_service_id="slow", incarnation="i", resume_incarnation="own"
        )
        _, resumed = self.links.subscribe(hello, "own")
        self.assertTrue(resumed)
        self.slow.opened(lambda: None, lambda reason: None)
        self.seconds(5)
        self.assertEqual(self.slow.broken, "")
        self.seconds(1)
        self.assertIn("acknowledged for 5.0 s", self.slow.broken)

    def test_release(self) -> None:
        """
        While the reading of the journal waits, pushes of half a second are enough, with
        or without a stream.
        """
        gone = self.connect("gone", 2)
        self.push(self.quick)
        self.links.lost(gone, gone.stream, "test")
        self.clock.advance(0.4)
        self.links.release(0.5)
        self.assertEqual((self.slow.broken, gone.broken), ("", ""))
        self.clock.advance(0.1)
        self.links.release(0.5)
        self.assertIn("reading the journal waited", self.slow.broken)
        self.assertIn("reading the journal waited", gone.broken)
        self.assertEqual((self.quick.broken, self.settled), ("", [1]))

    def test_one_cut(self) -> None:
        """
        One cut is logged and counted once, however much is pushed until the stream has
        ended.
        """
        with capturedLogs() as logs:
            for _ in range(130):
                self.push(self.quick)
        cuts = [formatEvent(e) for e in logs if "cut" in formatEvent(e)]
        self.assertEqual(len(cuts), 1, cuts)
        self.assertEqual(self.links.cut, 1)

    def test_named(self) -> None:
        """
        A slow Connect is named while it is slow and for a minute after it was cut.
        """
        self.push(self.quick)
        self.assertEqual(self.links.slow(), "")
        self.seconds(3)
        self.assertEqual(self.links.oldest_push_s(), 3.0)
        named = "pushes are not acknowledged in time by slow"
        self.assertEqual(self.links.slow(), named)
        self.seconds(3)
        self.assertEqual(self.links.cut, 1)
        self.seconds(int(REMEMBERED_S))
        self.assertEqual(self.links.slow(), named)
        self.seconds(1)
        self.assertEqual(self.links.slow(), "")
