"""
The behaviour of every store when a user asks which conversations changed.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode

import msgspec

from tests.message.store.cursor_contract import CursorTests, StorePlace, said
from tests.message.store.group_contract import CREW, changed, made
from tests.message.store.inserts import changed_conversations
from wsmsg.events.group_change import GROUP, GroupChange, encode_change
from wsmsg.message.store.position import NOW, StorePosition, decode_position
from wsmsg.model import Cursor, Message

SECRET = "0123456789abcdef" * 2


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

    async def sealed(self, by: int = 1) -> tuple[str, StorePosition, StorePosition]:
        """
        Store two conversations in a store whose secret is known.

        @return: a position that it gave; its content; and one with higher numbers.
        """
        await self.store.adopt_epoch("00112233445566aa", SECRET)
        await self.insert([said(1)])
        await self.insert([said(1, conversation="u:1:3")])
        _, good = await changed_conversations(self.store, 1)
        mine = decode_position(good)
        self.assertTrue(mine.is_sealed(SECRET))
        beyond = {s: n + by for s, n in mine.since.items()}
        return good, mine, StorePosition(mine.epoch, beyond)

    async def test_authentic_position(self) -> None:
        """
        A position that the store has sealed, with a number that it never gave, proves
        that it is an older copy, as a position and as a witness, and lists everything;
        it still does when the store has gone on beyond that number.
        """
        for by in (1, 1 << 30):
            good, mine, beyond = await self.sealed(by)
            text = beyond.sealed(SECRET).encode()
            page = await self.store.conversations_of(1, text, 9)
            names = {row.conversation for row in page.rows}
            self.assertEqual(names, {"u:1:2", "u:1:3"})
            self.assertTrue(page.ahead)
            self.assertFalse(page.forged)
            self.assertIn("was stored", await self.store.behind(page.ahead))
            for position in (NOW, good, ""):
                shown = self.store.conversations_of(1, position, 9, witness=text)
                self.assertEqual((await shown).ahead, page.ahead)
        self.store = await self.place.kill()
        await self.insert([said(n) for n in range(2, 9)])
        page = await self.store.conversations_of(1, text, 9)
        self.assertIn("never was there", await self.store.behind(page.ahead))
        for position in (good, mine.encode(), await self.store.position_now()):
            page = await self.store.conversations_of(1, position, 9, witness=position)
            self.assertEqual((page.ahead, page.forged), ({}, False))

    async def test_position_within_a_list(self) -> None:
        """
        A position in the middle of a list proves where the list began.
        """
        _, mine, beyond = await self.sealed()
        first = decode_position((await self.store.conversations_of(1, "", 1)).position)
        self.assertTrue(first.place)
        text = (
            StorePosition(mine.epoch, {}, beyond.since, first.place)
            .sealed(SECRET)
            .encode()
        )
        for anew in (True, False):
            page = await self.store.conversations_of(1, text, 9, anew=anew)
            self.assertTrue(page.ahead)
            self.assertEqual(len(page.rows), 2)

    async def test_forged_position(self) -> None:
        """
        A position that another store has sealed, or that was altered, lists everything
        and proves nothing; so does one without a code that is too high, while a lower
        one without a code is good.
        """
        good, mine, beyond = await self.sealed()
        other = "ff" * 16
        forged = [beyond.sealed(other).encode(), mine.sealed(other).encode()]
        data = bytearray(urlsafe_b64decode(good + "=" * (-len(good) % 4)))
        for bit in range(8 * len(data)):
            data[bit // 8] ^= 1 << bit % 8
            forged.append(urlsafe_b64encode(data).rstrip(b"=").decode())
            data[bit // 8] ^= 1 << bit % 8
        counted = 0
        for text in (*forged, beyond.encode()):
            page = await self.store.conversations_of(1, text, 9, witness=text)
            self.assertEqual((page.ahead, len(page.rows)), ({}, 2), text)
            counted += page.forged
        self.assertGreater(counted, len(data))
        page = await self.store.conversations_of(1, mine.encode(), 9)
        self.assertFalse(page.forged)

    async def test_position_of_another_history(self) -> None:
        """
        A sealed position proves nothing in another epoch, nor in a store into which
        its store was imported.
        """
        _, mine, beyond = await self.sealed()
        exported = StorePosition("00112233445566aa", beyond.since).sealed(SECRET)
        await self.store.renew_epoch(self.store.epoch)
        for position in (exported, beyond.sealed(SECRET)):
            text = position.encode()
            page = await self.store.conversations_of(1, text, 9, witness=text)
            self.assertEqual((page.ahead, page.forged), ({}, False))
        renewed = decode_position(await self.store.position_now())
        self.assertTrue(renewed.is_sealed(SECRET))
        self.assertNotEqual(renewed.epoch, mine.epoch)

    async def test_cursor_passes_head(self) -> None:
        """
        A cursor is looked at against the last message, and proves nothing once a new
        epoch has begun.
        """
        await self.insert([said(1), said(2)])
        await self.store.move_cursors([Cursor("u:1:2", 2, 2, 1)])
        for name, user in (("u:1:2", 2), ("u:1:2", 1), ("u:7:8", 7), ("/", 3)):
            self.assertEqual(await self.store.passes_head(name, user), "")
        await self.place.lose_messages()
        said_so = await self.store.passes_head("u:1:2", 2)
        self.assertIn("user 2 was at 2 of u:1:2, and the store has", said_so)
        await self.store.renew_epoch(self.store.epoch)
        self.assertEqual(await self.store.passes_head("u:1:2", 2), "")

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

    async def test_revocations(self) -> None:
        """
        The time before which the tokens of a user are revoked rises only, and survives
        a kill; each change can be noticed, and old times can be forgotten.
        """
        self.assertEqual(await self.store.revocations(), {})
        first = await self.store.revocations_changed()
        for user, before_ms, now_ms in (
            (7, 1000, 1000),
            (2**63 - 1, 2**41, 2**41),
            (7, 900, 1000),
            (7, 1100, 1100),
        ):
            self.assertEqual(await self.store.revoke(user, before_ms), now_ms)
        self.assertNotEqual(await self.store.revocations_changed(), first)
        self.store = await self.place.kill()
        found = await self.store.revocations()
        self.assertEqual(found, {7: 1100, 2**63 - 1: 2**41})
        self.assertEqual({type(n) for pair in found.items() for n in pair}, {int})
        await self.store.forget_revocations(1100)
        self.assertEqual(await self.store.revocations(), {2**63 - 1: 2**41})

    async def test_key_of_group(self) -> None:
        """
        A group has the key with which it was created, and others have none.
        """
        change = GroupChange(True, "Crew", False, (1, 2), key="room/7")
        keyed = said(1, conversation="g:7", content=encode_change(change))
        event = msgspec.structs.replace(keyed, kind=GROUP)
        await self.happens(event, made(conversation="g:8"))
        pages = [await self.store.group(name, 0, 9) for name in ("g:7", "g:8")]
        self.assertEqual([page and page.key for page in pages], ["room/7", ""])

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
