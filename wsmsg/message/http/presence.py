"""
The presence of users over HTTP.
"""

from __future__ import annotations

from collections.abc import Sequence

from wsmsg.auth.scopes import Scope
from wsmsg.http.forms import Answer, Form, Id, parse_int, parse_users, to_json_id
from wsmsg.http.routes import Argument, Call, Reply, Route
from wsmsg.message.queries.interface import IQueries
from wsmsg.model import UserPresence

_USERS = 1000
_USERS_IN_BODY = 10_000


class PresenceForm(Form):
    """
    The users of a request for presence.

    @ivar users: at most 10000 users.
    @ivar asker: the user who is to be told, for whom users may be hidden.
    """

    users: list[Id]
    asker: Id | None = None


class PresenceView(Answer):
    """
    The presence of a user.

    @ivar last_seen_ms: the time at which the user was last online, in unix
        milliseconds; 0: never.
    """

    user: Id
    online: bool
    last_seen_ms: int


class PresenceList(Answer):
    """
    The presence of each user of the request, in the same order.
    """

    presence: list[PresenceView]


class PresenceCalls:
    """
    The calls C{presence}.
    """

    def __init__(self, queries: IQueries) -> None:
        self._queries = queries

    def routes(self) -> Sequence[Route]:
        """
        Return the routes.
        """
        users = Argument(
            "users",
            f"User ids, separated by commas; at most {_USERS}.",
            number=False,
            required=True,
        )
        asker = Argument(
            "asker",
            "The user who is to be told: users who hide from them are shown as offline,"
            " and never seen.",
            required=False,
        )
        return [
            Route(
                "GET presence",
                self.presence,
                {200: PresenceList},
                query=[users, asker],
                scope=Scope.PRESENCE,
            ),
            Route(
                "POST presence",
                self.presence_of_many,
                {200: PresenceList},
                body=PresenceForm,
                scope=Scope.PRESENCE,
            ),
        ]

    async def presence(self, call: Call) -> Reply:
        """
        Show the presence of users.
        """
        given = [u.strip() for u in call.text("users").split(",", _USERS + 1)]
        asker = call.number("asker", 0)
        return await self._presence(parse_users(given, _USERS), asker)

    async def presence_of_many(self, call: Call) -> Reply:
        """
        Show the presence of users, for more users than a URL can name.
        """
        form = call.body_as(PresenceForm)
        return await self._presence(
            parse_users(form.users, _USERS_IN_BODY),
            0 if form.asker is None else parse_int(form.asker, "asker"),
        )

    async def _presence(self, users: Sequence[int], asker: int) -> Reply:
        known = [
            PresenceView(
                user=to_json_id(p.user), online=p.online, last_seen_ms=p.last_seen_ms
            )
            for p in map(UserPresence.shown, await self._queries.presence(users, asker))
        ]
        return Reply(200, PresenceList(presence=known))
