"""
Tests for names of users, as a program that uses the client sees them.
"""

from __future__ import annotations

import asyncio
from typing import Any

from tests.client.doubles import welcome
from tests.client.test_groups import GroupCase
from wsmsg.client.names import NameTable
from wsmsg.errors import BadRequest, NotFound
from wsmsg.protocol import frames

SPAN = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class NamesTests(GroupCase):
    """
    Users by name.
    """

    async def came(self, link: Any, kind: type[Any]) -> Any:
        """
        Return the next frame of this kind that the client wrote.
        """
        async with asyncio.timeout(10):
            while not isinstance(frame := await link.came.get(), kind):
                pass
            return frame

    async def test_send(self) -> None:
        """
        A message goes to a name, and is repeated to the name until it is accepted, also
        by the next run of the program, with the span that it continues; digits are a
        number.
        """
        client, link = await self.connected(position_file=self.file)
        sending = asyncio.create_task(client.send("anna", "hi", traceparent=SPAN))
        first = await self.came(link, frames.Send)
        self.assertEqual((first.to, first.to_name), (0, "anna"))
        self.assertEqual(first.traceparent, SPAN)
        await client.close()
        await asyncio.gather(sending, return_exceptions=True)
        client, link = await self.connected(position_file=self.file)
        again = await self.came(link, frames.Send)
        self.assertEqual((again.to_name, again.client_id), ("anna", first.client_id))
        self.assertTrue(again.repeat)
        self.assertEqual(again.traceparent, SPAN)
        sending = asyncio.create_task(client.send("1001", "hi"))
        numbered = await self.came(link, frames.Send)
        self.assertEqual((numbered.to, numbered.to_name), (1001, ""))
        link.give(frames.Rejected(numbered.client_id, "not_found", "no user"))
        with self.assertRaises(NotFound):
            await sending

    async def test_lists(self) -> None:
        """
        Lists of users may have numbers and names; those to watch are named again on the
        next connection.
        """
        client, link = await self.connected()
        client.watch([7, "anna", "8", "anna"])
        watched = frames.Watch((7, 8), ("anna",))
        self.assertEqual(await self.came(link, frames.Watch), watched)
        link.lose()
        link = await self.server.connection(welcome())
        self.assertEqual(await self.came(link, frames.Watch), watched)
        making = asyncio.create_task(client.create_group("Us", ["anna", 7]))
        made = await self.came(link, frames.CreateGroup)
        self.assertEqual((made.members, made.member_names), ((7,), ("anna",)))
        link.give(frames.Accepted(made.client_id, 5, "g:5"))
        self.assertEqual(await making, 5)
        changing = asyncio.create_task(
            client.change_group(5, add=["b", 1], remove=["c", 2])
        )
        changed = await self.came(link, frames.ChangeGroup)
        self.assertEqual((changed.add, changed.add_names), ((1,), ("b",)))
        self.assertEqual((changed.remove, changed.remove_names), ((2,), ("c",)))
        link.give(frames.Accepted(changed.client_id, 5, "g:5"))
        await changing

    async def test_consent(self) -> None:
        """
        Users are blocked and invited by name; digits are a number.
        """
        client, link = await self.connected()
        for doing, kind, wanted in (
            (client.block("anna"), frames.Block, (0, "anna", True)),
            (client.block("8"), frames.Block, (8, "", True)),
            (client.unblock("anna"), frames.Block, (0, "anna", False)),
            (client.unblock(8), frames.Block, (8, "", False)),
            (client.invite(5, "anna"), frames.Invite, (0, "anna", 5)),
            (client.invite(5, "8"), frames.Invite, (8, "", 5)),
        ):
            task = asyncio.create_task(doing)
            frame = await self.came(link, kind)
            more = frame.on if kind is frames.Block else frame.group
            self.assertEqual((frame.user, frame.user_name, more), wanted)
            link.give(frames.Accepted(frame.client_id, 5))
            await task

    async def test_bad_names(self) -> None:
        """
        A name that cannot be sent is refused at once, and nothing is queued.
        """
        client, _ = await self.connected()
        for to in ("", "n" * 129, "a\nb", "half an emoji: \ud83d"):
            with self.assertRaises(BadRequest):
                await client.send(to, "hi")
        with self.assertRaises(BadRequest):
            await client.send("anna", "hi", group=5)
        with self.assertRaises(BadRequest):
            await client.create_group("Us", [f"user-{n}" for n in range(1001)])
        with self.assertRaises(BadRequest):
            await client.change_group(5, add=["anna", *range(1, 1001)])
        with self.assertRaises(BadRequest):
            await client.look_up(["a"] * 1001)
        self.assertEqual(client.unsent, 0)

    async def test_look_up(self) -> None:
        """
        A look-up has the numbers of the keys in their order.
        """
        client, link = await self.connected()
        looking = asyncio.create_task(client.look_up(["9"], keys=["a", "b"]))
        asked = await self.came(link, frames.Names)
        self.assertEqual((asked.names, asked.keys), (("9",), ("a", "b")))
        link.give(frames.Named(asked.id, (9,), ("x",), (4, 5)))
        found = await looking
        self.assertEqual((found.users, found.unknown), ({"9": 9}, ("x",)))
        self.assertEqual(found.groups, {"a": 4, "b": 5})

    async def test_table(self) -> None:
        """
        The client remembers a bounded number of names; others are digits.
        """
        table = NameTable(kept=2)
        table.learn({1: "a", 2: "b"})
        table.learn({1: "a", 3: "c"})
        self.assertEqual(len(table), 2)
        self.assertEqual([table.name_of(n) for n in (1, 2, 3)], ["a", "2", "c"])
