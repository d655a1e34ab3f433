"""
A connection of HTTP, bounded in time.

Head and body of a request have a time in which both have to arrive, even if they arrive
a byte at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.interfaces import IDelayedCall
from twisted.python.failure import Failure
from twisted.web import http

from wsmsg.errors import RateLimited, Stale, Unavailable, WsmsgError
from wsmsg.http.errors import raw_error
from wsmsg.http.server.single import SINGLE, more_than_one
from wsmsg.http.server.targets import Upgrade

# How long data that follows a refusal is read and dropped.
_LINGER_S = 2.0

# As Any: what twisted.web declares contradicts what it lets subclasses do.
_http: Any = http


class CountedChannel(_http.HTTPChannel):  # type: ignore[misc]
    """
    A connection, with a time limit for the arrival of each request.

    @ivar address: of the client.
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

    def headerReceived(self, line: bytes) -> bool:
        name = line.partition(b":")[0].lower()
        if name in SINGLE and self.requests[-1].requestHeaders.hasHeader(name):
            self.end_with(more_than_one(name))
            return False
        received: bool = super().headerReceived(line)
        return received

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
