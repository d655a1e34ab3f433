"""
Changes many documents at once, each to values of its own.

A server commits each statement of an update separately, and makes it durable, so one
statement for each document would make a batch slow.  Existing documents are raised by
one statement for a hundred of them: a pipeline that looks up the values of each
document by its key.  Missing documents are inserted.  The guess of which documents
exist may be wrong; the replies tell, and the rest is done the other way.

The amounts that users have used of their limits are such documents as well, few at a
time, whose numbers are increased.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from typing import Any

from twisted.internet.defer import Deferred
from zope.interface import implementer

from wsmsg.dependency.gather import both, gather_lists
from wsmsg.errors import Unavailable
from wsmsg.message.store.mongo.connection import MongoConnection
from wsmsg.message.store.mongo.documents import (
    Document,
    change,
    check_errors,
    chunks,
    find,
    insert,
    member_key,
    update,
)
from wsmsg.message.store.roles import GroupCount, IUsage, UsageRow
from wsmsg.model import Cursor, storable_values

#: Returns expressions by field, given that of what a field is wanted to be.
Also = Callable[[Callable[[str], Document]], Document]

_TRIES = 5
# A server may search the values of a statement linearly for each document.
_AT_ONCE = 100
# Users of one command; more than a change of a group names.
_USERS = 1000
_MOST_COUNTED = 10_000


def no_more(wanted: Callable[[str], Document]) -> Document:
    """
    Set no further fields.
    """
    return {}


async def raise_all(
    connection: MongoConnection,
    collection: str,
    documents: Mapping[str, Document],
    fields: Sequence[str],
    *,
    new: Collection[str] = (),
    also: Also = no_more,
) -> None:
    """
    Make these documents exist, and raise their fields to at least these values.

    @param documents: by C{_id}, which they also contain.
    @param fields: the numbers to raise in an existing document.
    @param new: the keys that probably do not exist.
    @param also: returns expressions for further fields of an existing document, from
        the expression of what a field is wanted to be; all see the document as it was.
    """
    making = [documents[key] for key in documents if key in new]
    raising = [documents[key] for key in documents if key not in new]
    for _ in range(_TRIES):
        asked: list[Coroutine[Any, Any, list[tuple[str, bool]]]] = []
        if making:
            asked.append(_make(connection, collection, making))
        if raising:
            asked.append(_raise(connection, collection, raising, fields, also))
        other_way = await gather_lists(asked)
        if not other_way:
            return
        making = [documents[key] for key, there in other_way if not there]
        raising = [documents[key] for key, there in other_way if there]
    raise Unavailable(f"MongoDB: {collection} changed all the time while being raised")


async def _make(
    connection: MongoConnection, collection: str, documents: Sequence[Document]
) -> list[tuple[str, bool]]:
    # Returns the documents that another process created.
    reply = await connection.run({**insert(collection, documents), "ordered": False})
    errors = reply.get("writeErrors", ())
    check_errors(errors)
    return [(documents[e["index"]]["_id"], True) for e in errors]


async def _raise(
    connection: MongoConnection,
    collection: str,
    documents: Sequence[Document],
    fields: Sequence[str],
    also: Also,
) -> list[tuple[str, bool]]:
    # Returns the documents that do not exist.
    statements = statements_raising(documents, fields, also)
    reply = await connection.run(update(collection, statements))
    check_errors(reply.get("writeErrors", ()))
    if reply["n"] >= len(documents):
        return []
    keys = [d["_id"] for d in documents]
    asked = find(collection, {"_id": {"$in": keys}}, projection={"_id": 1})
    there = {d["_id"] for d in await connection.documents(asked)}
    return [(key, False) for key in keys if key not in there]


def statements_raising(
    documents: Sequence[Document],
    fields: Sequence[str],
    also: Also = no_more,
) -> list[Document]:
    """
    Return the statements that raise fields of existing documents, as L{raise_all} does.
    """
    return [_raising(d, fields, also) for d in chunks(documents, _AT_ONCE)]


def _raising(
    documents: Sequence[Document],
    fields: Sequence[str],
    also: Also,
) -> Document:
    keys = [d["_id"] for d in documents]
    # Literals, as a name may begin with a dollar sign.
    place = {"$indexOfArray": [{"$literal": keys}, "$_id"]}

    def wanted(field: str) -> Document:
        values = [d[field] for d in documents]
        return {"$arrayElemAt": [{"$literal": values}, place]}

    raised: Document = {f: {"$max": [f"${f}", wanted(f)]} for f in fields}
    raised.update(also(wanted))
    return {"q": {"_id": {"$in": keys}}, "u": [{"$set": raised}], "multi": True}


async def exchange_cursors(
    connection: MongoConnection, moves: Sequence[tuple[Cursor, Cursor]]
) -> int:
    """
    Replace cursors, each if it is still as it was read.

    @param moves: the cursors as they were read, and as they are to be.
    @return: the number of replaced cursors.
    """
    statements = [_exchange(some) for some in chunks(moves, _AT_ONCE)]
    reply = await connection.run(update("cursors", statements))
    check_errors(reply.get("writeErrors", ()))
    return int(reply["n"])


def _exchange(moves: Sequence[tuple[Cursor, Cursor]]) -> Document:
    # Matches only documents that are as they were read.
    keys = [member_key(to.conversation, to.user) for _, to in moves]
    place = {"$indexOfArray": [{"$literal": keys}, "$_id"]}

    def one(values: Sequence[object]) -> Document:
        return {"$arrayElemAt": [{"$literal": values}, place]}

    as_read: list[Document] = [
        {"_id": key, "read": was.read, "seen": _ranges(was) or {"$in": [None, []]}}
        for key, (was, _) in zip(keys, moves, strict=True)
    ]
    changed = {
        "read": one([to.read for _, to in moves]),
        "delivered": {"$max": ["$delivered", one([to.delivered for _, to in moves])]},
        "seen": one([_ranges(to) for _, to in moves]),
    }
    return {
        "q": {"_id": {"$in": keys}, "$or": as_read},
        "u": [{"$set": changed}],
        "multi": True,
    }


def _ranges(cursor: Cursor) -> list[list[int]]:
    return [list(r) for r in cursor.seen]


@implementer(IUsage)
class MongoUsage:
    """
    The collection of what users have used, and the numbers of their groups.
    """

    def __init__(self, connection: MongoConnection) -> None:
        self._connection = connection

    def add(self, rows: Sequence[UsageRow]) -> Deferred[list[int]]:
        return self._connection.do(lambda: self._add(rows))

    def forget(self, kind: int, before_period: int) -> Deferred[None]:
        return self._connection.do(lambda: self._forget(kind, before_period))

    def groups(self, users: Sequence[int]) -> Deferred[dict[int, GroupCount]]:
        return self._connection.do(lambda: self._groups(users))

    async def _add(self, rows: Sequence[UsageRow]) -> list[int]:
        keys = [f"{row.kind}/{row.period}/{row.user}" for row in rows]
        left = [
            change(
                {"_id": key},
                {
                    "$inc": {"amount": row.amount},
                    "$setOnInsert": {"kind": row.kind, "period": row.period},
                },
                upsert=True,
            )
            for key, row in zip(keys, rows, strict=True)
        ]
        while left:
            some, left = left[:_USERS], left[_USERS:]
            reply = await self._connection.run(update("usage", some))
            errors = reply.get("writeErrors", ())
            check_errors(errors)
            # Another process has just made these documents, so they are there now.
            left += [some[e["index"]] for e in errors]
        totals: dict[str, int] = {}
        for part in chunks(keys, _USERS):
            asked = find("usage", {"_id": {"$in": part}})
            for d in await self._connection.documents(asked):
                totals[d["_id"]] = int(d["amount"])
        return [totals.get(key, 0) for key in keys]

    async def _forget(self, kind: int, before_period: int) -> None:
        old = {"q": {"kind": kind, "period": {"$lt": before_period}}, "limit": 0}
        await self._connection.run({"delete": "usage", "deletes": [old]})

    async def _groups(self, users: Sequence[int]) -> dict[int, GroupCount]:
        known = [user for user in users if storable_values((user,))]
        owned, joined = await both(
            self._count("groups", "owner", {"owner": {"$in": known}}),
            self._count("members", "user", _members_now(known)),
        )
        return {u: GroupCount(owned.get(u, 0), joined.get(u, 0)) for u in known}

    async def _count(
        self, collection: str, field: str, matching: Document
    ) -> dict[int, int]:
        reply = await self._connection.run(
            {
                "aggregate": collection,
                "pipeline": [
                    {"$match": matching},
                    {"$group": {"_id": f"${field}", "n": {"$sum": 1}}},
                ],
                "cursor": {"batchSize": _MOST_COUNTED},
                "readConcern": {"level": "local"},
            }
        )
        rows = reply["cursor"]["firstBatch"]
        return {int(row["_id"]): int(row["n"]) for row in rows}


def _members_now(users: Sequence[int]) -> Document:
    return {"user": {"$in": users}, "joined": {"$gt": 0}}
