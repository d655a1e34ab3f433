"""
Routes: which call answers which request, with JSON in and JSON out.

A route declares what it accepts and what it answers, for C{openapi.json}
(L{wsmsg.http.openapi}); L{Api} holds each answer against the declaration.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol, TypeVar

import attrs
import msgspec
from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request

from wsmsg.errors import BadRequest, Internal, NotFound, WsmsgError
from wsmsg.http.access import OPEN, AccessLevel, Caller
from wsmsg.http.errors import NATIVE, Conventions, MethodNotAllowed, error_headers
from wsmsg.http.forms import parse_int

#: The root of the API's routes.
ROOT = "/api/v1/"

_JSON = "application/json; charset=utf-8"
_REASON_CHARACTERS = 200

T = TypeVar("T")


@attrs.frozen
class Argument:
    """
    An argument of the query.

    @ivar number: whether it is an integer; else it is text.
    """

    name: str
    description: str
    number: bool = attrs.field(default=True, kw_only=True)
    required: bool = attrs.field(default=False, kw_only=True)


@attrs.frozen
class Text:
    """
    A document that is not JSON.
    """

    content_type: str
    body: bytes


@attrs.frozen
class Reply:
    """
    The answer of a route.

    @ivar document: a form or a C{dict}, for JSON, or a L{Text}; L{None}: no body.
    """

    status: int
    document: msgspec.Struct | Mapping[str, object] | Text | None = None


@attrs.frozen
class Call:
    """
    A request, as a route sees it.

    @ivar path: the parts of the path that the route's pattern names.
    @ivar arguments: of the query, the last of each name.
    @ivar accept: the C{Accept} header.
    """

    route: Route
    path: Mapping[str, str]
    arguments: Mapping[str, str]
    body: bytes
    caller: Caller = OPEN
    accept: str = ""

    def id(self, name: str) -> int:
        """
        Return the user or group in the path.

        @raise NotFound: this cannot be the id of one.
        """
        try:
            return parse_int(self.path[name], name)
        except BadRequest as e:
            raise NotFound(e.reason) from e

    def text(self, name: str) -> str:
        """
        Return an argument of the query; empty, if the request does not have it.
        """
        self.route.argument(name)
        return self.arguments.get(name, "")

    def number(self, name: str, default: int) -> int:
        """
        Return an argument of the query that is an integer.

        @raise BadRequest: it is not one.
        """
        given = self.text(name)
        return parse_int(given, name, least=0) if given else default

    def limit(self, default: int, most: int) -> int:
        """
        Return the size of a page, from the argument C{limit}.
        """
        return min(max(self.number("limit", default), 1), most)

    def body_as(self, form: type[T]) -> T:
        """
        Return the body, decoded.

        @param form: the one that the route declares.
        @raise BadRequest: the body does not have this form.
        """
        assert form is self.route.body, form
        try:
            return msgspec.json.decode(self.body, type=form)
        except (msgspec.DecodeError, UnicodeError, RecursionError) as e:
            raise BadRequest(f"the body: {str(e)[:_REASON_CHARACTERS]}") from e


Answering = Callable[[Call], Awaitable[Reply]]


@attrs.frozen
class Route:
    """
    A method and a path, and the call that answers them.

    @ivar target: the method, and the path below C{root}, as C{GET users/{user}}; a part
        in braces matches any one part.
    @ivar responses: status to the form of the answer; L{None}: no body.
    @ivar body: the form of the request's body.
    @ivar query: the arguments that it accepts.
    """

    target: str
    answer: Answering
    responses: Mapping[int, type | None]
    body: type | None = attrs.field(default=None, kw_only=True)
    query: Sequence[Argument] = attrs.field(default=(), kw_only=True)
    access: AccessLevel = attrs.field(default=AccessLevel.SERVICES, kw_only=True)
    conventions: Conventions = attrs.field(default=NATIVE, kw_only=True)
    root: str = attrs.field(default=ROOT, kw_only=True)
    _parts: Sequence[str] = attrs.field(init=False)

    @_parts.default
    def _split(self) -> Sequence[str]:
        return self.path.split("/")[1:]

    @property
    def method(self) -> str:
        return self.target.partition(" ")[0]

    @property
    def path(self) -> str:
        return self.root + self.target.partition(" ")[2]

    def match(self, path: Sequence[str]) -> Mapping[str, str] | None:
        """
        Return the named parts of a path; L{None} if it does not match the pattern.
        """
        if len(self._parts) != len(path):
            return None
        named = {}
        for part, given in zip(self._parts, path, strict=True):
            if part.startswith("{"):
                named[part[1:-1]] = given
            elif part != given:
                return None
        return named

    def argument(self, name: str) -> Argument:
        """
        Return the argument of this name, which has to be declared.
        """
        return next(a for a in self.query if a.name == name)

    def check(self, reply: Reply) -> None:
        """
        Check that an answer is one of those that the route declares.
        """
        form = self.responses[reply.status]
        assert form is None if reply.document is None else type(reply.document) is form


#: Makes routes when they are first needed.
MoreRoutes = Callable[[], Sequence[Route]]


def matching(
    routes: Sequence[Route], path: Sequence[str]
) -> list[tuple[Route, Mapping[str, str]]]:
    """
    Return the routes that have a path, each with the named parts of the path.
    """
    matches = [(route, route.match(path)) for route in routes]
    return [(route, named) for route, named in matches if named is not None]


class Gate(Protocol):
    """
    Decides which requests are answered: L{wsmsg.http.access.Access.admit}.
    """

    def __call__(
        self, request: Request, level: AccessLevel
    ) -> AbstractContextManager[Caller]: ...


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
    ) -> None:
        Resource.__init__(self)
        self.calls = 0
        self.failed = 0
        self._routes = routes
        self._more = more
        self._admit = admit
        self._unmatched = unmatched

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
        if not found:
            raise NotFound("there is nothing at this path")
        method = request.method.decode("latin-1")
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
    for name, value in conventions.headers.items():
        request.setHeader(name, value)
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
