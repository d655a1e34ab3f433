"""
Guests of a soak: users, devices, Connects and callers of HTTP that come once, do what
such guests do, and leave.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable

from tests.integration.device import Device
from tests.integration.hostile.peers import Batch, Request, hostile_connect, subscribe
from tests.integration.installation import Installation
from wsmsg.protocol import client_pb2 as pb
from wsmsg.rpc import rest_pb2

#: The most sends of a filling device that have no answer.
_WINDOW = 50
#: A clock that is off by so much is noted by Message.
_AHEAD_MS = 3_600_000


class Guests:
    """
    Makes guests of an installation, none of them twice.

    @param new_user: returns a user who was never there.
    @ivar users: the number of users so far.
    @ivar sent: the number of messages so far.
    """

    def __init__(self, installation: Installation, new_user: Callable[[], int]) -> None:
        self.users = self.sent = 0
        self._installation = installation
        self._new_user = new_user
        self._numbers = itertools.count(1)

    async def come(self, name: str = "phone") -> Device:
        """
        Return a device of a new user.
        """
        self.users += 1
        return await self._device(self._new_user(), name)

    async def fill(self, conversations: int) -> None:
        """
        Send a message to each of so many new conversations.
        """
        device = await self.come()
        try:
            for first in range(0, conversations, _WINDOW):
                some = range(first, min(first + _WINDOW, conversations))
                for n in some:
                    to = self._new_user()
                    self.users += 1
                    send = pb.Send(client_id=f"f{n}", to=to, content="hello")
                    await device.send_frame(send=send)
                for n in some:
                    await device.answer(f"f{n}")
                device.forget_received()
            self.sent += conversations
        finally:
            await device.close()

    async def pair(self, content: str, messages: int) -> None:
        """
        Let two new users talk, also in a group, and leave, one without a word.
        """
        one, two = await asyncio.gather(self.come(), self.come())
        try:
            await one.send_frame(watch=pb.Watch(users=[two.user, two.user + 1]))
            for n in range(messages):
                await one.send_until_accepted(two.user, f"m{n}", content)
            conflict = await one.send(two.user, "m0", "another text")
            assert conflict.code == "conflict", conflict
            talk = f"u:{one.user}:{two.user}"
            await two.expect("deliver", conversation=talk, seq=messages)
            await two.send_frame(read=pb.Read(conversation=talk, seq=messages))
            await two.send_frame(typing=pb.Typing(conversation=talk))
            await self._group(one, two, content)
            back = await self._device(two.user, "tablet")
            await two.send_frame(sync=pb.Sync(id="s", conversation=talk))
            await two.expect("page", id="s")
            back.drop()
            self.sent += messages + 3
        finally:
            two.drop()
            await one.close()

    async def _group(self, one: Device, two: Device, content: str) -> None:
        create = pb.CreateGroup(client_id="g", name="soak", members=[two.user])
        await one.send_frame(create_group=create)
        made = await one.answer("g")
        group = int(made.conversation.removeprefix("g:"))
        await two.expect("deliver", conversation=made.conversation, seq=1)
        for device, to in ((two, group), (one, group + 1)):
            send = pb.Send(client_id="t", group=to, content=content)
            await device.send_frame(send=send)
            await device.answer("t")
        await one.send_frame(typing=pb.Typing(conversation=made.conversation))
        recall = pb.Recall(client_id="r", conversation=made.conversation, seq=2)
        await two.send_frame(recall=recall)
        await two.answer("r")

    async def connect(self) -> None:
        """
        Let a Connect with a new name, whose clock is off, announce users and leave.
        """
        number = next(self._numbers)
        port = self._installation.message.port("rpc_listen")
        async with hostile_connect(port, self._installation.folder) as connect:
            call = connect.stream()
            now_ms = int(time.time() * 1000) + _AHEAD_MS
            await call.write(subscribe(f"guest-{number}", unix_ms=now_ms))
            users = [self._new_user() for _ in range(10)]
            self.users += len(users)
            online = rest_pb2.PresenceDelta(
                number=1, online=users, snapshot=rest_pb2.PresenceDelta.WHOLE
            )
            watch = rest_pb2.WatchDelta(add=users)
            await call.write(Request(batch=Batch(presence=online, watch=watch)))
            while (answer := await call.read()).batch.presence_applied < 1:
                assert answer.batch is not None
            call.cancel()

    async def caller(self) -> None:
        """
        Let a caller of HTTP with a new address ask Message and Connect.
        """
        number = next(self._numbers)
        address = (
            f"127.{1 + number // 60000 % 200}.{number // 250 % 240}.{number % 250}"
        )
        for daemon in (self._installation.message, self._installation.connect):
            reader, writer = await asyncio.open_connection(
                "127.0.0.1", daemon.port("listen"), local_addr=(address, 0)
            )
            path = f"/api/v1/presence?users={number}"
            writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            await reader.readuntil(b"\r\n\r\n")
            writer.close()

    async def _device(self, user: int, name: str) -> Device:
        installation = self._installation
        device = await Device.dial(installation.url, installation.token(user), user)
        await device.greet(name)
        return device
