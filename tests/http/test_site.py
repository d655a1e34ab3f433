"""
Limits on what an HTTP connection may cost.
"""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure

from tests.http.cases import NotesCase
from tests.http.wire import Wire
from wsmsg.http.server.rates import RequestRates
from wsmsg.http.server.site import FixedLimits, QuietSite
from wsmsg.settings.http import HttpSettings


class SiteTests(NotesCase):
    """
    L{QuietSite}.
    """

    def setUp(self) -> None:
        super().setUp()
        self.serve()

    def serve(self, **http: Any) -> None:
        """
        Serve with these settings.
        """
        limits = HttpSettings.model_validate(http)
        fixed = FixedLimits(
            body_bytes=limits.body_bytes or 524288,
            receive_s=limits.receive_s,
            connections=limits.connections,
        )
        self.site = QuietSite(self.api, self.clock, lambda: fixed)

    def connect(self) -> tuple[Any, Wire]:
        """
        Open a connection.
        """
        protocol = self.site.buildProtocol(None)
        wire = Wire()
        protocol.makeConnection(wire)
        return protocol, wire

    def answers(self, wire: Wire) -> list[tuple[int, Any]]:
        """
        Return the statuses and the documents of the answers.
        """
        data, found = wire.value(), []
        while data:
            head, _, data = data.partition(b"\r\n\r\n")
            lines = head.decode().split("\r\n")
            fields = dict(line.lower().split(": ", 1) for line in lines[1:])
            self.assertNotIn("server", fields)
            size = int(fields.get("content-length", 0))
            body, data = data[:size], data[size:]
            found.append((int(lines[0].split()[1]), json.loads(body) if body else None))
        return found

    def post(self, body: bytes, path: str = "/api/v1/notes") -> bytes:
        """
        Return a request as curl sends it.
        """
        return (
            b"POST %s HTTP/1.1\r\nHost: [::1]\r\nContent-Length: %d\r\n"
            b"Content-Type: application/json; charset=utf-8\r\n\r\n%s"
            % (path.encode(), len(body), body)
        )

    def test_whole(self) -> None:
        """
        A connection carries several requests, in pieces or together.
        """
        protocol, wire = self.connect()
        data = self.post(b'{"user": 1, "text": "a=b&c=%41"}')
        for n in range(0, len(data), 7):
            protocol.dataReceived(data[n : n + 7])
        protocol.dataReceived(
            data + b"GET /api/v1/ping HTTP/1.1\r\nHost: LOCALHOST.:80\r\n\r\n"
        )
        statuses = [status for status, _ in self.answers(wire)]
        self.assertEqual(statuses, [201, 201, 204])
        self.assertEqual({note.text for note in self.calls.notes}, {"a=b&c=%41"})

    def test_too_large(self) -> None:
        """
        A body over the limit is refused before it is kept, whether its length is
        declared or not; the rest of it is read and dropped.
        """
        self.serve(body_bytes=2000)
        chunked = (
            b"POST /api/v1/notes HTTP/1.1\r\nHost: x\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n"
        )
        for head, piece in (
            (self.post(b" " * 2001)[:-2001], b" " * 500),
            (chunked, b"1f4\r\n" + b" " * 500 + b"\r\n"),
        ):
            protocol, wire = self.connect()
            protocol.dataReceived(head)
            for _ in range(9):
                protocol.dataReceived(piece)
            ((status, problem),) = self.answers(wire)
            self.assertEqual((status, problem["code"]), (413, "too_large"))
            self.assertTrue(wire.half_closed)
            self.assertFalse(wire.aborted)
            self.clock.advance(2)
            self.assertTrue(wire.aborted)
        protocol, wire = self.connect()
        protocol.dataReceived(self.post(b" " * 2000))
        self.assertEqual(self.answers(wire)[0][0], 400)

    def test_slow(self) -> None:
        """
        A request that does not arrive in time is refused, even if its head or its body
        arrives a byte at a time.
        """
        self.serve(receive_s=5)
        for begin in (b"", self.post(b" " * 99)[:-99]):
            protocol, wire = self.connect()
            protocol.dataReceived(begin + b"P" * (not begin))
            for _ in range(49):
                self.clock.advance(0.1)
                protocol.dataReceived(b" ")
            self.assertEqual(wire.value(), b"")
            self.clock.advance(0.2)
            ((status, problem),) = self.answers(wire)
            self.assertEqual((status, problem["code"]), (408, "stale"))
            self.clock.advance(2)
            self.assertTrue(wire.aborted)

    def test_slow_second(self) -> None:
        """
        The next request on a connection has its own time to arrive.
        """
        self.serve(receive_s=5)
        protocol, wire = self.connect()
        get = b"GET /api/v1/ping HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
        protocol.dataReceived(get + get[:9])
        for _ in range(60):
            self.clock.advance(0.1)
            protocol.dataReceived(b"x")
        self.assertEqual([status for status, _ in self.answers(wire)], [204, 408])

    def test_no_request(self) -> None:
        """
        Nothing after a malformed request line is parsed.
        """
        for more in (b"\r\n", b"A: b\r\n\r\n\r\n"):
            protocol, wire = self.connect()
            protocol.dataReceived(b"GET x\r\n")
            protocol.dataReceived(more)
            self.assertTrue(wire.value().startswith(b"HTTP/1.1 400 "))
            self.assertTrue(wire.disconnecting)

    def test_idle(self) -> None:
        """
        A connection without data is closed after a minute.
        """
        _, wire = self.connect()
        self.clock.advance(59)
        self.assertFalse(wire.disconnecting)
        self.clock.advance(2)
        self.assertTrue(wire.disconnecting)

    def test_connections(self) -> None:
        """
        Connections over the limit are refused, until one closes.
        """
        self.serve(connections=2)
        first, _ = self.connect()
        self.connect()
        third, wire = self.connect()
        self.assertEqual(self.answers(wire)[0][0], 503)
        for gone in (first, third):
            gone.connectionLost(None)
        _, wire = self.connect()
        self.assertEqual(wire.value(), b"")

    def test_close_all(self) -> None:
        """
        All connections can be ended at once, and each reports that it closed.
        """
        closed: list[str] = []
        site = QuietSite(
            self.api,
            self.clock,
            HttpSettings,
            on_closed=lambda channel: closed.append(channel.address),
        )
        for address in "ab":
            protocol, wire = site.build(address), Wire()
            protocol.makeConnection(wire)
            site.close_all()
            self.assertTrue(wire.aborted)
            protocol.connectionLost(Failure(ConnectionDone()))
        self.assertEqual((len(site), closed), (0, ["a", "b"]))

    def test_nothing_is_left(self) -> None:
        """
        A lost connection leaves no timer behind.
        """
        for data in (b"", b"GET", self.post(b"{}")[:-1], self.post(b"{}")):
            protocol, _ = self.connect()
            protocol.dataReceived(data)
            protocol.connectionLost(None)
        self.assertEqual(len(self.site), 0)
        left = [c for c in self.clock.getDelayedCalls() if c.active()]
        self.assertEqual(left, [])

    @settings(max_examples=50)
    @given(st.binary(max_size=200))
    def test_garbage(self, data: bytes) -> None:
        """
        No bytes break a connection.
        """
        for before in (b"", b"POST /api/v1/notes HTTP/1.1\r\n"):
            protocol, _ = self.connect()
            protocol.dataReceived(before + data)
            protocol.connectionLost(None)
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_bodies_together(self) -> None:
        """
        The bodies of all requests together take a bounded memory: those that have been
        arriving for longest are refused, and a new one is answered.
        """
        self.serve(body_bytes=2**20, connections=100)
        begun = []
        for _ in range(20):
            protocol, wire = self.connect()
            protocol.dataReceived(self.post(b" " * 2**20)[:-1])
            begun.append(wire)
        self.assertLessEqual(self.site.bodies.held, 16 * 2**20)
        refused = [wire for wire in begun if wire.value()]
        self.assertEqual(refused, begun[:4])
        self.assertEqual(self.answers(begun[0])[0][0], 503)
        protocol, wire = self.connect()
        protocol.dataReceived(self.post(b'{"user": 1}'))
        self.assertEqual(self.answers(wire)[0][0], 201)

    def test_silent(self) -> None:
        """
        A connection on which no request begins is refused in the same time.
        """
        self.serve(receive_s=5)
        _, wire = self.connect()
        self.clock.advance(4.9)
        self.assertEqual(wire.value(), b"")
        self.clock.advance(0.2)
        self.assertEqual(self.answers(wire)[0][0], 408)

    def test_unread(self) -> None:
        """
        A connection whose client does not read its answers is aborted.
        """
        self.serve(receive_s=5)
        protocol, wire = self.connect()
        protocol.dataReceived(self.post(b'{"user": 1}'))
        protocol.pauseProducing()
        self.clock.advance(4)
        protocol.resumeProducing()
        protocol.pauseProducing()
        self.clock.advance(4)
        self.assertFalse(wire.aborted)
        self.clock.advance(1)
        self.assertTrue(wire.aborted)

    def test_headers_twice(self) -> None:
        """
        A request with two headers of a kind of which there can be one is refused with
        the name of that header: nobody can tell which of them a proxy looked at.
        """
        for name in (
            *("Authorization", "Content-Length", "Content-Type", "Host", "Origin"),
            *("Sec-Fetch-Site", "Transfer-Encoding", "User-ID"),
        ):
            value = {"Content-Length": "2", "Transfer-Encoding": "chunked"}.get(
                name, "x"
            )
            one, other = f"{name}: {value}\r\n", f"{name.lower()}: {value}\r\n"
            for between in ("", "X-A: b\r\n"):
                protocol, wire = self.connect()
                head = f"POST /api/v1/notes HTTP/1.1\r\n{one}{between}{other}{between}"
                protocol.dataReceived(f"{head}\r\n{{}}".encode())
                ((status, problem),) = self.answers(wire)
                self.assertEqual(status, 400)
                reason = f"there is more than one {name} header"
                self.assertEqual(problem["detail"], reason)
                self.assertTrue(wire.half_closed)
        self.assertEqual(self.calls.notes, [])

    def test_rate(self) -> None:
        """
        Requests of one address above the rate wait, in their order, and do not hold up
        those of another address; a request that would wait for too long is refused.
        """
        rates = RequestRates(lambda: 10)
        limits = FixedLimits(body_bytes=99, receive_s=5, connections=99)
        self.site = QuietSite(self.api, self.clock, lambda: limits, rates=rates)
        get = b"GET /api/v1/ping HTTP/1.1\r\n\r\n"
        protocol, wire = self.connect()
        protocol.dataReceived(get * 30)
        self.assertEqual(wire.value().count(b" 204 "), 11)
        for _ in range(10):
            self.clock.advance(0.1)
        self.assertEqual(wire.value().count(b" 204 "), 21)
        other, second = self.connect()
        other.accepted("192.0.2.9", None)
        other.dataReceived(get)
        self.assertEqual(second.value().count(b" 204 "), 1)
        wires = []
        for _ in range(40):
            protocol, wire = self.connect()
            protocol.dataReceived(get)
            wires.append(wire)
        refused = [w for w in wires if b" 429 " in w.value()]
        self.assertGreater(len(refused), 10)
