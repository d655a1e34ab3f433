"""
Conversations in MongoDB: their heads, and when they changed.

A head is the number of the last message; the messages alone decide it.  The head in
the document of the conversation is a hint.  It may be too low, if a process died after
it inserted messages and before it updated the hint; so each read of a head also looks
for messages beyond the hint, in one bounded piece of the index.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from wsmsg.dependency.gather import gather_lists
from wsmsg.message.store.interface import HeadRow
from wsmsg.message.store.mongo.bulk_raise import raise_all
from wsmsg.message.store.mongo.connection import MongoConnection
from wsmsg.message.store.mongo.documents import (
    BRANCHES,
    Document,
    chunks,
    find,
    storable,
    two_of,
)
from wsmsg.model import INT64_MAX, storable_values


class MongoHeads:
    """
    The collection of conversations, and the messages beyond its hints.
    """

    def __init__(self, connection: MongoConnection) -> None:
        self._connection = connection

    async def heads(self, conversations: Iterable[str]) -> dict[str, int]:
        """
        Return the number of the last message of each conversation, 0 if there is none,
        in two round trips.
        """
        heads = dict.fromkeys(conversations, 0)
        names = [c for c in heads if storable(c)]
        if not names:
            return heads
        hints = await self._hints(names)
        beyond = await self.beyond({name: hints.get(name, 0) for name in names})
        return {**heads, **hints, **beyond}

    async def reaching(self, wanted: Mapping[str, int]) -> dict[str, int]:
        """
        Return the head of each conversation, or a lower number that is not below the
        wanted one, for which one round trip is enough.
        """
        hints = {**dict.fromkeys(wanted, 0), **await self._hints(wanted)}
        low = {name: hints[name] for name in wanted if hints[name] < wanted[name]}
        return {**hints, **await self.beyond(low)} if low else hints

    async def beyond(self, hints: Mapping[str, int]) -> dict[str, int]:
        """
        Return the heads of the conversations that have a number above the given one.
        """
        branches = [
            # Both bounds keep the scan of the index within the conversation.
            {"conversation": name, "seq": {"$gt": head, "$lte": INT64_MAX}}
            for name, head in hints.items()
        ]
        projection = {"_id": 0, "conversation": 1, "seq": 1}
        found = await gather_lists(
            self._connection.documents(
                find("messages", {"$or": some}, projection=projection)
            )
            for some in chunks(branches, BRANCHES)
        )
        last: dict[str, int] = {}
        for row in found:
            name = row["conversation"]
            last[name] = max(int(row["seq"]), last.get(name, 0))
        return last

    async def _hints(self, names: Iterable[str]) -> dict[str, int]:
        wanted = {"_id": {"$in": list(names)}}
        query = find("conversations", wanted, projection={"head": 1})
        return {
            d["_id"]: int(d["head"]) for d in await self._connection.documents(query)
        }

    async def moved(
        self, heads: Mapping[str, int], stored_ms: int, new: Collection[str]
    ) -> None:
        """
        Note that conversations changed and have these heads, in one round trip.

        @param new: the conversations that probably have no document.
        """
        await self._raise(heads, stored_ms, new=new)

    async def repair(self, conversations: Iterable[str], stored_ms: int) -> None:
        """
        Correct the hints of these conversations.  A conversation whose hint was wrong
        counts as changed now: no client has been sent the change before.
        """
        heads = await self.heads(conversations)
        known = {name: head for name, head in heads.items() if head}
        if known:
            await self._raise(known, stored_ms, behind="head")

    async def _raise(
        self, heads: Mapping[str, int], stored_ms: int, **more: Any
    ) -> None:
        documents = {
            name: _document(name, head, stored_ms) for name, head in heads.items()
        }
        fields = ("head", "updated")
        await raise_all(self._connection, "conversations", documents, fields, **more)

    async def conversations_of(
        self, user: int, since_ms: int, limit: int, after: str
    ) -> list[HeadRow]:
        """
        As L{wsmsg.message.store.interface.IMessages.conversations_of}; three round
        trips, two of them one after the other.
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
            # Every name is greater than the empty one.
            "$or": [{"updated": {"$gt": since_ms}}, {"_id": {"$gt": after}}],
        }
        found = await gather_lists(
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
        rows = [HeadRow(d["_id"], int(d["head"]), int(d["updated"])) for d in found]
        return sorted(rows, key=lambda r: (r.time_ms, r.conversation))[:limit]


def _document(name: str, head: int, stored_ms: int) -> Document:
    document: Document = {"_id": name, "head": head, "updated": stored_ms}
    members = two_of(name)
    if members:
        document["members"] = list(members)
    return document
