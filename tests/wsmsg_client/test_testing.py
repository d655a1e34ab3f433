"""
Tests for L{wsmsg_client.testing}: the fake server, with the real client.
"""

from __future__ import annotations

import asyncio
from typing import Any, TypeVar

from tests.asyncio_case import AsyncioCase, listed
from tests.wsmsg_client.contract import ServerContract
from wsmsg_client import (
    Client,
    Forbidden,
    GroupChanged,
    MessageReceived,
    RateLimited,
    Unsupported,
)
from wsmsg_client.testing import FakeServer

E = TypeVar("E")


class FakeServerCase(AsyncioCase):
    """
    A fake server, and clients.
    """

    async def asyncSetUp(self) -> None:
        self.server = FakeServer()
        await self.server.start()
        self.addAsyncCleanup(self.server.close)

    async def client(self, user: int, **options: Any) -> Client:
        client = self.server.client(user, **options)
        self.addAsyncCleanup(client.close)
        await client.connect()
        return client

    async def next(self, client: Client, kind: type[E], **wanted: object) -> E:
        """
        Return the next event of a kind with these attributes.
        """
        async with asyncio.timeout(20):
            async for event in client.events():
                if isinstance(event, kind) and all(
                    getattr(event, name) == value for name, value in wanted.items()
                ):
                    return event
        raise AssertionError(f"the events ended before {kind.__name__}")


class FakeContractTests(ServerContract.Tests):
    """
    The behaviour of a server.
    """

    async def asyncSetUp(self) -> None:
        self.server = FakeServer()
        await self.server.start()
        self.addAsyncCleanup(self.server.close)

    def url(self) -> str:
        return self.server.url

    def token(self, user: int) -> str:
        return self.server.token(user)


class MessageTests(FakeServerCase):
    """
    Messages: accepted, delivered and repeated.
    """

    async def test_echo(self) -> None:
        """
        A test of a bot delivers a message and waits for the answer, in both encodings.
        """
        for user, codec in ((1, "protobuf"), (2, "json")):
            bot = await self.client(user, codec=codec)
            given = self.server.deliver("hello", sender=9, to=user)
            event = await self.next(bot, MessageReceived, mine=False)
            self.assertEqual((event.sender, event.content), (9, "hello"))
            self.assertEqual((event.conversation, event.seq), (given.conversation, 1))
            await bot.reply(event, "hello to you")
            sent = await self.server.sent()
            self.assertEqual((sent.sender, sent.to, sent.group), (user, 9, 0))
            self.assertEqual((sent.content, sent.seq), ("hello to you", 2))
            self.assertEqual(self.server.messages[-1], sent)

    async def test_before_the_login(self) -> None:
        """
        A message that was delivered before the client connects is waiting for it.
        """
        self.server.deliver("early", sender=9, to=1)
        client = await self.client(1)
        self.assertEqual((await self.next(client, MessageReceived)).content, "early")

    async def test_lost_answer(self) -> None:
        """
        A message whose answer is lost is sent again, accepted again, and said once.
        """
        one, two = await self.client(1), await self.client(2)
        self.server.lose_answers()
        await one.send(2, "once")
        await one.send(2, "after it")
        seen = [(await self.next(two, MessageReceived)).content for _ in range(2)]
        self.assertEqual(seen, ["once", "after it"])
        self.assertEqual(len(self.server.messages), 2)

    async def test_disconnected(self) -> None:
        """
        After a lost connection the client gets what it missed, in order and once.
        """
        client = await self.client(1)
        for number in range(1, 11):
            self.server.deliver(f"text {number}", sender=9, to=1)
            if number % 3 == 0:
                self.server.disconnect()
        seen = [(await self.next(client, MessageReceived)).seq for _ in range(10)]
        self.assertEqual(seen, list(range(1, 11)))

    async def test_refused(self) -> None:
        """
        A refusal is raised by the call, once; nothing was sent.
        """
        client = await self.client(1)
        self.server.refuse(Forbidden("not today"))
        with self.assertRaisesRegex(Forbidden, "not today"):
            await client.send(2, "hi")
        self.assertEqual(self.server.messages, ())
        await client.send(2, "hi again")
        self.assertEqual((await self.server.sent()).content, "hi again")

    async def test_refused_for_now(self) -> None:
        """
        A refusal that says to wait is no failure: the client sends the message again.
        """
        client = await self.client(1)
        self.server.refuse(RateLimited("slowly", 1), times=2)
        await client.send(2, "hi")
        self.assertEqual([m.content for m in self.server.messages], ["hi"])

    async def test_none_sent(self) -> None:
        """
        A test that waits for a message that nobody sends fails in time.
        """
        with self.assertRaises(TimeoutError):
            await self.server.sent(timeout_s=0.01)


class OtherTests(FakeServerCase):
    """
    Groups, history, marks, presence and logins.
    """

    async def test_history(self) -> None:
        """
        The history has all messages, over several pages, from both ends.
        """
        for number in range(250):
            given = self.server.deliver(f"text {number}", sender=9, to=1)
        client = await self.client(1, start="latest")
        found = await listed(client.history(given.conversation))
        self.assertEqual([m.seq for m in found], list(range(1, 251)))
        newest = client.history(given.conversation, newest_first=True, limit=120)
        self.assertEqual([m.seq async for m in newest], list(range(250, 130, -1)))

    async def test_groups(self) -> None:
        """
        Members of a group get its messages; others do not, and cannot read it.
        """
        group = self.server.group(1, 2, name="Crew")
        one, two, three = [await self.client(user) for user in (1, 2, 3)]
        self.assertEqual((await self.next(two, GroupChanged)).group, group)
        self.server.deliver("to all", sender=1, group=group)
        event = await self.next(two, MessageReceived)
        self.assertEqual((event.group, event.content), (group, "to all"))
        await two.reply(event, "yes")
        self.assertEqual((await self.server.sent()).group, group)
        with self.assertRaises(Forbidden):
            await three.send(group=group, content="me too")
        with self.assertRaises(Forbidden):
            await listed(three.history(event.conversation))
        with self.assertRaises(Forbidden):
            await two.add_members(group, [3])
        await one.add_members(group, [3])
        self.assertEqual((await self.next(three, GroupChanged)).added, (3,))
        self.assertEqual((await one.members(group)).count, 3)
        await two.leave(group)
        self.assertEqual((await self.next(two, GroupChanged, removed=(2,))).sender, 2)

    async def test_unsupported(self) -> None:
        """
        A request that the fake server has no answer for is refused, not accepted.
        """
        client = await self.client(1)
        for call in (
            client.block(2),
            client.recall("u:1:2", 1),
            client.invitations(),
            client.look_up(["anna"]),
            client.send("anna", "hi"),
        ):
            with self.assertRaises(Unsupported):
                await call
