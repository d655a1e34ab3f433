"""
Tests that wsmsg does not lose what the legacy system loses, with legacy clients and
real servers.

The rows that need no servers are in L{tests.faults.test_legacy_losses}.
"""

from __future__ import annotations

import asyncio
from typing import Any

from twisted.internet.defer import Deferred

from tests.faults.legacy import CONNECT, LegacyTestCase, check, talk
from tests.integration.cases import eventually
from tests.integration.installation import DaemonProcess, http_post
from tests.stack.cluster import Cluster
from tests.stack.servers import Own, needs, own_kafka, own_mongo, own_redis

#: Their clients get no rejections, so sends wait while servers are away.
_CONNECT = {**CONNECT, "send_timeout_s": 60}


@needs("kafka", "mongo", "redis")
class ServerLossTests(LegacyTestCase):
    """
    In the legacy system Message panics without Kafka, and some senders block for ever
    without MongoDB.
    """

    async def away(self, own: Own[Any], servers: dict[str, str]) -> None:
        """
        Take a server of this test's own away under load for 10 seconds.
        """

        async def test() -> None:
            pairs = await self.pairs(3)
            talking = asyncio.ensure_future(talk(pairs, 150, pause_s=0.1))
            await pairs[0].users[1].received.count(10)
            await asyncio.to_thread(own.kill)
            await asyncio.sleep(10)
            await asyncio.to_thread(own.server.up, detached=False)
            await talking
            await check(pairs)

        cluster = Cluster(messages=1, connects=1, message=servers, connect=_CONNECT)
        await self.run_with(cluster, test)

    async def test_kafka(self) -> None:
        """
        Messages that are sent while Kafka is away arrive when it is back.
        """
        own = await own_kafka(self)
        await self.away(own, {"journal": f"kafka://{own.address}/wsmsg"})

    async def test_store(self) -> None:
        """
        Messages that are sent while MongoDB is away arrive when it is back.
        """
        own = await own_mongo(self)
        await self.away(own, {"store": f"mongodb://{own.address}/wsmsg"})


@needs("kafka", "mongo", "redis")
class RedisTests(LegacyTestCase):
    """
    In the legacy system connected users count as offline until their next login.
    """

    async def test_redis_comes_back_empty(self) -> None:
        """
        Connected users are online again as soon as Redis is up, although Redis lost
        everything, and messages flow all the while.
        """
        own = await own_redis(self)

        async def test() -> None:
            pairs = await self.pairs(2)
            await talk(pairs, 5)
            await asyncio.to_thread(own.kill)
            await talk(pairs, 5)
            await asyncio.to_thread(own.server.wipe)
            await asyncio.to_thread(own.server.up, detached=False)
            message = self.installation.message

            async def online() -> bool:
                _, found = await http_post(
                    message.port("listen"),
                    "/api/v1/presence",
                    {"users": [1001, 1002, 1999]},
                )
                return [p["online"] for p in found["presence"]] == [
                    True,
                    True,
                    False,
                ]

            await eventually("both are online", online, 30)
            await talk(pairs, 5)
            await check(pairs)

        presence = f"redis://{own.address}/0?prefix=wsmsg:"
        registry = "none"
        cluster = Cluster(
            messages=1,
            connects=1,
            message={"presence": presence, "registry": registry},
            connect=_CONNECT,
        )
        upstream = cluster.message.port("rpc_listen")
        cluster.connect.extra["discovery"] = f"static:127.0.0.1:{upstream}"
        await self.run_with(cluster, test)


@needs("kafka", "mongo", "redis")
class MessagesTests(LegacyTestCase):
    """
    In the legacy system the first Message panics when a second one joins.
    """

    def test_second_message(self) -> Deferred[None]:
        """
        A Message that joins and leaves under load takes its share of the conversations,
        and nothing is lost, duplicated or out of order.
        """
        cluster = Cluster(messages=2, connects=2, connect=_CONNECT)
        second: DaemonProcess = cluster.messages[1]

        async def test() -> None:
            first, *connects = cluster.messages[0], *cluster.connects
            for daemon in (first, *connects):
                await daemon.start()
            for daemon in (first, *connects):
                await daemon.ready()
            pairs = await self.pairs(4, *connects)
            talking = asyncio.ensure_future(talk(pairs, 150, pause_s=0.08))
            await pairs[0].users[1].received.count(10)
            await second.start()
            await second.ready()
            await second.until_logged("assigned partitions")
            await asyncio.sleep(2)  # until both have had conversations for a while
            await second.kill()
            await talking
            await check(pairs)

        return self.run_with(cluster, test, started=False)
