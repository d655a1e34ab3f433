"""
Conversations: their heads, and when they changed.

A head is the number of the last message, and the messages alone decide it.  What the
conversation's document says is a hint that may be behind, where a process died after
it inserted messages and before it said so here; whoever asks for a head looks beyond
the hint, in one bounded piece of the index.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from wsmsg.errors import Unavailable
from wsmsg.message.interfaces import HeadRow
from wsmsg.message.mongo_connection import MongoConnection
from wsmsg.message.mongo_documents import (
    BRANCHES,
    Document,
    change,
    chunks,
    find,
    storable,
    storable_values,
    two_of,
    update,
)
from wsmsg.message.mongo_together import together
from wsmsg.model import INT64_MAX

_DUPLICATE = 11000
_TRIES = 5


class MongoHeads:
    """
    The collection of conversations, and what messages there are beyond it.
    """

    def __init__(self, connection: MongoConnection) -> None:
        self._connection = connection

    async def heads(self, conversations: Iterable[str]) -> dict[str, int]:
        """
        The last number of each, 0 where there is none, in two round trips.
        """
        heads = dict.fromkeys(conversations, 0)
        names = [c for c in heads if storable(c)]
        if not names:
            return heads
        said = find("conversations", {"_id": {"$in": names}}, projection={"head": 1})
        for row in await self._connection.documents(said):
            heads[row["_id"]] = row["head"]
        beyond = await self.beyond({name: heads[name] for name in names})
        return {**heads, **beyond}

    async def beyond(self, hints: Mapping[str, int]) -> dict[str, int]:
        """
        The last numbers of those conversations that have a number above the given
        one.
        """
        branches = [
            # Both bounds, so that what is beyond the conversation is not read.
            {"conversation": name, "seq": {"$gt": head, "$lte": INT64_MAX}}
            for name, head in hints.items()
        ]
        projection = {"_id": 0, "conversation": 1, "seq": 1}
        found = await together(
            self._connection.documents(
                find("messages", {"$or": some}, projection=projection)
            )
            for some in chunks(branches, BRANCHES)
        )
        last: dict[str, int] = {}
        for row in found:
            name = row["conversation"]
            last[name] = max(row["seq"], last.get(name, 0))
        return last

    async def moved(self, heads: Mapping[str, int], stored_ms: int) -> None:
        """
        These conversations have changed, and have these heads.
        """
        await self._write(
            [_moving({"_id": c}, c, head, stored_ms) for c, head in heads.items()]
        )

    async def repair(self, conversations: Iterable[str], stored_ms: int) -> None:
        """
        Let what is said of these conversations be true, and, where it was not, let
        them count as changed now: nobody has been told of it before.
        """
        heads = await self.heads(conversations)
        updates = [
            _moving({"_id": c, "head": {"$lt": head}}, c, head, stored_ms)
            for c, head in heads.items()
            if head
        ]
        if updates:
            # One that is right already is met as a duplicate key.
            await self._connection.run(update("conversations", updates))

    async def conversations_of(
        self, user: int, since_ms: int, limit: int, after: str
    ) -> list[HeadRow]:
        """
        As the store is asked; three round trips, two of them after each other.
        """
        if limit <= 0 or not storable_values((user, since_ms, after)):
            return []
        groups = await self._connection.documents(
            find(
                "members",
                {"user": user, "joined": {"$gt": 0}},
                projection={"_id": 0, "conversation": 1},
            )
        )
        whose: list[Document] = [{"members": user}]
        if groups:
            whose.append({"_id": {"$in": [g["conversation"] for g in groups]}})
        changed = {
            "updated": {"$gte": since_ms},
            # No name is as small as an empty one.
            "$or": [{"updated": {"$gt": since_ms}}, {"_id": {"$gt": after}}],
        }
        found = await together(
            self._connection.documents(
                find(
                    "conversations",
                    {"$and": [mine, changed]},
                    projection={"head": 1, "updated": 1},
                    sort={"updated": 1, "_id": 1},
                    limit=limit,
                )
            )
            for mine in whose
        )
        rows = [HeadRow(d["_id"], d["head"], d["updated"]) for d in found]
        return sorted(rows, key=lambda r: (r.time_ms, r.conversation))[:limit]

    async def _write(self, updates: Sequence[Document]) -> None:
        # Two that make the same document at once: one of them meets the other's.
        for _ in range(_TRIES):
            reply = await self._connection.run(update("conversations", updates))
            errors = reply.get("writeErrors", ())
            check_errors(errors)
            if not errors:
                return
            updates = [updates[e["index"]] for e in errors]
        raise Unavailable("MongoDB keeps finding duplicates where there are none")


def check_errors(errors: Sequence[Document]) -> None:
    """
    Pass over duplicate keys.

    @raise Unavailable: there was another error.
    """
    for error in errors:
        if error["code"] != _DUPLICATE:
            raise Unavailable(f"MongoDB: {error.get('errmsg')}")


def _moving(q: Document, name: str, head: int, stored_ms: int) -> Document:
    u: Document = {"$max": {"head": head, "updated": stored_ms}}
    members = two_of(name)
    if members:
        u["$setOnInsert"] = {"members": list(members)}
    return change(q, u, upsert=True)
