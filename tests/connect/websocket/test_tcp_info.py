"""
Progress of written data on real sockets.
"""

from __future__ import annotations

import socket
import sys
from typing import Any

from twisted.internet import reactor as installed
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase, TestCase

from tests.connect.websocket.port_in_memory import Edge
from wsmsg.connect.websocket.connection import READ_AHEAD
from wsmsg.connect.websocket.tcp_info import TcpProgress, tcp_progress
from wsmsg.errors import Close

reactor: Any = installed


class Accepted(Protocol):
    """
    A server protocol that reports its connection and its end.
    """

    def __init__(self, made: Deferred[Accepted]) -> None:
        self.made = made
        self.lost: Deferred[None] = Deferred()

    def connectionMade(self) -> None:
        self.made.callback(self)

    def connectionLost(self, reason: Any = None) -> None:
        self.lost.callback(None)


class ProgressTests(TestCase):
    """
    L{tcp_progress}.
    """

    if not sys.platform.startswith("linux"):
        skip = "the kernel is asked the way of Linux"

    def setUp(self) -> Any:
        return Deferred.fromCoroutine(self._set_up())

    async def _set_up(self) -> None:
        made: Deferred[Accepted] = Deferred()
        factory = Factory.forProtocol(lambda: Accepted(made))
        endpoint = TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1")
        self.listening: Any = await endpoint.listen(factory)
        self.client = socket.socket()
        self.client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.client.connect(("127.0.0.1", self.listening.getHost().port))
        self.server = await made

    def tearDown(self) -> Any:
        return Deferred.fromCoroutine(self._tear_down())

    async def _tear_down(self) -> None:
        self.client.close()
        self.server.transport.abortConnection()  # type: ignore[union-attr]
        await self.server.lost
        await self.listening.stopListening()

    def now(self) -> TcpProgress:
        got = tcp_progress(self.server.transport)
        assert got is not None
        return got

    async def until(self, condition: Any) -> None:
        """
        Run the reactor until the condition holds.
        """
        while not condition():
            turned: Deferred[None] = Deferred()
            reactor.callLater(0, turned.callback, None)
            await turned

    async def test_taken(self) -> None:
        """
        Data that the other end's kernel has received is acknowledged, read or not.
        """
        before = self.now()
        self.server.transport.write(b"hello")  # type: ignore[union-attr]
        await self.until(lambda: self.now().acknowledged > before.acknowledged)
        await self.until(lambda: not self.now().pending)
        self.assertEqual(self.now().acknowledged - before.acknowledged, 5)

    async def test_not_read(self) -> None:
        """
        Data that the other end has no room for is pending until it reads.
        """
        size = 8 * 2**20
        self.server.transport.write(b"x" * size)  # type: ignore[union-attr]
        await self.until(lambda: self.now().pending)
        stuck = self.now()
        self.client.setblocking(False)
        got = 0

        def read() -> bool:
            nonlocal got
            try:
                got += len(self.client.recv(65536))
            except BlockingIOError:
                pass
            return got >= size

        await self.until(read)
        await self.until(lambda: not self.now().pending)
        self.assertGreater(self.now().acknowledged, stuck.acknowledged)


class NoProgressTests(SynchronousTestCase):
    """
    Transports that are not TCP.
    """

    def test_not_tcp(self) -> None:
        """
        The progress is unknown.
        """
        self.assertIs(tcp_progress(StringTransport()), None)


class Reporting:
    """
    A socket whose kernel reports what the test sets.
    """

    def __init__(self) -> None:
        self.acknowledged, self.unacked = 0, 0

    def getsockopt(self, level: int, option: int, size: int) -> bytes:
        info = bytearray(size)
        info[24:28] = self.unacked.to_bytes(4, sys.byteorder)
        info[120:128] = self.acknowledged.to_bytes(8, sys.byteorder)
        return bytes(info)


class SilentButThereTests(SynchronousTestCase):
    """
    Clients that cannot answer a ping yet.
    """

    if not sys.platform.startswith("linux"):
        skip = "the kernel is asked the way of Linux"

    def setUp(self) -> None:
        self.edge = Edge()
        self.wire = self.edge.open()
        (self.session,) = self.edge.sessions
        self.socket = Reporting()
        self.wire.transport.handle = self.socket

    def test_slow_link(self) -> None:
        """
        A client that is still receiving what was sent before the ping stays, until it
        receives no more.
        """
        self.socket.unacked = 1
        for _ in range(10):
            self.edge.advance(1)
            self.socket.acknowledged += 1000
        self.assertFalse(self.wire.transport.aborted)
        self.edge.advance(5)
        self.assertTrue(self.wire.transport.aborted)

    def test_frozen(self) -> None:
        """
        A client whose kernel receives pings that the client does not answer is dead.
        """
        for _ in range(48):
            self.edge.advance(0.1)
            self.socket.acknowledged += 2
        self.assertTrue(self.wire.transport.aborted)

    def test_held(self) -> None:
        """
        A client that the server does not read stays while its machine is up, and is
        found dead in time when it is not.
        """
        self.session.peer.pause()
        self.wire.message(b"x" * READ_AHEAD)
        self.edge.advance(20)
        self.assertFalse(self.wire.transport.aborted)
        self.socket.unacked = 1
        self.edge.advance(5)
        self.assertTrue(self.wire.transport.aborted)
        self.assertEqual(self.session.losses, ["no_pong"])

    def test_close_on_a_slow_link(self) -> None:
        """
        A client that violates the protocol gets the close behind everything that was
        written before it, as long as it receives; then the connection ends in time.
        """
        self.socket.unacked = 1
        self.wire.message(b"", 3)
        for _ in range(8):
            self.edge.advance(1)
            self.socket.acknowledged += 1000
        self.assertFalse(self.wire.transport.aborted)
        self.socket.unacked = 0
        self.edge.advance(2.1)
        self.assertTrue(self.wire.transport.aborted)

    def test_slow_for_ever(self) -> None:
        """
        A client that receives a close byte by byte does not hold the connection for
        ever.
        """
        self.socket.unacked = 1
        self.session.peer.close(Close.DRAIN, "stopping")
        for _ in range(16):
            self.edge.advance(1)
            self.socket.acknowledged += 1
        self.assertTrue(self.wire.transport.aborted)
