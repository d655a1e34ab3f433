"""
Conversations in MongoDB: their heads, and when they changed.

A head is the number of the last message; the messages alone decide it.  The head in
the document of the conversation is a hint.  It may be too low, if a process died after
it inserted messages and before it updated the hint; so each read of a head also looks
for messages beyond the hint, in one bounded piece of the index.

A user's list begins with the groups, by name, a bounded number for each page; then come
the conversations of two, by shard and change, as two indexes have them: one by the
lower user, one by the higher.  MongoDB merges the pieces of the indexes that are left,
a few for each shard, and ends at the limit of the page.

Other servers with MongoDB's protocol evaluate the query as a whole before they apply
the limit, and read all conversations of the user for each page.  So the query has a
limit of time as well.  A list that exceeds it is read on in windows, shard after shard
(L{wsmsg.message.store.windows}), in the same order.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from types import MappingProxyType

import attrs

from wsmsg.dependency.gather import both, gather_lists
from wsmsg.errors import Unavailable
from wsmsg.message.store.interface import HeadList, HeadRow
from wsmsg.message.store.list_page import (
    GROUPS,
    IN_WINDOWS,
    OF_TWO,
    ListPage,
    is_place,
)
from wsmsg.message.store.mongo.bulk_raise import raise_all, statements_raising
from wsmsg.message.store.mongo.connection import MongoConnection
from wsmsg.message.store.mongo.documents import (
    BRANCHES,
    Document,
    chunks,
    find,
    head_changes,
    head_document,
    pieces_behind,
    pieces_of_shard,
    storable,
    update,
)
from wsmsg.message.store.mongo.shards import MongoShards
from wsmsg.message.store.position import NOW, StorePosition, decode_position
from wsmsg.message.store.windows import Window, WindowWalk
from wsmsg.model import INT64_MAX, storable_values

_TRIES = 20
# The most groups that are looked at for a page.
_SCAN = 500
# The most windows that are looked at for a page, and the limit of time of each.
_WINDOWS = 64
_LIMIT_MS = 50
_ROW = {"head": 1, "updated": 1, "message_id": 1, "shard": 1, "change": 1}
_ORDER = {"shard": 1, "change": 1, "_id": 1}
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
        ids: Mapping[str, int] = MappingProxyType({}),
    ) -> None:
        """
        Note that conversations changed and have at least these heads, mostly in one
        round trip.

        @param shards: the shard of each conversation.
        @param new: the conversations that probably have no document.
        @param ids: the message ids of the heads that are known.
        """
        for _ in range(_TRIES):
            numbers = await self._shards.next({shards[name] for name in heads})
            documents = {
                name: head_document(
                    name, head, ids.get(name, 0), stored_ms, shards[name], numbers
                )
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
                also=head_changes,
            )
            if await self._shards.publish(numbers):
                return
        raise Unavailable("MongoDB: others keep numbering the same changes")

    async def _raised(
        self, documents: Sequence[Document], numbers: Mapping[int, int]
    ) -> bool:
        # In order: the shards' numbers are written behind the heads.
        statements = [
            *statements_raising(documents, _FIELDS, head_changes),
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
        scan = max(limit, _SCAN)
        groups: list[str] | None = None
        if is_place(place, OF_TWO, IN_WINDOWS) or position == NOW:
            now = await self._shards.read()
        else:
            after = place[1] if is_place(place, GROUPS) else ""
            # The numbers are read before all heads; the groups' names do not matter.
            now, groups = await both(
                self._shards.read(), self._groups_of(user, str(after), scan)
            )
        told = now.told(position, witness, anew=anew)
        at, full, numbers = told.at, now.name.full, dict(now.changes)
        page = ListPage(user, limit, at)
        if position == NOW:
            page.at = StorePosition(full, numbers)
        elif not at.end or not is_place(at.place, GROUPS, OF_TWO, IN_WINDOWS):
            if place:
                groups = None
            page.at = StorePosition(full, at.since, numbers, (GROUPS, ""))
        if page.phase == GROUPS:
            if groups is None:
                groups = await self._groups_of(user, str(page.at.place[1]), scan)
            await self._add_groups(page, groups)
        if page.phase == OF_TWO and page.room:
            await self._add_of_two(page)
        if page.phase == IN_WINDOWS and page.room:
            await self._add_in_windows(page)
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

    async def _add_groups(self, page: ListPage, names: Sequence[str]) -> None:
        since = page.at.since
        found: list[Document] = []
        if names:
            query = find("conversations", {"_id": {"$in": names}}, projection=_ROW)
            found = await self._connection.documents(query)
        changed = sorted(
            (d for d in found if int(d["change"]) >= since.get(int(d["shard"]), 0)),
            key=lambda d: str(d["_id"]),
        )
        page.add(map(_row, changed[: page.room]))
        if not page.room:
            page.move(since, GROUPS, page.rows[-1].conversation)
        elif len(names) == max(page.limit, _SCAN):
            page.move(since, GROUPS, names[-1])
        else:
            page.move(since, OF_TWO, min(page.at.end), -1, "")

    async def _add_of_two(self, page: ListPage) -> None:
        # One more than the page has room for, to know whether there is more.
        room = page.room
        query = _of_two(_branches(page), room + 1)
        found = await self._connection.documents_within(query, _LIMIT_MS)
        if found is None:
            _, shard, number, name = page.at.place
            page.move(page.at.since, IN_WINDOWS, shard, number, name, 0)
            return
        page.add(map(_row, found[:room]))
        if len(found) <= room:
            page.finish()
            return
        _end_at(page, found[room - 1], OF_TWO)

    async def _add_in_windows(self, page: ListPage) -> None:
        _, begin, number, name, width = page.at.place
        end, budget = page.at.end, _Budget()
        for shard in sorted(s for s in end if s >= int(begin)):
            if shard != begin or number == -1:
                number, name, width = page.at.since.get(shard, 0), "", 0
                page.tell(shard)
                page.move(page.at.since, IN_WINDOWS, shard, -1, "", 0)
            walk = WindowWalk(int(number), end[shard], int(width))
            if not await self._add_of_shard(page, shard, walk, str(name), budget):
                return
        page.finish()

    async def _add_of_shard(
        self, page: ListPage, shard: int, walk: WindowWalk, name: str, budget: _Budget
    ) -> bool:
        """
        Add the rows of a shard, and return whether there was room for all.

        @param name: the last row with the first number of the walk that was told.
        """
        while page.room and budget.windows:
            budget.take()
            room, window = page.room, walk.window
            pieces = _in_window(page.user, shard, window, name)
            query = _of_two(pieces, room + 1)
            if walk.is_narrowest:
                found = await self._connection.documents(query)
            else:
                limit_ms = budget.limit_ms
                within = await self._connection.documents_within(query, limit_ms)
                if within is None:
                    walk.took_too_long()
                    budget.raise_limit()
                    continue
                found = within
            page.add(map(_row, found[:room]))
            if len(found) > room:
                last = found[room - 1]
                width = max(int(last["change"]) - window.first, 1)
                _end_at(page, last, IN_WINDOWS, width)
                return False
            if window.beyond is None:
                return True
            if found:
                page.tell(shard, int(found[-1]["change"]))
            walk.passed(len(found), page.room or page.limit)
            name = ""
            place = (IN_WINDOWS, shard, window.beyond, name, walk.width)
            page.move(page.at.since, *place)
        return False


@attrs.define
class _Budget:
    # The limit of time rises: on a server that is only slow, narrower windows would not
    # end sooner.

    windows: int = _WINDOWS
    limit_ms: int = _LIMIT_MS

    def take(self) -> None:
        self.windows -= 1

    def raise_limit(self) -> None:
        self.limit_ms *= 2


def _row(document: Document) -> HeadRow:
    numbers = (document.get(key) or 0 for key in ("head", "updated", "message_id"))
    return HeadRow(document["_id"], *map(int, numbers))


def _end_at(page: ListPage, last: Document, phase: str, *rest: int) -> None:
    shard, number = int(last["shard"]), int(last["change"])
    page.tell(shard, number)
    page.move(page.at.since, phase, shard, number, last["_id"], *rest)


def _of_two(pieces: Sequence[Document], limit: int) -> Document:
    some = {"$or": pieces}
    return find("conversations", some, projection=_ROW, sort=_ORDER, limit=limit)


def _branches(page: ListPage) -> list[Document]:
    """
    Return the pieces of the indexes by change that are left.
    """
    _, shard, number, name = page.at.place
    branches: list[Document] = []
    for s in sorted(page.at.end):
        if s == shard and number != -1:
            branches += pieces_behind(page.user, s, int(number), str(name), {})
        elif s >= int(shard):
            since = page.at.since.get(s, 0)
            branches += pieces_of_shard(page.user, s, {"change": {"$gte": since}})
    # Without a branch there is nothing: no shard has this key.
    return branches or [{"_id": "/"}]


def _in_window(user: int, shard: int, window: Window, name: str) -> list[Document]:
    below = {} if window.beyond is None else {"$lt": window.beyond}
    if name:
        return pieces_behind(user, shard, window.first, name, below)
    return pieces_of_shard(user, shard, {"change": {"$gte": window.first, **below}})
