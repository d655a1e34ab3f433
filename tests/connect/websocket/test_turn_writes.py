"""
Writes of one reactor turn leave together.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.error import ConnectionLost
from twisted.trial.unittest import SynchronousTestCase

from wsmsg.connect.websocket.output import TurnWrites


class Kernel:
    """
    A transport over a kernel that accepts a fixed number of bytes at once.
    """

    def __init__(self, takes: int | Exception = 10**6) -> None:
        self.takes = takes
        self.sent: list[bytes] = []
        self.dataBuffer = b""
        self._tempDataBuffer: list[bytes] = []
        self.connected = 1

    def writeSomeData(self, data: bytes) -> int | Exception:
        if isinstance(self.takes, Exception):
            return self.takes
        taken = data[: self.takes]
        if taken:
            self.sent.append(taken)
        return len(taken)

    def write(self, data: bytes) -> None:
        self._tempDataBuffer.append(data)

    @property
    def all(self) -> bytes:
        return b"".join(self.sent + self._tempDataBuffer)


class BrokenTransport(Kernel):
    """
    A transport whose event loop lets nobody write any more.

    @ivar is_aborted: whether the connection was aborted.
    """

    is_aborted = False

    def write(self, data: bytes) -> None:
        raise RuntimeError("the handler is closed")

    def abortConnection(self) -> None:
        self.is_aborted = True


class TurnWritesTests(SynchronousTestCase):
    """
    The writes of one reactor turn.
    """

    def setUp(self) -> None:
        self.ends: list[Callable[[], None]] = []
        self.writes = TurnWrites(self.ends.append)

    def turn(self) -> None:
        ends, self.ends[:] = list(self.ends), []
        for end in ends:
            end()

    def test_together(self) -> None:
        """
        Frames of one turn leave in one piece, in order for each connection.
        """
        a, b = Kernel(), Kernel()
        for data in (b"1", b"2"):
            self.writes.write(a, data)
            self.writes.write(b, data)
        self.assertEqual((a.sent, len(self.ends)), ([], 1))
        self.turn()
        self.assertEqual((a.sent, b.sent), ([b"12"], [b"12"]))
        self.writes.write(a, b"3")
        self.turn()
        self.assertEqual(a.sent, [b"12", b"3"])

    def test_broken(self) -> None:
        """
        A connection that cannot be written to is aborted, and the frames of the others
        leave all the same.
        """
        a, b, c = Kernel(), BrokenTransport(takes=0), Kernel()
        for transport in (a, b, c):
            self.writes.write(transport, b"1")
        self.turn()
        self.assertEqual((a.sent, c.sent), ([b"1"], [b"1"]))
        self.assertTrue(b.is_aborted)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    def test_full(self) -> None:
        """
        Data that the kernel does not accept waits in the transport, and later data
        waits behind it.
        """
        a = Kernel(takes=3)
        self.writes.write(a, b"12345")
        self.turn()
        self.assertEqual((a.sent, a._tempDataBuffer), ([b"123"], [b"45"]))
        self.writes.write(a, b"6")
        self.turn()
        self.assertEqual(a._tempDataBuffer, [b"45", b"6"])
        a.dataBuffer, a._tempDataBuffer = b"456", []
        self.writes.write(a, b"7")
        self.turn()
        self.assertEqual(a._tempDataBuffer, [b"7"])

    def test_lost(self) -> None:
        """
        A lost connection is left to its transport; the others are written.
        """
        a, gone, b = Kernel(takes=ConnectionLost()), Kernel(), Kernel()
        gone.connected = 0
        for one in (a, gone, b):
            self.writes.write(one, b"1")
        self.turn()
        self.assertEqual((a.sent, a._tempDataBuffer), ([], [b"1"]))
        self.assertEqual((gone.sent, gone._tempDataBuffer), ([], [b"1"]))
        self.assertEqual(b.sent, [b"1"])

    def test_flushed(self) -> None:
        """
        Frames of this turn can be written at once, before something that must follow
        them.
        """
        a = Kernel()
        self.writes.write(a, b"1")
        self.writes.flush(a)
        self.assertEqual(a.sent, [b"1"])
        self.writes.flush(a)
        self.turn()
        self.assertEqual(a.sent, [b"1"])

    def test_bounded(self) -> None:
        """
        Neither a flood within a turn nor large data is kept until its end.
        """
        a = Kernel()
        for n in range(40):
            self.writes.write(a, b"%02d" % n)
        self.assertEqual(len(a.sent), 2)
        self.writes.write(a, b"x" * 70_000)
        self.turn()
        self.assertEqual(a.all[:80], b"".join(b"%02d" % n for n in range(40)))
        self.assertEqual(len(a.all), 80 + 70_000)
