"""
The behaviour that a client meets at a server, a fake one too.
"""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from itertools import count
from typing import Any, TypeVar

from tests.asyncio_case import AsyncioCase, listed
from wsmsg_client import (
    Client,
    Conflict,
    Forbidden,
    GroupChanged,
    MessageReceived,
    PresenceChanged,
    ReceiptReceived,
    Replaced,
    TooLarge,
    TypingReceived,
    Unauthenticated,
)

E = TypeVar("E")

#: Counts users, so that no two tests use the same ones.
_USERS = count(700_001)


class ServerContract:
    """
    Tests for a server; a test case has them besides what starts one.
    """

    class Tests(AsyncioCase):
        """
        The tests.
        """

        @abstractmethod
        def url(self) -> str:
            """
            Return the URL of the server.
            """

        @abstractmethod
        def token(self, user: int) -> str:
            """
            Return a token of a user.
            """

        async def client(self, user: int, device: str = "", **options: Any) -> Client:
            """
            Return a client that is connected.
            """
            client = Client(self.url(), self.token(user), device, **options)
            self.addAsyncCleanup(client.close)
            await client.connect()
            return client

        def users(self, number: int) -> list[int]:
            """
            Return users whom no other test has.
            """
            return [next(_USERS) for _ in range(number)]

        async def next(self, client: Client, kind: type[E], **wanted: object) -> E:
            """
            Return the next event of a kind with these attributes.
            """
            async with asyncio.timeout(30):
                async for event in client.events():
                    if isinstance(event, kind) and all(
                        getattr(event, name) == value for name, value in wanted.items()
                    ):
                        return event
            raise AssertionError(f"the events ended before {kind.__name__}")

        async def test_between_clients(self) -> None:
            """
            A message reaches the other user without the sender's id for it, and the
            sender's other device with it.
            """
            anna, ben = self.users(2)
            one, phone = await self.client(anna), await self.client(anna, "phone")
            two = await self.client(ben)
            accepted = await one.send(ben, "hi")
            got = await self.next(two, MessageReceived)
            self.assertEqual((got.sender, got.content, got.seq), (anna, "hi", 1))
            self.assertEqual((got.client_id, got.mine, got.group), ("", False, 0))
            own = await self.next(phone, MessageReceived)
            self.assertEqual((own.mine, own.client_id), (True, accepted.client_id))
            self.assertEqual(own.message_id, got.message_id)

        async def test_repeat(self) -> None:
            """
            A message with an id that was used is accepted again and said once; another
            content with that id is refused.
            """
            anna, ben = self.users(2)
            one, two = await self.client(anna), await self.client(ben)
            first = await one.send(ben, "one", client_id="x")
            self.assertEqual((await one.send(ben, "one", client_id="x")), first)
            with self.assertRaises(Conflict):
                await one.send(ben, "two", client_id="x")
            await one.send(ben, "three")
            seen = [(await self.next(two, MessageReceived)).content for _ in "ab"]
            self.assertEqual(seen, ["one", "three"])

        async def test_too_large(self) -> None:
            """
            A content that is longer than the limit in the welcome is refused.
            """
            anna, ben = self.users(2)
            client = await self.client(anna)
            assert client.limits is not None
            with self.assertRaises(TooLarge):
                await client.send(ben, "x" * (client.limits.content_bytes + 1))
            await client.send(ben, "x" * client.limits.content_bytes)

        async def test_history(self) -> None:
            """
            The history has all messages, from both ends, and a stranger cannot read it.
            """
            anna, ben, eve = self.users(3)
            client, other = await self.client(anna), await self.client(ben)
            for number in range(20):
                await client.send(ben, f"text {number}")
            event = await self.next(other, MessageReceived, seq=20)
            found = await listed(other.history(event.conversation))
            self.assertEqual([m.seq for m in found], list(range(1, 21)))
            newest = other.history(event.conversation, newest_first=True, limit=5)
            self.assertEqual([m.seq async for m in newest], [20, 19, 18, 17, 16])
            stranger = await self.client(eve)
            with self.assertRaises(Forbidden):
                await listed(stranger.history(event.conversation))

        async def test_groups(self) -> None:
            """
            Members of a group get its messages and its changes, from the time at which
            they join; strangers can do nothing in it.
            """
            anna, ben, eve = self.users(3)
            one, two, three = [await self.client(user) for user in (anna, ben, eve)]
            group = await one.create_group("Crew", [ben])
            made = await self.next(two, GroupChanged)
            self.assertEqual(
                (made.group, made.created, made.name), (group, True, "Crew")
            )
            self.assertIn(ben, made.added)
            await one.send(group=group, content="to all")
            event = await self.next(two, MessageReceived)
            self.assertEqual(
                (event.group, event.content, event.seq), (group, "to all", 2)
            )
            await two.reply(event, "yes")
            answer = await self.next(one, MessageReceived, mine=False)
            self.assertEqual((answer.content, answer.seq), ("yes", 3))
            with self.assertRaises(Forbidden):
                await three.send(group=group, content="me too")
            with self.assertRaises(Forbidden):
                await listed(three.history(event.conversation))
            with self.assertRaises(Forbidden):
                await two.add_members(group, [eve])
            await one.add_members(group, [eve])
            self.assertEqual((await self.next(three, GroupChanged)).added, (eve,))
            self.assertEqual(
                [m.seq async for m in three.history(event.conversation)], [4]
            )
            state = await one.members(group)
            self.assertEqual([m.user for m in state.members], [anna, ben, eve])
            self.assertEqual((state.owner, state.count), (anna, 3))
            await two.leave(group)
            left = await self.next(two, GroupChanged, removed=(ben,))
            self.assertEqual(left.sender, ben)

        async def test_marks(self) -> None:
            """
            The sender learns who types, and what the other user received and read.
            """
            anna, ben = self.users(2)
            one, two = await self.client(anna), await self.client(ben)
            await one.send(ben, "hi")
            event = await self.next(two, MessageReceived)
            two.typing(event.conversation)
            await self.next(one, TypingReceived, user=ben)
            two.mark_read(event.conversation, event.seq)
            read = await self.next(one, ReceiptReceived, read=1)
            self.assertEqual((read.user, read.delivered), (ben, 1))

        async def test_presence(self) -> None:
            """
            A watched user is seen to come and to go.
            """
            anna, ben = self.users(2)
            one = await self.client(anna)
            one.watch([ben])
            await self.next(one, PresenceChanged, user=ben, online=False)
            two = await self.client(ben)
            await self.next(one, PresenceChanged, user=ben, online=True)
            await two.close()
            await self.next(one, PresenceChanged, user=ben, online=False)

        async def test_logins(self) -> None:
            """
            A token of nobody is refused, and a newer login of a device ends the older
            one.
            """
            (anna,) = self.users(1)
            stranger = Client(self.url(), "another")
            self.addAsyncCleanup(stranger.close)
            with self.assertRaises(Unauthenticated):
                await stranger.connect()
            older = await self.client(anna)
            await self.client(anna)
            async with asyncio.timeout(30):
                await listed(older.events())  # they end when the client is closed
            with self.assertRaises(Replaced):
                await older.connect()

        async def test_missed(self) -> None:
            """
            A client that was away gets what it missed, in order and once.
            """
            anna, ben = self.users(2)
            two = await self.client(ben)
            await two.close()
            one = await self.client(anna)
            for number in range(5):
                await one.send(ben, f"text {number}")
            again = await self.client(ben)
            seen = [(await self.next(again, MessageReceived)).content for _ in range(5)]
            self.assertEqual(seen, [f"text {number}" for number in range(5)])
