"""
The inbox: frames that wait keep their order.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.connect.session.doubles import FakePeer
from wsmsg.connect.session.inbox import RATE, WINDOW, Inbox


class InboxTests(SynchronousTestCase):
    """
    L{Inbox}.
    """

    def setUp(self) -> None:
        self.peer = FakePeer()
        self.inbox = Inbox(self, self.peer)
        self.taken: list[bytes] = []
        self.block_after: bytes | None = None

    def process(self, data: bytes) -> None:
        """
        Record a frame that the inbox passes on.
        """
        self.taken.append(data)
        if data == self.block_after:
            self.inbox.block(RATE)

    def put(self, text: str) -> None:
        """
        Receive a frame for each letter.
        """
        for letter in text:
            self.receive(letter.encode())

    def receive(self, data: bytes) -> None:
        """
        Process or queue a frame, as a session does.
        """
        if self.inbox.paused:
            self.inbox.queue(data)
        else:
            self.process(data)

    def test_free(self) -> None:
        """
        While nothing blocks, a frame is processed at once.
        """
        self.assertFalse(self.inbox.paused)
        self.receive(b"a")
        self.assertEqual((self.taken, self.peer.pauses), ([b"a"], 0))

    def test_two_blocks(self) -> None:
        """
        Frames wait until nothing blocks any more, then are processed in order.
        """
        self.inbox.block(RATE)
        self.inbox.block(WINDOW)
        self.put("abc")
        self.inbox.unblock(RATE)
        self.assertEqual((self.taken, self.peer.reading), ([], False))
        self.inbox.unblock(WINDOW)
        self.assertEqual((self.taken, self.peer.reading), ([b"a", b"b", b"c"], True))
        self.assertEqual(self.peer.pauses, 1)

    def test_blocked_again(self) -> None:
        """
        A frame that waited can block those behind it.
        """
        self.inbox.block(WINDOW)
        self.put("abc")
        self.block_after = b"b"
        self.inbox.unblock(WINDOW)
        self.assertEqual((self.taken, self.peer.reading), ([b"a", b"b"], False))
        self.put("d")
        self.inbox.unblock(RATE)
        self.assertEqual(self.taken, [b"a", b"b", b"c", b"d"])

    def test_size(self) -> None:
        """
        The size of the queue is returned, and even an empty frame counts.
        """
        self.inbox.block(WINDOW)
        self.assertEqual(self.inbox.queue(b""), 64)
        self.assertEqual(self.inbox.queue(b"abc"), 131)

    def test_closed(self) -> None:
        """
        After the end nothing is processed, and the connection is left alone.
        """
        self.inbox.block(WINDOW)
        self.put("ab")
        self.inbox.close()
        self.inbox.unblock(WINDOW)
        self.assertEqual((self.taken, self.peer.reading), ([], False))
