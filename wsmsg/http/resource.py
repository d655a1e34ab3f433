"""
The resource that answers the requests of a listener by its routes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from time import perf_counter
from typing import Protocol

import msgspec
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IPushProducer
from twisted.logger import Logger
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request
from zope.interface import implementer

from wsmsg.auth.scopes import Scope
from wsmsg.errors import BadRequest, Internal, NotFound, WsmsgError
from wsmsg.http.access import OPEN, AccessLevel, Caller
from wsmsg.http.changes import LEFT, Audit, Change, unaudited
from wsmsg.http.errors import NATIVE, Conventions, MethodNotAllowed, error_headers
from wsmsg.http.routes import (
    Call,
    Document,
    LiveText,
    MoreRoutes,
    Reply,
    Route,
    Text,
    matching,
)

_JSON = "application/json; charset=utf-8"


class Gate(Protocol):
    """
    Decides which requests are answered, and to whom: L{wsmsg.http.access.Access}.
    """

    def admit(
        self, request: Request, level: AccessLevel, scope: Scope | None
    ) -> AbstractContextManager[Caller]:
        """
        Admit a request until the context ends, or raise L{WsmsgError}.
        """

    def who(self, request: Request) -> tuple[str, str]:
        """
        Return the name and the address of a caller, for the audit.
        """

    def readable(self, request: Request, conventions: Conventions) -> Mapping[str, str]:
        """
        Return the headers by which pages of other sites may read an answer.
        """


class OpenGate:
    """
    Admits every request, and lets no page of another site read an answer.
    """

    def admit(
        self, request: Request, level: AccessLevel, scope: Scope | None
    ) -> AbstractContextManager[Caller]:
        return nullcontext(OPEN)

    def who(self, request: Request) -> tuple[str, str]:
        return OPEN.name, getattr(request.getClientAddress(), "host", "")

    def readable(self, request: Request, conventions: Conventions) -> Mapping[str, str]:
        return {}


@implementer(IPushProducer)
class RequestSink:
    """
    The caller of a stream (L{wsmsg.http.routes.Sink}).
    """

    def __init__(self, request: Request) -> None:
        self.is_full = False
        self._request = request
        request.registerProducer(self, True)

    def write(self, data: bytes) -> None:
        """
        Write a piece of the document.
        """
        self._request.write(data)

    def pauseProducing(self) -> None:
        self.is_full = True

    def resumeProducing(self) -> None:
        self.is_full = False

    def stopProducing(self) -> None:
        self.is_full = True


#: The route of a request, the parts of the path that it names, and what it is about.
_Chosen = tuple[Route, Mapping[str, str], dict[str, object]]


def _ignored(seconds: float) -> None:
    pass


class Api(Resource):
    """
    All routes of one listener.

    @param more: returns routes that are asked for when a path is in none of C{routes},
        the same each time.
    @param unmatched: the conventions for a path that no route has.
    @param audit: records the calls that change something.
    @param observe: called with the seconds that each admitted call took.
    @ivar calls: requests so far, without those that no limit applies to.
    @ivar failed: those of them that were answered with a status from 400 on.
    """

    isLeaf = True
    _log = Logger()

    def __init__(
        self,
        routes: Sequence[Route],
        gate: Gate | None = None,
        *,
        more: MoreRoutes = tuple,
        unmatched: Conventions = NATIVE,
        audit: Audit = unaudited,
        observe: Callable[[float], object] = _ignored,
    ) -> None:
        Resource.__init__(self)
        self._observe = observe
        self.calls = 0
        self.failed = 0
        self._routes = routes
        self._more = more
        self._gate: Gate = gate or OpenGate()
        self._unmatched = unmatched
        self._audit = audit

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
        for name, value in self._gate.readable(request, conventions).items():
            request.setHeader(name, value)
        counted = not found or found[0][0].access is not AccessLevel.UNLIMITED
        self.calls += counted
        chosen = _choose(request, found)
        callers: list[Caller] = []
        error: WsmsgError
        try:
            if chosen is None:
                reply = self._no_call(request, found)
            else:
                reply = await self._answer(request, chosen, callers.append)
        except CancelledError:
            self._note(request, chosen, callers, LEFT, "left")
            return
        except WsmsgError as e:
            error = e
        except Exception:  # noqa: BLE001 - a guard
            self._log.failure("answering {path}", path=request.path.decode("latin-1"))
            error = Internal("internal error; the log of the daemon has the details")
        else:
            self._note(request, chosen, callers, reply.status, "ok")
            if isinstance(reply.document, LiveText):
                await self._stream(request, reply.document)
            else:
                write(request, reply, conventions)
            return
        self.failed += counted
        self._note(request, chosen, callers, error.http_status, error.code)
        write_error(request, error, conventions)

    async def _answer(
        self, request: Request, chosen: _Chosen, admitted: Callable[[Caller], object]
    ) -> Reply:
        route = chosen[0]
        with self._gate.admit(request, route.access, route.scope) as caller:
            admitted(caller)
            began_s = perf_counter()
            try:
                return await _call(_read(request, chosen, caller))
            finally:
                self._observe(perf_counter() - began_s)

    async def _stream(self, request: Request, stream: LiveText) -> None:
        """
        Answer with a document that is written while things happen.
        """
        request.setHeader("cache-control", "no-store")
        request.setHeader("content-type", stream.content_type)
        request.setHeader("x-accel-buffering", "no")  # nginx would hold events back
        if request.method != b"HEAD":
            try:
                await stream.run(RequestSink(request))
            except CancelledError:
                return  # the caller has left
            except Exception:  # noqa: BLE001 - a guard
                self._log.failure("writing {path}", path=request.path.decode("latin-1"))
            request.unregisterProducer()
        request.finish()

    def _no_call(
        self, request: Request, found: Sequence[tuple[Route, Mapping[str, str]]]
    ) -> Reply:
        method = request.method.decode("latin-1")
        if not found:
            if method == "OPTIONS" and self._unmatched.any_page:
                return Reply(204)  # so that a page can read that nothing is there
            raise NotFound("there is nothing at this path")
        allowed = ", ".join(sorted({route.method for route, _ in found}))
        request.setHeader("allow", allowed)
        if method == "OPTIONS":
            return Reply(204)
        raise MethodNotAllowed(f"this path accepts {allowed}")

    def _note(
        self,
        request: Request,
        chosen: _Chosen | None,
        callers: Sequence[Caller],
        status: int,
        code: str,
    ) -> None:
        """
        Record the result of a call, if it was to change something.
        """
        if chosen is None or not chosen[0].changes:
            return
        route, _, objects = chosen
        name, address = self._gate.who(request)
        name = callers[0].name if callers else name
        call = f"{route.method} {route.path}"
        self._audit(Change(name, address, call, objects, status, code))


def _choose(
    request: Request, found: Sequence[tuple[Route, Mapping[str, str]]]
) -> _Chosen | None:
    method = request.method.decode("latin-1")
    wanted = "GET" if method == "HEAD" else method
    for route, named in found:
        if route.method == wanted:
            return route, named, dict(named)
    return None


def _read(request: Request, chosen: _Chosen, caller: Caller) -> Call:
    assert request.content is not None
    route, named, objects = chosen
    arguments = {
        name.decode("utf-8", "replace"): values[-1].decode("utf-8", "replace")
        for name, values in (request.args or {}).items()
    }
    return Call(
        route,
        named,
        arguments,
        request.content.read(),
        caller,
        _header(request, b"accept"),
        objects,
        if_none_match=_header(request, b"if-none-match"),
    )


def _header(request: Request, name: bytes) -> str:
    return (request.getHeader(name) or b"").decode("latin-1")


async def _call(call: Call) -> Reply:
    route = call.route
    unknown = set(call.arguments).difference(a.name for a in route.query)
    if unknown and not route.conventions.lenient:
        raise BadRequest(f"{min(unknown)!r:.40} is not an argument of this call")
    reply = await (route.wrap or route.answer)(call)
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
    for name, value in {"cache-control": "no-store", **reply.headers}.items():
        request.setHeader(name, value)
    if document is not None:
        kind = getattr(document, "content_type", _JSON)
        body = _encode(document, conventions, reply.names)
        request.setHeader("content-type", kind)
        request.setHeader("content-length", str(len(body)))
        if request.method != b"HEAD":
            request.write(body)
    request.finish()


def _encode(
    document: Document,
    conventions: Conventions,
    names: Mapping[str, str],
) -> bytes:
    if isinstance(document, Text):
        return document.body
    if isinstance(document, msgspec.Struct):
        encoded = msgspec.json.encode(document)
        if names:
            # A form with users has fields, so a comma is due.
            encoded = encoded[:-1] + b',"names":' + msgspec.json.encode(names) + b"}"
        return encoded + conventions.end
    # For people: indented, and values of other types as text.
    return json.dumps(document, indent=2, default=str).encode() + b"\n"
