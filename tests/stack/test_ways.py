"""
Tests of a Connect without a stream to one of two Messages, on the real servers.
"""

from __future__ import annotations

import asyncio
import functools
import itertools
import time
from collections.abc import Awaitable, Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from tests.integration.cases import eventually, metric
from tests.integration.installation import DaemonProcess
from tests.stack.cluster import Cluster
from tests.stack.servers import needs
from tests.stalls import History, Span
from wsmsg.prove.clients.raw import RawClient
from wsmsg.prove.faults.proxy import Proxy

#: Longer than a Connect waits before it says that a Message is out of its reach.
_SAID_S = 30.0
#: The longest time for which a message may be late while a way is gone.
_LATE_S = 2.0


class WaysTestCase(TestCase):
    """
    A cluster of two Messages and two Connects, and its users.
    """

    timeout = 240

    def run_with(
        self,
        cluster: Cluster,
        check: Callable[[], Awaitable[None]],
        *,
        started: bool = True,
    ) -> Deferred[None]:
        """
        Run a check, and stop everything.

        @param started: start the cluster before.
        """
        self.people: list[RawClient] = []

        async def run() -> None:
            try:
                if started:
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
                told = f"no direct stream reaches the Message at {address}"
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


@needs("kafka", "mongo", "redis")
class BrokenWayTests(WaysTestCase):
    """
    The way from one Connect to one of two Messages swallows everything.
    """

    def test_way_gone(self) -> Deferred[None]:
        """
        While the way is gone, users at this Connect get what that Message delivers
        within two seconds, through the other Message, and miss nothing; the Connect is
        degraded and says why.  When the way is back, so is the direct stream.
        """
        cluster = Cluster()

        async def check() -> None:
            broken, far = cluster.connects[0], cluster.messages[1]
            proxy = await Proxy.open(far.port("rpc_listen"))
            try:
                near = cluster.messages[0].port("rpc_listen")
                places = f"127.0.0.1:{near},127.0.0.1:{proxy.port}"
                broken.extra["discovery"] = f"static:{places}"
                await cluster.start()
                await self.talk_while(cluster, proxy)
            finally:
                await proxy.close()

        return self.run_with(cluster, check, started=False)

    def test_gone_before(self) -> Deferred[None]:
        """
        A Connect that starts while the way is gone has the stream through the other
        Message within two seconds, and its users get what is sent to them.
        """
        cluster = Cluster()

        async def check() -> None:
            broken, far = cluster.connects[0], cluster.messages[1]
            proxy = await Proxy.open(far.port("rpc_listen"))
            try:
                near = cluster.messages[0].port("rpc_listen")
                places = f"127.0.0.1:{near},127.0.0.1:{proxy.port}"
                broken.extra["discovery"] = f"static:{places}"
                proxy.swallow()
                others = [d for d in cluster.daemons if d is not broken]
                for daemon in others:
                    await daemon.start()
                for daemon in others:
                    await daemon.ready()
                await broken.start()
                await broken.ready()
                span = Span()
                await self.until_passed_on(cluster)
                span.check(_LATE_S)
                speakers = [self.person(cluster, user, 1) for user in range(11, 15)]
                listeners = [self.person(cluster, user, 0) for user in range(21, 29)]
                await self.talk(speakers, listeners, 4)
            finally:
                await proxy.close()

        return self.run_with(cluster, check, started=False)

    async def until_passed_on(self, cluster: Cluster) -> None:
        """
        Wait until the first Message passes on a stream.
        """

        async def passes_on() -> bool:
            return bool(
                await metric(cluster.messages[0], "wsmsg_message_streams_forwarded")
            )

        await eventually("a stream is passed on", passes_on, _SAID_S)

    async def talk_while(self, cluster: Cluster, proxy: Proxy) -> None:
        """
        Talk while the way breaks and is mended.
        """
        broken = cluster.connects[0]

        async def has_both() -> bool:
            return await metric(broken, "wsmsg_connect_streams") == 2

        # Whoever comes before a stream is told to sync when it comes up.
        await eventually("the Connect has both streams", has_both)
        speakers = [self.person(cluster, user, 1) for user in range(11, 15)]
        listeners = [self.person(cluster, user, 0) for user in range(21, 29)]
        await self.exchange(speakers, listeners, 2)
        proxy.swallow()
        resyncs = sum(person.resyncs for person in listeners)
        await self.talk(speakers, listeners, 14)
        self.assertEqual(sum(person.resyncs for person in listeners), resyncs)
        address = f"127.0.0.1:{proxy.port}"
        told = f"no direct stream reaches the Message at {address}"
        await self.until_raised(broken, "unreachable_message", told)
        proxy.forward()
        await self.talk(speakers, listeners, 14)

        async def is_direct() -> bool:
            forwarded = "wsmsg_message_streams_forwarded"
            open_streams = await metric(cluster.messages[0], forwarded)
            return not open_streams and not await alarms(broken)

        await eventually("the stream is direct again", is_direct, _SAID_S)
        for person in (*speakers, *listeners):
            self.assertEqual(person.problems, [])

    async def talk(
        self, speakers: list[RawClient], listeners: list[RawClient], seconds: float
    ) -> None:
        """
        Send messages for a time, from each speaker to each listener in turn, and check
        that each arrives in time, less the time that the machine lost.
        """
        history = History()
        try:
            for began_s, ended_s in await self.exchange(speakers, listeners, seconds):
                if ended_s - began_s >= _LATE_S:
                    history.check(began_s, ended_s, _LATE_S)
        finally:
            history.end()

    async def exchange(
        self, speakers: list[RawClient], listeners: list[RawClient], seconds: float
    ) -> list[tuple[float, float]]:
        """
        Send messages for a time.

        @return: for each message when it was sent, and when it arrived.
        """
        sent_s: dict[str, tuple[RawClient, float]] = {}
        until_s = time.monotonic() + seconds
        for n, listener in enumerate(itertools.cycle(listeners)):
            if time.monotonic() > until_s:
                break
            for speaker in speakers:
                content = f"{speaker.user} {n} {until_s}"
                sent_s[content] = listener, time.monotonic()
                await speaker.send(listener.user, content)
            await asyncio.sleep(0.05)
        times: list[tuple[float, float]] = []
        for content, (listener, began_s) in sent_s.items():
            await listener.until(functools.partial(_has, listener, content), 40)
            times.append((began_s, listener.taken_s[content]))
        return times


def _has(person: RawClient, content: str) -> bool:
    return content in person.taken_s
