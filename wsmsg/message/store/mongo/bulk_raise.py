"""
Raising numbers in many documents at once, each document to values of its own.

A server commits each statement of an update by itself, and makes it durable; a
statement a document is what makes a batch slow.  So documents that are there are raised
by one statement for a hundred of them, a pipeline that looks up each one's values by
its key, and those that are not are inserted.  What is believed of that may be wrong:
the answers tell, and the rest is done in the other way.
"""

from __future__ import annotations

from collections.abc import Collection, Coroutine, Mapping, Sequence
from typing import Any

from wsmsg.dependency.gather import gather_lists
from wsmsg.errors import Unavailable
from wsmsg.message.store.mongo.connection import MongoConnection
from wsmsg.message.store.mongo.documents import (
    Document,
    check_errors,
    chunks,
    find,
    insert,
    update,
)

_TRIES = 5
# A server without a table for it looks for each document among all in a statement.
_AT_ONCE = 100


async def raise_all(
    connection: MongoConnection,
    collection: str,
    documents: Mapping[str, Document],
    fields: Sequence[str],
    *,
    new: Collection[str] = (),
    behind: str = "",
) -> None:
    """
    Let these documents be there, and their fields be no less than this.

    @param documents: by C{_id}, which they also have within.
    @param fields: those that are raised in a document that is there; numbers.
    @param new: the keys of those that are probably not there.
    @param behind: raise only documents where this field is less than it should be.
    """
    making = [documents[key] for key in documents if key in new]
    raising = [documents[key] for key in documents if key not in new]
    for _ in range(_TRIES):
        asked: list[Coroutine[Any, Any, list[tuple[str, bool]]]] = []
        if making:
            asked.append(_make(connection, collection, making))
        if raising:
            asked.append(_raise(connection, collection, raising, fields, behind))
        other_way = await gather_lists(asked)
        if not other_way:
            return
        making = [documents[key] for key, there in other_way if not there]
        raising = [documents[key] for key, there in other_way if there]
    raise Unavailable(f"MongoDB: {collection} come and go while they are raised")


async def _make(
    connection: MongoConnection, collection: str, documents: Sequence[Document]
) -> list[tuple[str, bool]]:
    # Those that somebody else made.
    reply = await connection.run({**insert(collection, documents), "ordered": False})
    errors = reply.get("writeErrors", ())
    check_errors(errors)
    return [(documents[e["index"]]["_id"], True) for e in errors]


async def _raise(
    connection: MongoConnection,
    collection: str,
    documents: Sequence[Document],
    fields: Sequence[str],
    behind: str,
) -> list[tuple[str, bool]]:
    # Those that are not there.
    statements = [raising(d, fields, behind) for d in chunks(documents, _AT_ONCE)]
    reply = await connection.run(update(collection, statements))
    check_errors(reply.get("writeErrors", ()))
    if reply["n"] >= len(documents):
        return []
    keys = [d["_id"] for d in documents]
    asked = find(collection, {"_id": {"$in": keys}}, projection={"_id": 1})
    there = {d["_id"] for d in await connection.documents(asked)}
    return [(key, False) for key in keys if key not in there]


def raising(
    documents: Sequence[Document], fields: Sequence[str], behind: str = ""
) -> Document:
    """
    One statement that raises fields of documents that are there, as L{raise_all} does.
    """
    keys = [d["_id"] for d in documents]
    # Literals: a name might begin with a dollar sign.
    place = {"$indexOfArray": [{"$literal": keys}, "$_id"]}

    def wanted(field: str) -> Document:
        values = [d[field] for d in documents]
        return {"$arrayElemAt": [{"$literal": values}, place]}

    raised: Document = {f: {"$max": [f"${f}", wanted(f)]} for f in fields}
    if behind:
        late = {"$lt": [f"${behind}", wanted(behind)]}
        raised = {f: {"$cond": [late, to, f"${f}"]} for f, to in raised.items()}
    return {"q": {"_id": {"$in": keys}}, "u": [{"$set": raised}], "multi": True}
