"""
The names of users in MongoDB.

The name is the key of its document, and the user is in a unique index: of two processes
that give the same name a number at once, or the same number to two names, one succeeds,
and the other reads what is there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from twisted.internet.defer import Deferred
from zope.interface import implementer

from wsmsg.dependency.gather import gather_lists
from wsmsg.errors import Unavailable
from wsmsg.message.store.mongo.connection import MongoConnection
from wsmsg.message.store.mongo.documents import (
    PLACES,
    check_errors,
    find,
    insert,
)
from wsmsg.message.store.roles import INames
from wsmsg.model import storable_values
from wsmsg.names import candidates, choose

# The most times that other processes may be first.
_TRIES = 10


@implementer(INames)
class MongoNames:
    """
    The collection of names.
    """

    def __init__(self, connection: MongoConnection) -> None:
        self._connection = connection

    def look_up(
        self, names: Sequence[str], users: Sequence[int]
    ) -> Deferred[dict[str, int]]:
        return self._connection.do(lambda: self._look_up(names, users))

    def claim(self, names: Sequence[str]) -> Deferred[dict[str, int]]:
        return self._connection.do(lambda: self._claim(list(dict.fromkeys(names))))

    def adopt(self, pairs: Mapping[str, int]) -> Deferred[dict[str, int]]:
        return self._connection.do(lambda: self._adopt(pairs))

    def after(self, user: int, limit: int) -> Deferred[list[tuple[str, int]]]:
        """
        As L{wsmsg.message.store.archive.IStoreArchive.names}.
        """
        return self._connection.do(lambda: self._after(user, limit))

    async def _look_up(
        self, names: Sequence[str], users: Sequence[int]
    ) -> dict[str, int]:
        keys = [name for name in names if storable_values((name,))]
        numbers = [user for user in users if storable_values((user,))]
        wanted: list[Any] = []
        if keys:
            wanted.append({"_id": {"$in": keys}})
        if numbers:
            wanted.append({"user": {"$in": numbers}})
        if not wanted:
            return {}
        either = wanted[0] if len(wanted) == 1 else {"$or": wanted}
        found = await self._connection.documents(find("names", either))
        return {d["_id"]: int(d["user"]) for d in found}

    async def _claim(self, names: Sequence[str]) -> dict[str, int]:
        for _ in range(_TRIES):
            found = await self._look_up(names, ())
            new = [name for name in names if name not in found]
            if not new:
                return found
            possible = [user for name in new for user in candidates(name)]
            taken = set((await self._look_up((), possible)).values())
            in_use = await self._in_use(possible)
            chosen: dict[str, int] = {}
            for name in new:
                chosen[name] = choose(name, taken, in_use)
                taken.add(chosen[name])
            await self._add(chosen)
        raise Unavailable("other Messages keep taking the numbers of the same names")

    async def _adopt(self, pairs: Mapping[str, int]) -> dict[str, int]:
        await self._add(pairs)
        return await self._look_up(list(pairs), list(pairs.values()))

    async def _add(self, pairs: Mapping[str, int]) -> None:
        documents = [{"_id": name, "user": user} for name, user in pairs.items()]
        if documents:
            reply = await self._connection.run(
                {**insert("names", documents), "ordered": False}
            )
            check_errors(reply.get("writeErrors", ()))

    async def _in_use(self, users: Sequence[int]) -> set[int]:
        """
        Return those of the users that are in conversations.
        """
        among = {"$in": list(users)}
        asked = [
            find("conversations", {place: among}, projection={place: 1})
            for place in PLACES
        ]
        asked.append(find("members", {"user": among}, projection={"user": 1}))
        found = await gather_lists(self._connection.documents(a) for a in asked)
        return {int(n) for d in found for key, n in d.items() if key != "_id"}

    async def _after(self, user: int, limit: int) -> list[tuple[str, int]]:
        found = await self._connection.documents(
            find("names", {"user": {"$gt": user}}, sort={"user": 1}, limit=limit)
        )
        return [(d["_id"], int(d["user"])) for d in found]
