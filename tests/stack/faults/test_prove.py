"""
Tests of all faults under load, on Kafka, MongoDB and Redis of one's own, which fail
too: the promises hold.
"""

from __future__ import annotations

import asyncio
from typing import Any

import attrs
from twisted.internet.defer import Deferred

from tests.faults.proof import ProofTestCase
from tests.stack.servers import Own, own_kafka, own_mongo, own_redis
from wsmsg.prove.campaign.target import Target, served


@attrs.frozen
class OwnServer:
    """
    A server of a test, as a proof harms it.
    """

    own: Own[Any]

    def suspend(self) -> None:
        self.own.suspend()

    def resume(self) -> None:
        self.own.resume()

    async def kill_and_start(self) -> None:
        self.own.kill()
        await self.own.start().asFuture(asyncio.get_running_loop())


class ServedProofTests(ProofTestCase):
    """
    Two Messages and two Connects.
    """

    def test_promises(self) -> Deferred[None]:
        """
        P1 to P10 hold, whatever happens to daemons, clients, clocks, ways and servers.
        """
        return Deferred.fromCoroutine(self.run_on_servers())

    async def run_on_servers(self) -> None:
        kafka = await own_kafka(self)
        mongo = await own_mongo(self)
        redis = await own_redis(self)
        addresses = kafka.address, mongo.address, redis.address
        servers = {
            "broker": OwnServer(kafka),
            "store": OwnServer(mongo),
            "users": OwnServer(redis),
        }

        async def make() -> Target:
            return await served(addresses, servers)

        await self.prove(make)
