"""
Tests of the orders in which Kafka, MongoDB, Redis, a Message and a Connect start.

C{WSMSG_ORDERS} is the number of orders to try, of all 120; without it, some are chosen
by a seed, which C{WSMSG_SEED} sets.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import random
from collections.abc import Awaitable, Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from tests.faults.proof import tell
from tests.stack.servers import Own, own_kafka, own_mongo, own_redis
from wsmsg.model import conversation_of
from wsmsg.prove.clients.raw import RawClient
from wsmsg.prove.deployment.cluster import ServedInstallation
from wsmsg.prove.deployment.daemons import DaemonProcess

#: The time between two starts, in which some processes are up and others are not.
_PAUSES_S = (0.0, 0.5, 2.0)
ORDERS = int(os.environ.get("WSMSG_ORDERS") or 2)
_LIFETIME_S = 6 * 3600

Start = Callable[[], Awaitable[None]]


class StartOrderTests(TestCase):
    """
    Five processes, none of which waits for another one to be started first.
    """

    timeout = 300 + 60 * ORDERS

    def test_orders(self) -> Deferred[None]:
        """
        In whatever order the processes start, both daemons become ready and messages
        pass, those from before included.
        """
        return Deferred.fromCoroutine(self.run_all())

    async def run_all(self) -> None:
        seed = int(os.environ.get("WSMSG_SEED") or random.randrange(2**32))
        tell(f"\nseed {seed} (WSMSG_SEED={seed} repeats it)")
        servers: dict[str, Own[Any]] = {
            "kafka": await own_kafka(self),
            "mongo": await own_mongo(self),
            "redis": await own_redis(self),
        }
        trying = self.try_orders(servers, random.Random(seed))
        await Deferred.fromFuture(asyncio.ensure_future(trying))

    async def try_orders(
        self, servers: dict[str, Own[Any]], rng: random.Random
    ) -> None:
        kafka, mongo, redis = (own.address for own in servers.values())
        installation = ServedInstallation((kafka, mongo, redis), messages=1, connects=1)
        starts: dict[str, Start] = {n: _starter(o) for n, o in servers.items()}
        starts |= {"message": installation.message.start}
        starts |= {"connect": installation.connect.start}
        orders = [*itertools.permutations(starts)]
        try:
            for n, order in enumerate(rng.sample(orders, min(ORDERS, len(orders))), 1):
                for daemon in installation.daemons:
                    await daemon.kill()
                for own in servers.values():
                    await asyncio.to_thread(own.kill)
                tell(f"{n} of {ORDERS}: {', '.join(order)}")
                for name in order:
                    await starts[name]()
                    await asyncio.sleep(rng.choice(_PAUSES_S))
                await self.assert_works(installation, n)
            tracebacks = installation.tracebacks()
            self.assertFalse(tracebacks, "\n\n".join(tracebacks))
        finally:
            await installation.stop()

    async def assert_works(self, installation: ServedInstallation, n: int) -> None:
        """
        Have a message of this number arrive, as the last of all.
        """
        await asyncio.gather(*(_ready(daemon) for daemon in installation.daemons))
        urls, device = installation.urls, f"order-{n}"
        tokens = {u: installation.lasting_token(u, _LIFETIME_S) for u in (1001, 1002)}
        clients = [RawClient(urls, t, user, device) for user, t in tokens.items()]
        for client in clients:
            client.start()
        try:
            await clients[0].send(1002, f"order {n}")
            taken = await clients[1].until_taken(conversation_of(1001, 1002), n)
            found = [message.content for message in taken]
            self.assertEqual(found, [f"order {i}" for i in range(1, n + 1)])
        finally:
            await asyncio.gather(*(client.stop() for client in clients))


def _starter(own: Own[Any]) -> Start:
    async def start() -> None:
        await asyncio.to_thread(own.server.start, detached=False)

    return start


async def _ready(daemon: DaemonProcess) -> None:
    await daemon.ready()
