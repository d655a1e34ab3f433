"""
The admin listener: C{/healthz}, C{/readyz}, C{/metrics}, C{/status}, over HTTP.

L{add_health} hangs the first two below any other site as well.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web import server
from twisted.web.http import Request
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Site

from wsmsg.errors import Internal, WsmsgError
from wsmsg.monitoring.health import Health
from wsmsg.monitoring.metrics import Metrics

#: The longest body of a request.
BODY_BYTES = 2**20

# As Any: what twisted.web declares contradicts what it lets subclasses do.
_server: Any = server


class BoundedRequest(_server.Request):  # type: ignore[misc]
    """
    A request whose body is bounded before any of it is kept.
    """

    _received = 0

    def gotLength(self, length: int | None) -> None:
        super().gotLength(None if length is None else min(length, BODY_BYTES))
        if length is not None and length > BODY_BYTES:
            self._refuse()

    def handleContentChunk(self, data: bytes) -> None:
        before, self._received = self._received, self._received + len(data)
        if self._received <= BODY_BYTES:
            super().handleContentChunk(data)
        elif before <= BODY_BYTES:
            self._refuse()

    def _refuse(self) -> None:
        self._received = 2 * BODY_BYTES
        self.channel.transport.write(
            b"HTTP/1.1 413 Content Too Large\r\n"
            b"Content-Length: 0\r\nConnection: close\r\n\r\n"
        )
        self.channel.loseConnection()


class QuietSite(Site):
    """
    A site that logs no line for every request: probes come every second.
    """

    displayTracebacks = False
    noisy = False

    def __init__(self, root: Resource) -> None:
        Site.__init__(self, root, requestFactory=BoundedRequest)

    def log(self, request: Request) -> None:
        pass


class JsonResource(Resource):
    """
    Answers GET with a JSON document.

    @param read: makes the document, from the query's arguments (the last of each
        name); may return a Deferred.  A L{WsmsgError} is answered with its status.
    @param status: the HTTP status of an answer.
    """

    isLeaf = True
    _log = Logger()

    def __init__(
        self,
        read: Callable[[Mapping[str, str]], object],
        *,
        status: Callable[[], int] = lambda: 200,
    ) -> None:
        Resource.__init__(self)
        self._read = read
        self._status = status

    def render_GET(self, request: Request) -> int:
        arguments = {
            name.decode("ascii", "replace"): values[-1].decode("utf-8", "replace")
            for name, values in request.args.items()
        }
        answer: Deferred[object] = maybeDeferred(self._read, arguments)
        gone: list[object] = []
        request.notifyFinish().addBoth(gone.append)

        def told(status: int, document: object) -> None:
            if not gone:
                _write(request, status, document)

        answer.addCallback(lambda document: told(self._status(), document))
        answer.addErrback(lambda failure: told(*self._problem(failure)))
        return NOT_DONE_YET

    def _problem(self, failure: Failure) -> tuple[int, object]:
        error = failure.value
        if not isinstance(error, WsmsgError):
            self._log.failure("no answer could be made", failure=failure)
            error = Internal("this is a bug; the log has it")
        return error.http_status, {"error": error.code, "reason": error.reason}


class MetricsResource(Resource):
    """
    The metrics, as Prometheus reads them.
    """

    isLeaf = True

    def __init__(self, metrics: Metrics) -> None:
        Resource.__init__(self)
        self._metrics = metrics

    def render_GET(self, request: Request) -> bytes:
        accept = request.getHeader(b"accept") or b""
        kind, body = self._metrics.exposition(accept.decode("latin-1"))
        request.setHeader("content-type", kind)
        return body


def add_health(root: Resource, health: Health) -> None:
    """
    Put C{/healthz} and C{/readyz} below a resource.
    """
    root.putChild(b"healthz", JsonResource(lambda _: {"alive": True}))
    root.putChild(
        b"readyz",
        JsonResource(
            lambda _: health.readiness(), status=lambda: 200 if health.ready else 503
        ),
    )


def admin_site(
    health: Health, metrics: Metrics, more: Mapping[str, Resource] | None = None
) -> QuietSite:
    """
    The site of the admin listener.

    @param more: further resources, by their name below the root.
    """
    root = Resource()
    add_health(root, health)
    root.putChild(b"metrics", MetricsResource(metrics))
    root.putChild(b"status", JsonResource(lambda _: health.status()))
    for name, resource in (more or {}).items():
        root.putChild(name.encode("ascii"), resource)
    return QuietSite(root)


def _write(request: Request, status: int, document: object) -> None:
    body = json.dumps(document, indent=2, default=str).encode() + b"\n"
    request.setResponseCode(status)
    request.setHeader("content-type", "application/json")
    request.setHeader("cache-control", "no-store")
    request.setHeader("content-length", str(len(body)))
    if request.method != b"HEAD":
        request.write(body)
    request.finish()
