"""
Routes: which call answers which request, with JSON in and JSON out.

A route declares what it accepts and what it answers, for C{openapi.json}
(L{wsmsg.http.openapi}); L{wsmsg.http.resource.Api} holds each answer against the
declaration.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence, Set
from typing import Protocol, TypeVar

import attrs
import msgspec

from wsmsg.auth.scopes import Scope
from wsmsg.errors import BadRequest, NotFound, json_problem
from wsmsg.http.access import OPEN, AccessLevel, Caller
from wsmsg.http.errors import NATIVE, Conventions
from wsmsg.http.forms import parse_int

#: The root of the API's routes.
ROOT = "/api/v1/"

#: The levels of access at which callers need a scope.
SCOPED = (AccessLevel.SERVICES, AccessLevel.USERS)

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


class Sink(Protocol):
    """
    The other end of a L{LiveText}.

    @ivar is_full: whether the caller has not read what was written.
    """

    @property
    def is_full(self) -> bool: ...

    def write(self, data: bytes) -> object: ...


@attrs.frozen
class LiveText:
    """
    A document that is written while things happen.

    @ivar run: writes it.  The document ends when this returns; it is cancelled when the
        caller leaves.
    """

    content_type: str
    run: Callable[[Sink], Awaitable[None]]


Document = msgspec.Struct | Mapping[str, object] | Text | LiveText


@attrs.frozen
class Reply:
    """
    The answer of a route.

    @ivar document: a form or a C{dict}, for JSON, a L{Text} or a L{LiveText}; L{None}:
        no body.
    @ivar names: the names of users whom a form mentions, by number, which are put
        beside its fields.
    @ivar headers: further headers, in lower case.
    """

    status: int
    document: Document | None = None
    names: Mapping[str, str] = attrs.field(factory=dict)
    headers: Mapping[str, str] = attrs.field(factory=dict, kw_only=True)


@attrs.frozen
class Call:
    """
    A request, as a route sees it.

    @ivar path: the parts of the path that the route's pattern names.
    @ivar arguments: of the query, the last of each name.
    @ivar accept: the C{Accept} header.
    @ivar if_none_match: the C{If-None-Match} header.
    @ivar objects: what the call is about, by name; see L{concerns}.
    """

    route: Route
    path: Mapping[str, str]
    arguments: Mapping[str, str]
    body: bytes
    caller: Caller = OPEN
    accept: str = ""
    objects: dict[str, object] = attrs.field(factory=dict)
    if_none_match: str = attrs.field(default="", kw_only=True)

    def concerns(self, **objects: object) -> None:
        """
        Note what the call is about, beside the parts of the path, for the audit.
        """
        self.objects.update(objects)

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
            reason = json_problem(e, self.body)[:_REASON_CHARACTERS]
            raise BadRequest(f"the body: {reason}") from e


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
    @ivar scope: the scope that its callers need; L{None}: it is for everybody.
    @ivar wrap: answers a call in place of C{answer}, which it calls.
    @ivar has_names: whether its answers may have names of users beside their fields.
    @ivar takes_names: the parts of the path and the arguments in which a name may stand
        for a number.
    """

    target: str
    answer: Answering
    responses: Mapping[int, type | None]
    body: type | None = attrs.field(default=None, kw_only=True)
    query: Sequence[Argument] = attrs.field(default=(), kw_only=True)
    scope: Scope | None = attrs.field(default=None, kw_only=True)
    access: AccessLevel = attrs.field(default=AccessLevel.SERVICES, kw_only=True)
    conventions: Conventions = attrs.field(default=NATIVE, kw_only=True)
    root: str = attrs.field(default=ROOT, kw_only=True)
    wrap: Answering | None = attrs.field(default=None, kw_only=True)
    has_names: bool = attrs.field(default=False, kw_only=True)
    takes_names: Set[str] = attrs.field(default=frozenset(), kw_only=True)
    _parts: Sequence[str] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        if (self.scope is None) is (self.access in SCOPED):
            raise TypeError(
                f"{self.target}: calls of services and users have a scope, others none"
            )

    @_parts.default
    def _split(self) -> Sequence[str]:
        return self.path.split("/")[1:]

    @property
    def changes(self) -> bool:
        """
        True if the call changes something, and so leaves a line in the audit.
        """
        return self.scope is not None and self.scope.changes

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
