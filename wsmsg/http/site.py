"""
Message's public HTTP listener: what a connection may cost.

A request is bounded before it is kept: in its bytes, and in the time that it takes to
come in, however steadily it drips.
"""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from typing import Any

import msgspec
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python.failure import Failure
from twisted.web import http, server
from twisted.web.resource import Resource

from wsmsg.errors import Stale, TooLarge, Unavailable, WsmsgError
from wsmsg.http.forms import problem
from wsmsg.settings.http import HttpSettings

_IDLE_S = 60.0
# For how long what comes after a refusal is read.
_LINGER_S = 2.0

# As Any: what twisted.web declares contradicts what it lets subclasses do.
_server: Any = server
_http: Any = http


class _Request(_server.Request):  # type: ignore[misc]
    """
    A request whose body is bounded.
    """

    _received = 0

    def gotLength(self, length: int | None) -> None:
        self.content = BytesIO()
        if length is not None and length > self.channel.site.settings().body_bytes:
            self._too_large()

    def handleContentChunk(self, data: bytes) -> None:
        before, self._received = self._received, self._received + len(data)
        limit = self.channel.site.settings().body_bytes
        if self._received <= limit:
            super().handleContentChunk(data)
        elif before <= limit:
            self._too_large()

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:
        if self.channel.ended:
            return
        self.channel.whole()
        # A body is JSON whatever it is called, as curl does not call it so.
        self.requestHeaders.removeHeader(b"content-type")
        super().requestReceived(command, path, version)

    def render(self, resrc: Any) -> None:
        self.responseHeaders.removeHeader(b"server")
        super().render(resrc)

    def _too_large(self) -> None:
        limit = self.channel.site.settings().body_bytes
        self._received = 2**62
        self.channel.end_with(TooLarge(f"the body is over {limit} bytes"))


class _Channel(_http.HTTPChannel):  # type: ignore[misc]
    """
    A connection, with a time for each request to come in.
    """

    ended = False
    _timer: IDelayedCall | None = None
    _answering = False

    def dataReceived(self, data: bytes) -> None:
        if self.ended:
            return
        if not self._answering:
            self._begin()
        super().dataReceived(data)

    def lineReceived(self, line: bytes) -> None:
        # What follows a line that is no request would be taken for its headers.
        if not self.ended and not self.transport.disconnecting:
            super().lineReceived(line)

    def requestDone(self, request: Any) -> None:
        self._answering = False
        super().requestDone(request)
        if self.requests and not self._answering:
            self._begin()  # of the next one a part is here

    def whole(self) -> None:
        """
        A request has come in.
        """
        self._answering = True
        self._cancel()

    def end_with(self, error: WsmsgError) -> None:
        """
        Refuse what is coming in, and hang up; what still comes is not kept.  With data
        that was not read the system would take back the answer.
        """
        self.ended = True
        self._cancel()
        self.transport.write(_refusal(error))
        self.transport.loseWriteConnection()
        self._timer = self.site.clock.callLater(_LINGER_S, self._abort)

    def connectionMade(self) -> None:
        super().connectionMade()
        if not self.site.came(self):
            self.end_with(Unavailable("there are too many connections", 1000))

    def connectionLost(self, reason: Failure) -> None:
        self._cancel()
        self.site.gone(self)
        super().connectionLost(reason)

    def _begin(self) -> None:
        if self._timer is None:
            receive_s = self.site.settings().receive_s
            self._timer = self.site.clock.callLater(receive_s, self._slow)

    def _cancel(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()

    def _abort(self) -> None:
        self._timer = None
        self.transport.abortConnection()

    def _slow(self) -> None:
        self._timer = None
        seconds = self.site.settings().receive_s
        self.end_with(Stale(f"the request did not come in within {seconds:g} s"))


class PublicSite(_server.Site):  # type: ignore[misc]
    """
    The site of C{listen}.

    @param settings: gives them as they are now.
    """

    displayTracebacks = False
    noisy = False
    protocol = _Channel

    def __init__(
        self, root: Resource, clock: IReactorTime, settings: Callable[[], HttpSettings]
    ) -> None:
        super().__init__(root, requestFactory=_Request, timeout=_IDLE_S, reactor=clock)
        self.clock = clock
        self.settings = settings
        self._channels: set[_Channel] = set()

    def __len__(self) -> int:
        return len(self._channels)

    def __bool__(self) -> bool:
        return True

    def came(self, channel: _Channel) -> bool:
        """
        A connection opened.

        @return: whether it may stay.
        """
        self._channels.add(channel)
        return len(self._channels) <= self.settings().connections

    def gone(self, channel: _Channel) -> None:
        """
        It closed.
        """
        self._channels.discard(channel)

    def log(self, request: Any) -> None:
        pass  # a line a request is for the proxy in front


def _refusal(error: WsmsgError) -> bytes:
    document = problem(error)
    body = msgspec.json.encode(document) + b"\n"
    lines = [
        f"HTTP/1.1 {document.status} {document.title}",
        "Content-Type: application/problem+json; charset=utf-8",
        f"Content-Length: {len(body)}",
        "Connection: close",
    ]
    if error.retry:
        lines.append("Retry-After: 1")
    return "\r\n".join([*lines, "", ""]).encode("ascii") + body
