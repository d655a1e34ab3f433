"""
Tests that the primary moves while others read presence in Redis.
"""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from functools import partial
from typing import Any

from tests.doubles import up
from tests.integration.cases import eventually, with_daemons
from tests.integration.installation import DaemonProcess, Installation
from tests.integration.operations.test_many import Many, ManyTestCase
from tests.stack.redis.places import place, presence_at
from tests.stack.servers import needs, redis_url, unique
from tests.stalls import Span
from wsmsg.message.presence.interface import LEASE_S
from wsmsg.message.presence.redis import RedisPresence

#: The bound of promise P9, in seconds.
_LIMIT_S = 5.0


class ManyOnRedis(Many):
    """
    Two Messages and two Connects; the Connects find the Messages in Redis.
    """

    def __init__(self) -> None:
        self.prefix = unique("primary")
        self.redis = f"{redis_url()}/0?prefix={self.prefix}:"
        super().__init__()

    def _files(self, n: int) -> dict[str, Any]:
        return {**super()._files(n), "presence": self.redis}

    def connect_to(self, n: int, *upstream: str) -> DaemonProcess:
        return self._daemon("connect", n, {"discovery": self.redis})


@needs("redis")
class PrimaryOnRedisTests(ManyTestCase):
    """
    External readers of presence, while the Message that writes it changes.
    """

    installation: ManyOnRedis

    def _installed(self) -> Installation:
        return ManyOnRedis()

    async def reader(self) -> RedisPresence:
        """
        Return a presence that reads the daemons' keys.
        """
        presence = presence_at(place(name=self.installation.prefix))
        loop = asyncio.get_running_loop()
        self.at_end(lambda: presence.stop().asFuture(loop))
        await up(presence).asFuture(loop)
        return presence

    async def online(self, presence: RedisPresence, user: int) -> bool:
        found = presence.look_up([user]).asFuture(asyncio.get_running_loop())
        return bool((await found)[0].online)

    async def always_online(
        self, presence: RedisPresence, user: int, seconds: float
    ) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            left_s = end - time.monotonic()
            self.assertTrue(await self.online(presence, user), f"{left_s:.1f} s left")
            await asyncio.sleep(0.02)  # the interval between queries

    async def set_up(self) -> tuple[RedisPresence, int, DaemonProcess, DaemonProcess]:
        """
        Start all daemons.

        @return: a reader, a user at the first Connect, its primary, the other Message.
        """
        await self.begun()
        first, _ = self.installation.connects
        user, presence = self.user(), await self.reader()
        await self.here(user, first)
        await eventually("online", partial(self.online, presence, user))
        (primary,) = await self.primaries(first)
        (other,) = [m for m in self.installation.messages if m is not primary]
        return presence, user, primary, other

    @with_daemons
    async def test_killed(self) -> None:
        """
        After the primary was killed, no lease of a connected user expires for any
        reader.
        """
        presence, user, primary, other = await self.set_up()
        await primary.kill()
        await self.always_online(presence, user, 2 * LEASE_S)
        self.assertEqual(await self.primaries(self.installation.connects[0]), [other])

    @with_daemons
    async def test_stopped(self) -> None:
        """
        No user goes offline while the primary stops cleanly.
        """
        presence, user, primary, _ = await self.set_up()
        await primary.terminate()
        await self.always_online(presence, user, 2 * LEASE_S)

    @with_daemons
    async def test_hangs(self) -> None:
        """
        If the primary hangs and resumes after another has taken over, no user goes
        offline.
        """
        presence, user, primary, _ = await self.set_up()
        await primary.signal(signal.SIGSTOP)
        try:
            await self.always_online(presence, user, LEASE_S + 1)
        finally:
            await primary.signal(signal.SIGCONT)
        await self.always_online(presence, user, LEASE_S + 2)

    @with_daemons
    async def test_both_killed(self) -> None:
        """
        P9: when the primary and the Connect are killed at once, every reader sees the
        user offline within 5 s.
        """
        presence, user, primary, _ = await self.set_up()
        span = Span()
        await self.installation.connects[0].kill()
        await primary.kill()
        await eventually("offline", lambda: self._offline(presence, user))
        told = span.check(_LIMIT_S)
        sys.__stderr__ and print(f"offline {told}", file=sys.__stderr__)
        asked = await self.asked(user, self.installation.connects[1])
        self.assertEqual(asked, {False})

    async def _offline(self, presence: RedisPresence, user: int) -> bool:
        return not await self.online(presence, user)
