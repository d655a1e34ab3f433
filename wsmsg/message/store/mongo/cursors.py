"""
Cursors, the names of users, and the topics of journals, in MongoDB.

The name is the key of its document, and the user is in a unique index: of two processes
that give the same name a number at once, or the same number to two names, one succeeds,
and the other reads what is there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from twisted.internet.defer import Deferred
from zope.interface import implementer

from wsmsg.dependency.gather import both, gather_lists
from wsmsg.errors import Unavailable
from wsmsg.message.store.consent import ShownHead
from wsmsg.message.store.mongo.bulk_raise import raise_all
from wsmsg.message.store.mongo.connection import MongoConnection
from wsmsg.message.store.mongo.consent import MongoConsent
from wsmsg.message.store.mongo.documents import (
    PLACES,
    change,
    check_errors,
    cursor_document,
    find,
    insert,
    member_key,
    storable,
    to_cursor,
    two_of,
    update,
)
from wsmsg.message.store.mongo.heads import MongoHeads
from wsmsg.message.store.roles import INames, ITopics
from wsmsg.model import Cursor, storable_values
from wsmsg.names import candidates, choose

_Key = tuple[str, int]
#: The beginning of the keys of topics that another one follows.
_TOPIC = "topic/"


class MongoCursors:
    """
    The collection of cursors.
    """

    def __init__(
        self, connection: MongoConnection, heads: MongoHeads, consent: MongoConsent
    ) -> None:
        self._connection = connection
        self._heads = heads
        self._consent = consent

    async def moves(
        self, cursors: Sequence[Cursor]
    ) -> dict[_Key, tuple[Cursor | None, Cursor]]:
        """
        Return the present and the raised cursor, for each cursor that moves.
        """
        wanted = highest(cursors)
        if not wanted:
            return {}
        reach: dict[str, int] = {}
        for c in wanted.values():
            last = max([last for _, last in c.seen], default=0)
            to = max(c.delivered, c.read, last, reach.get(c.conversation, 0))
            reach[c.conversation] = to
        now, heads = await both(
            self.standings(list(wanted)), self._heads.reaching(reach)
        )
        shown: dict[_Key, ShownHead] = {}
        if self._consent.may_withhold:
            # A cursor rises no further than its user may read.
            shown = await self._consent.ends([k for k in wanted if two_of(k[0])])
        ends = {k: shown[k].head if k in shown else heads[k[0]] for k in wanted}
        moves = ((key, rise(now.get(key), to, ends[key])) for key, to in wanted.items())
        return {key: (now.get(key), moved) for key, moved in moves if moved is not None}

    async def rise(
        self, moves: Mapping[_Key, tuple[Cursor | None, Cursor]]
    ) -> list[Cursor]:
        """
        Raise cursors that have no ranges above them.
        """
        documents = {}
        new = set()
        for now, to in moves.values():
            document = cursor_document(to)
            documents[document["_id"]] = document
            if now is None:
                new.add(document["_id"])
        if documents:
            fields = ("delivered", "read")
            await raise_all(self._connection, "cursors", documents, fields, new=new)
        return [to for _, to in moves.values()]

    async def cursors(self, keys: Sequence[_Key]) -> dict[_Key, Cursor]:
        """
        As L{wsmsg.message.store.interface.IReadMarks.cursors}.
        """
        return {
            key: msgspec.structs.replace(cursor, seen=()) if cursor.seen else cursor
            for key, cursor in (await self.standings(keys)).items()
        }

    async def standings(self, keys: Sequence[_Key]) -> dict[_Key, Cursor]:
        """
        Return cursors with the ranges above them.
        """
        ids = [
            member_key(*key)
            for key in keys
            if storable(key[0]) and storable_values(key[1:])
        ]
        if not ids:
            return {}
        found = await self._connection.documents(find("cursors", {"_id": {"$in": ids}}))
        there = {(d["conversation"], d["user"]): to_cursor(d) for d in found}
        return {key: there[key] for key in keys if key in there}


def highest(cursors: Iterable[Cursor]) -> dict[_Key, Cursor]:
    """
    Merge several moves of one cursor, by conversation and user.
    """
    wanted: dict[_Key, Cursor] = {}
    for c in cursors:
        if storable(c.conversation) and storable_values((c.user,)):
            old = wanted.get((c.conversation, c.user), c)
            wanted[c.conversation, c.user] = Cursor(
                c.conversation,
                c.user,
                max(old.delivered, c.delivered),
                max(old.read, c.read),
                old.seen if old is c else (*old.seen, *c.seen),
            )
    return wanted


def rise(now: Cursor | None, to: Cursor, head: int) -> Cursor | None:
    """
    Return the cursor after a move that neither falls nor passes the head; L{None} if it
    stays.
    """
    before = now or Cursor(to.conversation, to.user)
    moved = Cursor(
        to.conversation,
        to.user,
        max(before.delivered, min(to.delivered, head)),
        max(before.read, min(to.read, head)),
        tuple((first, min(last, head)) for first, last in to.seen if first <= head),
    )
    same = (moved.delivered, moved.read) == (before.delivered, before.read)
    return None if same and not moved.seen else moved


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

    def keep(self, pairs: Mapping[str, int]) -> Deferred[dict[str, int]]:
        return self._connection.do(lambda: self._keep(pairs))

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

    async def _keep(self, pairs: Mapping[str, int]) -> dict[str, int]:
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


@implementer(ITopics)
class MongoTopics:
    """
    The topics that took the place of others: documents of C{meta}.
    """

    def __init__(self, connection: MongoConnection) -> None:
        self._connection = connection

    def current(self, topic: str) -> Deferred[str]:
        return self._connection.do(lambda: self._current(topic))

    def succeed(self, before: str, after: str) -> Deferred[str]:
        return self._connection.do(lambda: self._succeed(before, after))

    async def _current(self, topic: str) -> str:
        seen = {topic}
        while after := await self._after(topic):
            if after in seen:
                raise Unavailable(f"MongoDB: topic {after} is said to follow itself")
            seen.add(after)
            topic = after
        return topic

    async def _after(self, topic: str) -> str:
        found = await self._connection.documents(
            find("meta", {"_id": f"{_TOPIC}{topic}"})
        )
        return str(found[0]["after"]) if found else ""

    async def _succeed(self, before: str, after: str) -> str:
        once = {"$setOnInsert": {"after": after}}
        named = change({"_id": f"{_TOPIC}{before}"}, once, upsert=True)
        reply = await self._connection.run(update("meta", [named]))
        check_errors(reply.get("writeErrors", ()))
        return await self._after(before)
