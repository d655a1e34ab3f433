"""
Unread messages in MongoDB.

Each piece of a conversation that a user has not read, between and above the read
ranges, is a branch of its own, so that the query reads only pieces of the index by
number.  A conversation that is read up to the hint of its head has none.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import NamedTuple, TypeVar

from wsmsg.dependency.gather import both, gather_lists
from wsmsg.errors import Unavailable
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
from wsmsg.message.store.mongo.heads import MongoHeads
from wsmsg.message.store.page_span import PAGE_BYTES, UnreadList, fitting
from wsmsg.message.store.read_ranges import (
    ReadRanges,
    contains,
    gaps,
    is_skippable,
)
from wsmsg.model import (
    FIRST_EVENT,
    Cursor,
    Message,
    is_group,
    storable_values,
)

T = TypeVar("T")

_TRIES = 20
# The most messages, and pieces, of one command that counts: others wait for it.
_COUNTED = 5000
_PIECES = 100
# The most ids in one command.
_IDS = 1000
_PLACE = {
    "_id": 0,
    "conversation": 1,
    "seq": 1,
    "message_id": 1,
    "kind": 1,
    "sender": 1,
    "withheld": 1,
}


class MongoUnread:
    """
    Reads of unread messages, in a few round trips each.
    """

    def __init__(
        self,
        connection: MongoConnection,
        groups: MongoGroups,
        cursors: MongoCursors,
        heads: MongoHeads,
    ) -> None:
        self._connection = connection
        self._groups = groups
        self._heads = heads
        self._cursors = cursors

    async def unread(
        self, user: int, places: Sequence[tuple[str, int]], limit: int
    ) -> UnreadList:
        """
        List unread messages; as many numbers are looked at as messages are wanted.
        """
        after = dict(places)
        if not storable_values((user,)):
            return UnreadList([])

        async def read(pieces: Sequence[UnreadPiece]) -> UnreadList:
            some, end = _next_pieces(pieces, after, limit)
            found = await self._found(user, some)
            order = {name: i for i, name in enumerate(after)}
            found.sort(key=lambda m: (order[m.conversation], m.seq))
            messages = fitting(found, PAGE_BYTES)
            if len(messages) < len(found):
                end = (messages[-1].conversation, messages[-1].seq)
            return UnreadList(messages, end)

        return await self._judged(user, list(after), read)

    async def counts(self, user: int, conversations: Sequence[str]) -> dict[str, int]:
        counts = dict.fromkeys(conversations, 0)
        if not storable_values((user,)):
            return counts
        return await self._judged(user, list(counts), self._counted(user, counts))

    def _counted(
        self, user: int, none: Mapping[str, int]
    ) -> Callable[[Sequence[UnreadPiece]], Awaitable[dict[str, int]]]:
        async def count(pieces: Sequence[UnreadPiece]) -> dict[str, int]:
            counts = dict(none)
            # One after another: others wait for the same server.
            for some in _portions(pieces):
                for name, n in await self._count(user, some):
                    counts[name] += n
            return counts

        return count

    async def _count(
        self, user: int, pieces: Sequence[UnreadPiece]
    ) -> list[tuple[str, int]]:
        reply = await self._connection.run(
            {
                "aggregate": "messages",
                "pipeline": [
                    {"$match": _matching(user, pieces)},
                    {"$group": {"_id": "$conversation", "n": {"$sum": 1}}},
                ],
                "cursor": {"batchSize": _PIECES + 1},
                "readConcern": {"level": "local"},
            }
        )
        return [(row["_id"], int(row["n"])) for row in reply["cursor"]["firstBatch"]]

    async def located(
        self, user: int, message_ids: Sequence[int]
    ) -> dict[int, tuple[str, int]]:
        """
        Look up the messages, and then what the user has not read in their
        conversations; the work goes with the messages.
        """
        ids = [i for i in message_ids if i > 0 and storable_values((i,))]
        if not ids or not storable_values((user,)):
            return {}
        found = await gather_lists(
            self._connection.documents(
                find("messages", {"message_id": {"$in": some}}, projection=_PLACE)
            )
            for some in chunks(ids, _IDS)
        )
        theirs = {
            (d["conversation"], int(d["seq"])): int(d["message_id"])
            for d in found
            if not is_skippable(int(d["kind"]), int(d["sender"]), user)
            and not d.get("withheld")
        }

        async def unread(pieces: Sequence[UnreadPiece]) -> dict[int, tuple[str, int]]:
            ranges: dict[str, list[tuple[int, int]]] = {}
            for name, *ends in pieces:
                ranges.setdefault(name, []).append((ends[0], ends[1]))
            return {
                message_id: (name, seq)
                for (name, seq), message_id in theirs.items()
                if contains(ranges.get(name, ()), seq)
            }

        names = list(dict.fromkeys(name for name, _ in theirs))
        return await self._judged(user, names, unread)

    async def by_ids(self, message_ids: Sequence[int]) -> dict[int, Message]:
        ids = [i for i in message_ids if storable_values((i,))]
        found = await gather_lists(
            self._connection.documents(find("messages", {"message_id": {"$in": some}}))
            for some in chunks(ids, _IDS)
        )
        return {m.message_id: m for m in map(to_message, found)}

    async def _judged(
        self,
        user: int,
        names: Sequence[str],
        read: Callable[[Sequence[UnreadPiece]], Awaitable[T]],
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

    async def _pieces(self, user: int, names: Sequence[str]) -> list[UnreadPiece]:
        """
        Return the pieces to read of these conversations, where the user is a member.
        """
        keys = [(name, user) for name in names if storable(name)]
        (cursors, hints), readable = await both(
            both(
                self._cursors.standings(keys),
                self._heads.hints([name for name, _ in keys]),
            ),
            self._groups.readable_from([key for key in keys if is_group(key[0])]),
        )
        pieces: list[UnreadPiece] = []
        for key in keys:
            first = 1 if user in two_of(key[0]) else readable.get(key, 0)
            if first:
                now = cursors.get(key, Cursor(*key))
                seen = ReadRanges(max(now.read, first - 1), now.seen)
                pieces += _pieces(key[0], seen, hints.get(key[0], 0))
        return pieces

    async def _found(self, user: int, pieces: Sequence[UnreadPiece]) -> list[Message]:
        if not pieces:
            return []
        query = find("messages", _matching(user, pieces))
        return [to_message(d) for d in await self._connection.documents(query)]


class UnreadPiece(NamedTuple):
    """
    Numbers that a user has not read; there may be none of them, or the user's own.
    """

    conversation: str
    first: int
    last: int

    def cut(self, first: int, size: int) -> UnreadPiece:
        """
        Return at most so many of the numbers, from this one on.
        """
        return self._replace(first=first, last=min(self.last, first + size - 1))


def _pieces(name: str, seen: ReadRanges, head: int) -> Iterator[UnreadPiece]:
    for first, last in gaps(seen):
        piece = UnreadPiece(name, first, head if last is None else last)
        if piece.first <= piece.last:
            yield piece


def _next_pieces(
    pieces: Sequence[UnreadPiece], after: Mapping[str, int], limit: int
) -> tuple[list[UnreadPiece], tuple[str, int] | None]:
    """
    Return the next pieces of at most C{limit} numbers, and where they end before the
    last of the pieces.
    """
    some: list[UnreadPiece] = []
    for piece in pieces:
        first = max(piece.first, after[piece.conversation] + 1)
        if first > piece.last:
            continue
        if limit <= 0 or len(some) == BRANCHES:
            return some, (piece.conversation, first - 1)
        some.append(piece.cut(first, limit))
        limit -= some[-1].last - first + 1
        if some[-1].last < piece.last:
            return some, (piece.conversation, some[-1].last)
    return some, None


def _portions(pieces: Sequence[UnreadPiece]) -> Iterator[list[UnreadPiece]]:
    """
    Divide into lists of a bounded number of pieces and of messages.
    """
    some: list[UnreadPiece] = []
    room = _COUNTED
    for piece in pieces:
        first = piece.first
        while first <= piece.last:
            some.append(piece.cut(first, room))
            room -= some[-1].last - first + 1
            first = some[-1].last + 1
            if not room or len(some) == _PIECES:
                yield some
                some, room = [], _COUNTED
    if some:
        yield some


def _matching(user: int, pieces: Sequence[UnreadPiece]) -> Document:
    branches = [
        {
            "conversation": p.conversation,
            # Both bounds keep the scan of the index within the piece.
            "seq": {"$gte": p.first, "$lte": p.last},
        }
        for p in pieces
    ]
    # Conditions that are not in the index are outside of the branches.
    return {
        "$or": branches,
        "sender": {"$ne": user},
        "kind": {"$lt": FIRST_EVENT},
        "withheld": None,
    }
