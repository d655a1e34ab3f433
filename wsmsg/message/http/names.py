"""
Names over HTTP, where users have names: calls take them in the places of numbers, and
answers have those of the users whom they mention.

The calls C{names} look names up, both ways, and create them.  All other routes
know numbers only: L{NamedRoutes} translates what comes in before the route sees it,
with one look-up for a request, and puts the names beside what goes out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import attrs
import msgspec

from wsmsg.auth.scopes import Scope
from wsmsg.errors import BadRequest, NotFound
from wsmsg.events.block import BLOCK, decode_block
from wsmsg.events.group_change import GROUP, decode_change
from wsmsg.events.kind import InvalidContent
from wsmsg.http.forms import Answer, Form, Id, parse_int, to_json_id
from wsmsg.http.routes import Call, Reply, Route
from wsmsg.message.queries.interface import IQueries
from wsmsg.model import InvalidName, is_group, members_of
from wsmsg.names import (
    MOST_NAMES,
    group_in_text,
    is_given,
    name_problem,
    number_in,
    unknown_of,
)

#: The members of bodies, parts of paths and arguments that are users, or lists of them.
_USERS = frozenset({"user", "from", "to", "owner", "by", "members", "users", "asker"})
#: Those that are groups.
_GROUPS = frozenset({"group"})


class NamesForm(Form):
    """
    Names to look up.

    @ivar names: names of users.
    @ivar users: users whose names are asked for; with the names at most 1000.
    """

    names: list[str] = []
    users: list[Id] = []


class NewNames(Form):
    """
    Names to create.

    @ivar names: at most 1000 names of users; those that have a number keep it.
    """

    names: list[str]


class NamesView(Answer):
    """
    The users that were found.  Their names are in C{names}, by number.

    @ivar users: the numbers of the names, in their order; 0: no user has the name.
    @ivar unknown: the names that no user has.
    """

    users: list[Id]
    unknown: list[str]
    names: dict[str, str]


class NameCalls:
    """
    The calls C{names}.
    """

    def __init__(self, queries: IQueries) -> None:
        self._queries = queries

    def routes(self) -> Sequence[Route]:
        """
        Return the routes.
        """
        return [
            Route(
                "POST names",
                self.look_up,
                {200: NamesView},
                scope=Scope.READ,
                body=NamesForm,
            ),
            Route(
                "PUT names",
                self.create,
                {200: NamesView},
                scope=Scope.SEND,
                body=NewNames,
            ),
        ]

    async def look_up(self, call: Call) -> Reply:
        """
        Look up users by name, and names by user.
        """
        form = call.body_as(NamesForm)
        users = [parse_int(user, "a user") for user in form.users]
        return await self._answer(form.names, users, claim=False)

    async def create(self, call: Call) -> Reply:
        """
        Give a number to each name that has none.
        """
        form = call.body_as(NewNames)
        call.concerns(names=len(form.names))
        return await self._answer(form.names, (), claim=True)

    async def _answer(
        self, names: Sequence[str], users: Sequence[int], *, claim: bool
    ) -> Reply:
        wanted = [name for name in names if not number_in(name or "0")]
        for name in wanted:
            if problem := name_problem(name):
                raise BadRequest(f"{name[:200]!r} cannot be a name: {problem}")
        if len(wanted) + len(users) > MOST_NAMES:
            raise BadRequest(f"more than {MOST_NAMES} names and users in one request")
        found = await self._queries.names(wanted, users, claim=claim)
        numbers = [found.get(name, number_in(name or "0")) for name in names]
        view = NamesView(
            users=[to_json_id(user) for user in numbers],
            unknown=[name for name in wanted if name not in found],
            names={str(user): name for name, user in found.items()},
        )
        return Reply(200, view)


class NamedRoutes:
    """
    Makes routes that take and give names, out of routes that know numbers only.
    """

    def __init__(self, queries: IQueries) -> None:
        self._queries = queries

    def of(self, routes: Sequence[Route]) -> Sequence[Route]:
        """
        Return the routes with names.
        """
        return [
            attrs.evolve(
                route,
                wrap=self._answer,
                takes_names=_USERS | _GROUPS,
                has_names=any(map(_mentions_users, route.responses.values())),
            )
            for route in routes
        ]

    async def _answer(self, call: Call) -> Reply:
        reply = await call.route.answer(await self._with_numbers(call))
        document = reply.document
        if not isinstance(document, msgspec.Struct):
            return reply
        users = {u for u in _users_in(msgspec.to_builtins(document)) if is_given(u)}
        if not users:
            return reply
        found: dict[str, str] = {}
        some = sorted(users)
        for i in range(0, len(some), MOST_NAMES):
            named = await self._queries.names((), some[i : i + MOST_NAMES])
            found.update((str(user), name) for name, user in named.items())
        return attrs.evolve(reply, names=found)

    async def _with_numbers(self, call: Call) -> Call:
        body = _decoded(call.body) if call.route.body is not None else None
        places = [call.path, call.arguments, body or {}]
        wanted = {name for place in places for name in _names_in(place)}
        users: Mapping[str, int] = {}
        if wanted:
            if len(wanted) > MOST_NAMES:
                raise BadRequest(f"more than {MOST_NAMES} names in one request")
            users = await self._queries.names(sorted(wanted), ())
            unknown = wanted.difference(users)
            if unknown:
                raise NotFound(unknown_of(unknown))
        keyed = any(name in place for place in places for name in _GROUPS)
        if not wanted and not keyed:
            return call
        path, arguments, numbered = (_numbered(place, users) for place in places)
        return attrs.evolve(
            call,
            path=path,
            arguments=arguments,
            body=call.body if body is None else msgspec.json.encode(numbered),
        )


def _decoded(body: bytes) -> dict[str, Any] | None:
    """
    Return a body that is a JSON object; the route refuses any other.
    """
    try:
        decoded = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None
    return decoded if isinstance(decoded, dict) else None


def _texts(name: str, value: object) -> list[str]:
    """
    Return the texts that may be names of users: those of a list, or of an argument in
    which commas separate them.
    """
    if isinstance(value, list):
        return [one for one in value if isinstance(one, str)]
    if not isinstance(value, str):
        return []
    return [v.strip() for v in value.split(",")] if name == "users" else [value]


def _names_in(place: Mapping[str, Any]) -> Iterator[str]:
    for name in _USERS.intersection(place):
        for text in _texts(name, place[name]):
            # Digits that are no user id are left to the route, which refuses them.
            if text and not (text.isascii() and text.isdecimal()):
                yield text


def _numbered(place: Mapping[str, Any], users: Mapping[str, int]) -> dict[str, Any]:
    numbered = dict(place)
    for name in _USERS.intersection(place):
        value = place[name]
        if isinstance(value, list):
            numbered[name] = [_number(v, users) for v in value]
        elif name == "users" and isinstance(value, str):
            some = (_number(v.strip(), users) for v in value.split(","))
            numbered[name] = ",".join(map(str, some))
        elif isinstance(value, str) and value in users:
            numbered[name] = str(users[value])
    for name in _GROUPS.intersection(place):
        value = place[name]
        if isinstance(value, str) and value:
            digits = value.isascii() and value.isdecimal()
            numbered[name] = value if digits else str(group_in_text(value))
    return numbered


def _number(value: object, users: Mapping[str, int]) -> object:
    return str(users[value]) if isinstance(value, str) and value in users else value


def _mentions_users(form: type | None) -> bool:
    """
    Return whether documents of a form may mention users.
    """
    if form is None or not issubclass(form, msgspec.Struct):
        return False
    _, forms = msgspec.json.schema_components([form])
    fields = {field for one in forms.values() for field in one.get("properties", ())}
    return not fields.isdisjoint({*_USERS, "conversation"})


def _users_in(value: Any) -> Iterator[int]:
    """
    Return the users whom a document mentions.
    """
    if isinstance(value, list):
        for one in value:
            yield from _users_in(one)
    if not isinstance(value, dict):
        return
    for name, one in value.items():
        if name in _USERS and isinstance(one, int | str):
            yield _id(one)
        elif name == "conversation" and isinstance(one, str) and not is_group(one):
            yield from _two(one)
        else:
            yield from _users_in(one)
    kind, content = value.get("kind"), value.get("content")
    if kind in (GROUP, BLOCK) and isinstance(content, str):
        yield from _in_change(content) if kind == GROUP else _in_block(content)


def _id(value: int | str) -> int:
    return value if isinstance(value, int) else number_in(value or "0")


def _two(conversation: str) -> tuple[int, ...]:
    try:
        return members_of(conversation)
    except InvalidName:
        return ()


def _in_change(content: str) -> tuple[int, ...]:
    try:
        change = decode_change(content)
    except InvalidContent:
        return ()
    return (*change.add, *change.remove)


def _in_block(content: str) -> tuple[int, ...]:
    try:
        return (decode_block(content).user,)
    except InvalidContent:
        return ()
