"""
A Message of two processes on the real servers.
"""

from __future__ import annotations

import asyncio
import os
import signal
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from tests.integration.cases import eventually
from tests.stack.cluster import Cluster
from tests.stack.servers import needs
from wsmsg.model import conversation_of
from wsmsg.prove.clients.raw import RawClient

_MESSAGES = 400


@needs("kafka", "mongo", "redis")
class MessageWorkersTests(TestCase):
    """
    C{twistd message --workers 2}, and a Connect of two workers.
    """

    timeout = 240

    def test_deaths(self) -> Deferred[None]:
        """
        The workers of Message are two Messages: each Connect has a stream to each.
        They are killed one by one while users talk, and nothing is lost or doubled.
        """
        cluster = Cluster(
            messages=1,
            connects=1,
            message={"workers": 2},
            connect={
                "workers": 2,
                "limits.sends_per_s": 10_000,
                "limits.sends_burst": 10_000,
            },
        )
        people: list[RawClient] = []

        async def check() -> None:
            try:
                await cluster.start()
                await self.whole(cluster, people)
            finally:
                for person in people:
                    await person.stop()
                await cluster.stop()

        return Deferred.fromFuture(asyncio.ensure_future(check()))

    async def workers(self, cluster: Cluster) -> list[dict[str, Any]]:
        _, status = await cluster.message.get("/status")
        found: list[dict[str, Any]] = status["workers"]
        return found

    async def whole(self, cluster: Cluster, people: list[RawClient]) -> None:
        async def all_streams() -> bool:
            found = await self.workers(cluster)
            links = [len(w["message"].get("links", ())) for w in found]
            return links == [2, 2]

        await eventually("each Connect has a stream to each Message", all_streams)
        for user in (1001, 1002):
            token = cluster.token(user)
            people.append(RawClient(cluster.urls, token, user, "raw"))
            people[-1].start()
        sender, receiver = people
        await sender.until(lambda: sender.connects >= 1)
        await receiver.until(lambda: receiver.connects >= 1)
        talking = asyncio.ensure_future(self.say(sender))
        conversation = conversation_of(1001, 1002)
        for death in range(2):
            await receiver.until_taken(conversation, 100 * (death + 1))
            before = await self.workers(cluster)
            os.kill(before[death]["process"], signal.SIGKILL)
            await self.replaced(cluster, before[death])
        await talking
        taken = await receiver.until_taken(conversation, _MESSAGES)
        said = [str(n) for n in range(_MESSAGES)]
        self.assertEqual([m.content for m in taken], said)
        await sender.until(lambda: sender.idle)
        self.assertEqual(sender.problems + receiver.problems + sender.rejected, [])
        status, found = await cluster.message.get("/dead-letters")
        self.assertEqual((status, found["dead_letters"]), (200, []))

    async def say(self, sender: RawClient) -> None:
        for i in range(_MESSAGES):
            await sender.send(1002, str(i))
            if i % 20 == 0:
                await sender.until(lambda: sender.waiting < 40)

    async def replaced(self, cluster: Cluster, before: dict[str, Any]) -> None:
        async def replaced() -> bool:
            now = (await self.workers(cluster))[before["worker"] - 1]
            other = now["process"] not in (0, before["process"])
            return other and now["state"] == "up"

        await eventually("the worker was replaced", replaced)
