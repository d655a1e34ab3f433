"""
What every call of Message's HTTP API shares: routes, JSON in, JSON out, problems.

A failure is a problem document (RFC 9457): C{type} is C{about:blank}, C{title} the name
of the status, C{detail} one sentence for a person; C{code} is the name that the same
failure has in the client protocol (L{wsmsg.errors}).

An integer may be a JSON number or, as most programs know those up to 2^53 only, a
string of digits.  What may be larger is answered as a string.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, TypeVar

import attrs
import msgspec
from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request

from wsmsg.errors import BadRequest, Internal, NotFound, TooLarge, WsmsgError
from wsmsg.model import INT64_MAX

#: The longest body of a request.
BODY_BYTES = 64 * 1024

_EXACT = 2**53
_REASON = 200

T = TypeVar("T")


@attrs.frozen
class Call:
    """
    A request, as a route sees it.

    @ivar path: the parts of the path that the route's pattern names.
    @ivar arguments: of the query, the last of each name.
    """

    path: Mapping[str, str]
    arguments: Mapping[str, str]
    body: bytes

    def id(self, name: str) -> int:
        """
        The user or group in the path.

        @raise NotFound: there can be none with this id.
        """
        try:
            return whole(self.path[name], name)
        except BadRequest as e:
            raise NotFound(e.reason) from e

    def number(self, name: str, default: int) -> int:
        """
        A number of the query.

        @raise BadRequest: it is none.
        """
        given = self.arguments.get(name, "")
        return whole(given, name, least=0) if given else default

    def read(self, form: type[T]) -> T:
        """
        The body, as a document of this form.

        @raise WsmsgError: it is not.
        """
        if len(self.body) > BODY_BYTES:
            raise TooLarge(f"the body is over {BODY_BYTES} bytes")
        try:
            return msgspec.json.decode(self.body, type=form)
        except (msgspec.DecodeError, UnicodeError, RecursionError) as e:
            raise BadRequest(f"the body: {str(e)[:_REASON]}") from e


@attrs.frozen
class Reply:
    """
    What is answered.

    @ivar document: for JSON; L{None}: no body.
    """

    status: int
    document: Mapping[str, object] | None = None


Answering = Callable[[Call], Awaitable[Reply]]


@attrs.frozen
class Route:
    """
    Which calls go where.

    @ivar pattern: the path below the API's root; a part in braces is any one.
    """

    method: str
    pattern: str
    answer: Answering

    def match(self, path: Sequence[str]) -> Mapping[str, str] | None:
        """
        The named parts of a path of this pattern; L{None} if it is not.
        """
        parts = self.pattern.split("/")
        if len(parts) != len(path):
            return None
        named = {}
        for part, given in zip(parts, path, strict=True):
            if part.startswith("{"):
                named[part[1:-1]] = given
            elif part != given:
                return None
        return named


class Api(Resource):
    """
    All calls below one root.
    """

    isLeaf = True
    _log = Logger()

    def __init__(self, routes: Sequence[Route]) -> None:
        Resource.__init__(self)
        self.calls = 0
        self._routes = routes

    def render(self, request: Request) -> int:
        """
        Answer, whatever the method is.
        """
        self.calls += 1
        finished = request.notifyFinish()
        answering = Deferred.fromCoroutine(self._run(request))
        finished.addErrback(lambda _: answering.cancel())
        return NOT_DONE_YET

    async def _run(self, request: Request) -> None:
        try:
            reply = await self._answer(request)
        except CancelledError:
            return  # who asked is gone
        except WsmsgError as e:
            _problem(request, e)
        except Exception:  # noqa: BLE001 - a guard
            self._log.failure("answering {path}", path=request.path.decode("latin-1"))
            _problem(request, Internal("this is a bug; the log has it"))
        else:
            _write(request, reply.status, reply.document, "application/json")

    async def _answer(self, request: Request) -> Reply:
        path = [p.decode("utf-8", "replace") for p in request.postpath or []]
        method = request.method.decode("latin-1")
        allowed = []
        for route in self._routes:
            named = route.match(path)
            if named is None:
                continue
            if route.method == method:
                return await route.answer(_call(request, named))
            allowed.append(route.method)
        if not allowed:
            raise NotFound("there is nothing at this path")
        request.setHeader("allow", ", ".join(sorted(allowed)))
        return Reply(
            405, _document(405, f"{method} is not for this path", "bad_request")
        )


def spell(number: int) -> int | str:
    """
    An id in JSON.
    """
    return number if number < _EXACT else str(number)


def whole(given: int | str, name: str, *, least: int = 1) -> int:
    """
    An id or a number that somebody gave.

    @raise BadRequest: it is not between C{least} and 2^63-1.
    """
    if isinstance(given, str) and given.isascii() and given.isdecimal():
        given = int(given[:20])
    if isinstance(given, int) and least <= given <= INT64_MAX:
        return given
    raise BadRequest(f"{name} must be a whole number from {least} to 2^63-1")


def _call(request: Request, named: Mapping[str, str]) -> Call:
    assert request.content is not None
    arguments = {
        name.decode("utf-8", "replace"): values[-1].decode("utf-8", "replace")
        for name, values in (request.args or {}).items()
    }
    return Call(named, arguments, request.content.read(BODY_BYTES + 1))


def _problem(request: Request, error: WsmsgError) -> None:
    if error.retry:
        seconds = max(1, -(-error.retry_after_ms // 1000))
        request.setHeader("retry-after", str(seconds))
    document = _document(error.http_status, error.reason, error.code)
    _write(request, error.http_status, document, "application/problem+json")


def _document(status: int, reason: str, code: str) -> dict[str, Any]:
    return {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": reason,
        "code": code,
    }


def _write(
    request: Request, status: int, document: Mapping[str, object] | None, kind: str
) -> None:
    request.setResponseCode(status)
    request.setHeader("cache-control", "no-store")
    if document is not None:
        body = msgspec.json.encode(document) + b"\n"
        request.setHeader(
            "content-type", "application/problem+json" if status >= 400 else kind
        )
        request.setHeader("content-length", str(len(body)))
        request.write(body)
    request.finish()
