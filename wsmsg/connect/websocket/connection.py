"""
One WebSocket, by Autobahn.

Autobahn does the handshake and takes frames apart.  What it keeps for each connection
and we do not need is not kept: its options are attributes of a class
(L{wsmsg.connect.websocket.autobahn}), what it sets during the handshake is dropped once
that is over (C{_forget}); L{wsmsg.connect.edge.heartbeat} has its timers.
What is written is whole frames that were made elsewhere, straight to the transport.

Autobahn owns C{log}, C{factory}, C{state} and C{peer} of a connection.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet.interfaces import IPushProducer
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from wsmsg.connect.edge.heartbeat import DEAD_LOOK, PING_LOOK
from wsmsg.connect.edge.tcp_info import progress
from wsmsg.connect.session.interface import ISession, ISessionPeer
from wsmsg.connect.websocket.autobahn import (
    AUTOBAHN_SLOTS,
    CLOSED,
    CONNECTING,
    OPEN,
    AutobahnOptions,
    close_name,
)
from wsmsg.connect.websocket.fast_frames import BINARY, PONG, is_utf8, whole_frame
from wsmsg.connect.websocket.handshake import agree, refuse
from wsmsg.errors import Close

if TYPE_CHECKING:
    from wsmsg.connect.websocket.factory import WebSocketConnections

PING = b"\x89\x00"
_MOST_PIECES = 64
#: Fragments, pings and pongs that a client may send between two looks: each is work,
#: and none of them is a frame whose rate the session limits.
_MOST_SMALL = 1024
_REASON_BYTES = 123


@implementer(ISessionPeer, IPushProducer)
class WebSocketConnection(AutobahnOptions):
    """
    One WebSocket.

    @ivar address: of the other end, for the limits and the log.
    """

    _log = Logger()

    # All that there is while a connection is open; see _forget.
    __slots__ = (
        "_acknowledged",
        "_binary",
        "_bucket",
        "_busy",
        "_full",
        "_held",
        "_looks",
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
        # Autobahn's own makes Deferreds and an observer that nobody uses.
        self.address = address
        self._session: ISession | None = None
        self._why = ""
        self._looks = self._bucket = self._acknowledged = self._small = 0
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
            self._looks = 0
        elif self.failedByMe:
            return
        self.data += data
        if self.data:
            self.consumeData()

    def _take_whole_frames(self, data: bytes) -> bytes:
        """
        @return: what is left for Autobahn.
        """
        at, limit = 0, self.factory.frame_bytes
        while not self.inside_message and not self._held and self.state == OPEN:
            frame = whole_frame(data, at, limit)
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
        if self._held and self._hears_all:
            self._held = False
            self.consumeData()
        factory.sweep.discard(self, self._bucket)
        factory.admission.left(self.address)
        factory.countConnections -= 1
        self.state = CLOSED
        self._lose(self._why or reason.getErrorMessage())

    # ------------------------------------------------------ called by Autobahn

    def onConnect(self, request: Any) -> str | None:
        agreed = agree(self.factory, request)
        # Goes with all else that only the handshake needs.
        self.__dict__["agreed"] = agreed
        return agreed.subprotocol.name or None

    def onOpen(self) -> None:
        try:
            self._on_open()
        except Exception:  # noqa: BLE001 - a guard
            self._fail("opening a session")

    def consumeData(self) -> None:
        """
        Take apart what was received, until the session wants no more for now.
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
                    self.data = self._take_whole_frames(before) + self.data
                frame = self.current_frame
                # One without a payload is over with its header.
                more = self.data or (frame is not None and not frame.length)
                if self._held or not more or not self.processData():
                    break
        finally:
            self._busy = False
        if self.failedByMe or self.state == CLOSED:
            self.data = b""

    def onMessageFrame(self, payload: list[bytes]) -> None:
        """
        One frame of a message came.  However many it has, few pieces are kept.
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
        if pieces is not None and (self.state == OPEN or self._hears_all):
            self._on_message(b"".join(pieces), self.message_is_binary)

    def onPing(self, payload: bytes) -> None:
        # Over a full transport pongs would pile up (RFC 6455 section 5.5.3 asks for
        # one to the latest ping only).
        if not self._flooded() and not self._full:
            self.sendPong(payload)

    def onPong(self, payload: bytes) -> None:
        self._flooded()

    def onClose(self, wasClean: bool, code: int | None, reason: str | None) -> None:
        pass  # connectionLost says it

    def failHandshake(
        self, reason: str, code: int = 400, responseHeaders: Any = None
    ) -> None:
        """
        Refuse to become a WebSocket, in JSON.
        """
        refuse(self, code, reason, responseHeaders or ())
        self.dropConnection()

    def onCloseFrame(self, code: int | None, reasonRaw: bytes | None) -> bool | None:
        self._why = self._why or f"closed by the client with {code or 1005}"
        done: bool | None = super().onCloseFrame(code, reasonRaw)
        return done

    def dropConnection(self, abort: bool = False) -> None:
        self._looks = 0
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
        self._looks = -9 * self.factory.closing_looks if self._hears_all else 0
        self._say_goodbye(int(code), reason.encode()[:_REASON_BYTES])
        if self._held:
            self.resume()

    def pause(self) -> None:
        if not self._held and self.state == OPEN:
            self._held = True
            self.transport.pauseProducing()

    def resume(self) -> None:
        if not self._held:
            return
        self._held, self._looks = False, 0
        self.transport.resumeProducing()
        if self.data:
            self.dataReceived(b"")

    # -------------------------------------------------------- called by Sweep

    def looked_at(self) -> None:
        self._looks += 1
        self._small = 0
        if self.state != OPEN:
            if self._looks >= self.factory.closing_looks:
                self.abort(self._why or "close timeout")
        elif self._looks == PING_LOOK:
            self.transport.write(PING)
            self._moves()
        elif self._looks >= DEAD_LOOK:
            if self._moves():
                self._looks = PING_LOOK
            else:
                self.abort(Close.NO_PONG.name.lower())

    # -------------------------------------------------------------------- ours

    def _on_open(self) -> None:
        subprotocol, identity, claimed_user = self.__dict__["agreed"]
        self._binary = subprotocol.is_binary
        self._forget()
        self._session = subprotocol.open(self, identity, claimed_user)
        self.transport.registerProducer(self, True)

    def _moves(self) -> bool:
        """
        Whether a client that we did not hear is there all the same.

        Its answer to a ping cannot be here while the ping is still under way behind
        other data, and not while we do not read; then it is enough that the other
        end's kernel takes what we write.
        """
        now = progress(self.transport)
        if now is None:
            return self._held
        before, self._acknowledged = self._acknowledged, now.acknowledged
        if now.pending:
            return now.acknowledged > before
        return self._held

    def _say_goodbye(self, code: int, reason: bytes) -> None:
        self.factory.writes.flush(self.transport)
        self.sendCloseFrame(code, reason)

    def _forget(self) -> None:
        """
        Drop what only the handshake needed: all that is not in C{__slots__}.  What
        Autobahn still asks for then has its first value, from the class.
        """
        del self.__dict__

    def _on_message(self, data: bytes, binary: bool) -> None:
        if binary is not self._binary and not self._hears_all:
            want = "binary" if self._binary else "text"
            self._end(Close.UNSUPPORTED, f"this subprotocol has {want} messages")
        elif not self._binary and not is_utf8(data):
            self._end(Close.BAD_TEXT, "the text is not UTF-8")
        elif self._session is not None:
            self._session.received(data, binary)

    @property
    def _hears_all(self) -> bool:
        """
        Whether all that it sent is taken, and so its end waited for ten times as long.
        """
        return self._session is not None and self._session.reads_to_end

    def _flooded(self) -> bool:
        """
        Count one more, and say whether it is too many.
        """
        self._small += 1
        if self._small == _MOST_SMALL:
            self._end(Close.RATE_LIMITED, "too many pings or fragments at once")
        return self._small >= _MOST_SMALL

    def _end(self, code: int, reason: str) -> None:
        """
        The client broke the rules of RFC 6455: say so, and hear it no more.
        """
        self.failedByMe, self._why = True, close_name(code)
        self._looks, self._held = 0, False
        self._say_goodbye(int(code), reason.encode()[:_REASON_BYTES])
        self._lose(self._why)
        # The client's own closing ends it; closing now could reset the connection
        # before our reason is read.
        self.transport.loseWriteConnection()

    def _fail(self, doing: str) -> None:
        """
        A bug of ours, for the log; the client may reconnect.
        """
        self._log.failure("{doing} at {address}", doing=doing, address=self.address)
        if self.state == OPEN:
            self._end(Close.BUG, "internal error")
        else:
            self.abort("bug")

    def abort(self, why: str) -> None:
        """
        End it at once.
        """
        self._why = why
        self.state = CLOSED
        self.transport.abortConnection()
        self._lose(why)

    def _lose(self, why: str) -> None:
        session, self._session = self._session, None
        if session is not None:
            session.lost(why)
