"""
One WebSocket, by Autobahn.

Autobahn performs the handshake and parses unusual frames.  To save memory, a connection
keeps little of Autobahn's state: the options are attributes of a class
(L{wsmsg.connect.websocket.autobahn}), the values that only the handshake needs are
deleted after it (C{_on_open}), and L{wsmsg.connect.edge.heartbeat} replaces the timers.
Sessions write complete frames, which go straight to the transport.

Autobahn owns the attributes C{log}, C{factory}, C{state} and C{peer} of a connection.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet.interfaces import IPushProducer
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from wsmsg.connect.edge.interface import DEAD_TICK, PING_TICK
from wsmsg.connect.session.interface import ISession, ISessionPeer
from wsmsg.connect.websocket.autobahn import (
    AUTOBAHN_SLOTS,
    CLOSED,
    CONNECTING,
    OPEN,
    AutobahnOptions,
    close_name,
    close_reason,
)
from wsmsg.connect.websocket.fast_frames import BINARY, PONG, is_utf8, usual_frame
from wsmsg.connect.websocket.handshake import agree, refuse
from wsmsg.connect.websocket.tcp_info import tcp_progress
from wsmsg.errors import Close

if TYPE_CHECKING:
    from wsmsg.connect.websocket.factory import WebSocketConnections

PING = b"\x89\x00"
_MOST_PIECES = 64
#: The maximum of fragments, pings and pongs between two ticks: each costs work, and
#: the session does not limit their rate.
_MOST_SMALL = 1024


@implementer(ISessionPeer, IPushProducer)
class WebSocketConnection(AutobahnOptions):
    """
    One WebSocket.

    @ivar address: the address of the client, for limits and logs.
    """

    _log = Logger()

    # Everything that an open connection keeps; see _on_open.
    __slots__ = (
        "_acknowledged",
        "_binary",
        "_bucket",
        "_busy",
        "_full",
        "_held",
        "_ticks",
        "_session",
        "_small",
        "_why",
        "address",
        *AUTOBAHN_SLOTS,
    )

    data: bytes
    factory: WebSocketConnections
    message_data: list[bytes] | None

    def __init__(self, address: str) -> None:
        # Autobahn's own __init__ makes Deferreds and an observer that nobody uses.
        self.address = address
        self._session: ISession | None = None
        self._why = ""
        self._ticks = self._bucket = self._acknowledged = self._small = 0
        self._binary = self._busy = self._full = self._held = False

    @property
    def peer(self) -> str:
        return self.address

    @property
    def maxFramePayloadSize(self) -> int:
        return self.factory.frame_bytes

    maxMessagePayloadSize = maxFramePayloadSize

    # ------------------------------------------------------ called by Twisted

    def connectionMade(self) -> None:
        self.transport.setTcpNoDelay(True)
        self._connectionMade()
        self._bucket = self.factory.sweep.add(self)

    def dataReceived(self, data: bytes) -> None:
        try:
            self._data_received(data)
        except Exception:  # noqa: BLE001 - a guard
            self._fail("reading from a client")

    def connectionLost(self, reason: Failure) -> None:
        try:
            self._connection_lost(reason)
        except Exception:  # noqa: BLE001 - a guard
            self._log.failure("ending a connection")

    def pauseProducing(self) -> None:
        self._full = True
        if self._session is not None:
            self._session.outbox.pauseProducing()

    def resumeProducing(self) -> None:
        self._full = False
        try:
            if self._session is not None:
                self._session.outbox.resumeProducing()
        except Exception:  # noqa: BLE001 - a guard
            self._fail("writing to a client")

    def stopProducing(self) -> None:
        if self._session is not None:
            self._session.outbox.stopProducing()

    def _data_received(self, data: bytes) -> None:
        if self.state == OPEN:
            self._ticks = 0
        elif self.failedByMe:
            return
        self.data += data
        if self.data:
            self.consumeData()

    def _take_usual_frames(self, data: bytes) -> bytes:
        """
        Process the usual frames at the front of C{data}.

        @return: the rest, which is for Autobahn.
        """
        at, limit = 0, self.factory.frame_bytes
        while not self.inside_message and not self._held and self.state == OPEN:
            frame = usual_frame(data, at, limit)
            if frame is None:
                break
            first, payload, at = frame
            if first != PONG:
                self._on_message(payload, first == BINARY)
            elif self._flooded():
                break
        return data[at:]

    def _connection_lost(self, reason: Failure) -> None:
        factory = self.factory
        if self._held and self._reads_to_end:
            self._held = False
            self.consumeData()
        factory.sweep.discard(self, self._bucket)
        factory.connection_lost(self.address)
        self.state = CLOSED
        self._lose(self._why or reason.getErrorMessage())

    # ------------------------------------------------------ called by Autobahn

    def onConnect(self, request: Any) -> str | None:
        agreed = agree(self.factory, request)
        # Deleted by _on_open with everything else that only the handshake needs.
        self.__dict__["agreed"] = agreed
        return agreed.subprotocol.name or None

    def onOpen(self) -> None:
        try:
            self._on_open()
        except Exception:  # noqa: BLE001 - a guard
            self._fail("opening a session")

    def consumeData(self) -> None:
        """
        Parse what was received, until the session pauses the connection.
        """
        if self.state == CONNECTING:
            self.processHandshake()
            return
        if self._busy:
            return
        self._busy = True
        try:
            while not self._held and not self.failedByMe and self.state != CLOSED:
                if self.current_frame is None:
                    before, self.data = self.data, b""
                    self.data = self._take_usual_frames(before) + self.data
                frame = self.current_frame
                # A frame without payload ends with its header.
                more = self.data or (frame is not None and not frame.length)
                if self._held or not more or not self.processData():
                    break
        finally:
            self._busy = False
        if self.failedByMe or self.state == CLOSED:
            self.data = b""

    def onMessageFrame(self, payload: list[bytes]) -> None:
        """
        Keep one frame of a message.  However many frames there are, few pieces are
        kept.
        """
        pieces = self.message_data
        assert pieces is not None
        if not self.current_frame.fin and self._flooded():
            return
        pieces += filter(None, payload)
        if len(pieces) > _MOST_PIECES:
            self.message_data = [b"".join(pieces)]

    def onMessageEnd(self) -> None:
        pieces, self.message_data = self.message_data, None
        if pieces is not None and (self.state == OPEN or self._reads_to_end):
            self._on_message(b"".join(pieces), self.message_is_binary)

    def onPing(self, payload: bytes) -> None:
        # A full transport would pile up pongs.  RFC 6455 section 5.5.3 demands one to
        # the latest ping only.
        if not self._flooded() and not self._full:
            self.sendPong(payload)

    def onPong(self, payload: bytes) -> None:
        self._flooded()

    def onClose(self, wasClean: bool, code: int | None, reason: str | None) -> None:
        pass  # connectionLost reports it.

    def failHandshake(
        self, reason: str, code: int = 400, responseHeaders: Any = None
    ) -> None:
        """
        Refuse the handshake, with a JSON document.
        """
        refuse(self, code, reason, responseHeaders or ())
        self.dropConnection()

    def onCloseFrame(self, code: int | None, reasonRaw: bytes | None) -> bool | None:
        self._why = self._why or f"closed by the client with {code or 1005}"
        done: bool | None = super().onCloseFrame(code, reasonRaw)
        return done

    def dropConnection(self, abort: bool = False) -> None:
        self._ticks = 0
        super().dropConnection(abort and not self.wasClean)
        self._lose(self._why or "dropped")

    def _fail_connection(self, code: int = 1001, reason: str = "going away") -> None:
        if self.state == OPEN:
            self._end(code, reason)

    # --------------------------------------------------- called by the session

    def write_encoded(self, data: bytes) -> None:
        if self.state == OPEN:
            self.factory.writes.write(self.transport, data)

    def close(self, code: Close, reason: str) -> None:
        if self.state != OPEN:
            return
        self._why = code.name.lower()
        self._ticks = -9 * self.factory.closing_ticks if self._reads_to_end else 0
        self._send_close(int(code), reason)
        if self._held:
            self.resume()

    def pause(self) -> None:
        if not self._held and self.state == OPEN:
            self._held = True
            self.transport.pauseProducing()

    def resume(self) -> None:
        if not self._held:
            return
        self._held, self._ticks = False, 0
        self.transport.resumeProducing()
        if self.data:
            self.dataReceived(b"")

    # -------------------------------------------------------- called by the heartbeat

    def tick(self) -> None:
        self._ticks += 1
        self._small = 0
        if self.state != OPEN:
            if self._ticks >= self.factory.closing_ticks:
                self.abort(self._why or "close timeout")
        elif self._ticks == PING_TICK:
            self.transport.write(PING)
            self._is_alive()
        elif self._ticks >= DEAD_TICK:
            if self._is_alive():
                self._ticks = PING_TICK
            else:
                self.abort(Close.NO_PONG.name.lower())

    # ---------------------------------------------------------------- internals

    def _on_open(self) -> None:
        subprotocol, identity, claimed_user = self.__dict__["agreed"]
        self._binary = subprotocol.is_binary
        # Delete what only the handshake needed: everything that is not in __slots__.
        # Autobahn then finds the initial values of the class instead.
        del self.__dict__
        self._session = subprotocol.open(self, identity, claimed_user)
        self.transport.registerProducer(self, True)

    def _is_alive(self) -> bool:
        """
        Return whether a client that sends nothing is alive all the same.

        The pong cannot have arrived while the ping is still queued behind other data,
        or while the connection is not read.  Then it suffices that the client's kernel
        accepts what is written.
        """
        now = tcp_progress(self.transport)
        if now is None:
            return self._held
        before, self._acknowledged = self._acknowledged, now.acknowledged
        if now.pending:
            return now.acknowledged > before
        return self._held

    def _send_close(self, code: int, reason: str) -> None:
        self.factory.writes.flush(self.transport)
        self.sendCloseFrame(code, close_reason(reason))

    def _on_message(self, data: bytes, binary: bool) -> None:
        if binary is not self._binary and not self._reads_to_end:
            want = "binary" if self._binary else "text"
            self._end(Close.UNSUPPORTED, f"this subprotocol has {want} messages")
        elif not self._binary and not is_utf8(data):
            self._end(Close.BAD_TEXT, "the text is not UTF-8")
        elif self._session is not None:
            self._session.received(data, binary)

    @property
    def _reads_to_end(self) -> bool:
        """
        The session takes every message that the client has sent
        (L{ISession.reads_to_end}), so a closing handshake may take ten times as long.
        """
        return self._session is not None and self._session.reads_to_end

    def _flooded(self) -> bool:
        """
        Count a small frame, and close the connection if there are too many.

        @return: whether there are too many.
        """
        self._small += 1
        if self._small == _MOST_SMALL:
            self._end(Close.RATE_LIMITED, "too many pings or fragments at once")
        return self._small >= _MOST_SMALL

    def _end(self, code: int, reason: str) -> None:
        """
        Close the connection because the client violated RFC 6455; read no more.
        """
        self.failedByMe, self._why = True, close_name(code)
        self._ticks, self._held = 0, False
        self._send_close(int(code), reason)
        self._lose(self._why)
        # The client closes the connection.  Closing it here could reset it before the
        # client has read the reason.
        self.transport.loseWriteConnection()

    def _fail(self, doing: str) -> None:
        """
        Log a bug, and end the connection; the client may reconnect.
        """
        self._log.failure("{doing} at {address}", doing=doing, address=self.address)
        if self.state == OPEN:
            self._end(Close.BUG, "internal error")
        else:
            self.abort("bug")

    def abort(self, why: str) -> None:
        """
        End the connection at once.
        """
        self._why = why
        self.state = CLOSED
        self.transport.abortConnection()
        self._lose(why)

    def _lose(self, why: str) -> None:
        session, self._session = self._session, None
        if session is not None:
            session.lost(why)
