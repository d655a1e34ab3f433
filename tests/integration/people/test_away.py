"""
Tests that a user who was away, or who logs in with a new device, gets every message.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

from tests.integration.cases import IntegrationTestCase, with_daemons
from tests.integration.device import Device
from wsmsg.model import conversation_of
from wsmsg.protocol import client_pb2 as pb

_PAGE = 10


class AwayTests(IntegrationTestCase):
    """
    P5: sync alone, and sync concurrent with pushes.
    """

    connect = {
        "limits.page": _PAGE,
        # No send is rejected, so the order of sending is kept.
        "limits.sends_burst": 10000,
        "limits.frames_burst": 10000,
    }

    async def send_many(
        self, sender: Device, to: int, n: int, first: int = 1
    ) -> list[str]:
        """
        Send C{n} messages from C{sender}, and wait until all are stored.
        """
        said = [f"{sender.user} says {i}" for i in range(first, first + n)]
        for content in said:
            send = pb.Send(client_id=f"id-{to}-{content}", to=to, content=content)
            await sender.send_frame(send=send)
        for content in said:
            await sender.expect("deliver", content=content)
        return said

    async def read_all(
        self, device: Device, conversation: str, after: int = 0
    ) -> tuple[list[pb.Deliver], list[int]]:
        """
        Request page after page.

        @return: the messages, and the number of messages on each page.
        """
        messages: list[pb.Deliver] = []
        sizes: list[int] = []
        while True:
            ask = pb.Sync(id=f"s{after}", conversation=conversation, after=after)
            await device.send_frame(sync=ask)
            page = await device.expect("page", id=f"s{after}")
            messages += page.messages
            sizes.append(len(page.messages))
            if not page.more:
                return messages, sizes
            after = page.messages[-1].seq

    async def list_all(self, device: Device, welcome: Any) -> set[str]:
        """
        Return the conversations in the welcome, and the further ones that it announces.
        """
        heads, more, position = list(welcome.heads), welcome.more, welcome.position
        while more:
            ask = pb.Conversations(id="c", position=position)
            await device.send_frame(conversations=ask)
            answer = await device.expect("heads", id="c")
            heads += answer.heads
            more, position = answer.more, answer.position
        self.assertEqual(len(heads), len({h.conversation for h in heads}))
        return {head.conversation for head in heads}

    @with_daemons
    async def test_back(self) -> None:
        """
        P5: after an absence the welcome states the head of each conversation, and sync
        returns the missed messages page by page, each number once.
        """
        one, two = self.user(), self.user()
        name = conversation_of(one, two)
        sender = await self.device(one)
        receiver = await self.device(two)
        before = await self.send_many(sender, two, 3)
        for content in before:
            await receiver.expect("deliver", content=content)
        position = receiver.all("welcome")[0].position
        await receiver.close()
        missed = await self.send_many(sender, two, 25, 4)
        back = await self.dial(two)
        welcome = await back.greet(position=position)
        self.assertTrue(welcome.synced)
        [head] = welcome.heads
        self.assertEqual((head.conversation, head.head), (name, 28))
        messages, sizes = await self.read_all(back, name, after=3)
        self.assertEqual([m.seq for m in messages], list(range(4, 29)))
        self.assertEqual([m.content for m in messages], missed)
        self.assertEqual(sizes, [_PAGE, _PAGE, 5])
        self.assertEqual(back.all("deliver"), [])

    @with_daemons
    async def test_nothing_new(self) -> None:
        """
        P5: a conversation that did not change while the user was away is not listed
        again.
        """
        one, two, three = self.user(), self.user(), self.user()
        sender = await self.device(one)
        await self.send_many(sender, two, 1)
        first = await (await self.dial(two)).greet()
        self.assertEqual(len(first.heads), 1)
        back = await self.dial(two)
        again = await back.greet(position=first.position)
        self.assertEqual(list(again.heads), [])
        stranger = await self.dial(three)
        self.assertEqual(list((await stranger.greet()).heads), [])

    @with_daemons
    async def test_new_device(self) -> None:
        """
        P5: a new device lists all conversations, even more than one answer holds, and
        reads each from its beginning.
        """
        user = self.user()
        others = [self.user() for _ in range(2 * _PAGE + 3)]
        sender = await self.device(user)
        for other in others:
            await self.send_many(sender, other, 2)
        device = await self.dial(user)
        welcome = await device.greet("new")
        self.assertEqual((len(welcome.heads), welcome.more), (_PAGE, True))
        names = {conversation_of(user, other) for other in others}
        self.assertEqual(await self.list_all(device, welcome), names)
        for name in sorted(names)[:3]:
            messages, _ = await self.read_all(device, name)
            self.assertEqual([m.seq for m in messages], [1, 2])

    @with_daemons
    async def test_sync_meets_live(self) -> None:
        """
        P5: a user who reconnects again and again while another sends without a pause
        gets each message once and in order, from pages and pushes together.
        """
        one, two = self.user(), self.user()
        name = conversation_of(one, two)
        sender, receiver = self.person(one), self.person(two)
        talking = asyncio.ensure_future(self._talk(sender, two, 300))
        for n in range(1, 11):
            await receiver.until_taken(name, 25 * n)
            receiver.drop()
        await talking
        await receiver.until_taken(name, 300)
        said = [f"line {n}" for n in range(300)]
        self.assertEqual([m.content for m in receiver.taken[name]], said)
        self.assertEqual([m.seq for m in receiver.taken[name]], list(range(1, 301)))
        self.assertEqual(receiver.problems + sender.problems, [])
        self.assertGreaterEqual(receiver.connects, 10)

    async def _talk(self, sender: Any, to: int, n: int) -> None:
        await sender.until(lambda: sender.connects)
        for i in range(n):
            client_id = await sender.send(to, f"line {i}")
            if i % 10 == 9:  # at the pace of a sender who waits for each answer
                await sender.until(partial(sender.accepted.__contains__, client_id))

    @with_daemons
    async def test_new_device_under_load(self) -> None:
        """
        P5: a new device that begins to sync an active conversation gets every message.
        """
        one, two = self.user(), self.user()
        name = conversation_of(one, two)
        sender = self.person(one)
        talking = asyncio.ensure_future(self._talk(sender, two, 150))
        readers = []
        for n in range(4):
            await sender.until_taken(name, 30 * n)
            readers.append(self.person(two, f"new-{n}"))
        await talking
        for reader in readers:
            taken = await reader.until_taken(name, 150)
            self.assertEqual([m.seq for m in taken], [*range(1, 151)])
            self.assertEqual(reader.problems, [])
