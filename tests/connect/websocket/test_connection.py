"""
Messages over an open WebSocket.
"""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.connect.websocket.port_in_memory import Edge, Wire, close_of, masked
from wsmsg.connect.session.output import framed
from wsmsg.connect.websocket.connection import READ_AHEAD


def broken(*args: object) -> Any:
    """
    Raise an unexpected error.
    """
    return 1 / 0


class MessageTests(SynchronousTestCase):
    """
    Messages over an open WebSocket.
    """

    def setUp(self) -> None:
        self.edge = Edge(limits={"frame_bytes": 1000})
        self.wire = self.edge.open()
        (self.session,) = self.edge.sessions
        self.transport = self.wire.transport

    def assert_closed(self, code: int, wire: Wire | None = None) -> None:
        """
        Check that the client is told the close code, and the session that it has ended.
        """
        wire = wire or self.wire
        self.assertEqual(close_of(wire.transport.written())[0], code)
        wire.lose()
        self.assertEqual(len(self.edge.sessions[-1].losses), 1)
        self.assertEqual(len(self.edge.sweep), self.edge.admission.connections)

    def test_received(self) -> None:
        """
        Messages arrive complete and in order, however the bytes are cut.
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
        A message in fragments is one message, also with control frames in between.
        """
        self.wire.message(b"one ", 2, fin=False)
        self.wire.message(b"hello", 9)
        self.assertEqual(self.transport.written(), b"\x8a\x05hello")
        for _ in range(500):
            self.wire.message(b"", 0, fin=False)
            self.wire.message(b"x", 0, fin=False)
        self.wire.message(b"!", 0)
        self.assertEqual(self.session.messages, [(b"one " + b"x" * 500 + b"!", True)])

    def test_empty_frames(self) -> None:
        """
        Frames without payload are answered, and end a message, as soon as they arrive.
        """
        self.wire.message(b"", 9)
        self.assertEqual(self.transport.written(), b"\x8a\x00")
        self.wire.message(b"one", 2, fin=False)
        self.wire.message(b"", 0)
        self.assertEqual(self.session.messages, [(b"one", True)])

    def test_too_large(self) -> None:
        """
        A frame over the limit, or fragments that are together, close with 1009 before
        they are read.
        """
        self.wire.send(masked(b"x" * 1001)[:20])
        self.assert_closed(1009)
        self.assertEqual(self.session.messages, [])
        wire = self.edge.open()
        wire.message(b"x" * 600, 2, fin=False)
        wire.send(masked(b"x" * 600, 0, fin=False)[:20])
        self.assert_closed(1009, wire)

    def test_flood(self) -> None:
        """
        Pings and pongs by the thousand, whose rate no session limits, end the
        connection before they delay others, as do fragments without any payload; the
        same number over a longer time does not.
        """
        for opcode, fin in ((9, True), (10, True), (0, False)):
            wire = self.edge.open()
            for _ in range(3):
                wire.message(b"", 2, fin=False)
                wire.send(masked(b"", opcode, fin) * 1000)
                self.assertEqual(wire.transport.written().strip(b"\x8a\x00"), b"")
                self.edge.advance(1)
                wire.message(b"", 9)
                wire.message(b"", 0)
                wire.transport.clear()
            wire.message(b"", 2, fin=False)
            wire.send(masked(b"", opcode, fin) * 10_000)
            answer = wire.transport.written().lstrip(b"\x8a\x00")
            self.assertEqual(close_of(answer)[0], 4001)
            wire.lose()

    def test_slow_heartbeat(self) -> None:
        """
        With a long heartbeat, a client may send as many pings per second as with a
        short one.
        """
        edge = Edge(heartbeat_s=60)
        wire = edge.open()
        for _ in range(14):
            wire.send(masked(b"", 9) * 1000)
            self.assertEqual(wire.transport.written(), b"\x8a\x00" * 1000)
            edge.advance(1)

    def test_burst(self) -> None:
        """
        Complete messages by the thousand are no flood, wherever the network cuts them:
        the session limits their rate.
        """
        burst = masked(b"x" * 300, 2) * 5000
        for at in range(0, len(burst), 4093):
            self.wire.send(burst[at : at + 4093])
        self.assertEqual(self.transport.written(), b"")
        self.assertEqual(len(self.session.messages), 5000)

    def test_limit_changes(self) -> None:
        """
        The limit of a frame can change for open connections.
        """
        limits = self.edge.settings.limits.model_copy(update={"frame_bytes": 2000})
        self.edge.websockets.apply_settings(
            self.edge.settings.model_copy(update={"limits": limits})
        )
        self.wire.message(b"x" * 2000)
        self.assertEqual(len(self.session.messages), 1)

    def test_after_an_error(self) -> None:
        """
        After a close for an error nothing more is processed.
        """
        self.wire.send(masked(b"x" * 5000)[:1500])
        self.wire.send(masked(b"good"))
        self.assertEqual(self.session.messages, [])
        self.assertTrue(self.transport.half_closed)
        self.assert_closed(1009)

    def test_wrong_kind(self) -> None:
        """
        A text message in place of a binary one, and the reverse, closes with 1003.
        """
        self.wire.message(b"text", 1)
        self.assert_closed(1003)
        wire = self.edge.open("wsmsg.v1.json")
        wire.message(b"{}", 2)
        self.assert_closed(1003, wire)

    def test_text(self) -> None:
        """
        A text message arrives unchanged; invalid UTF-8 closes with 1007.
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
        Garbage ends only its own connection.
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
        Frames in any order end at most their own connection.
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
        A stream means the same whether it arrives at once or byte by byte.
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
        The data that a session writes is sent unchanged.
        """
        data = framed(self.session.codec, b"hello")
        self.session.peer.write_encoded(data)
        self.assertEqual(self.transport.written(), b"\x82\x05hello")

    def test_full(self) -> None:
        """
        A full transport pauses the outbox; when it accepts data again, the last ping is
        answered.
        """
        self.transport.protocol.pauseProducing()
        self.wire.message(b"one", 9)
        self.wire.message(b"two", 9)
        self.assertEqual(self.transport.written(), b"")
        self.transport.protocol.resumeProducing()
        self.assertEqual(self.transport.written(), b"\x8a\x03two")
        self.assertEqual(self.session.outbox.calls, ["pause", "resume"])

    def test_pause(self) -> None:
        """
        A paused connection passes nothing to its session, not even what was read
        before; resumed, it continues where it was.
        """
        self.session.on_received = lambda data: self.session.peer.pause()
        self.wire.send(masked(b"1") + masked(b"2") + masked(b"3"))
        self.assertEqual([m for m, _ in self.session.messages], [b"1"])
        self.session.peer.resume()
        self.assertEqual([m for m, _ in self.session.messages], [b"1", b"2"])
        self.session.on_received = lambda data: None
        self.session.peer.resume()
        self.assertEqual([m for m, _ in self.session.messages], [b"1", b"2", b"3"])
        self.assertEqual(self.transport.producerState, "producing")

    def test_pings_while_paused(self) -> None:
        """
        Pings behind messages that the session does not take yet are answered, wherever
        the network cuts them; the messages come later, complete and in order.
        """
        sent = [b"", b"a" * 300, b"b", b"c" * 125]
        stream = masked(b"first")
        for n, message in enumerate(sent):
            half = len(message) // 2
            stream += masked(b"%d" % n, 9) + masked(message[:half], 2, fin=False)
            stream += masked(b"", 10) + masked(message[half:], 0)
        for size in (1, 3, 50, len(stream)):
            wire = self.edge.open()
            session = self.edge.sessions[-1]
            session.on_received = lambda data, peer=session.peer: peer.pause()
            for at in range(0, len(stream), size):
                wire.send(stream[at : at + size])
            self.assertEqual(
                wire.transport.written(), b"\x8a\x010\x8a\x011\x8a\x012\x8a\x013"
            )
            self.assertEqual(session.messages, [(b"first", True)])
            session.on_received = lambda data: None
            session.peer.resume()
            self.assertEqual([m for m, _ in session.messages], [b"first", *sent])

    def test_much_while_paused(self) -> None:
        """
        A paused connection is read no more when much waits, and not before.
        """
        self.session.on_received = lambda data: self.session.peer.pause()
        frame = masked(b"x" * 1000)
        for _ in range(2 + READ_AHEAD // len(frame)):
            self.assertEqual(self.transport.producerState, "producing")
            self.wire.send(frame)
        self.assertEqual(self.transport.producerState, "paused")
        self.session.on_received = lambda data: None
        self.session.peer.resume()
        self.assertEqual(self.transport.producerState, "producing")
        self.assertEqual(len(self.session.messages), 2 + READ_AHEAD // len(frame))

    def test_errors_while_paused(self) -> None:
        """
        A violation of RFC 6455 is not answered out of turn: it ends the connection
        after the messages before it.
        """
        self.session.on_received = lambda data: self.session.peer.pause()
        self.wire.send(masked(b"1") + masked(b"2") + b"\x89\x00" + masked(b"", 9))
        self.assertEqual(self.transport.written(), b"")
        self.session.on_received = lambda data: None
        self.session.peer.resume()
        self.assertEqual([m for m, _ in self.session.messages], [b"1", b"2"])
        self.assert_closed(1002)

    def test_pause_and_resume_at_once(self) -> None:
        """
        A session may pause and resume while it processes a message.
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
