"""
The primary moves while others read presence in Redis.
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

#: P9.
_LIMIT_S = 5.0


class ManyOnRedis(Many):
    """
    Two of each, whose Connects find the Messages in Redis.
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
    Readers outside, while the Message that writes for them changes.
    """

    installation: ManyOnRedis

    def _installed(self) -> Installation:
        return ManyOnRedis()

    async def reader(self) -> RedisPresence:
        """
        Somebody who reads what is in Redis.
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
            await asyncio.sleep(0.02)  # to ask as often as that

    async def set_up(self) -> tuple[RedisPresence, int, DaemonProcess, DaemonProcess]:
        """
        @return: a reader, a user at the first Connect, its primary, the other one.
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
        After the primary was killed, the lease does not expire for any reader.
        """
        presence, user, primary, other = await self.set_up()
        await primary.kill()
        await self.always_online(presence, user, 2 * LEASE_S)
        self.assertEqual(await self.primaries(self.installation.connects[0]), [other])

    @with_daemons
    async def test_stopped(self) -> None:
        """
        A primary that stops in order takes nobody along.
        """
        presence, user, primary, _ = await self.set_up()
        await primary.terminate()
        await self.always_online(presence, user, 2 * LEASE_S)

    @with_daemons
    async def test_hangs(self) -> None:
        """
        Nor does one that hangs, and goes on when another is the primary already.
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
        P9: with the primary and the Connect killed at once, the user is offline for
        everybody within 5 s.
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
