"""
Tests of a real Connect that shares a Redis with legacy ones.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable
from typing import Any

from google.protobuf import json_format

from tests.conformance.contract import TEXT, ws_message
from tests.conformance.daemons.cases import LegacyMessageTestCase, LegacyPeersTestCase
from tests.conformance.peer_client import ScriptedClient
from tests.connect.legacy.redis.test_presence import forwarded
from tests.integration.cases import (
    IntegrationTestCase,
    eventually,
    metric,
    with_daemons,
)
from tests.integration.installation import Installation
from tests.message.sqlite_paths import REACTOR, soon
from tests.stack.redis.places import asking, place, url_of
from tests.stack.servers import Own, needs, own_redis
from tools.stack.redis import Redis
from wsmsg.dependency.state import Dependency
from wsmsg.redis.connection import RedisConnection


@needs("redis")
class BridgeDaemonTests(IntegrationTestCase):
    """
    Users of a Connect that shares its Redis with legacy ones.
    """

    alone = True
    own: Own[Redis]

    async def setUp(self) -> None:  # type: ignore[override]
        self.own = await own_redis(self, "--appendonly", "no")

    def _installed(self) -> Installation:
        address = f"redis://{self.own.address}/0"
        return Installation(connect={"legacy.redis": address, "node": "here"})

    async def run_test(self, test: Awaitable[None]) -> None:
        dependency = Dependency("redis", REACTOR)
        self.redis = RedisConnection(
            place(url_of(self.own), "x"), REACTOR, retry=soon, dependency=dependency
        )
        self.redis.start()
        try:
            await super().run_test(test)
        finally:
            await self.redis.stop().asFuture(asyncio.get_running_loop())

    async def ask(self, *words: object) -> Any:
        """
        Send a command to the shared Redis.
        """
        return await self.redis.execute(*words).asFuture(asyncio.get_running_loop())

    async def online(self, *users: int) -> None:
        """
        Wait until exactly these users are online there, each by one connection.
        """

        async def seen() -> bool:
            if not self.redis.up:
                return False
            there = await self.ask("SMEMBERS", "online_users")
            keys = await self.ask("KEYS", "conn:*")
            found = sorted(key.split(":")[1] for key in keys)
            return sorted(there) == found == sorted(map(str, users))

        await eventually(f"{users} are online", seen)

    @with_daemons
    async def test_life(self) -> None:
        """
        Users are online while they are connected, also after Redis came back empty and
        after Connect was killed; nobody is once Connect has stopped.
        """
        await self._running()
        connect = self.installation.connect
        one, two = self.user(), self.user()
        await self.device(one)
        phone = await self.device(two)
        await self.online(one, two)

        self.own.kill()
        await phone.close()
        three = self.user()
        await self.device(three)
        await asyncio.to_thread(self.own.server.up, detached=False)
        await self.online(one, three)

        await connect.kill()
        await self.online(one, three)
        await self._running()
        await self.device(two)
        await self.online(two)

        self.assertEqual(await connect.terminate(), 0)
        await self.online()

    @with_daemons
    async def test_away(self) -> None:
        """
        While Redis hangs, logins are not slower and Connect is ready; readiness names
        the missing dependency.
        """
        await self._running()
        connect = self.installation.connect
        self.own.suspend()

        async def told() -> bool:
            _, seen = await connect.get("/readyz")
            return any(
                d["name"].startswith("legacy redis") and d["state"] != "up"
                for d in seen["dependencies"]
            )

        await eventually("the dependency is down", told)
        status, _ = await connect.get("/readyz")
        self.assertEqual(status, 200)
        user = self.user()
        async with asyncio.timeout(5):
            await self.device(user)
        self.own.resume()
        await self.online(user)


class ForwardingRedis(LegacyPeersTestCase):
    """
    A Redis that legacy Connects share with a Connect of wsmsg.
    """

    async def setUp(self) -> None:  # type: ignore[override]
        own = await own_redis(self, "--appendonly", "no")
        address = f"redis://{own.address}/0"
        # Of this test alone, as the Redis is.
        self.connect = {**self.connect, "legacy.redis": address, "node": "here"}  # type: ignore[misc]
        self.redis = await asking(self, place(url_of(own), "x"))

    async def forward(self, message: Any) -> None:
        """
        Forward a message as a legacy Connect does, once the Connect has subscribed.
        """
        said = json_format.MessageToDict(message, preserving_proto_field_name=True)
        numbers = ("message_id", "from", "to", "group_id", "timestamp")
        said |= {name: int(said[name]) for name in numbers if name in said}
        text = json.dumps({**forwarded(user_id=message.to), "message": said})

        async def heard() -> bool:
            asked = self.redis.execute("PUBLISH", "connect_forward:here", text)
            return bool(await asked.asFuture(asyncio.get_running_loop()))

        await eventually("somebody heard it", heard)


@needs("redis")
class ForwardedDaemonTests(ForwardingRedis, LegacyMessageTestCase):
    """
    Messages that a legacy Connect forwards while Message is a legacy one as well.
    """

    @with_daemons
    async def test_once(self) -> None:
        """
        A message that arrives from Message and through Redis, in either order, is
        shown once; a message that Message lost is shown as well.
        """
        await self.begin()
        client = await self.connected()
        for at, ways in enumerate(("stream redis", "redis stream", "redis"), 1):
            message = ws_message(
                message_id=at,
                sender=self.user(),
                to=client.user,
                content=ways,
                timestamp=int(time.time()),
                message_type=TEXT,
            )
            for way in ways.split():
                if way == "stream":
                    await self.theirs.push(message)
                else:
                    await self.forward(message)
                await client.expect(ways)
        odd = ws_message(
            message_id=8,
            sender=self.user(),
            to=client.user,
            content="of the sender",
            timestamp=-5,
            ack_id="k",
        )
        await self.forward(odd)
        got = await client.expect("of the sender")
        self.assertEqual(got.SerializeToString(), odd.SerializeToString())
        await self.theirs.push(
            ws_message(
                message_id=9,
                sender=self.user(),
                to=client.user,
                content="end",
                timestamp=int(time.time()),
                message_type=TEXT,
            )
        )
        await client.expect("end")
        self.assertEqual(
            client.texts(), ["stream redis", "redis stream", "redis", "end"]
        )


@needs("redis")
class MixedFleetTests(ForwardingRedis):
    """
    A legacy Connect and one of wsmsg at one Message of wsmsg.
    """

    alone = True

    @with_daemons
    async def test_talk(self) -> None:
        """
        Clients of both get each message once, even if the legacy Connect forwards what
        Message has pushed to both.
        """
        await self._running()
        theirs = await self.legacy_connect()
        await theirs.listen()
        there = ScriptedClient(self.user(), theirs.port)
        self.at_end(there.drop)
        await there.login()
        here = await self.connected()
        await there.send_text(here.user, "hello")
        heard = await here.expect("hello")
        await self.forward(heard)
        await here.send_text(there.user, "good morning")
        await there.expect("good morning")
        name = "wsmsg_connect_legacy_forwards_unneeded_total"
        connect = self.installation.connect

        async def counted() -> bool:
            return await metric(connect, name) == 1

        await eventually("it is counted", counted)
        await there.send_text(here.user, "end")
        await here.expect("end")
        self.assertEqual(here.texts(), ["hello", "end"])
        self.assertEqual(there.texts(), ["good morning"])
