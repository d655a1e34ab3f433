"""
A store that is away for long under load, on the real servers.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from tests.integration.cases import eventually
from tests.integration.device import Device
from tests.stack.cluster import Cluster
from tests.stack.servers import kafka_address, needs, own_mongo, redis_address
from wsmsg.prove.clients.raw import RawClient

_PAIRS = 8
_WINDOW = 32
_PADDING = "x" * 300
#: For how long the store stays away once messages are refused.
_HELD_S = float(os.environ.get("WSMSG_SOAK_S", "8"))
_MIB = 2**20
#: What the memory of a daemon may grow while everything is refused: it allocates in
#: steps.
_GROWTH = 24 * _MIB
_USERS = itertools.count(700_001)


@needs("kafka", "mongo", "redis")
class OutageTests(TestCase):
    """
    Bounds of what is accepted while it cannot be stored.
    """

    timeout = 300

    async def setUp(self) -> None:  # type: ignore[override]
        self.mongo = await own_mongo(self)

    def run_check(self, check: Callable[[], Awaitable[None]]) -> Deferred[None]:
        """
        Start one Message and one Connect, run a check, and stop everything.
        """
        servers = kafka_address(), self.mongo.address, redis_address()
        rates = {"limits.sends_per_s": 100_000, "limits.sends_burst": 100_000}
        self.cluster = Cluster(messages=1, connects=1, servers=servers, connect=rates)
        self.message, self.connect = self.cluster.message, self.cluster.connect
        self.settings = Path(self.cluster.folder, "message.toml")
        self.message.arguments = ["--config", str(self.settings)]
        self.settings.touch()
        self.pairs: list[tuple[RawClient, RawClient]] = []

        async def run() -> None:
            try:
                await self.cluster.start()
                await check()
                self.assertEqual(self.cluster.tracebacks(), [])
            finally:
                for person in itertools.chain(*self.pairs):
                    await person.stop()
                await self.cluster.stop()

        return Deferred.fromFuture(asyncio.ensure_future(run()))

    async def bound(self, text: str) -> None:
        """
        Have Message use this bound alone.
        """
        self.settings.write_text(f"[message]\n{text}\n")
        told = "settings reloaded; changed: backlog"
        before = len(self.cluster.logged(told))
        await self.message.signal(signal.SIGHUP)
        await eventually("reloaded", lambda: len(self.cluster.logged(told)) > before)

    def person(self, user: int) -> RawClient:
        person = RawClient(self.cluster.urls, self.cluster.token(user), user)
        person.start()
        return person

    async def come(self) -> None:
        """
        Let the pairs of users come.
        """
        for _ in range(_PAIRS):
            pair = self.person(next(_USERS)), self.person(next(_USERS))
            self.pairs.append(pair)
        for person in itertools.chain(*self.pairs):
            await person.until(lambda p=person: p.connects == 1)  # type: ignore[misc]

    @property
    def accepted(self) -> int:
        return sum(len(sender.accepted) for sender, _ in self.pairs)

    async def alarm(self) -> str:
        """
        Return the reason for which messages are refused; empty if they are not.
        """
        _, document = await self.message.get("/readyz")
        found = {alarm["name"]: alarm["reason"] for alarm in document["alarms"]}
        return str(found.get("backlog", ""))

    async def outage(
        self,
        bound: str,
        told: str,
        leave: Callable[[], Awaitable[object]],
        back: Callable[[], Awaitable[object]],
    ) -> None:
        """
        Have the store away under load past a bound, and check that messages are
        refused, in constant memory, and that nothing is lost.

        @param told: the beginning of the reason.
        @param leave: lets the store go away.
        @param back: lets it come back.
        """
        await self.bound(bound)
        ended = asyncio.Event()

        async def talk(sender: RawClient, receiver: RawClient) -> None:
            while not ended.is_set():
                await sender.until(lambda: sender.waiting < _WINDOW or ended.is_set())
                number = len(sender.accepted) + sender.waiting
                await sender.send(receiver.user, f"{number} {_PADDING}")

        talks = [asyncio.ensure_future(talk(*pair)) for pair in self.pairs]
        try:
            await self.while_away(told, leave)
        finally:
            ended.set()
            await back()
            for sender, _ in self.pairs:
                async with sender.changed:
                    sender.changed.notify_all()
        await asyncio.gather(*talks)
        await self.whole()

    async def while_away(
        self, told: str, leave: Callable[[], Awaitable[object]]
    ) -> None:
        await leave()
        await eventually("messages are refused", self.alarm, 60)
        reason = await self.alarm()
        self.assertTrue(reason.startswith(told), reason)
        self.assertTrue(reason.endswith(": messages are refused"), reason)
        user = next(_USERS)
        device = await Device.dial(self.cluster.url, self.cluster.token(user), user)
        await device.greet("phone")
        answer = await device.send(user + 1_000_000, "a", "hi")
        self.assertEqual(answer.code, "unavailable")
        self.assertTrue(reason.startswith(answer.reason), answer)
        self.assertGreaterEqual(answer.retry_after_ms, 1000)
        await device.close()
        await self.held()

    async def held(self) -> None:
        """
        Check for a while that nothing is accepted, and that no memory grows.
        """
        # What was on its way is answered.
        before = -1
        while before != self.accepted:
            before = self.accepted
            await asyncio.sleep(1)  # nothing happening has no event
        daemons = self.cluster.daemons
        memory = [daemon.rss_bytes() for daemon in daemons]
        await asyncio.sleep(_HELD_S)  # the time of the outage is the subject
        self.assertEqual(self.accepted, before)
        self.assertTrue(
            all("unavailable" in sender.rejected for sender, _ in self.pairs)
        )
        for daemon, size in zip(daemons, memory, strict=True):
            grown = daemon.rss_bytes() - size
            self.assertLess(grown, _GROWTH, f"{daemon.name} grew by {grown} bytes")

    async def whole(self) -> None:
        """
        Check that everything is accepted and arrives, once and in order, and that the
        alarm is over.
        """
        for sender, receiver in self.pairs:
            await sender.until(lambda s=sender: s.idle, 120)  # type: ignore[misc]
            name = f"u:{sender.user}:{receiver.user}"
            n = len(sender.accepted)
            taken = await receiver.until_taken(name, n, 120)
            numbers = [int(m.content.split()[0]) for m in taken]
            self.assertEqual(numbers, list(range(n)))
            self.assertEqual([m.seq for m in taken], list(range(1, n + 1)))
            self.assertEqual(sender.problems + receiver.problems, [])
            self.assertEqual(set(sender.rejected), {"unavailable"})

        async def over() -> bool:
            return not await self.alarm()

        await eventually("the alarm is over", over)

    def test_outages(self) -> Deferred[None]:
        """
        While the store is away for long, messages are accepted up to each bound
        (records, bytes, age), and then refused with a reason and a time to retry.  No
        daemon's memory grows meanwhile.  Once the store is back, all messages are
        accepted, stored and delivered, once and in order.
        """

        async def suspend() -> None:
            self.mongo.suspend()

        async def resume() -> None:
            self.mongo.resume()

        async def check() -> None:
            server: Any = self.mongo.server
            await self.come()
            await self.outage(
                "backlog_records = 3000",
                "3000 messages and more (backlog_records) wait to be stored",
                suspend,
                resume,
            )
            await self.outage(
                "backlog_bytes = 1_000_000",
                "1000000 bytes and more (backlog_bytes) wait to be stored",
                lambda: asyncio.to_thread(server.stop),
                lambda: asyncio.to_thread(server.up, detached=False),
            )
            await self.outage(
                "backlog_s = 3.0",
                "messages have waited for 3 s to be stored (backlog_s)",
                suspend,
                resume,
            )

        return self.run_check(check)
