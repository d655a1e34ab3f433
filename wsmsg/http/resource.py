"""
The resource that answers the requests of a listener by its routes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

import msgspec
from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request

from wsmsg.errors import BadRequest, Internal, NotFound, WsmsgError
from wsmsg.http.access import OPEN, AccessLevel, Caller
from wsmsg.http.errors import NATIVE, Conventions, MethodNotAllowed, error_headers
from wsmsg.http.routes import Call, MoreRoutes, Reply, Route, Text, matching

_JSON = "application/json; charset=utf-8"


class Gate(Protocol):
    """
    Decides which requests are answered: L{wsmsg.http.access.Access.admit}.
    """

    def __call__(
        self, request: Request, level: AccessLevel
    ) -> AbstractContextManager[Caller]: ...


#: Returns the headers by which pages may read an answer:
#: L{wsmsg.http.access.Access.readable}.
Readable = Callable[[Request, Conventions], Mapping[str, str]]


def readable_by_none(request: Request, conventions: Conventions) -> Mapping[str, str]:
    """
    Let no page of another site read an answer.
    """
    return {}


def admit_all(request: Request, level: AccessLevel) -> AbstractContextManager[Caller]:
    """
    Admit every request.
    """
    return nullcontext(OPEN)


class Api(Resource):
    """
    All routes of one listener.

    @param more: returns routes that are asked for when a path is in none of C{routes},
        the same each time.
    @param unmatched: the conventions for a path that no route has.
    @param readable: returns the headers by which pages of other sites may read an
        answer.
    @ivar calls: requests so far, without those that no limit applies to.
    @ivar failed: those of them that were answered with a status from 400 on.
    """

    isLeaf = True
    _log = Logger()

    def __init__(
        self,
        routes: Sequence[Route],
        admit: Gate = admit_all,
        *,
        more: MoreRoutes = tuple,
        unmatched: Conventions = NATIVE,
        readable: Readable = readable_by_none,
    ) -> None:
        Resource.__init__(self)
        self.calls = 0
        self.failed = 0
        self._routes = routes
        self._more = more
        self._admit = admit
        self._unmatched = unmatched
        self._readable = readable

    def render(self, request: Request) -> int:
        """
        Answer a request of any method.
        """
        path = [p.decode("utf-8", "replace") for p in request.postpath or []]
        found = matching(self._routes, path) or matching(self._more(), path)
        finished = request.notifyFinish()
        answering = Deferred.fromCoroutine(self._run(request, found))
        finished.addErrback(lambda _: answering.cancel())
        return NOT_DONE_YET

    async def _run(
        self, request: Request, found: Sequence[tuple[Route, Mapping[str, str]]]
    ) -> None:
        conventions = found[0][0].conventions if found else self._unmatched
        for name, value in self._readable(request, conventions).items():
            request.setHeader(name, value)
        counted = not found or found[0][0].access is not AccessLevel.UNLIMITED
        self.calls += counted
        try:
            reply = await self._answer(request, found)
        except CancelledError:
            return  # the client has left
        except WsmsgError as e:
            self.failed += counted
            write_error(request, e, conventions)
        except Exception:  # noqa: BLE001 - a guard
            self._log.failure("answering {path}", path=request.path.decode("latin-1"))
            self.failed += counted
            error = Internal("internal error; the log of the daemon has the details")
            write_error(request, error, conventions)
        else:
            write(request, reply, conventions)

    async def _answer(
        self, request: Request, found: Sequence[tuple[Route, Mapping[str, str]]]
    ) -> Reply:
        method = request.method.decode("latin-1")
        if not found:
            if method == "OPTIONS" and self._unmatched.any_page:
                return Reply(204)  # so that a page can read that nothing is there
            raise NotFound("there is nothing at this path")
        wanted = "GET" if method == "HEAD" else method
        for route, named in found:
            if route.method == wanted:
                with self._admit(request, route.access) as caller:
                    return await _call(_read(request, route, named, caller))
        allowed = ", ".join(sorted({route.method for route, _ in found}))
        request.setHeader("allow", allowed)
        if method == "OPTIONS":
            return Reply(204)
        raise MethodNotAllowed(f"this path accepts {allowed}")


def _read(
    request: Request, route: Route, named: Mapping[str, str], caller: Caller
) -> Call:
    assert request.content is not None
    arguments = {
        name.decode("utf-8", "replace"): values[-1].decode("utf-8", "replace")
        for name, values in (request.args or {}).items()
    }
    accept = (request.getHeader(b"accept") or b"").decode("latin-1")
    return Call(route, named, arguments, request.content.read(), caller, accept)


async def _call(call: Call) -> Reply:
    route = call.route
    unknown = set(call.arguments).difference(a.name for a in route.query)
    if unknown and not route.conventions.lenient:
        raise BadRequest(f"{min(unknown)!r:.40} is not an argument of this call")
    reply = await route.answer(call)
    route.check(reply)
    return reply


def write_error(request: Request, error: WsmsgError, conventions: Conventions) -> None:
    """
    Answer with an error.
    """
    for name, value in error_headers(error).items():
        request.setHeader(name, value)
    document = conventions.error.of(error, error.http_status)
    write(request, Reply(error.http_status, document), conventions)


def write(request: Request, reply: Reply, conventions: Conventions) -> None:
    """
    Answer with a document.
    """
    document = reply.document
    request.setResponseCode(reply.status)
    request.setHeader("cache-control", "no-store")
    if document is not None:
        kind = getattr(document, "content_type", _JSON)
        body = _encode(document, conventions)
        request.setHeader("content-type", kind)
        request.setHeader("content-length", str(len(body)))
        if request.method != b"HEAD":
            request.write(body)
    request.finish()


def _encode(
    document: msgspec.Struct | Mapping[str, object] | Text, conventions: Conventions
) -> bytes:
    if isinstance(document, Text):
        return document.body
    if isinstance(document, msgspec.Struct):
        return msgspec.json.encode(document) + conventions.end
    # For people: indented, and values of other types as text.
    return json.dumps(document, indent=2, default=str).encode() + b"\n"
