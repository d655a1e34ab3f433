"""
Tests of the load's connections in memory, against Autobahn's server.
"""

from __future__ import annotations

import asyncio

import txaio
from autobahn.twisted.websocket import WebSocketServerFactory, WebSocketServerProtocol
from twisted.internet.error import ConnectionDone
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from tests.bench.load.doubles import ManualTime, MemoryTransport
from wsmsg.bench.load.framing import Mask
from wsmsg.bench.load.measurements import Recorder
from wsmsg.bench.load.pairs import EchoLoop
from wsmsg.bench.load.peers import EchoPeer, IdleEchoPeer, Peer


class Echo(WebSocketServerProtocol):
    """
    The floor's protocol, which also records pongs and closes.
    """

    def __init__(self) -> None:
        super().__init__()
        self.pongs: list[bytes] = []
        self.closes: list[tuple[bool, int | None]] = []

    def onPong(self, payload: bytes) -> None:
        self.pongs.append(payload)

    def onClose(self, wasClean: bool, code: int | None, reason: str | None) -> None:
        self.closes.append((wasClean, code))

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        self.sendMessage(payload, isBinary)


class FarTransport(StringTransport):
    """
    The server's transport; like a real one, it may be closed twice.
    """

    def unregisterProducer(self) -> None:
        self.producer = None


class AutobahnTests(SynchronousTestCase):
    """
    A peer and Autobahn, with their bytes passed by hand.
    """

    def setUp(self) -> None:
        self.clock = MemoryReactorClock()
        txaio.use_twisted()  # type: ignore[no-untyped-call]
        self.patch(txaio.config, "loop", self.clock)  # type: ignore[attr-defined]
        factory = WebSocketServerFactory(reactor=self.clock)
        self.server = Echo()
        self.server.factory = factory
        self.far = FarTransport()
        self.near = MemoryTransport()
        self.lost: list[str] = []
        self.loop = asyncio.new_event_loop()
        self.addCleanup(self.loop.close)

    def connect(self, kind: type[Peer]) -> Peer:
        """
        Make a peer whose request the server has.
        """
        opened: asyncio.Future[None] = self.loop.create_future()
        peer = kind(Mask(b"abcd"), "h:1", "/", {}, opened, self.lost.append)
        self.server.makeConnection(self.far)
        peer.connection_made(self.near)
        return peer

    def carry(self, peer: Peer, piece: int = 1 << 20) -> None:
        """
        Pass bytes both ways, in pieces, until there are none.
        """
        while self.near.written or self.far.value():
            self.server.dataReceived(self.near.take())
            self.clock.advance(0)
            data = self.far.value()
            self.far.clear()
            for i in range(0, len(data), piece):
                peer.data_received(data[i : i + piece])

    def test_opens(self) -> None:
        """
        Autobahn accepts the request, and the peer its answer.
        """
        peer = self.connect(Peer)
        self.assertFalse(peer.opened.done())
        self.carry(peer)
        self.assertTrue(peer.opened.done())

    def test_opens_byte_by_byte(self) -> None:
        """
        An answer that arrives in single bytes opens the connection as well.
        """
        peer = self.connect(IdleEchoPeer)
        assert isinstance(peer, IdleEchoPeer)
        peer.greet_with(b"." * 200)
        self.carry(peer, piece=1)
        self.assertTrue(peer.opened.done())

    def test_echo_loop(self) -> None:
        """
        A closed loop has its window in flight, and each echo releases the next message.
        """
        peer = self.connect(EchoPeer)
        assert isinstance(peer, EchoPeer)
        self.carry(peer)
        time = ManualTime()
        loop = EchoLoop(peer, time, mask=Mask(b"abcd"), run="r" * 8, size=200, window=3)
        recorder = Recorder(0.0, 1000.0, {})
        loop.begin(recorder)
        loop.refill()
        self.assertEqual(loop.account.sent, 3)
        self.server.dataReceived(self.near.take())
        time.now += 0.25
        peer.data_received(self.far.value())
        self.far.clear()
        self.assertEqual(loop.account.sent, 6)
        self.assertEqual(list(recorder.latencies), [0.25] * 3)
        loop.finish()
        self.carry(peer)
        self.assertEqual((loop.account.sent, recorder.count), (6, 6))
        self.assertTrue(loop.account.settled)

    def test_ping(self) -> None:
        """
        A ping of the server is answered with its payload.
        """
        peer = self.connect(Peer)
        self.carry(peer)
        self.server.sendPing(b"there?")
        self.carry(peer)
        self.assertEqual(self.server.pongs, [b"there?"])

    def test_server_closes(self) -> None:
        """
        A close by the server is reported with its code and reason.
        """
        peer = self.connect(Peer)
        self.carry(peer)
        self.server.sendClose(4001, "too many")
        self.carry(peer)
        self.assertTrue(self.near.closed)
        peer.connection_lost(None)
        self.assertEqual(self.lost, ["closed with 4001 too many"])

    def test_leaves(self) -> None:
        """
        Autobahn sees a clean close, and no loss of a connection is reported.
        """
        peer = self.connect(Peer)
        self.carry(peer)
        peer.leave()
        self.server.dataReceived(self.near.take())
        self.server.connectionLost(Failure(ConnectionDone()))
        peer.connection_lost(None)
        self.assertEqual((self.server.closes, self.lost), ([(True, 1000)], []))

    def test_refused(self) -> None:
        """
        A refused handshake is reported with its status line.
        """
        peer = self.connect(Peer)
        peer.data_received(b"HTTP/1.1 503 Busy\r\n\r\n")
        peer.connection_lost(None)
        self.assertIn("503 Busy", str(peer.opened.exception()))

    def test_nonsense(self) -> None:
        """
        An unknown echo ends the connection with the reason.
        """
        peer = self.connect(EchoPeer)
        assert isinstance(peer, EchoPeer)
        self.carry(peer)
        EchoLoop(
            peer, ManualTime(), mask=Mask(b"abcd"), run="r" * 8, size=200, window=1
        )
        peer.data_received(b"\x82\x19" + b"?" * 25)
        peer.connection_lost(None)
        self.assertEqual(len(self.lost), 1)
        self.assertIn("cannot be understood", self.lost[0])
