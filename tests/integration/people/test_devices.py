"""
Tests of two users with several devices each.
"""

from __future__ import annotations

import asyncio
from typing import Any

from tests.integration.cases import IntegrationTestCase, with_daemons
from tests.integration.device import Device
from tests.integration.logins import rounds_of_logins
from tests.integration.people.test_presence import TwoConnectsTestCase
from wsmsg.errors import Close
from wsmsg.model import conversation_of
from wsmsg.protocol import client_pb2 as pb


class DeviceTests(IntegrationTestCase):
    """
    Events that one device of a user causes on the user's other devices.
    """

    @with_daemons
    async def test_all_devices(self) -> None:
        """
        P4: a message arrives once at each device of both users; only the sender's own
        devices see its client id.
        """
        one, two = self.user(), self.user()
        own = [await self.device(one, n) for n in ("phone", "tablet")]
        others = [await self.device(two, n) for n in ("phone", "desk")]
        accepted = await own[0].send(two, "id-1", "hello")
        for device in own + others:
            message = await device.expect("deliver")
            self.assertEqual(getattr(message, "from"), one)
            self.assertEqual((message.seq, message.content), (1, "hello"))
            self.assertEqual(message.time, accepted.time)
            self.assertEqual(message.conversation, conversation_of(one, two))
            self.assertEqual(message.client_id, "id-1" if device.user == one else "")
        for device in own + others:
            await device.pong()
            self.assertEqual(len(device.all("deliver")), 1)

    @with_daemons
    async def test_replaced(self) -> None:
        """
        A newer login of the same device ends the older one with 4503; other devices
        stay connected, and the newer one is served.
        """
        user, friend = self.user(), self.user()
        old, tablet = await self.device(user), await self.device(user, "tablet")
        new = await self.device(user)
        self.assertEqual(await old.closed(), Close.REPLACED)
        sender = await self.device(friend)
        await sender.send(user, "id-1", "hello")
        await new.expect("deliver", content="hello")
        await tablet.expect("deliver", content="hello")

    @with_daemons
    async def test_receipts(self) -> None:
        """
        The sender is notified how far the other user has read, and a sender who
        connects later as well.
        """
        one, two = self.user(), self.user()
        name = conversation_of(one, two)
        sender, reader = await self.device(one), await self.device(two)
        for n in range(1, 4):
            await sender.send(two, f"id-{n}", f"line {n}")
            await reader.expect("deliver", seq=n)
        await reader.send_frame(delivered=pb.Delivered(conversation=name, seq=3))
        await sender.expect("receipt", conversation=name, user=two, delivered=3, read=0)
        await reader.send_frame(read=pb.Read(conversation=name, seq=2))
        await sender.expect("receipt", conversation=name, user=two, delivered=3, read=2)
        for user, other in ((one, two), (two, one)):
            late = await self.dial(user)
            [head] = (await late.greet("late")).heads
            mine = (3, 2) if user == two else (head.delivered, head.read)
            self.assertEqual((head.delivered, head.read), mine)
            if other == two:
                [far] = head.others
                self.assertEqual((far.user, far.delivered, far.read), (two, 3, 2))

    @with_daemons
    async def test_typing(self) -> None:
        """
        The other user's devices are notified who is typing.
        """
        one, two = self.user(), self.user()
        name = conversation_of(one, two)
        typist, friend = await self.device(one), await self.device(two)
        stranger = await self.device(self.user())
        await typist.send_frame(typing=pb.Typing(conversation=name, user=two))
        await friend.expect("typing", conversation=name, user=one)
        await stranger.pong()
        self.assertEqual(stranger.all("typing"), [])

    @with_daemons
    async def test_watch(self) -> None:
        """
        A client that watches users is notified at once whether they are online, and of
        each change, until it unwatches them.
        """
        one, two, three = self.user(), self.user(), self.user()
        watcher = await self.device(one)
        phone = await self.device(two)
        await watcher.send_frame(watch=pb.Watch(users=[two, three]))
        await watcher.expect("presence", user=two, online=True)
        await watcher.expect("presence", user=three, online=False)
        tablet = await self.device(two, "tablet")
        await phone.close()  # one device is left
        other = await self.device(three)
        await watcher.expect("presence", user=three, online=True)
        await tablet.close()
        gone = await watcher.expect("presence", user=two, online=False)
        self.assertGreater(gone.last_seen, 0)
        await watcher.send_frame(watch=pb.Watch(users=[two]))
        await watcher.expect("presence", user=two, online=False)
        await other.close()
        await self.device(two)
        await watcher.expect("presence", user=two, online=True)
        stale = [p for p in watcher.all("presence") if p.user == three and not p.online]
        self.assertEqual(len(stale), 1)

    @with_daemons
    async def test_conversations(self) -> None:
        """
        A user's list has each of their own conversations, and no others.
        """
        one, two, three = self.user(), self.user(), self.user()
        device, other = await self.device(one), await self.device(three)
        await device.send(two, "id-1", "to two")
        await device.send(three, "id-2", "to three")
        await other.send(two, "id-1", "not for one")
        await device.expect("deliver", content="to two")
        await device.expect("deliver", content="to three")
        await device.send_frame(conversations=pb.Conversations(id="c"))
        answer = await device.expect("heads", id="c")
        self.assertEqual(
            {(h.conversation, h.head) for h in answer.heads},
            {(conversation_of(one, two), 1), (conversation_of(one, three), 1)},
        )
        self.assertFalse(answer.more)

    @with_daemons
    async def test_two_codecs(self) -> None:
        """
        A user with JSON and a user with protobuf exchange messages and see the same.
        """
        one, two = self.user(), 2**53 + self.user()
        name = conversation_of(one, two)
        web = await self.device(one, "web", json_=True)
        phone = await self.device(two)
        for n in range(1, 11):
            speaker, to = (web, two) if n % 2 else (phone, one)
            answer = await speaker.send(to, f"id-{n}", f"{n} «é 日本 🐧\n»")
            self.assertTrue(answer.time, answer)
            await web.expect("deliver", seq=n)
            await phone.expect("deliver", seq=n)
        self.assertEqual(self.seen(web), self.seen(phone))
        for device in (web, phone):
            await device.send_frame(sync=pb.Sync(id="s", conversation=name, after=4))
        pages = [await d.expect("page", id="s") for d in (web, phone)]
        self.assertEqual(*[[(m.seq, m.content) for m in p.messages] for p in pages])
        await phone.send_frame(read=pb.Read(conversation=name, seq=10))
        await web.expect("receipt", user=two, read=10)
        await web.send_frame(watch=pb.Watch(users=[two]))
        await web.expect("presence", user=two, online=True)
        await web.pong()

    def seen(self, device: Any) -> list[tuple[int, int, int, str, int]]:
        return [
            (m.seq, m.message_id, getattr(m, "from"), m.content, m.time)
            for m in device.all("deliver")
        ]


class LoginTests(TwoConnectsTestCase):
    """
    A device that logs in several times at the same moment.
    """

    @with_daemons
    async def test_at_two_connects(self) -> None:
        """
        Exactly one of two logins at two Connects remains, in each of 50 rounds.
        """
        places = [self.installation, await self.other()]

        async def dial(user: int, connect: int) -> Device:
            at = places[connect]
            return await Device.dial(at.url, at.token(user), user)

        await rounds_of_logins(dial, connects=2, rounds=50)

    @with_daemons
    async def test_at_one_connect(self) -> None:
        """
        Exactly one of three logins at one Connect remains, in each of 20 rounds.
        """

        async def dial(user: int, _: int) -> Device:
            return await self.dial(user)

        await rounds_of_logins(dial, connects=3, rounds=20)

    @with_daemons
    async def test_limit(self) -> None:
        """
        If 20 devices of a user log in at the same moment, eight are welcomed, and the
        others are refused and may come later: C{limits.connections_per_user}.
        """
        for _ in range(5):
            user = self.user()
            devices = await asyncio.gather(*(self.dial(user) for _ in range(20)))
            await asyncio.gather(
                *(
                    device.send_frame(hello=pb.Hello(device=f"device-{n}"))
                    for n, device in enumerate(devices)
                )
            )
            await asyncio.gather(*(device.pong_or_end() for device in devices))
            refused = [device for device in devices if device.over]
            self.assertEqual(len(refused), 12)
            for device in refused:
                self.assertEqual(await device.closed(), Close.RATE_LIMITED)
                self.assertEqual(device.all("error")[0].code, "overloaded")
