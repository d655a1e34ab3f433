"""
Tests of C{consent.contact} (issue 11, row 14) with real daemons, and a real hook.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any, ClassVar

from tests.integration.cases import eventually, with_daemons
from tests.integration.device import Device
from tests.integration.installation import free_ports
from tests.integration.people.test_groups import GroupsTestCase
from wsmsg.model import conversation_of
from wsmsg.protocol import client_pb2 as pb


class Hook:
    """
    A service of an operator.

    @ivar allow: whom anybody may reach; L{None}: it does not answer.
    """

    def __init__(self) -> None:
        self.allow: list[int] | None = []
        self.asked: list[Any] = []
        self.secrets: set[str] = set()
        self._server: asyncio.Server | None = None

    async def start(self, port: int) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", port)

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        [length] = [
            int(line.partition(":")[2])
            for line in head.splitlines()
            if line.startswith("content-length:")
        ]
        self.asked.append(json.loads(await reader.readexactly(length)))
        known = "authorization: bearer geheim" in head
        self.secrets.add("right" if known else "wrong")
        if self.allow is not None:
            body = json.dumps({"allowed": self.allow}).encode()
            writer.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                b"Content-Length: %d\r\nConnection: close\r\n\r\n%s" % (len(body), body)
            )
            await writer.drain()
            writer.close()


_PORT = free_ports(1)[0]


class ContactTestCase(GroupsTestCase):
    """
    Base class of tests with a rule.
    """

    async def write(self, device: Device, to: int, text: str) -> Any:
        """
        Send a message, and return the answer.
        """
        await device.send_frame(send=pb.Send(client_id=text, to=to, content=text))
        return await device.answer(text)

    async def typed(self, by: Device, to: Device) -> bool:
        """
        Have somebody type, and return whether the other has ever been told.
        """
        name = conversation_of(by.user, to.user)
        await by.send_frame(typing=pb.Typing(conversation=name))
        await by.pong()
        return any(typing.user == by.user for typing in to.all("typing"))


class SharedTests(ContactTestCase):
    """
    Users may begin to reach those in the same groups.
    """

    message: ClassVar[dict[str, Any]] = {"consent.contact": "shared"}

    @with_daemons
    async def test_consent_shared(self) -> None:
        """
        Strangers are refused, and reached by nobody in other ways; users of one group
        write to each other, and to whom a service has made known.
        """
        _, (anna, bert) = await self.crew(2)
        stranger = await self.device(self.user())
        self.assertTrue((await self.write(anna, bert.user, "hi")).time)
        refused = await self.write(stranger, anna.user, "spam")
        self.assertEqual(refused.code, "forbidden")
        await self.typed(stranger, anna)
        await eventually("typing of others arrives", lambda: self.typed(bert, anna))
        create = pb.CreateGroup(client_id="g", name="Spam", members=[anna.user])
        await stranger.send_frame(create_group=create)
        self.assertEqual((await stranger.answer("g")).code, "forbidden")
        body = {"client_id": "s", "from": anna.user, "to": stranger.user}
        status, _ = await self.post("messages", **body, content="come in")
        self.assertEqual(status, 201)
        await stranger.expect("deliver", content="come in")
        self.assertTrue((await self.write(stranger, anna.user, "thanks")).time)
        await anna.expect("deliver", content="thanks")
        self.assertEqual({typing.user for typing in anna.all("typing")}, {bert.user})
        await eventually("now they may type", lambda: self.typed(stranger, anna))


class HookTests(ContactTestCase):
    """
    A service of the operator decides.
    """

    message: ClassVar[dict[str, Any]] = {
        "consent.contact": "hook",
        "consent.hook_url": f"http://127.0.0.1:{_PORT}/consent",
        "consent.hook_secret": "geheim",
    }

    @with_daemons
    async def test_consent_hook(self) -> None:
        """
        The hook is asked once for a conversation, with the operator's secret; without
        an answer, the message is refused for now, in time.
        """
        hook = Hook()
        anna = await self.device(self.user())
        bert, carl = await self.device(self.user()), self.user()
        refused = await self.write(anna, bert.user, "early")
        self.assertEqual(refused.code, "unavailable")
        self.assertGreater(refused.retry_after_ms, 0)
        await hook.start(_PORT)
        self.at_end(hook.stop)
        hook.allow = [bert.user]
        await asyncio.sleep(refused.retry_after_ms / 1000)
        self.assertTrue((await self.write(anna, bert.user, "early")).time)
        await bert.expect("deliver", content="early")
        self.assertTrue((await self.write(anna, bert.user, "more")).time)
        self.assertTrue((await self.write(bert, anna.user, "back")).time)
        self.assertEqual(hook.asked, [{"user": anna.user, "others": [bert.user]}])
        self.assertEqual(hook.secrets, {"right"})
        self.assertEqual((await self.write(anna, carl, "no")).code, "forbidden")
        hook.allow = None
        late = await self.write(anna, self.user(), "late")
        self.assertEqual(late.code, "unavailable")
