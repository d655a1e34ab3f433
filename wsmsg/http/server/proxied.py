"""
A site behind a proxy that speaks the PROXY protocol::

    transport --- HeaderReader ---> CountedChannel, with the address of the client

The reader hands over the transport with the bytes that follow the header, and nothing
of it remains on the connection.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IAddress, IDelayedCall, ITransport
from twisted.internet.protocol import Protocol, ServerFactory, connectionDone
from twisted.python.failure import Failure

from wsmsg.http.proxies import Proxies, read_proxy_header
from wsmsg.http.server.site import QuietSite

#: Called with the address of a connection that is refused, and the reason.
Refused = Callable[[str, str], object]


class HeaderReader(Protocol):
    """
    Reads the header of the PROXY protocol in front of a connection.
    """

    def __init__(self, site: ProxiedSite, address: str) -> None:
        self._site = site
        self._address = address
        self._data = b""
        self._late: IDelayedCall | None = None

    def connectionMade(self) -> None:
        self._late = self._site.watch(self, self._too_slow)

    def dataReceived(self, data: bytes) -> None:
        if self._late is None:
            return  # refused
        self._data += data
        try:
            found = read_proxy_header(self._data)
        except ValueError as e:
            self._site.refused(self._address, str(e))
            self._abort()
            return
        if found is None:
            return
        self._end()
        channel = self._site.site.build(found.address or self._address)
        transport, self.transport = self.transport, None
        transport.protocol = channel  # type: ignore[union-attr]
        channel.makeConnection(transport)
        if rest := self._data[found.length :]:
            channel.dataReceived(rest)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._end()

    def _too_slow(self) -> None:
        self._late = None
        self._site.refused(self._address, "the header did not arrive in time")
        self._abort()

    def _abort(self) -> None:
        self._end()
        transport: ITransport | None = self.transport
        if transport is not None:
            transport.abortConnection()  # type: ignore[attr-defined]

    def _end(self) -> None:
        late, self._late = self._late, None
        if late is not None:
            late.cancel()
        self._site.forget(self)


class ProxiedSite(ServerFactory):
    """
    The factory of a listener whose connections begin with a header of the PROXY
    protocol, version 1 or 2.

    @param proxies: returns who may connect.
    """

    noisy = False

    def __init__(
        self, site: QuietSite, proxies: Callable[[], Proxies], refused: Refused
    ) -> None:
        self.site = site
        self.refused = refused
        self._proxies = proxies
        self._reading: set[HeaderReader] = set()

    def __len__(self) -> int:
        return len(self._reading)

    def __bool__(self) -> bool:
        return True

    def logPrefix(self) -> str:
        return self.site.logPrefix()

    def buildProtocol(self, addr: IAddress | None) -> HeaderReader | None:
        address = getattr(addr, "host", "") or "local"
        if address != "local" and not self._proxies().trust(address):
            reason = "is not in proxies, and the PROXY protocol is expected"
            self.refused(address, reason)
            return None
        if len(self._reading) >= self.site.limits().connections:
            self.refused(address, "there are too many connections")
            return None
        return HeaderReader(self, address)

    def watch(self, reader: HeaderReader, late: Callable[[], object]) -> IDelayedCall:
        """
        Count a connection whose header is awaited.

        @param late: called if it is awaited for too long.
        """
        self._reading.add(reader)
        return self.site.clock.callLater(self.site.limits().receive_s, late)

    def forget(self, reader: HeaderReader) -> None:
        """
        Count the connection no more.
        """
        self._reading.discard(reader)
