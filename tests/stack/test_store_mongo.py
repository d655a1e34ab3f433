"""
The store in MongoDB.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import TestCase

from tests.contracts import make_store_tests
from tests.cursor_contract import said
from tests.stack.mongo_places import mongo_store
from tests.stack.servers import needs
from wsmsg.message.interfaces import Outcome
from wsmsg.message.mongo_connection import MongoConnection
from wsmsg.model import Cursor


@needs("mongo")
class MongoStoreTests(make_store_tests(mongo_store)):  # type: ignore[misc]
    """
    The store in MongoDB.
    """


@needs("mongo")
class RoundTripTests(TestCase):
    """
    How often the server is asked.
    """

    async def setUp(self) -> None:  # type: ignore[override]
        self.store = await mongo_store(self).open()
        self.asked: list[str] = []
        say = MongoConnection._say

        async def counted(way: Any, pool: Any, command: Any, *more: Any) -> Any:
            if "ping" not in command:
                self.asked.append(next(iter(command)))
            return await say(way, pool, command, *more)

        self.patch(MongoConnection, "_say", counted)

    async def test_new_batch(self) -> None:
        """
        A batch of new messages is two, however many conversations are in it.
        """
        names = [f"u:{i}:{i + 1}" for i in range(1, 301)]
        await self.store.insert([said(1, conversation=name) for name in names], 5)
        self.assertEqual(self.asked, ["insert", "update"])

    async def test_stored_batch(self) -> None:
        """
        A batch that was stored before, in part, in hundreds of conversations, is some
        more, however many there are.
        """
        names = [f"u:{i}:{i + 1}" for i in range(1, 301)]
        batch = [said(n, conversation=name) for name in names for n in (1, 2)]
        await self.store.insert(batch[:400], 5)
        self.asked.clear()
        outcomes = await self.store.insert(batch, 6)
        self.assertEqual(outcomes[:400], [Outcome.REPEATED, Outcome.SKIPPED] * 200)
        self.assertEqual(outcomes[400:], [Outcome.INSERTED] * 200)
        self.assertLessEqual(len(self.asked), 9)

    async def test_cursors(self) -> None:
        """
        Cursors are four, however many they are.
        """
        names = [f"u:{i}:{i + 1}" for i in range(1, 301)]
        await self.store.insert([said(1, conversation=name) for name in names], 5)
        self.asked.clear()
        moves = [Cursor(name, 1, 1, 0) for name in names]
        self.assertEqual(await self.store.move_cursors(moves), moves)
        self.assertEqual(self.asked, ["find", "find", "find", "update"])
