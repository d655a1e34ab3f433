"""
Tests that wsmsg does not lose what the legacy system loses, with legacy clients and the
embedded backends. The rows that need Kafka, MongoDB or Redis are in
L{tests.stack.legacy.test_losses}.
"""

from __future__ import annotations

import asyncio

from twisted.internet.defer import Deferred

from tests.faults.legacy import CONNECT, LegacyTestCase, check, talk
from tests.integration.cases import eventually
from tests.integration.installation import DaemonProcess, Installation, free_ports


class TwoConnects(Installation):
    """
    One Message and two Connects.
    """

    def __init__(self) -> None:
        super().__init__(connect=CONNECT)
        listeners = ("listen", "rpc_listen", "admin_listen")
        ports = dict(
            zip((f"connect-2.{x}" for x in listeners), free_ports(3), strict=True)
        )
        ports["upstream"] = self.ports["upstream"]
        self.second = DaemonProcess("connect-2", self.folder, ports, CONNECT)

    @property
    def daemons(self) -> list[DaemonProcess]:
        return [*super().daemons, self.second]


class RateTests(LegacyTestCase):
    """
    The legacy system freezes after minutes at a hundred messages a second, and at once
    at five hundred, since it writes to a stream concurrently.
    """

    def test_steady(self) -> Deferred[None]:
        """
        At a hundred messages a second every message arrives, once and in order.
        """

        async def test() -> None:
            pairs = await self.pairs(10)
            await talk(pairs, 60, pause_s=0.2)
            await check(pairs)

        return self.run_with(Installation(connect=CONNECT), test)

    def test_overload(self) -> Deferred[None]:
        """
        A client that sends as fast as the connection allows is slowed down, and loses
        nothing.
        """

        async def test() -> None:
            pairs = await self.pairs(4)
            await talk(pairs, 500)
            await check(pairs)

        return self.run_with(Installation(connect=CONNECT), test)


class KillTests(LegacyTestCase):
    """
    In the legacy system a Connect never finds a restarted Message again, and users of a
    killed Connect stay registered there for hours.
    """

    def test_message_killed(self) -> Deferred[None]:
        """
        Messages sent while Message is away for 5 seconds arrive when it is back, and so
        do later ones.
        """
        installation = Installation(connect=CONNECT)

        async def test() -> None:
            pairs = await self.pairs(4)
            talking = asyncio.ensure_future(talk(pairs, 100, pause_s=0.1))
            await pairs[0].users[1].received.count(10)
            await installation.message.kill()
            await asyncio.sleep(5)  # as in the legacy measurement
            await installation.message.start()
            await talking
            await check(pairs)

        return self.run_with(installation, test)

    def test_connect_killed(self) -> Deferred[None]:
        """
        Messages to a user whose Connect was killed wait in C{unread}, and all arrive
        after the next login.
        """
        installation = TwoConnects()

        async def test() -> None:
            one = await self.client(1001)
            two = await self.client(1002, installation.second)
            await one.send_text(1002, "before")
            await two.expect("before")
            await eventually("it is read", lambda: self.all_read(two))
            await installation.second.kill()
            await two.ends.count(1)
            for n in range(20):
                await one.send_text(1002, f"away {n}")
            await installation.second.start()
            await installation.second.ready()
            await two.login()

            async def waits() -> bool:
                return len(await two.unread()) == 20

            await eventually("20 unread", waits)
            waiting = [m["content"] for m in await two.unread()]
            self.assertEqual(waiting, [f"away {n}" for n in range(20)])
            for n in range(20):
                await one.send_text(1002, f"back {n}")
            await two.expect("back 19")
            self.assertEqual(two.texts(), ["before", *(f"back {n}" for n in range(20))])

        return self.run_with(installation, test)

    def test_late_start(self) -> Deferred[None]:
        """
        A Connect that starts long before Message, and has failed more than ten times,
        reports that it is not ready, and serves its waiting clients when Message
        starts.
        """
        installation = Installation(
            connect={**CONNECT, "send_timeout_s": 60, "log.level": "debug"}
        )

        async def test() -> None:
            await installation.connect.start()
            await installation.connect.until_logged("attempt 1 failed")
            one, two = (await self.pairs(1))[0].users
            await one.send_text(1002, "anybody there?")
            await installation.connect.until_logged("attempt 12", 60)
            status, _ = await installation.connect.get("/readyz")
            self.assertEqual(status, 503)
            await installation.message.start()
            await two.expect("anybody there?")
            await installation.connect.ready()

        return self.run_with(installation, test, started=False)


class ManyTests(LegacyTestCase):
    """
    In the legacy system a second login ends both, two Connects deliver twice and panic,
    and an acknowledgement that overtakes the storing is lost.
    """

    def test_two_logins(self) -> Deferred[None]:
        """
        Both connections of a user who logs in twice receive every message.
        """

        async def test() -> None:
            one = await self.client(1001)
            two, again = await self.client(1002), await self.client(1002)
            for n in range(20):
                await one.send_text(1002, f"{n}")
            for client in (two, again):
                await client.expect("19")
                self.assertEqual(client.texts(), [f"{n}" for n in range(20)])
                self.assertTrue(client.connected)
            await again.drop()
            await one.send_text(1002, "and now?")
            await two.expect("and now?")

        return self.run_with(Installation(connect=CONNECT), test)

    def test_two_connects(self) -> Deferred[None]:
        """
        Users at two Connects receive every message once.
        """
        installation = TwoConnects()

        async def test() -> None:
            pairs = await self.pairs(4, installation.connect, installation.second)
            await talk(pairs, 50, pause_s=0.02)
            await check(pairs)

        return self.run_with(installation, test)

    def test_acknowledgement_race(self) -> Deferred[None]:
        """
        A message that is acknowledged the moment it arrives counts as read; a message
        without an acknowledgement stays unread.
        """

        async def test() -> None:
            one = await self.client(1001)
            two = await self.client(1002)
            silent = await self.client(1003, acknowledges=False)
            for n in range(200):
                await one.send_text(1002, f"{n}")
            await one.send_text(1003, "keep this")
            await two.expect("199")
            await silent.expect("keep this")
            await eventually("all read", lambda: self.all_read(two))
            self.assertEqual(
                [m["content"] for m in await silent.unread()], ["keep this"]
            )

        return self.run_with(Installation(connect=CONNECT), test)
