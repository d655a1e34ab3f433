"""
HTTP on the public port: C{online_status} and health.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from io import BytesIO
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web import http, server
from twisted.web.resource import IResource
from zope.interface import implementer

from wsmsg.auth.identity import Authenticate, read_user
from wsmsg.connect.edge.admission import Admission
from wsmsg.connect.edge.online_status import OnlineStatus, check_users
from wsmsg.errors import (
    BadRequest,
    Internal,
    NotFound,
    TooLarge,
    Unauthenticated,
    WsmsgError,
)
from wsmsg.http.raw import error_body, refusal

BODY_BYTES = 65536
IDLE_S = 10.0
NO_CONTENT = 204

#: What the deployed daemons have on every answer.
CORS = {
    b"access-control-allow-origin": b"*",
    b"access-control-allow-headers": b"*",
    b"access-control-allow-methods": b"*",
}

#: What answers a request with the value that becomes its JSON.
Page = Callable[[server.Request], Awaitable[object]]

# As Any: what twisted.web declares contradicts what it lets subclasses do.
_server: Any = server
_http: Any = http


class NotAllowed(WsmsgError):
    """
    The path is there, but not for this method.
    """

    code = "bad_request"
    http_status = 405
    close = None


class _Request(_server.Request):  # type: ignore[misc]
    """
    A request whose body is bounded before it is kept.
    """

    _received = 0

    def gotLength(self, length: int | None) -> None:
        self.content = BytesIO()
        if length is not None and length > BODY_BYTES:
            self._refuse_body()

    def handleContentChunk(self, data: bytes) -> None:
        self._received += len(data)
        if self._received <= BODY_BYTES:
            super().handleContentChunk(data)
        elif self._received - len(data) <= BODY_BYTES:
            self._refuse_body()

    def render(self, resrc: Any) -> None:
        self.responseHeaders.removeHeader(b"server")
        super().render(resrc)

    def _refuse_body(self) -> None:
        self._received = 2 * BODY_BYTES
        error = TooLarge(f"the body is over {BODY_BYTES} bytes")
        self.channel.transport.write(refusal(error))
        self.channel.loseConnection()


class _Channel(_http.HTTPChannel):  # type: ignore[misc]
    """
    A connection that tells when it is gone.
    """

    address = ""

    def lineReceived(self, line: bytes) -> None:
        # What follows a line that is no request would be taken for its headers.
        if not self.transport.disconnecting:
            super().lineReceived(line)

    def connectionLost(self, reason: Failure) -> None:
        self.site.closed(self)
        super().connectionLost(reason)


@implementer(IResource)
class Pages:
    """
    Every path there is.

    @param must_prove: whether C{online_status} needs a token: on a listener beyond
        loopback.
    """

    _log = Logger()

    isLeaf = True

    def __init__(
        self,
        online: OnlineStatus,
        clock: IReactorTime,
        *,
        authenticate: Authenticate,
        must_prove: bool,
    ) -> None:
        self._online = online
        self._clock = clock
        self._authenticate = authenticate
        self._must_prove = must_prove
        health: dict[bytes, Page] = {b"GET": self._health, b"HEAD": self._health}
        self._pages: dict[bytes, dict[bytes, Page]] = {
            b"/healthz": health,
            b"/health": health,
            b"/api/v1/connect/online_status": {b"POST": self._online_status},
        }

    def getChildWithDefault(self, name: bytes, request: server.Request) -> Pages:
        return self

    def putChild(self, path: bytes, child: IResource) -> None:
        raise TypeError("the paths are fixed")

    def render(self, request: server.Request) -> int:
        answering = Deferred.fromCoroutine(self._answer(request))
        gone = request.notifyFinish()
        gone.addErrback(lambda _: answering.cancel())
        return server.NOT_DONE_YET

    async def _answer(self, request: server.Request) -> None:
        try:
            body = _document(await self._page(request)(request))
        except CancelledError:
            return  # nobody waits any more
        except WsmsgError as e:
            request.setResponseCode(e.http_status)
            body = error_body(e.code, e.reason)
        except Exception:  # noqa: BLE001 - a guard
            self._log.failure("answering {path}", path=request.path)
            request.setResponseCode(Internal.http_status)
            body = error_body(Internal.code, "internal error")
        for name, value in CORS.items():
            request.setHeader(name, value)
        if request.code != NO_CONTENT:
            request.setHeader(b"content-type", b"application/json; charset=utf-8")
            request.setHeader(b"content-length", str(len(body)).encode())
            request.write(b"" if request.method == b"HEAD" else body)
        request.finish()

    def _page(self, request: server.Request) -> Page:
        pages = self._pages.get(request.path)
        if pages is None:
            raise NotFound("there is nothing at this path")
        page = pages.get(request.method)
        if page is None:
            allowed = b", ".join(pages)
            request.setHeader(b"allow", allowed)
            if request.method == b"OPTIONS":
                return self._preflight
            raise NotAllowed(f"this path takes {allowed.decode()}")
        return page

    async def _preflight(self, request: server.Request) -> object:
        # A browser asks whether its page may ask.
        request.setResponseCode(NO_CONTENT)
        return None

    async def _health(self, request: server.Request) -> object:
        return {"status": "ok", "time": int(self._clock.seconds())}

    async def _online_status(self, request: server.Request) -> object:
        if self._must_prove:
            self._prove(request)
        users = _user_ids(request.content.read() if request.content else b"")
        status = await self._online.of(users)
        return {"status": {str(user): online for user, online in status.items()}}

    def _prove(self, request: server.Request) -> None:
        token = _header(request, b"authorization")
        if token is None:
            raise Unauthenticated("the Authorization header has to have a token")
        claimed = _header(request, b"user-id")
        self._authenticate(token, None if claimed is None else read_user(claimed))


class Site(_server.Site):  # type: ignore[misc]
    """
    The HTTP side of the public port.
    """

    noisy = False
    protocol = _Channel
    displayTracebacks = False

    def __init__(self, pages: Pages, admission: Admission, clock: IReactorTime) -> None:
        super().__init__(pages, requestFactory=_Request, timeout=IDLE_S, reactor=clock)
        self._admission = admission
        self._channels: set[_Channel] = set()

    def build(self, address: str) -> _Channel:
        """
        The protocol for a connection that begins with a request.
        """
        channel: _Channel = self.buildProtocol(None)
        channel.address = address
        self._channels.add(channel)
        return channel

    def closed(self, channel: _Channel) -> None:
        """
        A channel that L{build} made lost its connection.
        """
        self._channels.discard(channel)
        self._admission.left(channel.address)

    def close_all(self) -> None:
        """
        End all connections.
        """
        for channel in list(self._channels):
            channel.transport.abortConnection()

    def log(self, request: server.Request) -> None:
        pass  # a line a request is for the proxy in front


def _document(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _header(request: server.Request, name: bytes) -> str | None:
    value: bytes | None = request.getHeader(name)
    return None if value is None else value.decode("latin-1")


def _user_ids(body: bytes) -> list[int]:
    """
    The users of C{{"user_ids": [1001]}}; above 2^53 they may be strings.
    """
    try:
        asked = json.loads(body)
    except (ValueError, RecursionError):
        raise BadRequest("the body is not JSON") from None
    users = asked.get("user_ids") if isinstance(asked, dict) else None
    if not isinstance(users, list):
        raise BadRequest('the body has to be {"user_ids": [...]}')
    users = [_number(user) for user in users]
    check_users(users)
    return users


def _number(user: Any) -> Any:
    if isinstance(user, str):
        try:
            return read_user(user)
        except Unauthenticated:
            return user  # which is no user, as will be told
    return user
