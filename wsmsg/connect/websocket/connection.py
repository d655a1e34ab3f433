"""
One WebSocket: its handshake, and the half that reads.

A connection keeps little: there are many, and most are idle.  Its parts are shared
(L{wsmsg.connect.websocket.factory}), L{wsmsg.connect.edge.heartbeat} replaces timers,
and sessions write complete frames, which go straight to the transport.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from wsmsg.connect.session.interface import ISessionPeer
from wsmsg.connect.websocket.frames import BINARY, CLOSE, PING, TEXT, FrameError
from wsmsg.connect.websocket.handshake import Agreed, shake_hands
from wsmsg.connect.websocket.output import (
    CLOSED,
    CLOSING,
    OPEN,
    OPENING,
    WebSocketOutput,
)
from wsmsg.connect.websocket.reader import FRAGMENTS, FrameReader, close_code
from wsmsg.errors import Close, Fault

if TYPE_CHECKING:
    from wsmsg.connect.websocket.factory import WebSocketConnections

# The answer to an empty ping, which is nearly all that an idle client sends.
_PONG_BYTES = 6
#: What may wait unread while a session is paused, in bytes: pings behind it are
#: answered all the same.
READ_AHEAD = 65536
_END = b"\r\n\r\n"


@implementer(ISessionPeer)
class WebSocketConnection(WebSocketOutput):
    """
    One WebSocket.
    """

    __slots__ = ("_busy", "_is_binary", "_reader")

    def __init__(self, factory: WebSocketConnections, address: str) -> None:
        super().__init__(factory, address)
        self._reader = FrameReader(checks_text=False)
        self._is_binary = self._busy = False

    # ------------------------------------------------------ called by Twisted

    def dataReceived(self, data: bytes) -> None:
        try:
            self._data_received(data)
        except Exception:  # noqa: BLE001 - a guard
            self._fail("reading from a client")

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        try:
            self._connection_lost(reason)
        except Exception:  # noqa: BLE001 - a guard
            self._log.failure("ending a connection")

    def _data_received(self, data: bytes) -> None:
        if self._state == OPENING:
            self._open(data)
            return
        if (
            len(data) == _PONG_BYTES
            and self._reader.is_pong(data)
            and self._state == OPEN
            and self._controls < self.factory.control_frames
        ):
            # Nearly all that an idle client sends.
            self._controls += 1
            self._ticks = 0
            return
        if self._state == OPEN or self._reads_to_end:
            self._ticks = 0
        if self._state in (OPEN, CLOSING):
            self._read(data)

    def _connection_lost(self, reason: Failure) -> None:
        factory = self.factory
        if self._held and self._reads_to_end:
            self._held = False
            self._read()
        factory.sweep.discard(self, self._bucket)
        factory.admission.release(self.address)
        self._state = CLOSED
        self._lose(self._why or reason.getErrorMessage())

    # --------------------------------------------------- called by the session

    def close(self, code: Close, reason: str) -> None:
        if self._state == OPEN:
            self._why = code.name.lower()
            self._send_close(code, reason, CLOSING)
            self.dataReceived(b"")

    def login_failed(self, code: Close, reason: str, fault: Fault) -> None:
        self.factory.admission.login_failed(self.address, code, reason, fault)

    def pause(self) -> None:
        if self._state == OPEN:
            self._held = True

    def resume(self) -> None:
        if not self._held:
            return
        self._held, self._ticks = False, 0
        if self._unread:
            self._unread = False
            self.transport.resumeProducing()
        if len(self._reader):
            self.dataReceived(b"")

    # ---------------------------------------------------------------- internals

    def _open(self, data: bytes) -> None:
        """
        Perform the handshake.

        @param data: its complete head, and what the client sent after it.
        """
        head, end, rest = data.partition(_END)
        agreed = shake_hands(self.factory, self.transport, head + end, self.address)
        if agreed is None:
            self._drop()
            return
        self._state = OPEN
        try:
            self._open_session(agreed)
        except Exception:  # noqa: BLE001 - a guard
            self._fail("opening a session")
        if rest:
            self._data_received(rest)

    def _open_session(self, agreed: Agreed) -> None:
        subprotocol, identity, claimed_user = agreed
        self._is_binary = subprotocol.is_binary
        self._reader = FrameReader(checks_text=not subprotocol.is_binary)
        self._session = subprotocol.open(self, identity, claimed_user)
        self.transport.registerProducer(self, True)

    def _read(self, data: bytes = b"") -> None:
        """
        Process what was received, until the session pauses the connection.
        """
        reader, factory = self._reader, self.factory
        if data:
            reader.feed(data)
        if self._busy:
            return
        self._busy = True
        try:
            while reader.has_data and not self._held and self._state in (OPEN, CLOSING):
                frame = reader.next(factory.frame_bytes)
                if frame is None:
                    return
                first, payload = frame
                if first in (TEXT, BINARY):
                    self._on_message(payload, first == BINARY)
                elif first == FRAGMENTS:
                    self._on_fragments()
                else:
                    self._on_control(first, payload)
            if self._held:
                self._read_ahead()
        except FrameError as e:
            self._end(e.code, e.reason)
        finally:
            self._busy = False

    def _read_ahead(self) -> None:
        """
        Answer the pings behind the messages that the session does not take yet, and
        stop reading when much waits.
        """
        while (frame := self._reader.next_control()) is not None:
            self._on_control(*frame)
        if len(self._reader) > READ_AHEAD and not self._unread:
            self._unread = True
            self.transport.pauseProducing()

    def _on_message(self, data: bytes, binary: bool) -> None:
        session = self._session
        if session is None or (self._state != OPEN and not session.reads_to_end):
            return
        if binary is not self._is_binary and not session.reads_to_end:
            want = "binary" if self._is_binary else "text"
            reason = f"this subprotocol has {want} messages"
            raise FrameError(Close.UNSUPPORTED, reason)
        session.received(data, binary)

    def _on_fragments(self) -> None:
        if self._state == OPEN and self._session is not None:
            self._session.count_frame()

    def _on_control(self, first: int, payload: bytes) -> None:
        """
        React to a control frame.  No session limits the rate of pings and pongs.

        @raise FrameError: there are too many of these.
        """
        if first == CLOSE:
            self._on_close(close_code(payload))
            return
        self._controls += 1
        if self._controls > self.factory.control_frames:
            reason = "too many pings or pongs at once"
            raise FrameError(Close.RATE_LIMITED, reason)
        if first == PING:
            self._pong = payload
            if not self._full:
                self._write_pong()

    def _on_close(self, code: int | None) -> None:
        self._why = self._why or f"closed by the client with {code or 1005}"
        if self._state == OPEN:
            self._lose(self._why)
            self._send_close(Close.DONE, "", CLOSING)
        self._drop()

    @property
    def _reads_to_end(self) -> bool:
        """
        The session takes every message that the client has sent
        (L{ISession.reads_to_end}).
        """
        return self._session is not None and self._session.reads_to_end
