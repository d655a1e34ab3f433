"""
A real Connect beside deployed ones: what they find in their Redis.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any

from tests.integration.cases import IntegrationTestCase, eventually, with_daemons
from tests.integration.installation import Installation
from tests.message.sqlite_places import REACTOR, soon
from tests.stack.redis_places import place, url_of
from tests.stack.servers import Own, needs, own_redis
from tools.stack.redis import Redis
from wsmsg.dependency import Dependency
from wsmsg.redis_connection import RedisConnection


@needs("redis")
class BesideTests(IntegrationTestCase):
    """
    Users of a Connect that stands beside deployed ones.
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
        Ask their Redis.
        """
        return await self.redis.ask(*words).asFuture(asyncio.get_running_loop())

    async def online(self, *users: int) -> None:
        """
        Wait until these are online there, each by one connection, and nobody else.
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
        Users are online while they are connected: also after the Redis came back
        empty, and after the Connect was killed; nobody is once it has stopped.
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
        While their Redis hangs logins are not slower, and Connect is ready; it says
        what is missing.
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
