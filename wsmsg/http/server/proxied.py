"""
A listener behind a proxy that speaks the PROXY protocol::

    transport --- HeaderReader ---> the protocol of the listener, with or without TLS

Proxies send the header before all else, so also before the handshake of TLS that passes
through them.  The reader hands over the transport with the bytes that follow the
header, and nothing of it remains on the connection.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import (
    IAddress,
    IDelayedCall,
    IProtocolFactory,
    IReactorTime,
    ITransport,
)
from twisted.internet.protocol import Protocol, ServerFactory, connectionDone
from twisted.python.failure import Failure

from wsmsg.http.proxies import Proxies, read_proxy_header

#: The time in which a header has to arrive.
HEADER_S = 5.0

#: Called with the address of a connection that is refused, and the reason.
Refused = Callable[[str, str], object]


class HeaderReader(Protocol):
    """
    Reads the header of the PROXY protocol in front of a connection.
    """

    def __init__(self, factory: ProxiedFactory, peer: IAddress | None) -> None:
        self._factory = factory
        self._peer = peer
        self._data = b""
        self._late: IDelayedCall | None = None

    def connectionMade(self) -> None:
        self._late = self._factory.watch(self, self._too_slow)

    def dataReceived(self, data: bytes) -> None:
        if self._late is None:
            return  # refused
        self._data += data
        try:
            found = read_proxy_header(self._data)
        except ValueError as e:
            self._refuse(str(e))
            return
        if found is None:
            return
        self._end()
        client = _address(found.address) if found.address else self._peer
        protocol = self._factory.wrapped.buildProtocol(client)
        if protocol is None:
            self.abort()
            return
        transport, self.transport = self.transport, None
        transport.protocol = protocol  # type: ignore[union-attr]
        protocol.makeConnection(transport)
        if rest := self._data[found.length :]:
            protocol.dataReceived(rest)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._end()

    def abort(self) -> None:
        """
        End the connection.
        """
        self._end()
        transport: ITransport | None = self.transport
        if transport is not None:
            transport.abortConnection()  # type: ignore[attr-defined]

    def _too_slow(self) -> None:
        self._late = None
        self._refuse("the header did not arrive in time")

    def _refuse(self, reason: str) -> None:
        self._factory.refused(_host(self._peer), reason)
        self.abort()

    def _end(self) -> None:
        late, self._late = self._late, None
        if late is not None:
            late.cancel()
        self._factory.forget(self)


class ProxiedFactory(ServerFactory):
    """
    The factory of a listener whose connections begin with a header of the PROXY
    protocol, version 1 or 2.  The listener's own factory is given the address of the
    client in place of the proxy's.

    @param wrapped: the listener's own factory, which has TLS if the listener does.
    @param proxies: returns who may connect.
    @param refused: told of each connection that is refused.
    @param room: returns for how many more connections there is room.
    """

    noisy = False

    def __init__(
        self,
        wrapped: IProtocolFactory,
        clock: IReactorTime,
        *,
        proxies: Callable[[], Proxies],
        refused: Refused,
        room: Callable[[], int],
    ) -> None:
        self.wrapped: Any = wrapped
        self.refused = refused
        self._clock = clock
        self._proxies = proxies
        self._room = room
        self._reading: set[HeaderReader] = set()

    def __len__(self) -> int:
        return len(self._reading)

    def __bool__(self) -> bool:
        return True

    def logPrefix(self) -> str:
        prefix: str = self.wrapped.logPrefix()
        return prefix

    def startFactory(self) -> None:
        self.wrapped.doStart()

    def stopFactory(self) -> None:
        self.wrapped.doStop()
        for reader in list(self._reading):
            reader.abort()

    def buildProtocol(self, addr: IAddress | None) -> HeaderReader | None:
        address = _host(addr)
        if address != _LOCAL and not self._proxies().trust(address):
            reason = "is not in proxies, and the PROXY protocol is expected"
            self.refused(address, reason)
            return None
        if len(self._reading) >= self._room():
            self.refused(address, "there are too many connections")
            return None
        return HeaderReader(self, addr)

    def watch(self, reader: HeaderReader, late: Callable[[], object]) -> IDelayedCall:
        """
        Count a connection whose header is awaited.

        @param late: called if it is awaited for too long.
        """
        self._reading.add(reader)
        return self._clock.callLater(HEADER_S, late)

    def forget(self, reader: HeaderReader) -> None:
        """
        Count the connection no more.
        """
        self._reading.discard(reader)


#: The address of a connection over a unix socket.
_LOCAL = "local"


def _host(address: IAddress | None) -> str:
    return getattr(address, "host", "") or _LOCAL


def _address(host: str) -> IAddress:
    # The port of the client is of no use to anybody here.
    return IPv6Address("TCP", host, 0) if ":" in host else IPv4Address("TCP", host, 0)
