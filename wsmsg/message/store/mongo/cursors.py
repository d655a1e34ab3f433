"""
Cursors in MongoDB.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from wsmsg.dependency.gather import both
from wsmsg.message.store.consent import ShownHead
from wsmsg.message.store.mongo.bulk_raise import raise_all
from wsmsg.message.store.mongo.connection import MongoConnection
from wsmsg.message.store.mongo.consent import MongoConsent
from wsmsg.message.store.mongo.documents import (
    cursor_document,
    find,
    member_key,
    storable,
    to_cursor,
    two_of,
)
from wsmsg.message.store.mongo.heads import MongoHeads
from wsmsg.model import Cursor, storable_values

_Key = tuple[str, int]


class MongoCursors:
    """
    The collection of cursors.
    """

    def __init__(
        self, connection: MongoConnection, heads: MongoHeads, consent: MongoConsent
    ) -> None:
        self._connection = connection
        self._heads = heads
        self._consent = consent

    async def moves(
        self, cursors: Sequence[Cursor]
    ) -> dict[_Key, tuple[Cursor | None, Cursor]]:
        """
        Return the present and the raised cursor, for each cursor that moves.
        """
        wanted = highest(cursors)
        if not wanted:
            return {}
        reach: dict[str, int] = {}
        for c in wanted.values():
            last = max([last for _, last in c.seen], default=0)
            to = max(c.delivered, c.read, last, reach.get(c.conversation, 0))
            reach[c.conversation] = to
        now, heads = await both(
            self.standings(list(wanted)), self._heads.reaching(reach)
        )
        shown: dict[_Key, ShownHead] = {}
        if self._consent.may_withhold:
            # A cursor rises no further than its user may read.
            shown = await self._consent.ends([k for k in wanted if two_of(k[0])])
        ends = {k: shown[k].head if k in shown else heads[k[0]] for k in wanted}
        moves = ((key, rise(now.get(key), to, ends[key])) for key, to in wanted.items())
        return {key: (now.get(key), moved) for key, moved in moves if moved is not None}

    async def rise(
        self, moves: Mapping[_Key, tuple[Cursor | None, Cursor]]
    ) -> list[Cursor]:
        """
        Raise cursors that have no ranges above them.
        """
        documents = {}
        new = set()
        for now, to in moves.values():
            document = cursor_document(to)
            documents[document["_id"]] = document
            if now is None:
                new.add(document["_id"])
        if documents:
            fields = ("delivered", "read")
            await raise_all(self._connection, "cursors", documents, fields, new=new)
        return [to for _, to in moves.values()]

    async def cursors(self, keys: Sequence[_Key]) -> dict[_Key, Cursor]:
        """
        As L{wsmsg.message.store.interface.IReadMarks.cursors}.
        """
        return {
            key: msgspec.structs.replace(cursor, seen=()) if cursor.seen else cursor
            for key, cursor in (await self.standings(keys)).items()
        }

    async def standings(self, keys: Sequence[_Key]) -> dict[_Key, Cursor]:
        """
        Return cursors with the ranges above them.
        """
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
    Merge several moves of one cursor, by conversation and user.
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
                old.seen if old is c else (*old.seen, *c.seen),
            )
    return wanted


def rise(now: Cursor | None, to: Cursor, head: int) -> Cursor | None:
    """
    Return the cursor after a move that neither falls nor passes the head; L{None} if it
    stays.
    """
    before = now or Cursor(to.conversation, to.user)
    moved = Cursor(
        to.conversation,
        to.user,
        max(before.delivered, min(to.delivered, head)),
        max(before.read, min(to.read, head)),
        tuple((first, min(last, head)) for first, last in to.seen if first <= head),
    )
    same = (moved.delivered, moved.read) == (before.delivered, before.read)
    return None if same and not moved.seen else moved
