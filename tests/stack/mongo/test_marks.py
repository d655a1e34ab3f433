"""
Tests of marks in MongoDB: the number of round trips, and several Messages at once.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import msgspec
from twisted.internet.defer import Deferred, gatherResults
from twisted.trial.unittest import TestCase

from tests.message.store.cursor_contract import said
from tests.message.store.inserts import insert_into
from tests.stack.mongo.places import mongo_store, noted_commands
from tests.stack.servers import needs
from wsmsg.message.store.interface import Marked
from wsmsg.message.store.mongo.connection import MongoConnection
from wsmsg.model import Cursor, Mark

_SEED = 7


@needs("mongo")
class RoundTripTests(TestCase):
    """
    The number of round trips to the server.
    """

    async def setUp(self) -> None:  # type: ignore[override]
        self.store = await mongo_store(self).open()
        self.asked: list[str] = []
        self.filters: list[Any] = []
        say = MongoConnection._send

        async def counted(way: Any, pool: Any, command: Any, *more: Any) -> Any:
            if "ping" not in command:
                self.asked.append(next(iter(command)))
                self.filters.append(command.get("filter", {}))
            return await say(way, pool, command, *more)

        self.patch(MongoConnection, "_send", counted)
        self.names = [f"u:{i}:{i + 1000}" for i in range(1, 201)]
        await insert_into(
            self.store,
            [
                said(n, conversation=name, sender=i)
                for i, name in enumerate(self.names, 1)
                for n in (1, 2, 3, 4)
            ],
            5,
        )

    def marks(self, *seqs: int) -> list[Mark]:
        """
        Return marks of these numbers in each of two hundred conversations.
        """
        return [
            Mark(i + 1000, 0, name, seq)
            for i, name in enumerate(self.names, 1)
            for seq in seqs
        ]

    async def mark(self, *seqs: int) -> list[str]:
        """
        Mark these numbers everywhere, and return the round trips.
        """
        self.asked.clear()
        told = await self.store.mark(self.marks(*seqs))
        self.assertEqual(told.known, [True] * len(seqs) * 200)
        return self.asked

    async def test_marks(self) -> None:
        """
        A batch takes two reads after each other and a write, whatever users had marked
        before.
        """
        self.assertEqual(await self.mark(1), ["find", "find", "insert"])
        self.assertEqual(await self.mark(3), ["find", "find", "update"])
        self.assertEqual(await self.mark(2), ["find", "find", "update"])
        self.assertEqual(await self.mark(1, 2, 3), ["find", "find"])
        moved = [Cursor(m.conversation, m.user, 4, 3) for m in self.marks(1)]
        risen = await self.store.move_cursors(moved)
        self.assertEqual(sorted(risen, key=lambda c: c.user), moved)

    async def test_unread(self) -> None:
        """
        The unread messages of a user with two hundred conversations take three queries;
        the last of them looks for no more messages than the page has room for.
        """
        names = [f"u:5000:{i}" for i in range(6000, 6200)]
        await insert_into(
            self.store, [said(1, conversation=n, sender=int(n[7:])) for n in names], 5
        )
        self.asked.clear()
        places = [(name, 0) for name in names]
        found = await self.store.unread(5000, places, 10)
        self.assertEqual((len(found.messages), found.end), (10, (names[10], 0)))
        self.assertEqual(len(self.asked), 3)
        (branches,) = [c["$or"] for c in self.filters if "$or" in c]
        self.assertEqual(len(branches), 10)
        for branch in branches:
            # Nothing else: each branch is a piece of the index by number.
            self.assertEqual(set(branch), {"conversation", "seq"})
            self.assertEqual(branch["seq"], {"$gte": 1, "$lte": 1})
        self.asked.clear()
        await self.store.unread_counts(5000, names)
        # Two pieces of a hundred conversations, one after the other.
        self.assertEqual(len(self.asked), 4)
        read = [Cursor(name, 5000, 1, 1) for name in names]
        await self.store.move_cursors(read)
        self.asked.clear()
        # What is read to its head is not looked for.
        self.assertEqual((await self.store.unread(5000, places, 10)).messages, [])
        self.assertEqual(len(self.asked), 2)
        self.asked.clear()
        await self.store.located(5000, [101])
        self.assertLessEqual(len(self.asked), 5)


@needs("mongo")
class RivalTests(TestCase):
    """
    Several Messages that mark for the same users.
    """

    async def setUp(self) -> None:  # type: ignore[override]
        place = mongo_store(self)
        self.stores = [await place.open() for _ in range(3)]
        await insert_into(self.stores[0], [said(i) for i in range(1, 121)], 5)

    async def test_nothing_is_lost(self) -> None:
        """
        Concurrent marks are all stored, and no other message is marked.
        """
        seqs = [i for i in range(1, 121) if i % 10]
        random.Random(_SEED).shuffle(seqs)
        asked: list[Deferred[Marked]] = [
            self.stores[i % 3].mark([Mark(2, 0, "u:1:2", n) for n in seqs[i::12]])
            for i in range(12)
        ]
        for told in await gatherResults(asked):
            self.assertEqual(set(told.known), {True})
        self.assertEqual(await self.unread(), list(range(10, 121, 10)))

    async def test_cursors_meanwhile(self) -> None:
        """
        Cursors of the same user that rise concurrently lose no mark, and no mark lowers
        a cursor.
        """
        asked: list[Deferred[Any]] = []
        for i in range(10):
            marks = [Mark(2, 0, "u:1:2", 60 + n) for n in range(i + 1, 59, 10)]
            asked.append(self.stores[i % 3].mark(marks))
            cursor = Cursor("u:1:2", 2, 3 * i, 3 * i)
            asked.append(self.stores[(i + 1) % 3].move_cursors([cursor]))
        await gatherResults(asked)
        self.assertEqual(await self.unread(), [*range(28, 61), 119, 120])

    async def unread(self) -> Sequence[int]:
        """
        Return the numbers of user 2's unread messages.
        """
        messages, _ = await self.stores[0].unread(2, [("u:1:2", 0)], 1000)
        return [m.seq for m in messages]


@needs("mongo")
class LocatedTests(TestCase):
    """
    Messages that are looked up by their ids.
    """

    async def test_cost(self) -> None:
        """
        Looking up messages asks for nothing but these, their conversations, and what
        the user has read of them, however many conversations the user has.
        """
        store = await mongo_store(self).open()
        asked = noted_commands(self)
        costs = []
        for first, last in ((10, 40), (40, 440)):
            batch = [
                msgspec.structs.replace(
                    said(1, conversation=f"u:5:{n}", sender=n), message_id=1000 + n
                )
                for n in range(first, last)
            ]
            await insert_into(store, batch, 5)
            asked.clear()
            found = await store.located(5, [1012, 1030, 1031, 9999])
            places = {1000 + n: (f"u:5:{n}", 1) for n in (12, 30, 31)}
            self.assertEqual(found, places)
            costs.append([c["filter"] for c in asked])
        self.assertEqual(costs[0], costs[1])
        keys = [next(iter(f.values()))["$in"] for f in costs[1]]
        self.assertEqual([len(k) for k in keys], [4, 3, 3])

    async def test_not_for_the_user(self) -> None:
        """
        Messages that the user has read, has sent, was not sent, or may not read are not
        found.
        """
        store = await mongo_store(self).open()
        batch = [
            msgspec.structs.replace(said(1, conversation=name, sender=by), message_id=n)
            for n, (name, by) in enumerate(
                (("u:5:6", 6), ("u:5:7", 5), ("u:8:9", 8), ("g:4", 8), ("u:5:9", 9)), 1
            )
        ]
        await insert_into(store, batch, 5)
        await store.mark([Mark(5, 0, "u:5:6", 1)])
        found = await store.located(5, [1, 2, 3, 4, 5])
        self.assertEqual(found, {5: ("u:5:9", 1)})
