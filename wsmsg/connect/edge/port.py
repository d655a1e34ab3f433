"""
One TCP port for WebSockets and HTTP.

The L{Sniffer} reads the head of the first request, bounded in bytes and in time, and
decides by it which protocol serves the connection.  It hands over the transport with
the bytes that it read, and nothing of this module remains on the connection.  A proxy
may use a connection for one request after another: one for a WebSocket that twisted.web
receives goes back to a L{Sniffer}::

    transport --- Sniffer ---.--> WebSocketConnection   GET /api/v1/connect/ws
                     ^       `--> twisted.web           everything else
                     `----------------' a later request for a WebSocket
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IAddress, IProtocol, ITransport
from twisted.internet.protocol import Protocol, ServerFactory, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure

from wsmsg.connect.edge.admission import Admission
from wsmsg.connect.edge.heartbeat import HeartbeatSweep
from wsmsg.errors import BadRequest, WsmsgError
from wsmsg.http.errors import handshake_conventions, raw_error
from wsmsg.http.server.targets import Upgrade, origin_form

WEBSOCKET_PATH = b"/api/v1/connect/ws"
HEAD_BYTES = 8192
HEAD_S = 5.0

#: The most refused connections that wait for their answer; others are closed at once.
_REFUSALS = 64
_END = b"\r\n\r\n"

#: Makes a protocol for an address.  When the protocol loses its connection, it calls
#: L{Admission.release}.
Build = Callable[[str], IProtocol]

#: Likewise; the L{Upgrade} takes over a connection with a request for a WebSocket.
BuildHttp = Callable[[str, Upgrade], IProtocol]


class Sniffer(Protocol):
    """
    Reads the head of a request, then hands over its transport.
    """

    _log = Logger()

    __slots__ = (
        "_address",
        "_admitted",
        "_bucket",
        "_head",
        "_port",
        "_refused",
        "_ticks",
    )

    def __init__(self, port: Port, address: str, refused: WsmsgError | None) -> None:
        self._port = port
        self._admitted = refused is None
        self._address = address
        self._refused = refused
        self._head = b""
        self._ticks = self._bucket = 0

    def connectionMade(self) -> None:
        self._bucket = self._port.sweep.add(self)

    def dataReceived(self, data: bytes) -> None:
        try:
            self._data_received(data)
        except Exception:  # noqa: BLE001 - a guard
            self._log.failure("reading the head of a request")
            self._abort()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._port.sweep.discard(self, self._bucket)
        self._port.connection_lost(self._address, not self._admitted)

    def tick(self) -> None:
        self._ticks += 1
        if self._ticks >= self._port.head_ticks:
            self._abort()

    def ask(self) -> None:
        """
        Ask nothing: there is no session.
        """

    @property
    def is_asked(self) -> bool:
        return False

    def _data_received(self, data: bytes) -> None:
        self._head += data
        if self._refused is not None:
            self._refuse(self._refused)
            return
        end = self._head.find(_END)
        if end < 0 and len(self._head) <= HEAD_BYTES:
            if not self._head[:1].isalpha():
                self._answer(raw_error(BadRequest("this is not HTTP")))
        elif not 0 <= end <= HEAD_BYTES:
            error = BadRequest(f"the head is longer than {HEAD_BYTES} bytes")
            self._answer(raw_error(error, 431))
        elif self._wants_websocket():
            refused = self._admit_handshake()
            if refused is None:
                self._hand_over(self._port.build_websocket(self._address))
            else:
                self._refuse(refused)
        else:
            self._hand_over(self._port.build_http(self._address, self._port))

    def _admit_handshake(self) -> WsmsgError | None:
        admission = self._port.admission
        client = admission.proxies.client_of(self._address, self._head)
        if client != self._address:
            refused = admission.move(self._address, client)
            if refused is not None:
                return refused
            self._address = client
        return admission.admit_handshake(self._address)

    def _wants_websocket(self) -> bool:
        method, _, rest = self._head.partition(b"\r\n")[0].partition(b" ")
        return self._port.wants(method, rest.partition(b" ")[0])

    def _hand_over(self, protocol: IProtocol) -> None:
        transport, self.transport = self.transport, None
        assert transport is not None
        self._port.sweep.discard(self, self._bucket)
        head, self._head = self._head, b""
        transport.protocol = protocol  # type: ignore[attr-defined]
        protocol.makeConnection(transport)
        protocol.dataReceived(head)

    def _refuse(self, error: WsmsgError) -> None:
        conventions = handshake_conventions(self._head)
        self._answer(raw_error(error, conventions=conventions))

    def _answer(self, data: bytes) -> None:
        assert self.transport is not None
        self._head = b""
        self.transport.write(data)
        self.transport.loseConnection()

    def _abort(self) -> None:
        if self.transport is not None:
            self.transport.abortConnection()  # type: ignore[attr-defined]


class Port(ServerFactory):
    """
    The factory behind the public port.

    @param build_websocket: makes the protocol of a WebSocket.
    @param build_http: makes the protocol of HTTP:
        L{wsmsg.http.server.site.QuietSite.build}.
    """

    noisy = False

    def __init__(
        self,
        admission: Admission,
        sweep: HeartbeatSweep,
        *,
        build_websocket: Build,
        build_http: BuildHttp,
    ) -> None:
        self.admission = admission
        self.sweep = sweep
        self.build_websocket = build_websocket
        self.build_http = build_http
        self._refusals = 0

    def logPrefix(self) -> str:
        return "public port"

    @property
    def head_ticks(self) -> int:
        return self.sweep.ticks(HEAD_S)

    def buildProtocol(self, addr: IAddress | None) -> Sniffer | None:
        address, admission = getattr(addr, "host", "") or "local", self.admission
        refused = admission.admit(address)
        if refused is not None:
            if self._refusals >= _REFUSALS:
                return None
            self._refusals += 1
        elif not admission.hear(address):
            admission.release(address)
            return None
        return Sniffer(self, address, refused)

    def wants(self, method: bytes, target: bytes) -> bool:
        """
        Return whether a request line is that of a WebSocket's handshake.
        """
        path = origin_form(target).partition(b"?")[0]
        return method == b"GET" and path == WEBSOCKET_PATH

    def take_over(self, transport: ITransport, address: str, data: bytes) -> None:
        """
        Take a connection back from HTTP, at a handshake.
        """
        sniffer = Sniffer(self, address, None)
        transport.protocol = sniffer  # type: ignore[attr-defined]
        sniffer.makeConnection(transport)  # type: ignore[no-untyped-call]
        sniffer.dataReceived(data)

    def connection_lost(self, address: str, was_refused: bool) -> None:
        """
        Forget a connection that was lost before it was handed over.
        """
        if was_refused:
            self._refusals -= 1
        else:
            self.admission.release(address)
