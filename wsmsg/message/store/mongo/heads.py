"""
Conversations in MongoDB: their heads, and when they changed.

A head is the number of the last message; the messages alone decide it.  The head in
the document of the conversation is a hint.  It may be too low, if a process died after
it inserted messages and before it updated the hint; so each read of a head also looks
for messages beyond the hint, in one bounded piece of the index.

A user's list begins with the groups, by name, a bounded number for each page; then come
the conversations of two, by shard and change, as an index has them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

import attrs

from wsmsg.dependency.gather import both, gather_lists
from wsmsg.errors import Unavailable
from wsmsg.message.store.interface import HeadList, HeadRow
from wsmsg.message.store.mongo.bulk_raise import raise_all, statements_raising
from wsmsg.message.store.mongo.connection import MongoConnection
from wsmsg.message.store.mongo.documents import (
    BRANCHES,
    Document,
    chunks,
    find,
    storable,
    two_of,
    update,
)
from wsmsg.message.store.mongo.shards import MongoShards
from wsmsg.message.store.position import NOW, StorePosition, decode_position
from wsmsg.model import INT64_MAX, storable_values

_TRIES = 20
# The most groups that are looked at for a page.
_SCAN = 500
_ROW = {"head": 1, "updated": 1, "shard": 1, "change": 1}
_FIELDS = ("head",)


class MongoHeads:
    """
    The collection of conversations, and the messages beyond its hints.
    """

    def __init__(self, connection: MongoConnection, shards: MongoShards) -> None:
        self._connection = connection
        self._shards = shards

    async def heads(self, conversations: Iterable[str]) -> dict[str, int]:
        """
        Return the number of the last message of each conversation, 0 if there is none,
        in two round trips.
        """
        heads = dict.fromkeys(conversations, 0)
        names = [c for c in heads if storable(c)]
        if not names:
            return heads
        hints = await self.hints(names)
        beyond = await self.beyond({name: hints.get(name, 0) for name in names})
        return {**heads, **hints, **beyond}

    async def reaching(self, wanted: Mapping[str, int]) -> dict[str, int]:
        """
        Return the head of each conversation, or a lower number that is not below the
        wanted one, for which one round trip is enough.
        """
        hints = {**dict.fromkeys(wanted, 0), **await self.hints(wanted)}
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

    async def hints(self, names: Iterable[str]) -> dict[str, int]:
        """
        Return the heads that the conversations' documents have, in one round trip.
        """
        wanted = {"_id": {"$in": list(names)}}
        query = find("conversations", wanted, projection={"head": 1})
        return {
            d["_id"]: int(d["head"]) for d in await self._connection.documents(query)
        }

    async def moved(
        self,
        heads: Mapping[str, int],
        stored_ms: int,
        shards: Mapping[str, int],
        new: Collection[str] = (),
    ) -> None:
        """
        Note that conversations changed and have at least these heads, mostly in one
        round trip.

        @param shards: the shard of each conversation.
        @param new: the conversations that probably have no document.
        """
        for _ in range(_TRIES):
            numbers = await self._shards.next({shards[name] for name in heads})
            documents = {
                name: _document(name, head, stored_ms, shards[name], numbers)
                for name, head in heads.items()
            }
            if not new and await self._raised(list(documents.values()), numbers):
                return
            await raise_all(
                self._connection,
                "conversations",
                documents,
                _FIELDS,
                new=new,
                also=_changed,
            )
            if await self._shards.publish(numbers):
                return
        raise Unavailable("MongoDB: others keep numbering the same changes")

    async def _raised(
        self, documents: Sequence[Document], numbers: Mapping[int, int]
    ) -> bool:
        # In order: the shards' numbers are written behind the heads.
        statements = [
            *statements_raising(documents, _FIELDS, _changed),
            *self._shards.published(numbers),
        ]
        command = {**update("conversations", statements), "ordered": True}
        reply = await self._connection.run(command)
        if reply.get("writeErrors"):
            return False
        if reply["n"] != len(documents) + len(numbers):
            return False
        self._shards.confirm(numbers)
        return True

    async def changed_again(self, conversations: Collection[str]) -> None:
        """
        Note that conversations changed again, without a message: their members did.
        """
        if not conversations:
            return
        found = await self._connection.documents(
            find("conversations", {"_id": {"$in": list(conversations)}})
        )
        if found:
            await self.moved(
                {d["_id"]: int(d["head"]) for d in found},
                max(int(d["updated"]) for d in found),
                {d["_id"]: int(d["shard"]) for d in found},
            )


def _changed(wanted: Callable[[str], Document]) -> Document:
    # Numbers of different shards cannot be compared: the last writer's counts.
    same = {"$eq": ["$shard", wanted("shard")]}
    higher = {"$max": ["$change", wanted("change")]}
    rises = {"$lt": ["$head", wanted("head")]}
    return {
        "shard": wanted("shard"),
        "change": {"$cond": [same, higher, wanted("change")]},
        "updated": {"$cond": [rises, wanted("updated"), "$updated"]},
    }


def _document(
    name: str, head: int, stored_ms: int, shard: int, numbers: Mapping[int, int]
) -> Document:
    document: Document = {
        "_id": name,
        "head": head,
        "updated": stored_ms,
        "shard": shard,
        "change": numbers[shard],
    }
    members = two_of(name)
    if members:
        document["members"] = list(members)
    return document


@attrs.define
class _Page:
    """
    A page in progress.
    """

    user: int
    limit: int
    at: StorePosition
    rows: list[HeadRow] = attrs.field(factory=list)

    @property
    def room(self) -> int:
        return self.limit - len(self.rows)

    def add(self, documents: Sequence[Document]) -> None:
        self.rows += (
            HeadRow(d["_id"], int(d["head"]), int(d["updated"])) for d in documents
        )

    def finish(self) -> None:
        self.at = StorePosition(self.at.epoch, self.at.end)

    def move(self, since: dict[int, int], *place: int | str) -> None:
        self.at = StorePosition(self.at.epoch, since, self.at.end, place)


class MongoLists:
    """
    The reads.
    """

    def __init__(self, connection: MongoConnection, shards: MongoShards) -> None:
        self._connection = connection
        self._shards = shards

    async def conversations_of(
        self, user: int, position: str, limit: int, witness: str, anew: bool
    ) -> HeadList:
        """
        As L{wsmsg.message.store.interface.IMessages.conversations_of}; two round trips
        for most users.
        """
        if not storable_values((user,)):
            return HeadList([], "", False)
        place = () if anew else decode_position(position).place
        after = place[1] if _is_place(place, "g") else ""
        # The numbers are read before all heads; the groups' names do not matter.
        now, groups = await both(
            self._shards.read(), self._groups_of(user, str(after), max(limit, _SCAN))
        )
        told = now.told(position, witness, anew=anew)
        at, full, numbers = told.at, now.name.full, dict(now.changes)
        page = _Page(user, limit, at)
        if position == NOW:
            page.at = StorePosition(full, numbers)
        elif not at.end or not _is_place(at.place, "g", "d"):
            if after:
                groups = await self._groups_of(user, "", max(limit, _SCAN))
            page.at = StorePosition(full, at.since, numbers, ("g", ""))
        if page.at.place and page.at.place[0] == "g":
            await self._add_groups(page, groups)
        if page.at.place and page.at.place[0] == "d" and page.room:
            await self._add_of_two(page)
        sealed, more = now.sealed(page.at), bool(page.at.place)
        return HeadList(page.rows, sealed, more, told.ahead, told.forged)

    async def _groups_of(self, user: int, after: str, limit: int) -> list[str]:
        found = await self._connection.documents(
            find(
                "members",
                {"user": user, "conversation": {"$gt": after}, "joined": {"$gt": 0}},
                projection={"_id": 0, "conversation": 1},
                sort={"conversation": 1},
                limit=limit,
            )
        )
        return [d["conversation"] for d in found]

    async def _add_groups(self, page: _Page, names: Sequence[str]) -> None:
        since = page.at.since
        found: list[Document] = []
        if names:
            query = find("conversations", {"_id": {"$in": names}}, projection=_ROW)
            found = await self._connection.documents(query)
        changed = sorted(
            (d for d in found if int(d["change"]) >= since.get(int(d["shard"]), 0)),
            key=lambda d: str(d["_id"]),
        )
        page.add(changed[: page.room])
        if not page.room:
            page.move(since, "g", page.rows[-1].conversation)
        elif len(names) == max(page.limit, _SCAN):
            page.move(since, "g", names[-1])
        else:
            page.move(since, "d", min(page.at.end), -1, "")

    async def _add_of_two(self, page: _Page) -> None:
        # One more than the page has room for, to know whether there is more.
        room = page.room
        found = await self._connection.documents(
            find(
                "conversations",
                {"$or": _branches(page)},
                projection=_ROW,
                sort={"shard": 1, "change": 1, "_id": 1},
                limit=room + 1,
            )
        )
        page.add(found[:room])
        if len(found) <= room:
            page.finish()
            return
        last = found[room - 1]
        shard, number = int(last["shard"]), int(last["change"])
        passed = {s: n for s, n in page.at.end.items() if s < shard}
        # The last row may have changed after the list began.
        passed[shard] = min(number, page.at.end[shard])
        page.move({**page.at.since, **passed}, "d", shard, number, last["_id"])


def _branches(page: _Page) -> list[Document]:
    """
    Return the pieces of the index by change that are left, one or two for a shard.
    """
    at, mine = page.at, {"members": page.user}
    _, shard, number, name = at.place
    branches: list[Document] = []
    for s in sorted(at.end):
        if s == shard and number != -1:
            branches.append(
                {**mine, "shard": s, "change": number, "_id": {"$gt": name}}
            )
            branches.append({**mine, "shard": s, "change": {"$gt": number}})
        elif s >= int(shard):
            since = at.since.get(s, 0)
            branches.append({**mine, "shard": s, "change": {"$gte": since}})
    # Without a branch there is nothing: no shard has this key.
    return branches or [{"_id": "/"}]


def _is_place(place: Sequence[Any], *phases: str) -> bool:
    match place:
        case ("g", str()):
            return "g" in phases and storable_values((place[1],))
        case ("d", int(), int(), str()):
            return "d" in phases and storable_values((place[3],))
        case _:
            return False
