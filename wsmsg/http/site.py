"""
The HTTP server: limits on what a connection may cost.

A request is bounded before it is kept: its body in bytes, and head and body in the time
until both have arrived, even if they arrive a byte at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from io import BytesIO
from typing import Any, Protocol

import attrs
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python.failure import Failure
from twisted.web import http, server
from twisted.web.resource import IResource

from wsmsg.errors import (
    BadRequest,
    RateLimited,
    Stale,
    TooLarge,
    Unavailable,
    WsmsgError,
)
from wsmsg.http.bodies import Bodies
from wsmsg.http.errors import raw_error
from wsmsg.http.rates import RequestRates
from wsmsg.http.targets import Upgrade, authority, origin_form

# How long data that follows a refusal is read and dropped.
_LINGER_S = 2.0

# As Any: what twisted.web declares contradicts what it lets subclasses do.
_server: Any = server
_http: Any = http


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


class BoundedRequest(_server.Request):  # type: ignore[misc]
    """
    A request whose body is bounded.
    """

    _received = 0
    _types: Sequence[bytes] = ()

    def gotLength(self, length: int | None) -> None:
        self.content = BytesIO()
        if length is not None and length > self.channel.site.limits().body_bytes:
            self._too_large()

    def handleContentChunk(self, data: bytes) -> None:
        before, self._received = self._received, self._received + len(data)
        limit = self.channel.site.limits().body_bytes
        if self._received <= limit:
            super().handleContentChunk(data)
            self.channel.site.bodies.hold(self.channel, self._received, limit)
        elif before <= limit:
            self._too_large()

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:
        if self.channel.ended:
            return
        self.channel.request_arrived()
        if len(self.requestHeaders.getRawHeaders(b"host", [])) > 1:
            self.channel.end_with(BadRequest("there is more than one Host"))
            return
        forwarded = self.requestHeaders.getRawHeaders(b"x-forwarded-for", [])
        self.channel.in_turn(forwarded, lambda: self._in_turn(command, path, version))

    def _in_turn(self, command: bytes, path: bytes, version: bytes) -> None:
        # twisted.web parses no form: it would add fields to the arguments.
        self._types = self.requestHeaders.getRawHeaders(b"content-type", [])
        self.requestHeaders.removeHeader(b"content-type")
        if host := authority(path):
            self.requestHeaders.setRawHeaders(b"host", [host])
        super().requestReceived(command, origin_form(path), version)

    def process(self) -> None:
        self.requestHeaders.setRawHeaders(b"content-type", self._types)
        super().process()

    def render(self, resrc: Any) -> None:
        self.responseHeaders.removeHeader(b"server")
        super().render(resrc)

    def drop_body(self) -> None:
        """
        Keep nothing of the body.
        """
        self._received = 2**62
        self.content = BytesIO()

    def _too_large(self) -> None:
        limit = self.channel.site.limits().body_bytes
        self._received = 2**62
        self.channel.end_with(TooLarge(f"the body is over {limit} bytes"))


class CountedChannel(_http.HTTPChannel):  # type: ignore[misc]
    """
    A connection, with a time limit for the arrival of each request.

    @ivar address: of the other end, if L{QuietSite.build} was given it.
    @ivar upgrade: takes the connection over at a request that is for it, if any does.
    """

    address = ""
    upgrade: Upgrade | None = None
    ended = False
    transport: Any
    _dataBuffer: list[bytes]
    _timer: IDelayedCall | None = None
    _answering = False
    _turn: IDelayedCall | None = None
    _unread: IDelayedCall | None = None
    #: The time for the other end to read, once the connection is to be closed.
    abortTimeout = _LINGER_S

    def accepted(self, address: str, upgrade: Upgrade | None) -> None:
        """
        Note where the connection comes from, and what may take it over.
        """
        self.address, self.upgrade = address, upgrade

    def dataReceived(self, data: bytes) -> None:
        if self.ended:
            return
        if not self._answering:
            self._begin()
        super().dataReceived(data)

    def lineReceived(self, line: bytes) -> None:
        # twisted.web takes what follows a malformed request line for headers.
        if not self.ended and not self.transport.disconnecting:
            super().lineReceived(line)

    def allContentReceived(self) -> None:
        upgrade = self.upgrade
        if (
            upgrade is None
            or self.ended
            or not upgrade.wants(self._command, self._path)
        ):
            super().allContentReceived()
        else:
            self._leave(upgrade)

    def requestDone(self, request: Any) -> None:
        self._answering = False
        self.site.bodies.release(self)
        super().requestDone(request)
        if self.requests and not self._answering:
            self._begin()  # part of the next request has arrived

    @property
    def is_answering(self) -> bool:
        """
        True from when a request has arrived until it is answered.
        """
        return self._answering

    def request_arrived(self) -> None:
        """
        Stop the timer: the request has arrived.
        """
        self._answering = True
        self._cancel()

    def in_turn(self, forwarded: Sequence[bytes], go_on: Callable[[], None]) -> None:
        """
        Go on with a request that has arrived, when the rate of its address allows.
        """
        site, rates = self.site, self.site.rates
        now_s = site.clock.seconds()
        wait_s = 0.0 if rates is None else rates.wait_s(self.address, now_s, forwarded)
        if wait_s is None:
            reason = "there are too many requests from your address"
            self.end_with(RateLimited(reason, 1000))
        elif wait_s:
            self._turn = site.clock.callLater(wait_s, self._go_on, go_on)
        else:
            go_on()

    def _go_on(self, go_on: Callable[[], None]) -> None:
        self._turn = None
        go_on()

    def pauseProducing(self) -> None:
        # The transport is full: nobody reads the answers.
        super().pauseProducing()
        if self._unread is None:
            receive_s = self.site.limits().receive_s
            self._unread = self.site.clock.callLater(receive_s, self._not_read)

    def resumeProducing(self) -> None:
        self._cancel_unread()
        super().resumeProducing()

    def _cancel_unread(self) -> None:
        unread, self._unread = self._unread, None
        if unread is not None:
            unread.cancel()

    def _not_read(self) -> None:
        self._unread = None
        self.transport.abortConnection()

    def end_with(self, error: WsmsgError) -> None:
        """
        Refuse the request that is arriving, and close.  The rest of it is read and
        dropped: if data is left unread, the system resets the connection, and the
        client may never see the answer.
        """
        self.ended = True
        self._cancel()
        self.site.bodies.release(self)
        for request in self.requests:
            request.drop_body()
        self.transport.write(raw_error(error))
        self.transport.loseWriteConnection()
        self._timer = self.site.clock.callLater(_LINGER_S, self._abort)

    def connectionMade(self) -> None:
        super().connectionMade()
        if not self.site.opened(self):
            self.end_with(Unavailable("there are too many connections", 1000))
        else:
            self._begin()

    def connectionLost(self, reason: Failure) -> None:
        self._cancel()
        self._cancel_unread()
        turn, self._turn = self._turn, None
        if turn is not None:
            turn.cancel()
        self.site.closed(self)
        super().connectionLost(reason)

    def _leave(self, upgrade: Upgrade) -> None:
        """
        Hand the connection over, with the request that has arrived and what follows it.
        """
        headers = self.requests.pop().requestHeaders
        lines = [b"%s %s %s" % (self._command, self._path, self._version)]
        for name, values in headers.getAllRawHeaders():
            lines += [b"%s: %s" % (name, value) for value in values]
        following, self._dataBuffer = b"".join(self._dataBuffer), []
        following += self.clearLineBuffer()
        self.ended = True
        self._cancel()
        self._cancel_unread()
        self.setTimeout(None)
        transport, self.transport = self.transport, None
        transport.unregisterProducer()
        transport.resumeProducing()
        self.site.left(self)
        data = b"\r\n".join([*lines, b"", following])
        upgrade.take_over(transport, self.address, data)

    def _begin(self) -> None:
        if self._timer is None:
            receive_s = self.site.limits().receive_s
            self._timer = self.site.clock.callLater(receive_s, self._too_slow)

    def _cancel(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()

    def _abort(self) -> None:
        self._timer = None
        self.transport.abortConnection()

    def _too_slow(self) -> None:
        self._timer = None
        seconds = self.site.limits().receive_s
        self.end_with(Stale(f"the request did not arrive within {seconds:g} s"))


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

    def build(self, address: str, upgrade: Upgrade | None = None) -> CountedChannel:
        """
        Return the protocol for a connection that another protocol has accepted.

        @param upgrade: takes the connection over at a request that is for it.
        """
        channel: CountedChannel = self.buildProtocol(None)
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
