"""
The PROXY protocol in front of HTTP.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.address import IPv4Address
from twisted.logger import capturedLogs
from twisted.logger import formatEvent as text_of

from tests.http.cases import NotesCase
from tests.http.wire import Wire
from wsmsg.http.server.proxied import HEADER_S, ProxiedFactory
from wsmsg.http.server.site import FixedLimits, QuietSite
from wsmsg.message.http.refused import RefusedConnections

PROXY = "10.0.0.1"
HEADER = b"PROXY TCP4 192.0.2.7 10.0.0.1 4711 21004\r\n"
V2 = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" + bytes([192, 0, 2, 7])
V2 += bytes([10, 0, 0, 1, 0, 1, 0, 2])


class ProxiedFactoryTests(NotesCase):
    """
    L{ProxiedFactory}, in front of a site.
    """

    def setUp(self) -> None:
        super().setUp()
        limits = FixedLimits(body_bytes=1000, receive_s=10, connections=2)
        self.refused = RefusedConnections(self.clock)
        self.site = QuietSite(self.api, self.clock, lambda: limits)
        self.configure(proxies=[PROXY])
        self.factory = ProxiedFactory(
            self.site,
            self.clock,
            proxies=lambda: self.access.proxies,
            refused=self.refused.note,
            room=lambda: limits.connections - len(self.site),
        )

    def connect(self, address: str = PROXY) -> tuple[Any, Wire]:
        """
        Open a connection.
        """
        wire = Wire(peerAddress=IPv4Address("TCP", address, 7))
        protocol = self.factory.buildProtocol(wire.getPeer())
        if protocol is not None:
            wire.protocol = protocol  # type: ignore[attr-defined]
            protocol.makeConnection(wire)  # type: ignore[no-untyped-call]
        return protocol, wire

    def send(self, wire: Any, data: bytes, size: int = 10_000) -> None:
        """
        Have data arrive in pieces.
        """
        for at in range(0, len(data), size):
            wire.protocol.dataReceived(data[at : at + size])

    def ping(self, header: bytes, key: str, size: int = 10_000) -> bytes:
        """
        Return the answer to a call with a key.
        """
        _, wire = self.connect()
        call = f"GET /api/v1/ping HTTP/1.1\r\nHost: a\r\nAuthorization: {key}\r\n\r\n"
        self.send(wire, header + call.encode(), size)
        wire.protocol.connectionLost(None)  # type: ignore[attr-defined]
        self.assertEqual((len(self.factory), len(self.site)), (0, 0))
        answer: bytes = wire.value()
        return answer

    def test_address(self) -> None:
        """
        A key that may be used from one network is accepted from a client there, behind
        the proxy, and from no other, in whatever pieces the header arrives.
        """
        key = self.restrict("read", "192.0.2.0/24")
        for size in (1, 7, 10_000):
            for header in (HEADER, V2):
                answer = self.ping(header, key, size)
                self.assertTrue(answer.startswith(b"HTTP/1.1 204 "), answer)
            answer = self.ping(HEADER.replace(b"192.0.2.7", b"192.0.3.7"), key, size)
            self.assertTrue(answer.startswith(b"HTTP/1.1 403 "), answer)
            self.assertIn(b"192.0.3.7", answer)
            self.assertIn(b"from 10.0.0.1", self.ping(b"PROXY UNKNOWN\r\n", key))
        self.assertEqual(self.refused.count, 0)

    def test_strangers(self) -> None:
        """
        Connections of addresses that are no listed proxies are refused, and those
        whose header is missing, malformed or late are closed: counted, and logged with
        the address.
        """
        with capturedLogs() as events:
            self.assertIs(self.connect("192.0.2.9")[0], None)
            for data in (b"GET / HTTP/1.1\r\n\r\n", b"PROXY TCP4 x\r\n", b"PROXY"):
                _, wire = self.connect()
                self.send(wire, data)
                self.clock.advance(HEADER_S)
                self.assertTrue(wire.aborted)
                self.assertEqual(wire.value(), b"")
                wire.protocol.connectionLost()  # type: ignore[attr-defined]
        self.assertEqual(self.refused.count, 4)
        lines = [text_of(e) or "" for e in events]
        self.assertEqual(len(lines), 4)
        self.assertTrue(lines[0].startswith("refused 192.0.2.9: proxy: is not in pr"))
        self.assertIn("did not arrive in time", lines[3])
        self.refused.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_many(self) -> None:
        """
        Connections that send no header are bounded in number.
        """
        found = [self.connect()[0] for _ in range(3)]
        self.assertEqual([one is None for one in found], [False, False, True])
        self.refused.stop()

    def test_stopped(self) -> None:
        """
        Connections that have sent no header are closed when the listener stops.
        """
        self.factory.doStart()  # type: ignore[no-untyped-call]
        _, wire = self.connect()
        self.factory.doStop()  # type: ignore[no-untyped-call]
        self.assertTrue(wire.aborted)
        self.assertEqual(self.clock.getDelayedCalls(), [])
