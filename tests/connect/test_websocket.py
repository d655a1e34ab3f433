"""
WebSockets, from the handshake to the end.
"""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.interfaces import IPushProducer
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.connect.edge import Edge, Wire, close_of, masked, upgrade
from wsmsg.connect.framing import framed
from wsmsg.connect.interfaces import Identity, ISessionPeer
from wsmsg.errors import Close

PING = b"\x89\x00"
PONG = masked(b"", 10)


def body_of(answer: bytes) -> Any:
    """
    The JSON of an HTTP answer.
    """
    head, _, body = answer.partition(b"\r\n\r\n")
    assert f"Content-Length: {len(body)}".encode() in head
    return json.loads(body)


def broken(*args: object) -> Any:
    """
    A bug.
    """
    return 1 / 0


class HandshakeTests(SynchronousTestCase):
    """
    Who may open a WebSocket.
    """

    def setUp(self) -> None:
        self.edge = Edge()

    def refused(self, request: bytes, status: int) -> Any:
        """
        The request is answered with an HTTP error and the connection ends.
        """
        wire = self.edge.connect()
        wire.send(request)
        answer = wire.transport.written()
        self.assertEqual(answer.split()[1], str(status).encode())
        self.assertTrue(wire.transport.disconnecting)
        self.assertEqual(self.edge.sessions, [])
        self.assertNotIn(b"utobahn", answer)
        wire.lose()
        self.assertEqual(self.edge.admission.connections, 0)
        return body_of(answer)

    def test_accepted(self) -> None:
        """
        A client that offers a known subprotocol gets it and a session.
        """
        wire = self.edge.connect()
        wire.send(upgrade("chat, wsmsg.v1.json, wsmsg.v1.protobuf"))
        answer = wire.transport.written()
        self.assertTrue(answer.startswith(b"HTTP/1.1 101 "), answer)
        self.assertIn(b"Sec-WebSocket-Protocol: wsmsg.v1.json\r\n", answer)
        self.assertNotIn(b"Server:", answer)
        self.assertNotIn(b"Extensions", answer)
        (session,) = self.edge.sessions
        self.assertEqual(session.codec.name, "json")
        self.assertEqual((session.identity, session.claimed_user), (None, None))

    def test_no_compression(self) -> None:
        """
        A client that offers compression does not get it.
        """
        wire = self.edge.connect()
        wire.send(upgrade(Sec_WebSocket_Extensions="permessage-deflate"))
        self.assertNotIn(b"Extensions", wire.transport.written())

    def test_interfaces(self) -> None:
        """
        The connection is what sessions and transports want.
        """
        wire = self.edge.open()
        verifyObject(ISessionPeer, wire.transport.protocol)
        verifyObject(IPushProducer, wire.transport.protocol)
        self.assertTrue(wire.transport.no_delay)
        self.assertIs(wire.transport.producer, wire.transport.protocol)

    def test_no_subprotocol(self) -> None:
        """
        A client that offers no subprotocol is told which ones there are.
        """
        for request in (upgrade(""), upgrade("chat")):
            body = self.refused(request, 400)
            self.assertIn("wsmsg.v1.protobuf or wsmsg.v1.json", body["error"])

    def test_token(self) -> None:
        """
        A good token in the header makes a session that knows its user.
        """
        self.edge.open(Authorization="Bearer good:1001", User_ID="1001")
        (session,) = self.edge.sessions
        self.assertEqual(session.identity, Identity(1001))
        self.assertEqual(session.claimed_user, 1001)

    def test_bad_tokens(self) -> None:
        """
        A token that is not believed, or is of another user, gets 401.
        """
        for headers in (
            {"Authorization": "Bearer forged"},
            {"Authorization": ""},
            {"Authorization": "good:1001", "User_ID": "1002"},
            {"Authorization": "good:1001", "User_ID": "0"},
            {"User_ID": "me"},
        ):
            body = self.refused(upgrade(**headers), 401)
            self.assertEqual(body["code"], "unauthenticated")

    def test_origins(self) -> None:
        """
        Browsers may come from the pages that the settings allow, others get 403.
        """
        self.edge.open(Origin="http://localhost:3000")
        self.edge.sessions.clear()
        for origin in ("http://evil.example", "null", "http://localhost.evil.example"):
            wire = self.edge.connect()
            wire.send(upgrade(Origin=origin))
            self.assertTrue(wire.transport.written().startswith(b"HTTP/1.1 403 "))
        self.assertEqual(self.edge.sessions, [])

    def test_origins_change(self) -> None:
        """
        Origins change while it runs.
        """
        self.edge.websockets.replace(
            self.edge.settings.model_copy(update={"origins": ("*",)})
        )
        self.edge.open(Origin="http://evil.example")

    def test_broken(self) -> None:
        """
        A handshake that breaks the rules is refused with the rule it breaks.
        """
        good = upgrade()
        for change, status in (
            ((b"Sec-WebSocket-Version: 13", b"Sec-WebSocket-Version: 8"), 400),
            ((b"Upgrade: websocket", b"Upgrade: h2c"), 400),
            ((b"Upgrade: websocket\r\n", b""), 426),
            ((b"Host: example.com\r\n", b""), 400),
            ((b"HTTP/1.1", b"HTTP/1.0"), 505),
            ((b"Sec-WebSocket-Key: ", b"Sec-WebSocket-Key: x"), 400),
        ):
            self.assertIn("error", self.refused(good.replace(*change), status))

    def test_session_breaks(self) -> None:
        """
        A bug while a session is made closes with 1011 and is logged.
        """
        self.edge.websockets.make_session = broken
        wire = self.edge.connect()
        wire.send(upgrade())
        _, _, close = wire.transport.written().partition(b"\r\n\r\n")
        self.assertEqual(close_of(close)[0], 1011)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_authenticate_breaks(self) -> None:
        """
        A bug in the handshake is a 500 that tells nothing.
        """
        self.edge.websockets.authenticate = broken
        body = self.refused(upgrade(Authorization="x"), 500)
        self.assertEqual(body, {"error": "internal error", "code": "internal"})
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    @given(st.binary(max_size=300))
    def test_garbage(self, garbage: bytes) -> None:
        """
        Garbage in the head of a handshake never breaks anything.
        """
        wire = self.edge.connect()
        wire.send(b"GET /api/v1/connect/ws HTTP/1.1\r\n" + garbage + b"\r\n\r\n")
        self.assertTrue(wire.transport.written().startswith(b"HTTP/1.1 4"))
        wire.lose()

    @given(st.text(max_size=100))
    def test_odd_headers(self, text: str) -> None:
        """
        Odd tokens, origins, users and subprotocols are refused, nothing worse.
        """
        odd = text.replace("\r", "").replace("\n", "")
        for name in ("Authorization", "Origin", "User_ID", "Sec_WebSocket_Protocol"):
            wire = self.edge.connect()
            wire.send(upgrade(**{name: odd}))
            self.assertRegex(wire.transport.written(), b"^HTTP/1.1 (101|4..) ")
            wire.lose()


class MessageTests(SynchronousTestCase):
    """
    What goes through an open WebSocket.
    """

    def setUp(self) -> None:
        self.edge = Edge(limits={"frame_bytes": 1000})
        self.wire = self.edge.open()
        (self.session,) = self.edge.sessions
        self.transport = self.wire.transport

    def assert_closed(self, code: int, wire: Wire | None = None) -> None:
        """
        The client is told the close code, and the session that it is over.
        """
        wire = wire or self.wire
        self.assertEqual(close_of(wire.transport.written())[0], code)
        wire.lose()
        self.assertEqual(len(self.edge.sessions[-1].losses), 1)
        self.assertEqual(len(self.edge.sweep), self.edge.admission.connections)

    def test_received(self) -> None:
        """
        Messages arrive whole and in their order, however the bytes are cut.
        """
        sent = [b"", b"a", b"b" * 125, b"c" * 126, b"d" * 999]
        stream = b"".join(map(masked, sent))
        for size in (1, 2, 7, 100, len(stream)):
            self.session.messages.clear()
            for i in range(0, len(stream), size):
                self.wire.send(stream[i : i + size])
            self.assertEqual(self.session.messages, [(m, True) for m in sent])

    def test_fragments(self) -> None:
        """
        A message in fragments is one message, with control frames in between.
        """
        self.wire.message(b"one ", 2, fin=False)
        self.wire.message(b"hello", 9)
        self.assertEqual(self.transport.written(), b"\x8a\x05hello")
        for _ in range(500):
            self.wire.message(b"", 0, fin=False)
            self.wire.message(b"x", 0, fin=False)
        self.assertLess(len(self.transport.protocol.message_data), 100)
        self.wire.message(b"!", 0)
        self.assertEqual(self.session.messages, [(b"one " + b"x" * 500 + b"!", True)])

    def test_too_large(self) -> None:
        """
        A frame over the limit, or fragments that are together, close with 1009
        before they are read.
        """
        self.wire.send(masked(b"x" * 1001)[:20])
        self.assert_closed(1009)
        self.assertEqual(self.session.messages, [])
        wire = self.edge.open()
        wire.message(b"x" * 600, 2, fin=False)
        wire.send(masked(b"x" * 600, 0, fin=False)[:20])
        self.assert_closed(1009, wire)

    def test_limit_changes(self) -> None:
        """
        The limit of a frame changes for connections that are open.
        """
        limits = self.edge.settings.limits.model_copy(update={"frame_bytes": 2000})
        self.edge.websockets.replace(
            self.edge.settings.model_copy(update={"limits": limits})
        )
        self.wire.message(b"x" * 2000)
        self.assertEqual(len(self.session.messages), 1)

    def test_after_an_error(self) -> None:
        """
        After a close for an error nothing more is heard.
        """
        self.wire.send(masked(b"x" * 5000)[:1500])
        self.wire.send(masked(b"good"))
        self.assertEqual(self.session.messages, [])
        self.assertTrue(self.transport.half_closed)
        self.assert_closed(1009)

    def test_wrong_kind(self) -> None:
        """
        Text where binary is due, and the other way round, closes with 1003.
        """
        self.wire.message(b"text", 1)
        self.assert_closed(1003)
        wire = self.edge.open("wsmsg.v1.json")
        wire.message(b"{}", 2)
        self.assert_closed(1003, wire)

    def test_text(self) -> None:
        """
        Text arrives as it is; what is not UTF-8 closes with 1007.
        """
        wire = self.edge.open("wsmsg.v1.json")
        wire.message('{"é": 1}'.encode(), 1)
        self.assertEqual(
            self.edge.sessions[-1].messages, [('{"é": 1}'.encode(), False)]
        )
        wire.message(b"\xff", 1)
        self.assert_closed(1007, wire)

    def test_protocol_errors(self) -> None:
        """
        Frames that RFC 6455 forbids close with 1002.
        """
        for bad in (
            b"\x82\x01x",  # not masked
            masked(b"", 3),  # reserved opcode
            masked(b"x", 0),  # continues nothing
            masked(b"x", 9, fin=False),  # a ping in fragments
            bytes([0xC2, 0x80, 1, 2, 3, 4]),  # reserved bit
            masked(b"x", 8),  # half a close code
        ):
            wire = self.edge.open()
            wire.send(bad)
            self.assertEqual(close_of(wire.transport.written())[0], 1002, bad)
            wire.lose()
            self.assertEqual(self.edge.sessions[-1].losses, ["bad_protocol"])

    @given(st.lists(st.binary(max_size=60), max_size=6))
    def test_garbage(self, chunks: list[bytes]) -> None:
        """
        No bytes break anything but their own connection.
        """
        wire = self.edge.open()
        for chunk in chunks:
            wire.send(chunk)
        wire.lose()
        self.assertEqual(len(self.edge.sessions[-1].losses), 1)
        self.assertEqual(self.edge.admission.connections, 1)

    @given(
        st.lists(
            st.tuples(
                st.sampled_from([0, 1, 2, 8, 9, 10, 11]),
                st.booleans(),
                st.binary(max_size=130),
            ),
            max_size=8,
        )
    )
    def test_odd_frames(self, frames: list[tuple[int, bool, bytes]]) -> None:
        """
        Nor do frames in any order.
        """
        wire = self.edge.open("wsmsg.v1.json")
        for opcode, fin, payload in frames:
            wire.message(payload, opcode, fin)
        wire.lose()
        self.assertEqual(len(self.edge.sessions[-1].losses), 1)

    @given(
        st.lists(
            st.tuples(
                st.sampled_from([1, 2, 2, 2, 9, 10]),
                st.integers(0, 3) | st.integers(120, 130) | st.integers(990, 1010),
            ),
            max_size=8,
        ),
        st.integers(0, 4),
    )
    def test_however_cut(self, frames: list[tuple[int, int]], spoilt: int) -> None:
        """
        A stream means the same whether it comes whole or a byte at a time.
        """
        stream = b"".join(masked(b"x" * n, opcode) for opcode, n in frames)
        if spoilt and len(stream) > spoilt:
            stream = stream[:spoilt] + b"\xff" + stream[spoilt + 1 :]
        whole, cut = self.edge.open(), self.edge.open()
        whole.send(stream)
        for byte in stream:
            cut.send(bytes([byte]))
        self.assertEqual(whole.transport.written(), cut.transport.written())
        one, other = self.edge.sessions[-2:]
        self.assertEqual(one.messages, other.messages)
        self.assertEqual(one.losses, other.losses)
        whole.lose()
        cut.lose()

    def test_written(self) -> None:
        """
        What a session writes goes out as it is.
        """
        data = framed(self.session.codec, b"hello")
        self.session.peer.write_encoded(data)
        self.assertEqual(self.transport.written(), b"\x82\x05hello")

    def test_full(self) -> None:
        """
        When the transport is full the outbox is told, and pings are not answered.
        """
        self.transport.protocol.pauseProducing()
        self.wire.message(b"", 9)
        self.assertEqual(self.transport.written(), b"")
        self.transport.protocol.resumeProducing()
        self.wire.message(b"", 9)
        self.assertEqual(self.transport.written(), b"\x8a\x00")
        self.assertEqual(self.session.outbox.calls, ["pause", "resume"])

    def test_pause(self) -> None:
        """
        A paused connection gives its session nothing, also not what was read
        already; resumed, it goes on where it was.
        """
        self.session.on_received = lambda data: self.session.peer.pause()
        self.wire.send(masked(b"1") + masked(b"2") + masked(b"3"))
        self.assertEqual([m for m, _ in self.session.messages], [b"1"])
        self.assertEqual(self.transport.producerState, "paused")
        self.session.peer.resume()
        self.assertEqual([m for m, _ in self.session.messages], [b"1", b"2"])
        self.session.on_received = lambda data: None
        self.session.peer.resume()
        self.assertEqual([m for m, _ in self.session.messages], [b"1", b"2", b"3"])
        self.assertEqual(self.transport.producerState, "producing")

    def test_pause_and_resume_at_once(self) -> None:
        """
        A session may pause and resume while it is given a message.
        """

        def blink(data: bytes) -> None:
            self.session.peer.pause()
            self.session.peer.resume()

        self.session.on_received = blink
        first = masked(b"first")
        self.wire.send(first[:1])
        self.wire.send(first[1:])
        self.assertEqual(self.session.messages, [(b"first", True)])
        self.session.messages.clear()
        self.wire.send(b"".join(masked(b"%d" % i) for i in range(5)))
        self.assertEqual(
            [m for m, _ in self.session.messages], [b"0", b"1", b"2", b"3", b"4"]
        )

    def test_session_breaks(self) -> None:
        """
        A bug in a session closes its connection with 1011, and is logged.
        """
        self.session.on_received = broken
        self.wire.message(b"x")
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assert_closed(1011)


class CloseTests(SynchronousTestCase):
    """
    How a WebSocket ends.
    """

    def setUp(self) -> None:
        self.edge = Edge()
        self.wire = self.edge.open()
        (self.session,) = self.edge.sessions
        self.transport = self.wire.transport

    def test_by_session(self) -> None:
        """
        A session's close says its code and reason, and ends when it is answered.
        """
        self.session.peer.close(Close.REPLACED, "newer login")
        self.assertEqual(close_of(self.transport.written()), (4503, "newer login"))
        self.assertFalse(self.transport.disconnecting)
        self.session.peer.write_encoded(b"too late")
        self.wire.message(b"late")
        self.wire.message((4503).to_bytes(2, "big"), 8)
        self.assertEqual(self.transport.written(), b"")
        self.assertTrue(self.transport.disconnecting)
        self.assertFalse(self.transport.aborted)
        self.wire.lose()
        self.assertEqual(self.session.losses, ["replaced"])
        self.assertEqual(self.session.messages, [])

    def test_long_reason(self) -> None:
        """
        A reason is cut to what a close frame holds.
        """
        self.session.peer.close(Close.BAD_FRAME, "é" * 200)
        self.assertLessEqual(len(self.transport.written()), 127)

    def test_not_answered(self) -> None:
        """
        A close that is not answered in time ends in an abort.
        """
        self.session.peer.close(Close.DRAIN, "stopping")
        self.edge.advance(1)
        self.assertFalse(self.transport.aborted)
        self.wire.message(b"chatter")
        self.edge.advance(0.7)
        self.assertTrue(self.transport.aborted)
        self.wire.lose()
        self.assertEqual(self.session.losses, ["drain"])

    def test_paused(self) -> None:
        """
        A paused connection that is closed is read again, for the answer.
        """
        self.session.peer.pause()
        self.session.peer.close(Close.DRAIN, "stopping")
        self.assertEqual(self.transport.producerState, "producing")

    def test_by_client(self) -> None:
        """
        A client's close is answered; the session hears of it at once.
        """
        self.wire.message((1000).to_bytes(2, "big") + b"bye", 8)
        self.assertEqual(close_of(self.transport.written()), (1000, ""))
        self.assertTrue(self.transport.disconnecting)
        self.assertEqual(self.session.losses, ["closed by the client with 1000"])
        self.wire.lose()
        self.assertEqual(len(self.session.losses), 1)
        self.assertEqual(self.edge.admission.connections, 0)

    def test_lost(self) -> None:
        """
        A connection that is just gone ends its session, and nothing is left of it.
        """
        self.wire.lose()
        self.assertEqual(len(self.session.losses), 1)
        self.assertEqual(self.edge.admission.connections, 0)
        self.assertEqual(len(self.edge.sweep), 0)
        self.edge.sweep.stop()
        self.assertEqual(self.edge.clock.getDelayedCalls(), [])


class HeartbeatTests(SynchronousTestCase):
    """
    How a silent client is found.
    """

    def setUp(self) -> None:
        self.edge = Edge()
        self.wire = self.edge.open()
        (self.session,) = self.edge.sessions
        self.transport = self.wire.transport

    def test_ping(self) -> None:
        """
        A client that was silent for the heartbeat is pinged once.
        """
        self.edge.advance(1.9)
        self.assertEqual(self.transport.written(), b"")
        self.edge.advance(0.7)
        self.assertEqual(self.transport.written(), PING)

    def test_pong(self) -> None:
        """
        A client that answers pings stays.
        """
        for _ in range(10):
            self.edge.advance(2.6)
            self.assertEqual(self.transport.written(), PING)
            self.wire.send(PONG)
        self.assertFalse(self.transport.aborted)

    def test_busy(self) -> None:
        """
        A client that sends is not pinged.
        """
        for _ in range(10):
            self.edge.advance(1.9)
            self.wire.message(b"x")
        self.assertEqual(self.transport.written(), b"")

    def test_dead(self) -> None:
        """
        A client that stays silent is gone within five seconds of its last byte, and
        its session knows.
        """
        self.wire.message(b"x")
        self.edge.advance(3.9)
        self.assertEqual(self.session.losses, [])
        self.edge.advance(0.9)
        self.assertTrue(self.transport.aborted)
        self.assertEqual(self.session.losses, ["no_pong"])
        self.wire.lose()
        self.assertEqual(self.session.losses, ["no_pong"])

    def test_stalled_reactor(self) -> None:
        """
        A reactor that stood still for a minute ends nobody who is there.
        """
        for _ in range(3):
            self.edge.clock.advance(60)
        self.edge.advance(0.4)
        self.assertFalse(self.transport.aborted)

    def test_paused(self) -> None:
        """
        A client that we do not read is not dead for its silence.
        """
        self.session.peer.pause()
        self.edge.advance(20)
        self.assertFalse(self.transport.aborted)

    def test_many(self) -> None:
        """
        Of many connections each is pinged at its time, and there is one timer.
        """
        wires = [self.edge.open() for _ in range(50)]
        self.edge.advance(2.6)
        for wire in wires:
            self.assertEqual(wire.transport.written(), PING)
        self.assertEqual(len(self.edge.clock.getDelayedCalls()), 1)

    def test_changed(self) -> None:
        """
        The heartbeat changes while it runs.
        """
        self.edge.sweep.replace(1.0)
        self.edge.advance(1.3)
        self.assertEqual(self.transport.written(), PING)
