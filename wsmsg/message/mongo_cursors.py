"""
How far users are.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from wsmsg.message.mongo_connection import MongoConnection
from wsmsg.message.mongo_documents import (
    Document,
    find,
    member_key,
    storable,
    storable_values,
    to_cursor,
)
from wsmsg.message.mongo_heads import MongoHeads
from wsmsg.message.mongo_raising import raise_all
from wsmsg.message.mongo_together import both
from wsmsg.model import Cursor

_Key = tuple[str, int]


class MongoCursors:
    """
    The collection of cursors.
    """

    def __init__(self, connection: MongoConnection, heads: MongoHeads) -> None:
        self._connection = connection
        self._heads = heads

    async def move(self, cursors: Sequence[Cursor]) -> list[Cursor]:
        wanted = highest(cursors)
        if not wanted:
            return []
        reach: dict[str, int] = {}
        for c in wanted.values():
            to = max(c.delivered, c.read, reach.get(c.conversation, 0))
            reach[c.conversation] = to
        now, heads = await both(self.cursors(list(wanted)), self._heads.reaching(reach))
        risen = [
            moved
            for key, to in wanted.items()
            if (moved := rise(now.get(key), to, heads[key[0]]))
        ]
        if risen:
            await self._raise(risen, now)
        return risen

    async def _raise(self, risen: Sequence[Cursor], now: Collection[_Key]) -> None:
        documents = {}
        new = set()
        for c in risen:
            key = member_key(c.conversation, c.user)
            documents[key] = _document(key, c)
            if (c.conversation, c.user) not in now:
                new.add(key)
        fields = ("delivered", "read")
        await raise_all(self._connection, "cursors", documents, fields, new=new)

    async def cursors(self, keys: Sequence[_Key]) -> dict[_Key, Cursor]:
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
    Several moves of one cursor as one, by conversation and user.
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
            )
    return wanted


def rise(now: Cursor | None, to: Cursor, head: int) -> Cursor | None:
    """
    The cursor after a move that neither falls nor passes the head; L{None} where it
    stays.
    """
    before = now or Cursor(to.conversation, to.user)
    moved = Cursor(
        to.conversation,
        to.user,
        max(before.delivered, min(to.delivered, head)),
        max(before.read, min(to.read, head)),
    )
    return moved if moved != before else None


def _document(key: str, c: Cursor) -> Document:
    return {
        "_id": key,
        "conversation": c.conversation,
        "user": c.user,
        "delivered": c.delivered,
        "read": c.read,
    }
