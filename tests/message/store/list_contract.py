"""
The behaviour of every store when a user asks which conversations changed.
"""

from __future__ import annotations

from tests.message.store.cursor_contract import CursorTests, StorePlace, said
from tests.message.store.group_contract import CREW, changed, made
from tests.message.store.inserts import changed_conversations
from wsmsg.message.store.position import StorePosition, decode_position
from wsmsg.model import Message


class ListTests(CursorTests):
    """
    Lists miss no change, and compare no times.
    """

    place: StorePlace

    async def happens(self, *events: Message) -> None:
        """
        Store events and apply them.
        """
        await self.insert(events)
        await self.store.apply(events)

    async def test_changed_since(self) -> None:
        """
        A list that begins at a position has all conversations that changed since,
        whatever the clock says, and those of other shards too.
        """
        await self.insert([said(1), said(1, conversation="u:1:3")], 10**12)
        names, position = await changed_conversations(self.store, 1)
        self.assertEqual(set(names), {"u:1:2", "u:1:3"})
        await self.insert([said(2, conversation="u:1:3")], 5)
        await self.insert([said(1, conversation="u:1:4")], 5, shard=3)
        names, after = await changed_conversations(self.store, 1, position)
        self.assertLessEqual({"u:1:3", "u:1:4"}, set(names))
        await self.insert([said(2)], 4)
        names, last = await changed_conversations(self.store, 1, after)
        self.assertIn("u:1:2", names)
        # What changed last may be listed once more.
        names, _ = await changed_conversations(self.store, 1, last)
        self.assertNotIn("u:1:3", names)

    async def test_pages_of_conversations(self) -> None:
        """
        The pages of a list have each conversation, also those that change between
        two pages; the final position is that of the beginning.
        """
        names = [f"u:1:{other}" for other in range(2, 9)]
        await self.insert([said(1, conversation=name) for name in names])
        first = await self.store.conversations_of(1, "", 3)
        self.assertEqual((len(first.rows), first.more), (3, True))
        changed = first.rows[0].conversation
        await self.insert([said(2, conversation=changed)])
        rest, position = await changed_conversations(self.store, 1, first.position, 3)
        told = {row.conversation for row in first.rows} | set(rest)
        self.assertEqual(told, set(names))
        again, _ = await changed_conversations(self.store, 1, position)
        self.assertIn(changed, again)
        restarted = decode_position(first.position).restarted().encode()
        again, _ = await changed_conversations(self.store, 1, restarted)
        self.assertIn(changed, again)

    async def test_strange_positions(self) -> None:
        """
        A text that is no position of this store lists all conversations.
        """
        await self.insert([said(1)])
        _, good = await changed_conversations(self.store, 1)
        mine = decode_position(good)
        beyond = dict.fromkeys(mine.since, 2**62)
        for position in (
            "?",
            "\ud800",
            good[:-2],
            StorePosition("another", mine.since).encode(),
            StorePosition(mine.epoch, beyond).encode(),
            StorePosition(mine.epoch, {}, {0: 1}, ("d", "x")).encode(),
            StorePosition(mine.epoch, {}, {0: 1}, ("g", -1)).encode(),
        ):
            names, _ = await changed_conversations(self.store, 1, position)
            self.assertEqual(names, ["u:1:2"], position)

    async def test_epoch(self) -> None:
        """
        A store has an epoch of its own, which survives a restart and is renewed
        once for each that is known.
        """
        first = self.store.epoch
        self.assertRegex(first, "^[0-9a-f]{16}$")
        await self.insert([said(1)])
        _, position = await changed_conversations(self.store, 1)
        second = await self.store.renew_epoch(first)
        self.assertNotIn(second, ("", first))
        self.assertEqual(await self.store.renew_epoch(first), second)
        self.assertEqual(self.store.epoch, second)
        self.assertEqual(await self.store.read_epoch(), second)
        names, after = await changed_conversations(self.store, 1, position)
        self.assertEqual(names, ["u:1:2"])
        self.assertEqual(decode_position(after).epoch, second)

    async def test_witness(self) -> None:
        """
        A store tells how far it is; one that is not as far as it once was in its
        history says so, and other texts say nothing.
        """
        await self.insert([said(1)])
        before = self.store.witness()
        (shard,) = before
        await self.insert([said(2)])
        now = self.store.witness()
        self.assertNotEqual(now, before)
        for witness in (
            {},
            before,
            now,
            {shard: ""},
            {shard: "x:y:9"},
            {shard: "ff:9"},
        ):
            self.assertEqual(await self.store.behind(witness), "", witness)
        name, _, number = now[shard].partition(":")
        ahead = {shard: f"{name}:{int(number) + 1}"}
        self.assertIn(f"shard {shard}", await self.store.behind(ahead))
        await self.store.renew_epoch(self.store.epoch)
        self.assertEqual(await self.store.behind(ahead), "")
        self.assertEqual(await self.store.behind(self.store.witness()), "")
        self.assertNotEqual(self.store.witness(), now)

    async def test_adopted_epoch(self) -> None:
        """
        A store without messages takes the epoch of another one, whose positions list
        everything here; it does so once, and one with messages keeps its own.
        """
        theirs = "00112233445566aa"
        position = StorePosition(theirs, {0: 1, -1: 1}).encode()
        for _ in range(2):
            self.assertEqual(await self.store.adopt_epoch(theirs), theirs)
            self.assertEqual(self.store.epoch, theirs)
        await self.insert([said(1)])
        names, after = await changed_conversations(self.store, 1, position)
        self.assertEqual(names, ["u:1:2"])
        self.assertNotEqual(decode_position(after).epoch, theirs)
        self.assertEqual(await self.store.adopt_epoch("ff" * 8), theirs)
        self.assertEqual(await self.store.read_epoch(), theirs)
        again, _ = await changed_conversations(self.store, 1, after)
        self.assertLessEqual(again, names)
        renewed = await self.store.renew_epoch(theirs)
        self.assertNotEqual(renewed, theirs)
        names, _ = await changed_conversations(self.store, 1, after)
        self.assertEqual(names, ["u:1:2"])

    async def test_reserved_ids(self) -> None:
        """
        The time up to which ids of a node number are reserved rises only, and survives
        a kill.
        """
        for number, until_ms, before_ms in (
            (0, 2**41, 0),
            (255, 5, 0),
            (0, 2**41 + 1, 2**41),
            (0, 7, 2**41 + 1),
            (0, 8, 2**41 + 1),
            (255, 6, 5),
        ):
            self.assertEqual(await self.store.reserve_ids(number, until_ms), before_ms)
        self.store = await self.place.kill()
        self.assertEqual(await self.store.reserve_ids(0, 1), 2**41 + 1)

    async def test_many_conversations(self) -> None:
        """
        A list by pages has all of many conversations, however many are stored at once,
        and a list that is restarted in the middle has all that were not told.
        """
        names = [f"u:1:{other}" for other in range(2, 10_002)]
        for n in range(0, len(names), 2500):
            await self.insert([said(1, conversation=c) for c in names[n : n + 2500]])
        found, position = await changed_conversations(self.store, 1, limit=999)
        self.assertEqual((len(found), set(found)), (len(names), set(names)))
        first = await self.store.conversations_of(1, "", 4000)
        told = {row.conversation for row in first.rows}
        restarted = decode_position(first.position).restarted().encode()
        rest, _ = await changed_conversations(self.store, 1, restarted, 999)
        self.assertEqual(told | set(rest), set(names))
        await self.insert([said(2, conversation=names[0])])
        found, _ = await changed_conversations(self.store, 1, position, 999)
        self.assertIn(names[0], found)

    async def test_pages_of_groups(self) -> None:
        """
        A list by pages has all groups and all conversations of two.
        """
        groups = [f"g:{n}" for n in range(1, 8)]
        await self.happens(*(made(2, conversation=name) for name in groups))
        await self.insert([said(1), said(1, conversation="u:1:3")])
        for limit in (1, 3, 9):
            found, _ = await changed_conversations(self.store, 1, limit=limit)
            self.assertEqual(sorted(found), sorted([*groups, "u:1:2", "u:1:3"]))

    async def test_joined_between(self) -> None:
        """
        A user who asks after a message that adds them was stored, and before it is
        applied, is told of the group when they ask again.
        """
        await self.happens(made(2))
        joins = changed(2, add=[3])
        await self.insert([joins])
        await self.insert([said(1)])
        before, position = await changed_conversations(self.store, 3)
        await self.store.apply([joins])
        after, _ = await changed_conversations(self.store, 3, position)
        self.assertIn(CREW, [*before, *after])
