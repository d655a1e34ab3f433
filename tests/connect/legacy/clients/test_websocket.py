"""
Differences in a WebSocket whose session reads to the end.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.connect.websocket.port_in_memory import Edge, close_of, masked
from wsmsg.errors import Close

_NO_TEXT = b"\x30\x9b\xb8\x91"


class LegacyWebSocketTests(SynchronousTestCase):
    """
    A WebSocket whose session reads to the end.
    """

    legacy = True

    def setUp(self) -> None:
        self.edge = Edge()
        self.wire = self.edge.open()
        (self.session,) = self.edge.sessions
        self.session.reads_to_end = self.legacy

    def heard(self) -> list[bytes]:
        """
        Return the messages that the session received.
        """
        return [data for data, _ in self.session.messages]

    def test_text(self) -> None:
        """
        A text message is accepted like a binary one, whatever its bytes are.
        """
        self.wire.message(_NO_TEXT, 1)
        self.wire.send(masked(_NO_TEXT[:2], 1, False) + masked(_NO_TEXT[2:], 0))
        self.wire.message(b"binary")
        self.assertEqual(self.heard(), [_NO_TEXT, _NO_TEXT, b"binary"])

    def test_after_close(self) -> None:
        """
        Messages that the client sent before it learned of the close are accepted, until
        it answers the close.
        """
        self.session.peer.close(Close.DRAIN, "stopping")
        self.wire.send(masked(b"on its way") + masked(b"as well", 1))
        self.assertEqual(self.heard(), [b"on its way", b"as well"])
        self.wire.send(masked(b"\x03\xf4", 8) + masked(b"nonsense"))
        self.assertEqual(len(self.heard()), 2)
        self.assertEqual(close_of(self.wire.transport.written())[0], Close.DRAIN)

    def test_long_goodbye(self) -> None:
        """
        The client has long to answer the close, since much may be under way, but not
        for ever.
        """
        self.session.peer.close(Close.DRAIN, "stopping")
        for _ in range(9):
            self.edge.advance(1)
            self.wire.message(b"more")
        self.assertEqual(len(self.heard()), 9)
        self.edge.advance(7)
        self.assertTrue(self.wire.transport.aborted)

    def test_lost_while_held(self) -> None:
        """
        Messages that were read and not processed when the connection is lost are
        accepted.
        """
        self.session.on_received = lambda data: self.session.peer.pause()
        self.wire.send(masked(b"one") + masked(b"two") + masked(b"three") + b"\x82")
        self.assertEqual(self.heard(), [b"one"])
        self.session.on_received = lambda data: None
        self.wire.lose()
        self.assertEqual(self.heard(), [b"one", b"two", b"three"])
        self.assertEqual(len(self.session.losses), 1)
        self.assertEqual(self.edge.admission.connections, 0)

    def test_closed_while_held(self) -> None:
        """
        The same holds for a paused connection that the server closes.
        """
        self.session.on_received = lambda data: self.session.peer.pause()
        self.wire.send(masked(b"one") + masked(b"two"))
        self.session.on_received = lambda data: None
        self.session.peer.close(Close.DRAIN, "stopping")
        self.assertEqual(self.heard(), [b"one", b"two"])


class OwnWebSocketTests(SynchronousTestCase):
    """
    A WebSocket of the current protocol, whose client repeats what was not accepted.
    """

    def test_after_close(self) -> None:
        """
        Nothing is accepted after the server's close.
        """
        edge = Edge()
        wire = edge.open()
        (session,) = edge.sessions
        session.peer.close(Close.DRAIN, "stopping")
        wire.message(b"on its way")
        self.assertEqual(session.messages, [])
