"""
The HTTP server: limits on what a connection may cost.

A request is bounded before it is kept: its body in bytes, and head and body in the time
until both have arrived.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import attrs
from twisted.internet.interfaces import IAddress, IReactorTime
from twisted.web import server
from twisted.web.resource import IResource

from wsmsg.http.server.bodies import Bodies
from wsmsg.http.server.channel import CountedChannel
from wsmsg.http.server.rates import RequestRates
from wsmsg.http.server.request import BoundedRequest
from wsmsg.http.server.targets import Upgrade

# As Any: what twisted.web declares contradicts what it lets subclasses do.
_server: Any = server


class SiteLimits(Protocol):
    """
    Limits of a listener: L{wsmsg.settings.http.HttpSettings} has them.

    @ivar body_bytes: the length of a body.
    @ivar receive_s: the time in which a request has to arrive.
    @ivar connections: the number of connections.
    """

    @property
    def body_bytes(self) -> int: ...

    @property
    def receive_s(self) -> float: ...

    @property
    def connections(self) -> int: ...


@attrs.frozen
class FixedLimits:
    """
    L{SiteLimits} that no setting changes.
    """

    body_bytes: int
    receive_s: float
    connections: int


class QuietSite(_server.Site):  # type: ignore[misc]
    """
    A listener's HTTP server.  It logs no requests: that is for a proxy in front.

    @param limits: returns the limits as they are now.
    @param name: the purpose of the listener, for the log.
    @param idle_s: how long a connection may be silent between requests.
    @param on_closed: called with each connection that closed.
    @param rates: of the requests from each address; L{None}: without limit.
    """

    displayTracebacks = False
    noisy = False
    protocol = CountedChannel

    def __init__(
        self,
        root: IResource,
        clock: IReactorTime,
        limits: Callable[[], SiteLimits],
        *,
        name: str = "HTTP listener",
        idle_s: float = 60.0,
        on_closed: Callable[[CountedChannel], object] = lambda channel: None,
        rates: RequestRates | None = None,
    ) -> None:
        super().__init__(
            root, requestFactory=BoundedRequest, timeout=idle_s, reactor=clock
        )
        self.clock = clock
        self.limits = limits
        self._name = name
        self._on_closed = on_closed
        self.rates = rates
        self._channels: set[CountedChannel] = set()
        self.bodies = Bodies()

    def __len__(self) -> int:
        return len(self._channels)

    def __bool__(self) -> bool:
        return True

    def logPrefix(self) -> str:
        return self._name

    def buildProtocol(self, addr: IAddress | None) -> CountedChannel:
        channel: CountedChannel = super().buildProtocol(addr)
        channel.accepted(getattr(addr, "host", ""), None)
        return channel

    def build(self, address: str, upgrade: Upgrade | None = None) -> CountedChannel:
        """
        Return the protocol for a connection that another protocol has accepted.

        @param upgrade: takes the connection over at a request that is for it.
        """
        channel = self.buildProtocol(None)
        channel.accepted(address, upgrade)
        return channel

    def opened(self, channel: CountedChannel) -> bool:
        """
        Count a connection.

        @return: whether it is within the limit.
        """
        self._channels.add(channel)
        return len(self._channels) <= self.limits().connections

    def closed(self, channel: CountedChannel) -> None:
        """
        Forget a connection.
        """
        self.bodies.release(channel)
        self._channels.discard(channel)
        self._on_closed(channel)

    def left(self, channel: CountedChannel) -> None:
        """
        Forget a connection that another protocol has taken over.
        """
        self._channels.discard(channel)

    def close_all(self) -> None:
        """
        Abort all connections.
        """
        for channel in list(self._channels):
            channel.transport.abortConnection()

    def log(self, request: Any) -> None:
        pass
