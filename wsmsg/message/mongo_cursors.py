"""
How far users are.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from wsmsg.errors import Unavailable
from wsmsg.message.mongo_connection import MongoConnection
from wsmsg.message.mongo_documents import (
    change,
    find,
    member_key,
    storable,
    storable_values,
    to_cursor,
    update,
)
from wsmsg.message.mongo_heads import MongoHeads, check_errors
from wsmsg.model import Cursor

_TRIES = 5
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
        now = await self.cursors(list(wanted))
        heads = await self._heads.heads(key[0] for key in wanted)
        risen = [
            moved
            for key, to in wanted.items()
            if (moved := rise(now.get(key), to, heads[key[0]]))
        ]
        updates = [
            change(
                {"_id": member_key(c.conversation, c.user)},
                {
                    "$max": {"delivered": c.delivered, "read": c.read},
                    "$setOnInsert": {"conversation": c.conversation, "user": c.user},
                },
                upsert=True,
            )
            for c in risen
        ]
        for _ in range(_TRIES):
            if not updates:
                return risen
            reply = await self._connection.run(update("cursors", updates))
            errors = reply.get("writeErrors", ())
            check_errors(errors)
            # Two that begin the same cursor at once: one meets the other's.
            updates = [updates[e["index"]] for e in errors]
        raise Unavailable("MongoDB keeps finding duplicates where there are none")

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
