"""
Row 11: the limits of a user are the user's, with real daemons.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from tests.integration.cases import (
    IntegrationTestCase,
    eventually,
    metric,
    with_daemons,
)
from tests.integration.device import Device
from tests.integration.installation import DaemonProcess, free_ports, http_post
from wsmsg.model import group_of
from wsmsg.protocol import client_pb2 as pb

_LIMITED = 'wsmsg_message_limited_total{{limit="{}"}}'


class Flood:
    """
    Sends of one user, and the answers to them.
    """

    def __init__(self) -> None:
        self.sent = self.accepted = 0
        self.begun_s = time.monotonic()

    async def burst(self, device: Device, to: int, n: int) -> list[pb.Rejected]:
        """
        Send this many messages at once.

        @return: the rejections.
        """
        names = [f"f{self.sent + i}" for i in range(n)]
        self.sent += n
        for name in names:
            await device.send_frame(send=pb.Send(client_id=name, to=to, content="hi"))
        answers = [await device.answer(name) for name in names]
        rejected = [a for a in answers if isinstance(a, pb.Rejected)]
        self.accepted += n - len(rejected)
        return rejected

    def most(self, rate: float, burst: int) -> float:
        """
        Return how many sends the rate has allowed until now.
        """
        return burst + rate * (time.monotonic() - self.begun_s) + 1


class UserRateTests(IntegrationTestCase):
    """
    Rates of sends and of requests.
    """

    message = {"limits.sends_per_s": 20, "limits.sends_burst": 60}
    connect = {
        "limits.sends_per_s": 20,
        "limits.sends_burst": 40,
        "limits.requests_per_s": 100,
        "limits.requests_burst": 200,
    }

    @with_daemons
    async def test_new_logins(self) -> None:
        """
        A user who logs in again and again sends no faster than the rate.
        """
        user, to, flood = self.user(), self.user(), Flood()
        for n in range(12):
            device = await self.device(user, f"device-{n}")
            rejected = await flood.burst(device, to, 40)
            self.assertLessEqual({r.code for r in rejected}, {"rate_limited"})
            self.assertTrue(all(r.retry_after_ms > 0 for r in rejected))
            await device.close()
        self.assertLess(flood.accepted, flood.most(20, 40))
        friend = await self.device(to)
        self.assertTrue((await friend.send(user, "id-1", "hi")).time)

    @with_daemons
    async def test_over_two_connects(self) -> None:
        """
        A user with devices at two Connects sends no faster than the rate at Message,
        and what was refused is accepted when it is sent again.
        """
        second = await self.second_connect()
        user, to, flood = self.user(), self.user(), Flood()
        url = f"ws://127.0.0.1:{second.port('listen')}/api/v1/connect/ws"
        here, there = await self.device(user), await self.device(user, "b", url=url)
        refused: list[pb.Rejected] = []
        for _ in range(5):
            for device in (here, there):
                refused += await flood.burst(device, to, 30)
        self.assertLess(flood.accepted, flood.most(20, 60))
        self.assertIn("limits.sends_per_s", " ".join(r.reason for r in refused))
        limited = await metric(self.installation.message, _LIMITED.format("sends"))
        self.assertGreater(limited, 0)
        friend = self.user()
        await here.send_until_accepted(friend, "at-last", "hi")

    async def second_connect(self) -> DaemonProcess:
        """
        Start another Connect of the same Message.
        """
        names = ("listen", "rpc_listen", "admin_listen")
        ports = dict(zip(names, free_ports(3), strict=True))
        second = DaemonProcess(
            "connect-2",
            self.installation.folder,
            {f"connect-2.{k}": port for k, port in ports.items()}
            | {"upstream": self.installation.ports["upstream"]},
            self.connect,
        )
        await second.start()
        self.at_end(second.kill)
        await second.ready()
        return second

    @with_daemons
    async def test_costly_requests(self) -> None:
        """
        A C{watch} of many users costs more than a frame: a client that repeats it is
        read more slowly, on another device and after a new login too, and every
        request is answered; other users are not affected.
        """
        user = self.user()
        device, other = await self.device(user), await self.device(self.user())
        watch = pb.Watch(users=range(1, 501))  # costs 101
        begun_s = time.monotonic()
        for _ in range(5):
            await device.send_frame(watch=watch)
        await device.send_frame(ping=pb.Ping(nonce="last"))
        await other.pong()
        self.assertLess(time.monotonic() - begun_s, 1)
        await device.expect("pong", nonce="last")
        self.assertGreater(time.monotonic() - begun_s, 2)
        begun_s = time.monotonic()
        await device.send_frame(watch=watch)
        await device.close()
        again = await self.device(user, "tablet")
        await again.send_frame(watch=watch)
        await again.send_frame(ping=pb.Ping(nonce="again"))
        await again.expect("pong", nonce="again")
        self.assertGreater(time.monotonic() - begun_s, 1)
        costly = await metric(self.installation.connect, "wsmsg_connect_costly_total")
        self.assertGreater(costly, 0)


class FollowedRateTests(IntegrationTestCase):
    """
    Message takes the rate from its Connects.
    """

    connect = {"limits.sends_per_s": 1000, "limits.sends_burst": 1000}

    @with_daemons
    async def test_raised_at_connect(self) -> None:
        """
        A rate that is raised at Connect alone holds at Message as well.
        """
        flood, device = Flood(), await self.device(self.user())
        to = self.user()
        for _ in range(16):
            rejected = await flood.burst(device, to, 50)
            self.assertEqual(rejected, [])


class UserQuotaTests(IntegrationTestCase):
    """
    Bytes of a day, conversations begun with strangers, groups.
    """

    message = {
        "limits.stored_bytes_per_day": 20_000,
        "limits.strangers_per_h": 3,
        "limits.groups_owned": 2,
        "limits.groups_joined": 3,
    }

    def assert_limit(self, answer: Any, name: str) -> None:
        """
        Check that a send is refused for good, with the setting in the reason.
        """
        found = (getattr(answer, "code", ""), getattr(answer, "retry_after_ms", 0))
        self.assertEqual(found, ("limit_reached", 0))
        self.assertIn(f"limits.{name}", answer.reason)

    async def in_one_hour(self, check: Callable[[], Awaitable[None]]) -> None:
        """
        Make a check, and make it once more if it failed while a new hour began.
        """
        hour = time.time() // 3600
        try:
            await check()
        except AssertionError:
            if time.time() // 3600 == hour:
                raise
            await check()

    async def restart(self) -> None:
        """
        Kill Message and start it again.
        """
        await self.installation.message.kill()
        await self.installation.message.start()
        await self.installation.message.ready()

    async def post(self, path: str, document: Any) -> int:
        """
        Call Message's HTTP API, and return the status.
        """
        port = self.installation.message.port("listen")
        status, _ = await http_post(port, f"/api/v1/{path}", document)
        return status

    @with_daemons
    async def test_bytes_of_a_day(self) -> None:
        """
        A user who has stored the bytes of the day is refused, on every device, and
        after a restart of Message; the operator's services and others are not.
        """
        await self.in_one_hour(self._check_bytes)

    async def _check_bytes(self) -> None:
        user, to = self.user(), self.user()
        device, other = await self.device(user), await self.device(to)
        for n in range(9):
            self.assertTrue((await device.send(to, f"id-{n}", "x" * 2000)).time)
        answer = await device.send(to, "id-9", "x" * 2000)
        self.assert_limit(answer, "stored_bytes_per_day")
        self.assertTrue((await other.send(user, "id-1", "hi")).time)
        message = {"client_id": "s", "from": str(user), "to": str(to)}
        message["content"] = "x" * 3000
        self.assertEqual(await self.post("messages", message), 201)
        stopped = await self.installation.message.terminate()
        self.assertEqual(stopped, 0)
        await self.installation.message.start()
        await self.installation.message.ready()
        repeated = await device.send(to, "id-0", "x" * 2000)
        self.assertTrue(repeated.time)
        for n in range(100):
            answer = await device.send(to, f"after-{n}", "x")
            if isinstance(answer, pb.Rejected) and answer.code == "limit_reached":
                break
            await asyncio.sleep(0.1)  # Message asks the store every few seconds
        self.assert_limit(answer, "stored_bytes_per_day")
        self.assertTrue((await device.send(to, "id-0", "x" * 2000)).time)

    @with_daemons
    async def test_strangers(self) -> None:
        """
        A user begins so many conversations in an hour, also over a restart of Message,
        and answers everybody; services begin more.
        """
        await self.in_one_hour(self._check_strangers)

    async def _check_strangers(self) -> None:
        user = self.user()
        strangers = [self.user() for _ in range(6)]
        device = await self.device(user)
        for n, to in enumerate(strangers[:3]):
            self.assertTrue((await device.send(to, f"id-{n}", "hi")).time)
        answer = await device.send(strangers[3], "id-3", "hi")
        self.assert_limit(answer, "strangers_per_h")
        await self.restart()
        self.assertTrue((await device.send(strangers[0], "again", "hi")).time)
        answer = await device.send(strangers[4], "id-4", "hi")
        self.assert_limit(answer, "strangers_per_h")
        friend = await self.device(strangers[5])
        self.assertTrue((await friend.send(user, "hello", "hi")).time)
        self.assertTrue((await device.send(strangers[5], "answer", "hi")).time)
        message = {"client_id": "s", "from": str(user), "content": "hi"}
        message["to"] = str(strangers[4])
        self.assertEqual(await self.post("messages", message), 201)
        await eventually("stored", lambda: self._begun(device, strangers[4]))

    async def _begun(self, device: Device, to: int) -> bool:
        answer = await device.send(to, f"try-{time.monotonic()}", "hi")
        return not isinstance(answer, pb.Rejected)

    @with_daemons
    async def test_groups(self) -> None:
        """
        A user creates so many groups, and is in so many; a service may create more.
        """
        user, guest = self.user(), self.user()
        device = await self.device(user)

        async def create(name: str, *members: int) -> Any:
            group = pb.CreateGroup(client_id=name, name="crew", members=members)
            await device.send_frame(create_group=group)
            return await device.answer(name)

        for n in range(2):
            self.assertTrue((await create(f"g{n}", guest)).time)
        self.assert_limit(await create("g2"), "groups_owned")
        self.assertTrue((await create("g0", guest)).time)  # a repeat
        await self.restart()
        self.assert_limit(await create("g3"), "groups_owned")
        limited = await metric(
            self.installation.message, _LIMITED.format("groups_owned")
        )
        self.assertEqual(limited, 1)
        one = await self.device(self.user())
        joined = [self.user(), guest]
        groups = []
        for n in range(2):
            frame = pb.CreateGroup(client_id=f"h{n}", name="crew", members=joined)
            await one.send_frame(create_group=frame)
            groups.append(await one.answer(f"h{n}"))
        self.assertTrue(groups[0].time)
        self.assert_limit(groups[1], "groups_joined")
        self.assertIn(f"user {guest}", groups[1].reason)
        change = pb.ChangeGroup(
            client_id="leave", group=group_of(user, "g0"), remove=[guest]
        )
        gone = await self.device(guest)
        await gone.send_frame(change_group=change)
        self.assertTrue((await gone.answer("leave")).time)
        await eventually("left", lambda: self._joins(one, joined))
        document = {"client_id": "s", "name": "crew", "owner": str(user)}
        self.assertIn(await self.post("groups", document), (201, 202))

    async def _joins(self, device: Device, members: list[int]) -> bool:
        name = f"j{time.monotonic()}"
        frame = pb.CreateGroup(client_id=name, name="crew", members=members[1:])
        await device.send_frame(create_group=frame)
        return not isinstance(await device.answer(name), pb.Rejected)
