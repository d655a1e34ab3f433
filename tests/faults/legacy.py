"""
Legacy clients that talk in pairs while daemons fail, and the check of what each
received.
"""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from tests.conformance.contract import DEBUG_TOKEN
from tests.conformance.peer_client import ScriptedClient
from tests.integration.installation import Installation

#: Settings of a Connect that serves them.
CONNECT = {"token.debug_token": DEBUG_TOKEN}
#: Seconds after the last message within which every message has arrived.
_HEARD_S = 60.0


class Pair:
    """
    Two users who talk to each other.

    @ivar said: number of texts sent by each of them.
    """

    def __init__(self, one: ScriptedClient, other: ScriptedClient) -> None:
        self.users = (one, other)
        self.said = 0

    async def send_texts(self, count: int, pause_s: float = 0.0) -> None:
        """
        Send this many more texts from each to the other.
        """
        one, other = self.users
        for n in range(self.said + 1, self.said + count + 1):
            await one.send_text(other.user, f"{one.user} says {n}")
            await other.send_text(one.user, f"{other.user} says {n}")
            self.said = n
            await asyncio.sleep(pause_s)

    async def check(self) -> None:
        """
        Check that each received all texts of the other, once and in order.
        """
        one, other = self.users
        for user, talker in ((one, other), (other, one)):
            await user.received.until(
                lambda u=user, t=talker: len(set(u.texts(t.user))) >= self.said,  # type: ignore[misc]
                f"all {self.said} of {talker.user}",
                _HEARD_S,
            )
            wanted = [f"{talker.user} says {n}" for n in range(1, self.said + 1)]
            heard = user.texts(talker.user)
            if heard != wanted:
                often = [c for c, times in Counter(heard).items() if times > 1]
                raise AssertionError(
                    f"{user.user} heard {len(heard)} of {len(wanted)}, not in order"
                    f" or more than once: {often[:5]} {heard[:5]}"
                )


class LegacyTestCase(TestCase):
    """
    Base class of tests with their own daemons and legacy clients.
    """

    timeout = 180

    def run_with(
        self,
        installation: Installation,
        test: Callable[[], Awaitable[None]],
        *,
        started: bool = True,
    ) -> Deferred[None]:
        """
        Start all daemons, run the test, and check that no log has a traceback.
        """
        self.installation = installation
        self.clients: list[ScriptedClient] = []

        async def body() -> None:
            try:
                if started:
                    await installation.start()
                await test()
                found = installation.tracebacks()
                self.assertFalse(found, "\n\n".join(found))
            except BaseException:
                for daemon in installation.daemons:
                    text = f"--- {self.id()}: {daemon.name}\n{daemon.tail()}"
                    sys.__stderr__ and print(text, file=sys.__stderr__, flush=True)
                raise
            finally:
                for client in self.clients:
                    await client.drop()
                await installation.stop()

        return Deferred.fromFuture(asyncio.ensure_future(body()))

    async def client(
        self, user: int, connect: Any = None, **more: Any
    ) -> ScriptedClient:
        """
        Return a connected legacy client.

        @param connect: index of its Connect.
        """
        installation = self.installation
        client = ScriptedClient(
            user,
            (connect or installation.connect).port("listen"),
            installation.message.port("listen"),
            **more,
        )
        self.clients.append(client)
        await client.login()
        return client

    async def all_read(self, client: ScriptedClient) -> bool:
        """
        Tell whether a client has read every message that was sent to it.
        """
        return not await client.unread()

    async def pairs(self, count: int, *connects: Any) -> list[Pair]:
        """
        Return this number of pairs, with their users spread over these Connects.
        """
        where = connects or (self.installation.connect,)
        made = []
        for n in range(count):
            one = await self.client(1001 + 2 * n, where[n % len(where)])
            other = await self.client(1002 + 2 * n, where[(n + 1) % len(where)])
            made.append(Pair(one, other))
        return made


async def talk(pairs: list[Pair], count: int, pause_s: float = 0.0) -> None:
    """
    Let all pairs talk concurrently.
    """
    await asyncio.gather(*(pair.send_texts(count, pause_s) for pair in pairs))


async def check(pairs: list[Pair]) -> None:
    """
    Check that all pairs received everything.
    """
    for pair in pairs:
        await pair.check()
