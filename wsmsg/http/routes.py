"""
What every call of Message's HTTP API shares: routes, JSON in, JSON out, problems.

A failure is a problem document (RFC 9457): C{type} is C{about:blank}, C{title} the name
of the status, C{detail} one sentence for a person; C{code} is the name that the same
failure has in the client protocol (L{wsmsg.errors}).  The routes of the deployed
contract tell it as the deployed daemons do, and have their headers.

A route says what it takes and gives, for C{openapi.json}
(L{wsmsg.http.openapi}), and whoever serves it can take and give nothing else.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeVar

import attrs
import msgspec
from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request

from wsmsg.errors import BadRequest, Internal, NotFound, WsmsgError
from wsmsg.http.access import OPEN, Access, AccessLevel, Caller
from wsmsg.http.forms import Problem, Refusal, problem, whole

#: Below which all routes are.
ROOT = "/api/v1/"

_REASON = 200

T = TypeVar("T")

#: What a deployed daemon has on every answer.
CORS = (
    ("access-control-allow-origin", "*"),
    ("access-control-allow-headers", "*"),
    ("access-control-allow-methods", "*"),
)


@attrs.frozen
class Argument:
    """
    An argument of the query that a route takes.

    @ivar number: whether it is a whole number; else text.
    """

    name: str
    says: str
    number: bool = attrs.field(default=True, kw_only=True)
    required: bool = attrs.field(default=False, kw_only=True)


@attrs.frozen
class Reply:
    """
    What is answered.

    @ivar document: for JSON; L{None}: no body.
    """

    status: int
    document: msgspec.Struct | None = None


@attrs.frozen
class Call:
    """
    A request, as a route sees it.

    @ivar path: the parts of the path that the route's pattern names.
    @ivar arguments: of the query, the last of each name.
    """

    route: Route
    path: Mapping[str, str]
    arguments: Mapping[str, str]
    body: bytes
    caller: Caller = OPEN

    def id(self, name: str) -> int:
        """
        The user or group in the path.

        @raise NotFound: there can be none with this id.
        """
        try:
            return whole(self.path[name], name)
        except BadRequest as e:
            raise NotFound(e.reason) from e

    def text(self, name: str) -> str:
        """
        An argument of the query; empty, if it is not there.
        """
        self.route.argument(name)
        return self.arguments.get(name, "")

    def number(self, name: str, default: int) -> int:
        """
        A number of the query.

        @raise BadRequest: it is none.
        """
        given = self.text(name)
        return whole(given, name, least=0) if given else default

    def limit(self, default: int, most: int) -> int:
        """
        How many there may be on a page.
        """
        return min(max(self.number("limit", default), 1), most)

    def read(self, form: type[T]) -> T:
        """
        The body, as a document of the route's form.

        @raise BadRequest: it is not.
        """
        assert form is self.route.body, form
        try:
            return msgspec.json.decode(self.body, type=form)
        except (msgspec.DecodeError, UnicodeError, RecursionError) as e:
            raise BadRequest(f"the body: {str(e)[:_REASON]}") from e


Answering = Callable[[Call], Awaitable[Reply]]


@attrs.frozen
class Route:
    """
    Which calls go where.

    @ivar pattern: the path below C{root}; a part in braces is any one.
    @ivar gives: what is answered, by status; L{None}: no body.
    @ivar body: the form of what is asked.
    @ivar query: the arguments that it takes.
    @ivar contract: it is of the deployed contract.
    """

    method: str
    pattern: str
    answer: Answering
    gives: Mapping[int, type[msgspec.Struct] | None] = attrs.field(kw_only=True)
    body: type | None = attrs.field(default=None, kw_only=True)
    query: Sequence[Argument] = attrs.field(default=(), kw_only=True)
    opening: AccessLevel = attrs.field(default=AccessLevel.SERVICES, kw_only=True)
    contract: bool = attrs.field(default=False, kw_only=True)
    root: str = attrs.field(default=ROOT, kw_only=True)

    @property
    def path(self) -> str:
        return self.root + self.pattern

    def match(self, path: Sequence[str]) -> Mapping[str, str] | None:
        """
        The named parts of a path of this pattern; L{None} if it is not.
        """
        parts = self.pattern.split("/") if self.pattern else []
        if len(parts) != len(path):
            return None
        named = {}
        for part, given in zip(parts, path, strict=True):
            if part.startswith("{"):
                named[part[1:-1]] = given
            elif part != given:
                return None
        return named

    def argument(self, name: str) -> Argument:
        """
        The argument of this name; there has to be one.
        """
        return next(a for a in self.query if a.name == name)

    def check(self, reply: Reply) -> None:
        """
        Hold an answer against what the route says of itself.
        """
        form = self.gives[reply.status]
        assert form is None if reply.document is None else type(reply.document) is form


class Api(Resource):
    """
    All calls below one root.

    @ivar calls: how many there were.
    @ivar refused: how many of them were answered with a status from 400 on.
    """

    isLeaf = True
    _log = Logger()

    def __init__(self, routes: Sequence[Route], access: Access | None = None) -> None:
        Resource.__init__(self)
        self.calls = 0
        self.refused = 0
        self._routes = routes
        self._access = access

    def render(self, request: Request) -> int:
        """
        Answer, whatever the method is.
        """
        self.calls += 1
        path = [p.decode("utf-8", "replace") for p in request.postpath or []]
        matching = [(r, r.match(path)) for r in self._routes]
        found = [(route, named) for route, named in matching if named is not None]
        finished = request.notifyFinish()
        answering = Deferred.fromCoroutine(self._run(request, found))
        finished.addErrback(lambda _: answering.cancel())
        return NOT_DONE_YET

    async def _run(
        self, request: Request, found: Sequence[tuple[Route, Mapping[str, str]]]
    ) -> None:
        contract = any(route.contract for route, _ in found)
        if contract:
            for name, value in CORS:
                request.setHeader(name, value)
        try:
            reply = await self._answer(request, found)
        except CancelledError:
            return  # who asked is gone
        except WsmsgError as e:
            self._refuse(request, e, contract)
        except Exception:  # noqa: BLE001 - a guard
            self._log.failure("answering {path}", path=request.path.decode("latin-1"))
            self._refuse(request, Internal("this is a bug; the log has it"), contract)
        else:
            write(request, reply.status, reply.document)

    async def _answer(
        self, request: Request, found: Sequence[tuple[Route, Mapping[str, str]]]
    ) -> Reply:
        if not found:
            raise NotFound("there is nothing at this path")
        method = request.method.decode("latin-1")
        wanted = "GET" if method == "HEAD" else method
        for route, named in found:
            if route.method == wanted:
                return await self._take(request, route, named)
        allowed = ", ".join(sorted({route.method for route, _ in found}))
        request.setHeader("allow", allowed)
        if method == "OPTIONS":
            return Reply(204)
        raise NotAllowed(f"this path takes {allowed}")

    async def _take(
        self, request: Request, route: Route, named: Mapping[str, str]
    ) -> Reply:
        assert request.content is not None
        arguments = {
            name.decode("utf-8", "replace"): values[-1].decode("utf-8", "replace")
            for name, values in (request.args or {}).items()
        }
        body = request.content.read()
        if self._access is None:
            return await self._call(Call(route, named, arguments, body))
        with self._access.entering(request, route.opening) as caller:
            return await self._call(Call(route, named, arguments, body, caller))

    async def _call(self, call: Call) -> Reply:
        route = call.route
        unknown = set(call.arguments).difference(a.name for a in route.query)
        if unknown and not route.contract:
            raise BadRequest(f"{min(unknown)!r:.40} is no argument of this call")
        reply = await route.answer(call)
        route.check(reply)
        return reply

    def _refuse(self, request: Request, error: WsmsgError, contract: bool) -> None:
        self.refused += 1
        refuse(request, error, contract=contract)


class NotAllowed(WsmsgError):
    """
    The path is there, but not for this method.
    """

    code = "bad_request"
    http_status = 405
    close = None


def refuse(request: Request, error: WsmsgError, *, contract: bool = False) -> None:
    """
    Answer with an error.

    @param contract: as the deployed daemons do.
    """
    if error.retry:
        seconds = max(1, -(-error.retry_after_ms // 1000))
        request.setHeader("retry-after", str(seconds))
    if error.http_status == 401:
        request.setHeader("www-authenticate", "Bearer")
    document: msgspec.Struct = problem(error)
    if contract:
        document = Refusal(error=error.reason, code=error.code)
    write(request, error.http_status, document)


def write(request: Request, status: int, document: msgspec.Struct | None) -> None:
    """
    Answer with a document.
    """
    request.setResponseCode(status)
    request.setHeader("cache-control", "no-store")
    if document is not None:
        body = msgspec.json.encode(document) + b"\n"
        problems = isinstance(document, Problem)
        kind = "application/problem+json" if problems else "application/json"
        request.setHeader("content-type", f"{kind}; charset=utf-8")
        request.setHeader("content-length", str(len(body)))
        if request.method != b"HEAD":
            request.write(body)
    request.finish()
