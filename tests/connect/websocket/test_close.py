"""
The end of a WebSocket, and the detection of silent clients.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.trial.unittest import SynchronousTestCase

from tests.connect.websocket.port_in_memory import Edge, close_of, masked
from wsmsg.connect.websocket.connection import READ_AHEAD
from wsmsg.connect.websocket.output import TurnWrites
from wsmsg.errors import Close

PING = b"\x89\x00"
PONG = masked(b"", 10)


class CloseTests(SynchronousTestCase):
    """
    The end of a WebSocket.
    """

    def setUp(self) -> None:
        self.turns: list[Callable[[], None]] = []
        self.edge = Edge()
        self.wire = self.edge.open()
        (self.session,) = self.edge.sessions
        self.transport = self.wire.transport

    def test_by_session(self) -> None:
        """
        A close by the session sends its code and reason, and ends when the client
        answers.
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
        A long reason is cut to what fits into a close frame, between two characters.
        """
        self.session.peer.close(Close.BAD_FRAME, "é" * 200)
        _, reason = close_of(self.transport.written())
        self.assertEqual(reason, "é" * 61)

    def test_not_answered(self) -> None:
        """
        A close that the client does not answer in time ends in an abort.
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
        self.wire.message(b"x" * READ_AHEAD)
        self.assertEqual(self.transport.producerState, "paused")
        self.session.peer.close(Close.DRAIN, "stopping")
        self.assertEqual(self.transport.producerState, "producing")

    def test_by_client(self) -> None:
        """
        A close by the client is answered, and its session is told at once.
        """
        self.wire.message((1000).to_bytes(2, "big") + b"bye", 8)
        self.assertEqual(close_of(self.transport.written()), (1000, ""))
        self.assertTrue(self.transport.disconnecting)
        self.assertEqual(self.session.losses, ["closed by the client with 1000"])
        self.wire.lose()
        self.assertEqual(len(self.session.losses), 1)
        self.assertEqual(self.edge.admission.connections, 0)

    def test_by_client_without_code(self) -> None:
        """
        A close frame without a code, as browsers send it, is answered at once and not
        with the next frame.
        """
        self.wire.message(b"", 8)
        self.assertEqual(close_of(self.transport.written())[0], 1000)
        self.assertTrue(self.transport.disconnecting)
        self.assertEqual(self.session.losses, ["closed by the client with 1005"])

    def test_last_frames(self) -> None:
        """
        The frames that a session still has for a client that closes are sent before the
        Close, and nothing after it.
        """
        wire = self.edge.open()
        session = self.edge.sessions[-1]

        def written(reason: str) -> None:
            session.peer.write_encoded(b"\x82\x04last")

        self.patch(session, "lost", written)
        self.patch(self.edge.websockets, "writes", TurnWrites(self.turns.append))
        session.peer.write_encoded(b"\x82\x05first")
        wire.send(masked(b"ping", 9) + masked(b"", 8))
        self.assertEqual(
            wire.transport.written(),
            b"\x82\x05first\x8a\x04ping\x82\x04last\x88\x02\x03\xe8",
        )
        for end in self.turns:
            end()
        self.assertEqual(wire.transport.written(), b"")

    def test_error_after_frames(self) -> None:
        """
        The frames that were written before an error precede the Close as well.
        """
        self.patch(self.edge.websockets, "writes", TurnWrites(self.turns.append))
        self.session.peer.write_encoded(b"\x82\x05first")
        self.wire.message(b"", 3)
        data = self.transport.written()
        self.assertTrue(data.startswith(b"\x82\x05first"), data)
        self.assertEqual(close_of(data[7:])[0], 1002)

    def test_lost(self) -> None:
        """
        A connection that is lost ends its session, and nothing of it is left.
        """
        self.wire.lose()
        self.assertEqual(len(self.session.losses), 1)
        self.assertEqual(self.edge.admission.connections, 0)
        self.assertEqual(len(self.edge.sweep), 0)
        self.edge.sweep.stop()
        self.assertEqual(self.edge.clock.getDelayedCalls(), [])


class HeartbeatTests(SynchronousTestCase):
    """
    The detection of silent clients.
    """

    def setUp(self) -> None:
        self.edge = Edge()
        self.wire = self.edge.open()
        (self.session,) = self.edge.sessions
        self.transport = self.wire.transport

    def test_ping(self) -> None:
        """
        A client that is silent for the heartbeat is sent one ping.
        """
        self.edge.advance(1.9)
        self.assertEqual(self.transport.written(), b"")
        self.edge.advance(0.7)
        self.assertEqual(self.transport.written(), PING)

    def test_pong(self) -> None:
        """
        A client that answers pings stays connected.
        """
        for _ in range(10):
            self.edge.advance(2.6)
            self.assertEqual(self.transport.written(), PING)
            self.wire.send(PONG)
        self.assertFalse(self.transport.aborted)

    def test_busy(self) -> None:
        """
        A client that sends data is not pinged.
        """
        for _ in range(10):
            self.edge.advance(1.9)
            self.wire.message(b"x")
        self.assertEqual(self.transport.written(), b"")

    def test_dead(self) -> None:
        """
        A client that stays silent is gone within five seconds of its last byte, and its
        session is told.
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
        A reactor that was stalled for a minute ends no live connection.
        """
        for _ in range(3):
            self.edge.clock.advance(60)
        self.edge.advance(0.4)
        self.assertFalse(self.transport.aborted)

    def test_woken(self) -> None:
        """
        A process that stood still pings a client at once, whenever it was heard last,
        and the client is gone if it stays silent.
        """
        self.wire.message(b"x")
        self.edge.clock.advance(6)
        self.assertEqual(self.transport.written(), PING)
        self.wire.send(PONG)
        self.edge.advance(0.2)
        self.assertFalse(self.edge.sweep.is_unsure())
        self.edge.clock.advance(6)
        self.edge.advance(1.0)
        self.assertTrue(self.edge.sweep.is_unsure())
        self.edge.advance(1.1)
        self.assertTrue(self.transport.aborted)
        self.assertFalse(self.edge.sweep.is_unsure())

    def test_paused(self) -> None:
        """
        A client that the server does not read, as much waits for its session, is not
        dead for its silence.
        """
        self.session.peer.pause()
        self.wire.message(b"x" * READ_AHEAD)
        self.edge.advance(20)
        self.assertFalse(self.transport.aborted)

    def test_many(self) -> None:
        """
        Each of many connections is pinged in time, with a single timer.
        """
        wires = [self.edge.open() for _ in range(50)]
        self.edge.advance(2.6)
        for wire in wires:
            self.assertEqual(wire.transport.written(), PING)
        self.assertEqual(len(self.edge.clock.getDelayedCalls()), 1)

    def test_changed(self) -> None:
        """
        The heartbeat can change while the daemon runs.
        """
        self.edge.sweep.apply_settings(1.0)
        self.edge.advance(1.3)
        self.assertEqual(self.transport.written(), PING)
