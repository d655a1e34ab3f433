"""
Tests of positions where several Messages number the changes of one database.
"""

from __future__ import annotations

from typing import Any

from tests.message.store.cursor_contract import said
from tests.message.store.inserts import changed_conversations, insert_into
from tests.stack.mongo.test_faults import SharedStores
from tests.stack.servers import needs
from wsmsg.message.store.interface import Outcome
from wsmsg.message.store.numbers import BITS
from wsmsg.message.store.position import decode_position


@needs("mongo")
class PositionTests(SharedStores):
    """
    No reader misses a change, whoever numbers it.
    """

    async def test_owner_that_wakes_up(self) -> None:
        """
        A Message that lost a partition, and stores on with its old numbers, hides no
        change from a reader who was given numbers of the new owner; nor does the owner
        hide its own.
        """
        old, owner = await self.two()
        await insert_into(old, [said(1)], 5)
        owner.forget_shards()
        await insert_into(owner, [said(1, conversation="u:1:3")], 5)
        _, position = await changed_conversations(owner, 1)
        await insert_into(old, [said(2)], 5)
        names, position = await changed_conversations(owner, 1, position)
        self.assertIn("u:1:2", names)
        await insert_into(owner, [said(2, conversation="u:1:3")], 5)
        names, _ = await changed_conversations(old, 1, position)
        self.assertIn("u:1:3", names)

    async def test_read_again(self) -> None:
        """
        A record that is read again has its conversation told again, though its head is
        right: the process that stored it may have used a number that is too low.
        """
        first, second = await self.two()
        await insert_into(first, [said(1)], 5)
        await insert_into(second, [said(1, conversation="u:1:3")], 5)
        await insert_into(second, [said(2, conversation="u:1:3")], 5)
        _, position = await changed_conversations(first, 1)
        names, _ = await changed_conversations(first, 1, position)
        self.assertNotIn("u:1:2", names)
        outcomes = await insert_into(second, [said(1).numbered(2)], 5)
        self.assertEqual(outcomes, [Outcome.REPEATED])
        names, _ = await changed_conversations(first, 1, position)
        self.assertIn("u:1:2", names)

    async def test_older_copy(self) -> None:
        """
        A Message that finds the generation of a shard lower than it was begins a new
        epoch: the database is an older copy of itself.
        """
        store, _ = await self.two()
        await insert_into(store, [said(1)], 5)
        store.forget_shards()
        await insert_into(store, [said(2)], 5)
        epoch = store.epoch
        await self.in_database(
            "conversations", q={"_id": "/shard/0"}, u={"$set": {"generation": 1}}
        )
        await insert_into(store, [said(3)], 5)
        self.assertNotEqual(store.epoch, epoch)
        names, _ = await changed_conversations(store, 1)
        self.assertEqual(names, ["u:1:2"])

    async def test_version_without_ends(self) -> None:
        """
        A Message of a version that keeps no ends, and numbers changes meanwhile, makes
        no number of before one that was never given.
        """
        store, _ = await self.two()
        await insert_into(store, [said(1)], 5)
        await insert_into(store, [said(2)], 5)
        before = await store.position_now()
        (generation,) = {n >> BITS for n in decode_position(before).since.values()} - {
            0
        }
        later = (generation + 1) << BITS
        await self.in_database(
            "conversations",
            q={"_id": "/shard/0"},
            u={"$set": {"generation": generation + 1, "change": later + 1}},
        )
        for _ in range(2):
            page = await store.conversations_of(1, before, 9)
            self.assertEqual(page.ahead, {})
            store.forget_shards()
            await insert_into(store, [said(3)], 5)

    async def test_older_documents(self) -> None:
        """
        A database of the version before positions, or of the one that has the users of
        a conversation in an array only, is opened with its conversations, which the
        lists of both users have.
        """
        store, _ = await self.two()
        for version in (1, 2):
            await insert_into(store, [said(version)], 5)
            array: dict[str, Any] = {
                "$unset": {"first": "", "second": ""},
            }
            if version == 1:
                array["$unset"] |= {"shard": "", "change": ""}
            await self.in_database("conversations", q={"_id": "u:1:2"}, u=array)
            older = {"$set": {"version": version}}
            await self.in_database("meta", q={"_id": "store"}, u=older)
            later, _ = await self.two()
            _, position = await changed_conversations(later, 1)
            for user in (1, 2):
                names, _ = await changed_conversations(later, user)
                self.assertEqual(names, ["u:1:2"])
            await insert_into(later, [said(version + 1)], 6)
            names, _ = await changed_conversations(later, 1, position)
            self.assertEqual(names, ["u:1:2"])
