"""
Unread messages in MongoDB.

Each piece of a conversation that a user has not read, between and above the read
ranges, is a branch of its own, so that the query reads only pieces of the index by
number.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

from wsmsg.dependency.gather import both, gather_lists
from wsmsg.errors import Unavailable
from wsmsg.message.store.id_order import OLDER_FROM, id_order
from wsmsg.message.store.mongo.connection import MongoConnection
from wsmsg.message.store.mongo.cursors import MongoCursors
from wsmsg.message.store.mongo.documents import (
    BRANCHES,
    Document,
    chunks,
    find,
    storable,
    to_message,
    two_of,
)
from wsmsg.message.store.mongo.groups import MongoGroups
from wsmsg.message.store.read_ranges import ReadRanges, gaps
from wsmsg.model import (
    FIRST_EVENT,
    INT64_MAX,
    Cursor,
    Message,
    is_group,
    storable_values,
)

T = TypeVar("T")

_TRIES = 20
_PLACE = {"_id": 0, "conversation": 1, "seq": 1, "message_id": 1}


class MongoUnread:
    """
    Reads of unread messages, in a few round trips each.
    """

    def __init__(
        self, connection: MongoConnection, groups: MongoGroups, cursors: MongoCursors
    ) -> None:
        self._connection = connection
        self._groups = groups
        self._cursors = cursors

    async def unread(
        self, user: int, after_id: int, limit: int
    ) -> tuple[list[Message], int]:
        if not storable_values((user, after_id)):
            return [], 0

        async def read(pieces: Sequence[Document]) -> tuple[list[Message], int]:
            page, total = await both(
                self._page(pieces, after_id, max(limit, 0)), self._total(pieces)
            )
            return page, total

        return await self._judged(user, await self._conversations(user), read)

    async def counts(self, user: int, conversations: Sequence[str]) -> dict[str, int]:
        counts = dict.fromkeys(conversations, 0)
        if not storable_values((user,)):
            return counts
        return await self._judged(user, list(counts), self._counted(counts))

    def _counted(
        self, none: Mapping[str, int]
    ) -> Callable[[Sequence[Document]], Awaitable[dict[str, int]]]:
        async def count(pieces: Sequence[Document]) -> dict[str, int]:
            return {**none, **await self._count(pieces)}

        return count

    async def _count(self, pieces: Sequence[Document]) -> dict[str, int]:
        counts: dict[str, int] = {}
        asked = [
            self._connection.run(
                {
                    "aggregate": "messages",
                    "pipeline": [
                        {"$match": _matching(some)},
                        {"$group": {"_id": "$conversation", "n": {"$sum": 1}}},
                    ],
                    "cursor": {"batchSize": BRANCHES + 1},
                    "readConcern": {"level": "local"},
                }
            )
            for some in chunks(pieces, BRANCHES)
        ]
        for reply in await gather_lists([_one(reply) for reply in asked]):
            for row in reply["cursor"]["firstBatch"]:
                name = row["_id"]
                counts[name] = counts.get(name, 0) + int(row["n"])
        return counts

    async def located(
        self, user: int, message_ids: Sequence[int]
    ) -> dict[int, tuple[str, int]]:
        ids = [i for i in message_ids if storable_values((i,))]
        if not ids or not storable_values((user,)):
            return {}
        pieces = await self._pieces(user, await self._conversations(user))
        found = await gather_lists(
            self._connection.documents(
                find(
                    "messages",
                    {**_matching(some), "message_id": {"$in": ids}},
                    projection=_PLACE,
                )
            )
            for some in chunks(pieces, BRANCHES)
        )
        return {int(d["message_id"]): (d["conversation"], int(d["seq"])) for d in found}

    async def _conversations(self, user: int) -> list[str]:
        of_two, groups = (
            find("conversations", {"members": user}, projection={"_id": 1}),
            find(
                "members",
                {"user": user, "joined": {"$gt": 0}},
                projection={"_id": 0, "conversation": 1},
            ),
        )
        ask = self._connection.documents
        found = await gather_lists([ask(of_two), ask(groups)])
        return [d["_id"] if "_id" in d else d["conversation"] for d in found]

    async def _judged(
        self,
        user: int,
        names: Sequence[str],
        read: Callable[[Sequence[Document]], Awaitable[T]],
    ) -> T:
        """
        Read pieces of conversations, and judge the user's right to the groups among
        them after the read: the result has nothing that follows a change that removes
        the user.
        """
        groups = [(name, user) for name in names if is_group(name)]
        for _ in range(_TRIES):
            names = [n for n in names if not is_group(n) or (n, user) in groups]
            pieces = await self._pieces(user, names)
            result = await read(pieces)
            if not groups:
                return result
            readable = await self._groups.readable_from(groups)
            if len(readable) == len(groups):
                return result
            groups = list(readable)
        raise Unavailable("the user is being removed from one group after another")

    async def _pieces(self, user: int, names: Sequence[str]) -> list[Document]:
        """
        Return the pieces to read of these conversations, where the user is a member.
        """
        keys = [(name, user) for name in names if storable(name)]
        cursors, readable = await both(
            self._cursors.standings(keys),
            self._groups.readable_from([key for key in keys if is_group(key[0])]),
        )
        pieces: list[Document] = []
        for key in keys:
            first = 1 if user in two_of(key[0]) else readable.get(key, 0)
            if first:
                now = cursors.get(key, Cursor(*key))
                seen = ReadRanges(max(now.read, first - 1), now.seen)
                pieces += _pieces(*key, seen)
        return pieces

    async def _page(
        self, pieces: Sequence[Document], after_id: int, limit: int
    ) -> list[Message]:
        if not limit:
            return []
        if not after_id:
            # One query has all, unless there are more than the page holds.
            found = await self._found(pieces, [{"$gt": 0}], limit)
            if len(found) < limit:
                return _in_order(found)
        return _in_order(await self._found(pieces, _ids_after(after_id), limit))[:limit]

    async def _found(
        self, pieces: Sequence[Document], ranges: Sequence[Document], limit: int
    ) -> list[Document]:
        return await gather_lists(
            self._connection.documents(
                find(
                    "messages",
                    {**_matching(some), "message_id": ids},
                    sort={"message_id": 1},
                    limit=limit,
                )
            )
            for some in chunks(pieces, BRANCHES)
            for ids in ranges
        )

    async def _total(self, pieces: Sequence[Document]) -> int:
        replies = await gather_lists(
            _one(
                self._connection.run(
                    {
                        "count": "messages",
                        "query": _matching(some),
                        "readConcern": {"level": "local"},
                    }
                )
            )
            for some in chunks(pieces, BRANCHES)
        )
        return sum(int(reply["n"]) for reply in replies)


def _ids_after(after_id: int) -> list[Document]:
    """
    Return the ranges of the ids that follow, in their order; see L{id_order}.
    """
    newer = {"$gt": after_id if after_id < OLDER_FROM else 0, "$lt": OLDER_FROM}
    if 0 < after_id < OLDER_FROM:
        return [newer]
    return [{"$gt": max(after_id, OLDER_FROM - 1)}, newer]


def _in_order(found: Sequence[Document]) -> list[Message]:
    return sorted(map(to_message, found), key=lambda m: id_order(m.message_id))


async def _one(reply: Any) -> list[Document]:
    return [await reply]


def _matching(pieces: Sequence[Document]) -> Document:
    return {"$or": pieces, "kind": {"$lt": FIRST_EVENT}}


def _pieces(name: str, user: int, seen: ReadRanges) -> list[Document]:
    return [
        {
            "conversation": name,
            # Both bounds keep the scan of the index within the conversation.
            "seq": {"$gte": first, "$lte": INT64_MAX if last is None else last},
            "sender": {"$ne": user},
        }
        for first, last in gaps(seen)
    ]
