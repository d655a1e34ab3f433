"""
The public port, and the limits on connections.
"""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from tests.connect.websocket.port_in_memory import Edge, Wire, upgrade
from wsmsg.connect.edge.admission import Admission
from wsmsg.connect.websocket.connection import WebSocketConnection
from wsmsg.http.origins import Origins
from wsmsg.http.server.site import QuietSite

HEALTH = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"


class PortTests(SynchronousTestCase):
    """
    L{wsmsg.connect.edge.port.Port}.
    """

    def setUp(self) -> None:
        self.edge = Edge()

    def assert_answer(self, wire: Wire, status: int) -> bytes:
        """
        Check that the connection is answered with this status, and ends.
        """
        answer = wire.transport.written()
        self.assertEqual(answer.split()[1:2], [str(status).encode()], answer)
        self.assertTrue(wire.transport.disconnecting)
        wire.lose()
        return answer

    def test_name(self) -> None:
        """
        The line in the log when the listener starts names the listener by its purpose.
        """
        self.assertEqual(self.edge.port.logPrefix(), "public port")

    def test_websocket(self) -> None:
        """
        A request for the path of WebSockets opens one, in whatever pieces it arrives.
        """
        for size in (1, 10, 1000):
            wire = self.edge.connect()
            data = upgrade().replace(b"/ws ", b"/ws?x=/healthz ")
            for i in range(0, len(data), size):
                wire.send(data[i : i + size])
            self.assertTrue(wire.transport.written().startswith(b"HTTP/1.1 101 "))
            self.assertIsInstance(wire.transport.protocol, WebSocketConnection)

    def test_frames_behind_the_head(self) -> None:
        """
        Frames that arrive together with the head are not lost.
        """
        wire = self.edge.connect()
        wire.send(upgrade() + b"\x82\x81\x00\x00\x00\x00x")
        self.assertEqual(self.edge.sessions[0].messages, [(b"x", True)])

    def test_http(self) -> None:
        """
        All other requests are HTTP; nothing of the sniffer remains on the connection.
        """
        for data in (HEALTH, HEALTH.replace(b"/healthz", b"/x"), HEALTH + HEALTH):
            wire = self.edge.connect()
            for byte in data:
                wire.send(bytes([byte]))
            self.assertTrue(wire.transport.written().startswith(b"HTTP/1.1 "))
            self.assertIs(wire.transport.protocol.factory, self.edge.site)
            wire.lose()
        self.assertEqual(self.edge.admission.connections, 0)
        self.assertEqual(len(self.edge.sweep), 0)
        self.assertIsInstance(self.edge.site, QuietSite)

    def test_websocket_after_http(self) -> None:
        """
        A connection on which a proxy made other requests before can become a WebSocket,
        as often as connections come, in whatever pieces the handshake arrives; and it
        counts once.
        """
        frame = b"\x82\x81\x00\x00\x00\x00x"
        for before in (HEALTH, HEALTH + HEALTH, HEALTH.replace(b"/healthz", b"/x")):
            for size in (1, 10, 1000):
                wire = self.edge.connect()
                data = upgrade() + frame
                if size == 1000:
                    wire.send(before + data)  # all at once
                else:
                    wire.send(before)
                    for i in range(0, len(data), size):
                        wire.send(data[i : i + size])
                answers = wire.transport.written()
                self.assertIn(b"HTTP/1.1 101 ", answers)
                protocol = wire.transport.protocol
                self.assertIsInstance(protocol, WebSocketConnection)
                self.assertIs(wire.transport.producer, protocol)
                self.assertEqual(self.edge.sessions[-1].messages, [(b"x", True)])
                self.assertEqual(len(self.edge.site), 0)
                self.assertEqual(self.edge.admission.connections, 1)
                self.edge.clock.advance(0.01)
                wire.lose()
                self.assertEqual(self.edge.admission.connections, 0)
        self.edge.sweep.stop()
        self.assertEqual(self.edge.clock.getDelayedCalls(), [])

    def test_refused_after_http(self) -> None:
        """
        A handshake after another request is refused as it is on a new connection.
        """
        wire = self.edge.connect()
        wire.send(HEALTH)
        wire.transport.written()
        wire.send(upgrade(Origin="http://evil.example"))
        self.assert_answer(wire, 403)
        wire = self.edge.connect()
        wire.send(HEALTH)
        wire.transport.written()
        wire.send(upgrade(X="x" * 9000))
        self.assert_answer(wire, 431)
        self.assertEqual(self.edge.admission.connections, 0)

    def test_websocket_while_answering(self) -> None:
        """
        A handshake that arrives before the request in front of it is answered opens its
        WebSocket after that answer.
        """
        asked: list[Deferred[Any]] = []

        def presence(users: object, asker: int = 0) -> Deferred[Any]:
            asked.append(Deferred())
            return asked[0]

        self.patch(self.edge.upstream, "presence", presence)
        wire = self.edge.connect()
        body = b'{"user_ids": [5]}'
        head = "POST /api/v1/connect/online_status HTTP/1.1\r\n"
        head += "Host: localhost:1\r\nContent-Type: application/json\r\n"
        wire.send(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        wire.send(upgrade())
        self.assertEqual(wire.transport.written(), b"")
        asked[0].callback([])
        answers = wire.transport.written()
        first, second = (answers.find(b" %d " % status) for status in (200, 101))
        self.assertTrue(0 < first < second, answers)
        self.assertIsInstance(wire.transport.protocol, WebSocketConnection)

    def test_absolute_form(self) -> None:
        """
        A target with scheme and host, as some proxies send it, is served as without.
        """
        for before in (b"http://chat.example", b"wss://chat.example:443"):
            wire = self.edge.connect()
            wire.send(upgrade().replace(b"GET /", b"GET " + before + b"/"))
            self.assertTrue(wire.transport.written().startswith(b"HTTP/1.1 101 "))
            wire = self.edge.connect()
            wire.send(HEALTH.replace(b"/healthz", before + b"/healthz?x=://y/z"))
            self.assertTrue(wire.transport.written().startswith(b"HTTP/1.1 200 "))

    def test_long_head(self) -> None:
        """
        A head that does not end within 8 KiB is refused.
        """
        wire = self.edge.connect()
        wire.send(b"GET / HTTP/1.1\r\nX: " + b"x" * 8100)
        self.assertFalse(wire.transport.disconnecting)
        wire.send(b"x" * 100)
        self.assert_answer(wire, 431)
        wire = self.edge.connect()
        wire.send(upgrade(X="x" * 9000))
        self.assert_answer(wire, 431)

    def test_not_http(self) -> None:
        """
        Bytes that cannot be HTTP are refused at the first one.
        """
        wire = self.edge.connect()
        wire.send(b"\x16\x03\x01\x02\x00")
        self.assert_answer(wire, 400)

    def test_slow_head(self) -> None:
        """
        A head that arrives a byte at a time is cut off.
        """
        wire = self.edge.connect()
        wire.send(b"GET / HTTP/1.1\r\n")
        for _ in range(48):
            self.edge.advance(0.1)
            wire.send(b"X")
        self.assertFalse(wire.transport.aborted)
        self.edge.advance(1)
        self.assertTrue(wire.transport.aborted)
        wire.lose()
        self.assertEqual(self.edge.admission.connections, 0)
        self.edge.sweep.stop()
        self.assertEqual(self.edge.clock.getDelayedCalls(), [])

    @given(st.lists(st.binary(max_size=50), max_size=5))
    def test_garbage(self, chunks: list[bytes]) -> None:
        """
        No bytes break the port.
        """
        wire = self.edge.connect()
        for chunk in chunks:
            wire.send(chunk)
        wire.lose()
        self.assertEqual(self.edge.admission.connections, 0)


class LimitTests(SynchronousTestCase):
    """
    L{wsmsg.connect.edge.admission.Admission}, at the port.
    """

    def edge(self, **limits: int) -> Edge:
        return Edge(limits=limits)

    def refused(self, wire: Wire, status: int) -> None:
        """
        Check that the connection is refused once it makes a request.
        """
        wire.send(upgrade())
        answer = wire.transport.written()
        self.assertTrue(answer.startswith(b"HTTP/1.1 %d " % status), answer)
        self.assertIn(b"Retry-After: 1\r\n", answer)
        problem = json.loads(answer.partition(b"\r\n\r\n")[2])
        self.assertEqual(problem["status"], status)
        self.assertTrue(wire.transport.disconnecting)
        wire.lose()

    def test_connections(self) -> None:
        """
        Connections over the limit get 503, until one closes.
        """
        edge = self.edge(connections=2)
        first = edge.open()
        edge.open()
        with capturedLogs() as logs:
            for _ in range(3):
                self.refused(edge.connect(), 503)
        self.assertEqual(len([e for e in logs if e["log_level"].name == "warn"]), 1)
        self.assertEqual(edge.admission.refused["connections"], 3)
        self.assertEqual(edge.admission.connections, 2)
        first.lose()
        edge.open()

    def test_files(self) -> None:
        """
        Admission takes no more connections than there are files for, and says so,
        also to the other Connects, which ask how much room there is.
        """
        edge = self.edge(connections=3)
        admission = Admission(edge.settings.limits, edge.clock, room=2)
        edge.admission = edge.port.admission = admission
        self.assertEqual(admission.most_connections, 2)
        edge.connect()
        edge.connect()
        self.refused(edge.connect(), 503)
        admission.apply_settings(
            edge.settings.limits.model_copy(update={"connections": 1})
        )
        self.assertEqual(admission.most_connections, 1)

    def test_address(self) -> None:
        """
        Connections over the limit of their address get 429; other addresses do not.
        """
        edge = self.edge(connections_per_address=1)
        edge.open()
        self.refused(edge.connect(), 429)
        self.assertEqual(edge.admission.refused["address"], 1)
        other = edge.connect("10.0.0.2")
        other.send(upgrade())
        self.assertTrue(other.transport.written().startswith(b"HTTP/1.1 101 "))

    def test_handshakes(self) -> None:
        """
        Handshakes over the limit of a second get 429; HTTP is served all the same.
        """
        edge = self.edge(handshakes_per_s=2)
        edge.open()
        edge.open()
        self.refused(edge.connect(), 429)
        self.assertEqual(edge.admission.refused["handshakes"], 1)
        wire = edge.connect()
        wire.send(HEALTH)
        self.assertTrue(wire.transport.written().startswith(b"HTTP/1.1 200 "))
        edge.advance(1)
        edge.open()

    def test_legacy(self) -> None:
        """
        A client that offers no subprotocol is refused with the error document of the
        legacy contract.
        """
        edge = self.edge(connections=1)
        edge.open()
        wire = edge.connect()
        wire.send(upgrade(""))
        body = wire.transport.written().partition(b"\r\n\r\n")[2]
        expected = {"error": "no room for more", "code": "unavailable"}
        self.assertEqual(json.loads(body), expected)

    def test_many_refused(self) -> None:
        """
        Connections that wait for their refusal are bounded, in number and in time.
        """
        edge = self.edge(connections=1)
        edge.open()
        waiting = [edge.connect() for _ in range(64)]
        self.assertFalse(any(wire.refused for wire in waiting))
        self.assertTrue(edge.connect().refused)
        edge.advance(6)
        for wire in waiting:
            self.assertTrue(wire.transport.aborted)
            wire.lose()
        self.assertFalse(edge.connect().refused)

    def test_changed(self) -> None:
        """
        The limits can change at any time; open connections stay.
        """
        edge = self.edge(connections=1)
        edge.open()
        edge.admission.apply_settings(
            edge.settings.limits.model_copy(update={"connections": 3})
        )
        edge.open()
        edge.admission.apply_settings(
            edge.settings.limits.model_copy(update={"connections": 1})
        )
        self.refused(edge.connect(), 503)
        self.assertEqual(edge.admission.connections, 2)


class OriginsTests(SynchronousTestCase):
    """
    L{Origins}.
    """

    def test_patterns(self) -> None:
        """
        A star stands for part of a host or a port, and for nothing else.
        """
        origins = Origins(["http://localhost:*", "https://*.example.com", "null"])
        for good in (
            "http://localhost",
            "http://localhost:80",
            "HTTPS://a.EXAMPLE.com",
            "https://a.b.example.com",
            "null",
        ):
            self.assertTrue(origins.allow(good), good)
        for bad in (
            "https://localhost",
            "http://localhost:80x",
            "http://localhost.evil.com",
            "https://example.com",
            "https://evil.com/.example.com",
            "https://evil.com#.example.com",
            "https://aXexample.com",
            "",
        ):
            self.assertFalse(origins.allow(bad), bad)

    def test_everything_and_nothing(self) -> None:
        """
        A star alone allows all origins, no pattern allows none.
        """
        self.assertTrue(Origins(["*"]).allow("https://anywhere"))
        self.assertFalse(Origins([]).allow("https://anywhere"))
        self.assertFalse(Origins([]).allow(""))
