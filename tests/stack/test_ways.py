"""
Tests of a Connect without a stream to one of two Messages, on the real servers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from tests.integration.cases import eventually
from tests.integration.installation import DaemonProcess
from tests.integration.raw_client import RawClient
from tests.stack.cluster import Cluster
from tests.stack.servers import needs

#: Longer than a Connect waits before it says that a Message is out of its reach.
_SAID_S = 30.0


class WaysTestCase(TestCase):
    """
    A cluster of two Messages and two Connects, and its users.
    """

    timeout = 240

    def run_with(
        self, cluster: Cluster, check: Callable[[], Awaitable[None]]
    ) -> Deferred[None]:
        """
        Start the cluster, run a check, and stop everything.
        """
        self.people: list[RawClient] = []

        async def run() -> None:
            try:
                await cluster.start()
                await check()
            finally:
                for person in self.people:
                    await person.stop()
                await cluster.stop()

        return Deferred.fromFuture(asyncio.ensure_future(run()))

    def person(self, cluster: Cluster, user: int, connect: int) -> RawClient:
        """
        Let a user come to one of the Connects.
        """
        person = RawClient([cluster.urls[connect]], cluster.token(user), user)
        self.people.append(person)
        person.start()
        return person

    def lead_to_one_each(self, cluster: Cluster) -> None:
        """
        Let discovery of each Connect find another Message, as a balancer would.
        """
        for connect, message in zip(cluster.connects, cluster.messages, strict=True):
            address = f"127.0.0.1:{message.port('rpc_listen')}"
            connect.extra["discovery"] = f"static:{address}"


async def alarms(daemon: DaemonProcess) -> dict[str, str]:
    """
    Return the reasons of the alarms of a daemon, by name, as C{/readyz} has them.
    """
    status, document = await daemon.get("/readyz")
    assert status == 200, document
    assert document["degraded"] or not document["alarms"], document
    return {alarm["name"]: alarm["reason"] for alarm in document["alarms"]}


@needs("kafka", "mongo", "redis")
class BalancerTests(WaysTestCase):
    """
    Two Messages behind one address: each Connect has a stream to one of them.
    """

    def test_registry(self) -> Deferred[None]:
        """
        With a list of Messages, each Connect names the Message that it does not reach,
        and the Message that it reaches names both; they serve, degraded.
        """
        cluster = Cluster()
        self.lead_to_one_each(cluster)

        async def check() -> None:
            for n, connect in enumerate(cluster.connects):
                near, far = cluster.messages[n], cluster.messages[1 - n]
                address = f"127.0.0.1:{far.port('rpc_listen')}"
                told = f"no stream reaches the Message at {address}"
                await self.until_raised(connect, "unreachable_message", told)
                told = f"{connect.name} has no stream to the Message at {address}"
                await self.until_raised(near, "unreachable_message", told)

        return self.run_with(cluster, check)

    def test_no_registry(self) -> Deferred[None]:
        """
        Without a list, a Message that delivers the messages of a Connect's users, and
        has no stream of that Connect, names it.
        """
        cluster = Cluster(message={"registry": "none"})
        self.lead_to_one_each(cluster)

        async def check() -> None:
            people = [self.person(cluster, user, user % 2) for user in range(1, 9)]
            said: dict[str, str] = {}

            async def talk() -> bool:
                for person in people:
                    for other in range(1, 9):
                        if other != person.user:
                            await person.send(other, "hello")
                for message in cluster.messages:
                    reason = (await alarms(message)).get("unreachable_connect", "")
                    said[message.name] = reason.rpartition(": ")[2]
                return all(said.values())

            await eventually("both Messages name a Connect", talk, _SAID_S)
            self.assertEqual(said, {"message-1": "connect-2", "message-2": "connect-1"})

        return self.run_with(cluster, check)

    async def until_raised(self, daemon: DaemonProcess, name: str, told: str) -> None:
        """
        Wait until a daemon has an alarm, and check its reason.
        """
        found: dict[str, Any] = {}

        async def raised() -> bool:
            found.update(await alarms(daemon))
            return name in found

        await eventually(f"{daemon.name} raises {name}", raised, _SAID_S)
        self.assertEqual(found[name], told)
