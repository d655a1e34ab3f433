"""
The half of a WebSocket that writes, and ends the connection.

::

    opening --handshake--> open --a Close of either side--> closing --> closed
                             `-- a violation: half closed, reads no more --^

Twisted's C{transport.write} arms the selector, waits for the next turn of the reactor,
writes, and disarms the selector: three times the cost of the C{send} itself.  A message
causes two or three frames, mostly in the same turn and to sockets that accept them at
once.  So L{TurnWrites} joins them and passes them to the kernel directly.  Only what
the kernel does not accept goes to C{transport.write}, with its back-pressure.

Nothing follows a Close: what waits in the session's outbox is written before it.  A
connection that is ending has C{close_timeout_s}, from when the client has received the
last byte, and ten times as much altogether.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twisted.internet.interfaces import IPushProducer
from twisted.internet.protocol import Protocol
from twisted.logger import Logger
from zope.interface import implementer

from wsmsg.connect.edge.interface import DEAD_TICK, PING_TICK
from wsmsg.connect.session.interface import ISession
from wsmsg.connect.websocket.frames import PING, PONG, close_frame, control_frame
from wsmsg.connect.websocket.tcp_info import tcp_progress
from wsmsg.errors import Close

if TYPE_CHECKING:
    from wsmsg.connect.websocket.factory import WebSocketConnections

#: The number of frames of one connection that are written before the end of the turn.
_MOST_PIECES = 16
#: The maximum of bytes that are passed to the kernel directly.
_MOST_BYTES = 65536

_PING = control_frame(PING)

#: Calls a function at the end of the reactor turn.
Soon = Callable[[Callable[[], None]], object]

# The states, in their order.
OPENING, OPEN, CLOSING, FAILED, CLOSED = range(5)


@implementer(IPushProducer)
class WebSocketOutput(Protocol):
    """
    The half that writes.  The other half is
    L{wsmsg.connect.websocket.connection.WebSocketConnection}.

    @ivar address: the address of the client, for limits and logs.
    @ivar _full: whether the transport takes no more for now.
    @ivar _held: whether the session takes no more for now.
    @ivar _unread: whether the transport is not read, because so much waits for the
        session.
    @ivar _pong: the payload of the last ping, until it is answered.
    @ivar _controls: pings and pongs since the last tick.
    """

    _log = Logger()

    __slots__ = (
        "_acknowledged",
        "_bucket",
        "_controls",
        "_full",
        "_held",
        "_pong",
        "_session",
        "_state",
        "_ticks",
        "_ticks_left",
        "_unread",
        "_why",
        "address",
        "connected",
        "factory",
        "transport",
    )

    factory: WebSocketConnections
    transport: Any

    def __init__(self, factory: WebSocketConnections, address: str) -> None:
        self.factory = factory
        self.address = address
        self._state = OPENING
        self._session: ISession | None = None
        self._why = ""
        self._ticks = self._ticks_left = self._bucket = 0
        self._acknowledged = self._controls = 0
        self._full = self._held = self._unread = False
        self._pong: bytes | None = None

    # ------------------------------------------------------ called by Twisted

    def connectionMade(self) -> None:
        self._bucket = self.factory.sweep.add(self)

    def pauseProducing(self) -> None:
        self._full = True
        if self._session is not None:
            self._session.outbox.pauseProducing()

    def resumeProducing(self) -> None:
        self._full = False
        try:
            self._write_pong()
            if self._session is not None:
                self._session.outbox.resumeProducing()
        except Exception:  # noqa: BLE001 - a guard
            self._fail("writing to a client")

    def stopProducing(self) -> None:
        if self._session is not None:
            self._session.outbox.stopProducing()

    # --------------------------------------------------- called by the session

    def write_encoded(self, data: bytes) -> None:
        if self._state == OPEN:
            self.factory.writes.write(self.transport, data)

    def abort(self, why: str) -> None:
        """
        End the connection at once.
        """
        self._why, self._state = why, CLOSED
        self.transport.abortConnection()
        self._lose(why)

    # -------------------------------------------------------- called by the heartbeat

    def tick(self) -> None:
        self._ticks += 1
        self._controls = 0
        if self._state != OPEN:
            self._tick_ending()
        elif self._ticks < PING_TICK:
            return
        elif self._ticks == PING_TICK:
            self._ping()
        elif self._ticks == PING_TICK + 1:
            self._is_alive()  # note how far it is; most have answered by now
        elif self._ticks >= DEAD_TICK:
            if self._is_alive():
                self._ticks = PING_TICK
            else:
                self.abort(Close.NO_PONG.name.lower())

    def ask(self) -> None:
        if self._state == OPEN:
            self._ticks = PING_TICK
            self._ping()

    @property
    def is_asked(self) -> bool:
        return self._state == OPEN and self._ticks >= PING_TICK

    def _ping(self) -> None:
        self.factory.writes.write(self.transport, _PING)

    def _tick_ending(self) -> None:
        self._ticks_left -= 1
        if self._is_alive():
            self._ticks = 0
        if self._ticks >= self.factory.closing_ticks or self._ticks_left <= 0:
            self.abort(self._why or "close timeout")

    def _is_alive(self) -> bool:
        """
        Return whether a client that sends nothing is alive all the same.

        The pong cannot have arrived while the ping is still queued behind other data,
        or while the connection is not read.  Then it suffices that the client's kernel
        accepts what is written.
        """
        now = tcp_progress(self.transport)
        if now is None:
            return self._unread
        before, self._acknowledged = self._acknowledged, now.acknowledged
        if now.pending:
            return now.acknowledged > before
        return self._unread

    # ---------------------------------------------------------------- internals

    def _write_pong(self) -> None:
        """
        Answer the last ping; those before it need no answer (RFC 6455 section 5.5.3).
        """
        payload, self._pong = self._pong, None
        if payload is not None and self._state == OPEN:
            self.factory.writes.write(self.transport, control_frame(PONG, payload))

    def _send_close(self, code: int, reason: str, state: int) -> None:
        self._write_pong()
        self.factory.writes.flush(self.transport)
        self.transport.write(close_frame(int(code), reason))
        self._begin_end(state)

    def _begin_end(self, state: int) -> None:
        """
        Enter a state that is limited in time, and read what the client still sends.
        """
        # With a producer, a full transport would wait for more to write, and not close.
        self.transport.unregisterProducer()
        self._state, self._ticks = state, 0
        self._ticks_left = self.factory.most_closing_ticks
        self._held = False
        if self._unread:
            self._unread = False
            self.transport.resumeProducing()
        self._is_alive()

    def _drop(self) -> None:
        """
        Close the connection when everything is written.
        """
        self._begin_end(CLOSED)
        self.transport.loseConnection()
        self._lose(self._why or "dropped")

    def _end(self, code: int, reason: str) -> None:
        """
        Close the connection because the client violated RFC 6455; read no more.
        """
        if self._state != OPEN:
            self._drop()  # The client has its Close already.
            return
        self._why = close_name(code)
        self._lose(self._why)
        self._send_close(code, reason, FAILED)
        # The client closes the connection.  Closing it here could reset it before the
        # client has read the reason.
        self.transport.loseWriteConnection()

    def _fail(self, doing: str) -> None:
        """
        Log a bug, and end the connection; the client may reconnect.
        """
        self._log.failure("{doing} at {address}", doing=doing, address=self.address)
        if self._state == OPEN:
            self._end(Close.BUG, "internal error")
        else:
            self.abort("bug")

    def _lose(self, why: str) -> None:
        """
        Tell the session that it has ended; it writes what waits in its outbox.
        """
        session, self._session = self._session, None
        if session is not None:
            session.lost(why)


def close_name(code: int) -> str:
    """
    Return the name of a close code, as in logs and metrics.
    """
    return Close(code).name.lower()


class TurnWrites:
    """
    The writes of one reactor turn, of all connections.
    """

    _log = Logger()

    def __init__(self, soon: Soon) -> None:
        self._soon = soon
        self._waiting: dict[Any, list[bytes]] = {}

    def write(self, transport: Any, data: bytes) -> None:
        """
        Write complete frames, at the latest at the end of the turn.
        """
        waiting = self._waiting
        pieces = waiting.get(transport)
        if pieces is not None:
            pieces.append(data)
            if len(pieces) >= _MOST_PIECES:
                self.flush(transport)
            return
        if len(data) > _MOST_BYTES:
            transport.write(data)
            return
        first = not waiting
        waiting[transport] = [data]
        if first:
            self._soon(self._end)

    def flush(self, transport: Any) -> None:
        """
        Write the frames of one connection now, because something else will follow.
        """
        pieces = self._waiting.pop(transport, None)
        if pieces:
            _write(transport, pieces)

    def _end(self) -> None:
        waiting, self._waiting = self._waiting, {}
        for transport, pieces in waiting.items():
            try:
                _write(transport, pieces)
            except Exception:  # noqa: BLE001
                # The frames of the other connections are in no other place.
                self._log.failure("a connection that cannot be written to is aborted")
                transport.abortConnection()


def _write(transport: Any, pieces: list[bytes]) -> None:
    data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
    if len(data) > _MOST_BYTES or not _is_idle(transport):
        transport.write(data)
        return
    # Returns the number of bytes that the kernel accepted, or an exception: then the
    # connection is lost, and the transport will notice.
    taken = transport.writeSomeData(data)
    if not isinstance(taken, int):
        transport.write(data)
    elif taken < len(data):
        transport.write(data[taken:])


def _is_idle(transport: Any) -> bool:
    """
    Return whether nothing waits in the transport, so that bypassing it keeps the order.

    Twisted keeps what waits in C{dataBuffer} and C{_tempDataBuffer}.  A transport of
    another kind, as in tests, has neither, and is never bypassed.
    """
    return (
        getattr(transport, "_tempDataBuffer", True) == []
        and not transport.dataBuffer
        and bool(transport.connected)
    )
