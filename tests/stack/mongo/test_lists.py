"""
Tests of lists of conversations in MongoDB: a page costs what it holds, also where the
server evaluates a query as a whole before it applies the limit.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from tests.message.store import list_contract
from tests.message.store.cursor_contract import said
from tests.message.store.inserts import changed_conversations, insert_into
from tests.stack.mongo.places import MongoPlace, client, mongo_store, noted_commands
from tests.stack.servers import needs
from wsmsg.message.store.mongo.connection import MongoConnection
from wsmsg.message.store.mongo.documents import PLACES
from wsmsg.message.store.numbers import BITS
from wsmsg.message.store.position import decode_position

_GENERATION = 1 << BITS


@needs("mongo")
class WindowListTests(list_contract.ListTests):
    """
    The contract of lists where each query for more than a few conversations takes the
    server too long.
    """

    async def setUp(self) -> None:  # type: ignore[override]
        self.place = mongo_store(self)
        self.store = await self.place.open()
        self.patch(MongoConnection, "documents_within", _slowly(3))


@needs("mongo")
class PageWorkTests(TestCase):
    """
    The work of a page for a user with many conversations, in conversations that are in
    the pieces of the indexes that the page names.
    """

    async def setUp(self) -> None:  # type: ignore[override]
        self.work: list[int] = []
        slowly = _slowly(300, self.work.append)
        self.patch(MongoConnection, "documents_within", slowly)

    async def pages(self, count: int, generations: int, spread: int) -> list[int]:
        """
        Read ten pages of a user with so many conversations.

        @return: the conversations that the server looks at for each page.
        """
        place = mongo_store(self)
        await self.fill(place, count, generations, spread)
        store = await place.open()
        names: set[str] = set()
        position, work = "", []
        for _ in range(10):
            self.work.clear()
            page = await store.conversations_of(1000, position, 50)
            self.assertTrue(page.more)
            names.update(row.conversation for row in page.rows)
            position = page.position
            work.append(sum(self.work))
        self.assertGreater(len(names), 300)
        return work

    async def fill(
        self, place: MongoPlace, count: int, generations: int, spread: int
    ) -> None:
        """
        Store conversations as batches of one message each leave them.
        """
        documents: list[dict[str, Any]] = []
        for i in range(count):
            # The user is the lower one of two, or the higher one.
            users = (1000, 2000 + i) if i % 2 else (1 + i % 999, 1000)
            generation = 1 + i * generations // count
            documents.append(
                {
                    "_id": f"u:{i}",
                    **dict(zip(PLACES, users, strict=True)),
                    "head": 1,
                    "updated": 5,
                    "shard": i % 3,
                    "change": generation * _GENERATION + 1 + i * spread,
                }
            )
        last = documents[-1]["change"]
        documents += [
            {"_id": f"/shard/{s}", "generation": last >> BITS, "change": last}
            for s in range(3)
        ]
        await deferToThread(_insert, place, documents)

    async def test_ten_times_as_many(self) -> None:
        """
        A page costs no more for a user with ten times as many conversations, in any
        distribution of their changes.
        """
        for generations, spread in ((1, 1), (1, 1000), (20, 7)):
            few = await self.pages(1_000, generations, spread)
            many = await self.pages(10_000, generations, spread)
            # The first one finds that the server is one of these.
            self.assertLessEqual(max(many), max(few) + 600, (few, many))
            self.assertLessEqual(sorted(many)[5], 150, many)


@needs("mongo")
class PlanTests(TestCase):
    """
    The queries that a page sends.
    """

    async def test_one_query(self) -> None:
        """
        A page is one query for all shards, which the server ends at the limit of the
        page and at a limit of time; groups are looked for only until all were told.
        """
        store = await mongo_store(self).open()
        for shard in range(4):
            names = [f"u:1:{10 * shard + n}" for n in range(2, 9)]
            batch = [said(1, conversation=name) for name in names]
            await insert_into(store, batch, 5, shard)
        asked = noted_commands(self)
        first = await store.conversations_of(1, "", 10)
        self.assertEqual(
            [c["find"] for c in asked], ["conversations", "members", "conversations"]
        )
        (listed,) = [c for c in asked if "maxTimeMS" in c]
        self.assertEqual(listed["limit"], 11)
        # A piece of each index for each shard, and for imported conversations.
        self.assertEqual(len(listed["filter"]["$or"]), 2 * (4 + 1))
        asked.clear()
        await store.conversations_of(1, first.position, 10)
        self.assertEqual([c["find"] for c in asked], ["conversations"] * 2)

    async def test_restarted(self) -> None:
        """
        A list that is given up between two windows goes on behind what it has told.
        """
        self.patch(MongoConnection, "documents_within", _slowly(10))
        store = await mongo_store(self).open()
        names = [f"u:1:{n}" for n in range(2, 102)]
        for name in names:
            await insert_into(store, [said(1, conversation=name)], 5)
        first = await store.conversations_of(1, "", 40)
        self.assertEqual([row.conversation for row in first.rows], names[:40])
        self.assertTrue(first.more)
        restarted = decode_position(first.position).restarted().encode()
        rest, position = await changed_conversations(store, 1, restarted, 40)
        self.assertLessEqual(set(names[40:]), set(rest))
        self.assertLess(len(rest), 70)
        await insert_into(store, [said(2, conversation=names[7])], 5)
        again, _ = await changed_conversations(store, 1, position, 40)
        self.assertIn(names[7], again)
        self.assertLess(len(again), 5)


@needs("mongo")
class GenerationTests(TestCase):
    """
    Lists in windows, where Messages have taken turns in numbering the changes.
    """

    async def test_proves_nothing(self) -> None:
        """
        No position of such a list has a number that the store never gave, which would
        prove that the store is an older copy of itself; the list is complete.
        """
        self.patch(MongoConnection, "documents_within", _slowly(2))
        store = await mongo_store(self).open()
        names = [f"u:1:{n}" for n in range(2, 42)]
        for i, name in enumerate(names):
            if i % 4 == 0:
                store.forget_shards()
            shard = i // 20
            await insert_into(store, [said(1, conversation=name)], 5, shard)
        listed: list[str] = []
        position, more = "", True
        while more:
            page = await store.conversations_of(1, position, 3)
            for anew in (False, True):
                judged = await store.conversations_of(1, page.position, 1, anew=anew)
                self.assertEqual((judged.ahead, judged.forged), ({}, False))
            listed += [row.conversation for row in page.rows]
            position, more = page.position, page.more
        self.assertEqual(listed, names)


def _slowly(most: int, looked_at: Callable[[int], object] = id) -> Any:
    """
    Return a C{documents_within} of a server that applies the limit last, and for which
    more than C{most} documents are too many.
    """

    async def documents_within(
        way: MongoConnection, find: dict[str, Any], limit_ms: int
    ) -> Any:
        found = await way.documents({**find, "limit": 0})
        looked_at(min(len(found), most))
        return None if len(found) > most else found[: find["limit"]]

    return documents_within


def _insert(place: MongoPlace, documents: list[dict[str, Any]]) -> None:
    with client(place.url) as asked:
        there = asked[place.url.database]["conversations"]
        for i in range(0, len(documents), 5000):
            there.insert_many(documents[i : i + 5000])
