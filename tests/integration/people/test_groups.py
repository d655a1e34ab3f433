"""
Tests of groups and recall: services use HTTP, users WebSockets.
"""

from __future__ import annotations

import asyncio
from typing import Any

from tests.integration.cases import IntegrationTestCase, eventually, with_daemons
from tests.integration.device import Device
from tests.integration.installation import http_delete, http_get, http_post
from wsmsg.events.group_change import GROUP, decode_change
from wsmsg.events.recall import RECALL
from wsmsg.model import RECALLED, TEXT
from wsmsg.protocol import client_pb2 as pb


class GroupsTestCase(IntegrationTestCase):
    """
    Base class with requests to the HTTP API and to devices.
    """

    async def post(self, path: str, **body: Any) -> tuple[int, Any]:
        """
        Send a POST request to Message.
        """
        return await http_post(self.port, f"/api/v1/{path}", body)

    async def get(self, path: str) -> Any:
        """
        Return the answer of Message's HTTP API.
        """
        status, document = await http_get(self.port, f"/api/v1/{path}")
        self.assertEqual(status, 200, document)
        return document

    async def delete(self, path: str) -> int:
        """
        Send a DELETE request to Message.
        """
        return (await http_delete(self.port, f"/api/v1/{path}"))[0]

    @property
    def port(self) -> int:
        return self.installation.message.port("listen")

    async def crew(self, n: int = 3, **more: Any) -> tuple[Any, list[Device]]:
        """
        Create a group of this many users, the first its owner, with a device each.
        """
        users = [self.user() for _ in range(n)]
        devices = [await self.device(user) for user in users]
        status, group = await self.post(
            "groups",
            client_id=f"crew-{users[0]}",
            owner=users[0],
            name="crew",
            members=users[1:],
            **more,
        )
        self.assertEqual(status, 201, group)
        for device in devices:
            await device.expect(
                "deliver", conversation=group["conversation"], kind=GROUP
            )
        return group, devices

    async def send_text(self, device: Device, group: Any, content: str) -> Any:
        """
        Send a message to the group.
        """
        number = int(group["group"])
        client_id = f"say-{content}"
        await device.send_frame(
            send=pb.Send(client_id=client_id, group=number, content=content)
        )
        return await device.answer(client_id)

    async def page(self, device: Device, group: Any) -> Any:
        """
        Return the messages of the group that a device may read.
        """
        name = group["conversation"]
        await device.send_frame(
            sync=pb.Sync(id="s", conversation=name, after=0, limit=100)
        )
        return await device.expect(("page", "error"), id="s")


class GroupTests(GroupsTestCase):
    """
    Groups.
    """

    @with_daemons
    async def test_talk(self) -> None:
        """
        Every member gets each message of a member once, in the same order.
        """
        group, devices = await self.crew()
        for n, device in enumerate(devices):
            answer = await self.send_text(device, group, f"from {n}")
            self.assertTrue(answer.time, answer)
        for device in devices:
            for n in range(len(devices)):
                await device.expect("deliver", content=f"from {n}")
            await device.pong()
            heard = [d for d in device.all("deliver") if d.kind == TEXT]
            self.assertEqual([d.seq for d in heard], [2, 3, 4])

    @with_daemons
    async def test_stranger(self) -> None:
        """
        P8: a user who is not a member can neither send nor read in the group, and
        receives nothing from it.
        """
        group, devices = await self.crew(2)
        stranger = await self.device(self.user())
        answer = await self.send_text(stranger, group, "let me in")
        self.assertEqual(answer.code, "forbidden")
        self.assertEqual((await self.page(stranger, group)).code, "forbidden")
        await self.send_text(devices[0], group, "hello")
        await devices[1].expect("deliver", content="hello")
        await stranger.pong()
        self.assertEqual(stranger.all("deliver"), [])

    @with_daemons
    async def test_join(self) -> None:
        """
        A user who joins gets the messages sent since, and can read no earlier ones.
        """
        group, devices = await self.crew(2)
        await self.send_text(devices[0], group, "before")
        await devices[1].expect("deliver", content="before")
        late = await self.device(self.user())
        status, now = await self.post(
            f"groups/{group['group']}/members", client_id="a", users=[late.user]
        )
        self.assertEqual((status, now["count"]), (200, 3))
        joined = await late.expect("deliver", kind=GROUP)
        self.assertEqual(decode_change(joined.content).add, (late.user,))
        self.assertTrue((await self.send_text(late, group, "after")).time)
        page = await self.page(late, group)
        self.assertEqual(page.messages[0].seq, joined.seq)
        self.assertEqual(joined.seq, 3)

    @with_daemons
    async def test_remove_and_leave(self) -> None:
        """
        A user who is removed or leaves is notified, and then neither gets messages of
        the group nor sends any.
        """
        group, (owner, second, third) = await self.crew()
        at = f"groups/{group['group']}/members"
        self.assertEqual(await self.delete(f"{at}/{second.user}"), 204)
        self.assertEqual(await self.delete(f"{at}/{third.user}?by={third.user}"), 204)
        for device in (second, third):
            await device.expect("deliver", seq=2 if device is second else 3, kind=GROUP)
        await self.send_text(owner, group, "alone")
        await owner.expect("deliver", content="alone")
        for device in (second, third):
            answer = await self.send_text(device, group, f"I {device.user}")
            self.assertEqual(answer.code, "forbidden")
            self.assertFalse([d for d in device.all("deliver") if d.content == "alone"])
        self.assertEqual((await self.get(at))["count"], 1)

    @with_daemons
    async def test_repeated(self) -> None:
        """
        P2: a repeated request creates one group, even if Message was killed in between.
        """
        owner, other = self.user(), self.user()
        body = {"client_id": "x", "owner": owner, "name": "one", "members": [other]}
        status, first = await self.post("groups", **body)
        self.assertEqual(status, 201)
        await self.installation.message.kill()
        await self.installation.message.start()
        await self.installation.message.ready()
        await self.installation.connect.ready()
        self.assertEqual(await self.post("groups", **body), (200, first))
        status, problem = await self.post("groups", **{**body, "name": "two"})
        self.assertEqual((status, problem["code"]), (409, "conflict"))
        groups = (await self.get(f"users/{other}/groups"))["groups"]
        self.assertEqual([g["group"] for g in groups], [first["group"]])
        self.assertEqual(groups[0]["head"], 1)

    @with_daemons
    async def test_big(self) -> None:
        """
        A group grows to ten thousand members and no further, and its connected members
        get its messages.
        """
        group, (owner, _) = await self.crew(2)
        at = f"groups/{group['group']}/members"
        for n in range(10):
            users = list(range(1 + n * 1000, 1 + (n + 1) * 1000))[: 1000 - 2 * (n == 9)]
            status, now = await self.post(at, client_id=f"m{n}", users=users)
            self.assertEqual(status, 200, now)
        self.assertEqual(now["count"], 10_000)
        status, _ = await self.post(at, client_id="over", users=[20_000])
        self.assertEqual(status, 413)
        last = await self.device(9_998)
        await self.send_text(owner, group, "everybody")
        await last.expect("deliver", content="everybody")

    # -- recall

    @with_daemons
    async def test_recall(self) -> None:
        """
        A sender recalls a message: connected members are notified, and nobody can read
        it any more.
        """
        group, (one, two) = await self.crew(2)
        await self.send_text(one, group, "oh")
        said = await two.expect("deliver", content="oh")
        name = group["conversation"]
        await two.send_frame(
            recall=pb.Recall(client_id="r", conversation=name, seq=said.seq)
        )
        self.assertEqual((await two.answer("r")).code, "forbidden")
        await one.send_frame(
            recall=pb.Recall(client_id="r", conversation=name, seq=said.seq)
        )
        first = await one.answer("r")
        self.assertTrue(first.time, first)
        for device in (one, two):
            heard = await device.expect("deliver", kind=RECALL)
            self.assertEqual(heard.content, str(said.seq))
        for message in (await self.page(two, group)).messages:
            if message.seq == said.seq:
                self.assertEqual((message.kind, message.content), (RECALLED, ""))
        await one.send_frame(
            recall=pb.Recall(client_id="r", conversation=name, seq=said.seq)
        )
        self.assertEqual((await one.answer("r")).time, first.time)
        self.assertTrue((await self.send_text(one, group, "oh")).time)


class RecallTimeTests(GroupsTestCase):
    """
    Recall with a time limit.
    """

    message = {"recall_s": 0.5}

    @with_daemons
    async def test_too_late(self) -> None:
        """
        A message stays once the time for recalling it is over.
        """
        one, two = self.user(), self.user()
        device = await self.device(one)
        await device.send(two, "c", "stays")
        said = await device.expect("deliver", content="stays")
        await asyncio.sleep(0.6)  # that much time has to pass

        async def refused() -> bool:
            recall = pb.Recall(client_id="r", conversation=said.conversation, seq=1)
            await device.send_frame(recall=recall)
            return str((await device.answer("r")).code) == "forbidden"

        await eventually("the time is over", refused)
