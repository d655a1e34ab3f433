"""
The case of tests that share a Redis with legacy Connects, whose keys have no prefix.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from tests.message.sqlite_paths import REACTOR, soon
from tests.stack.redis.places import asking, place, url_of
from tests.stack.servers import Own, own_redis
from tools.stack.redis import Redis
from wsmsg.connect.legacy.redis.presence import LegacyRedisPresence
from wsmsg.redis.connection import RedisConnection
from wsmsg.settings.urls.redis import RedisUrl

NOW_S = 1795447831

#: Before the test's own limit, so that nothing of it goes on beside the next.
LIMIT_S = 40.0


class Codec:
    """
    The part of a codec that is written to Redis.
    """

    subprotocol = "wsmsg.v1.json"


class Known:
    """
    A session of an authenticated user.
    """

    codec: Any = Codec()

    def __init__(self, user: int) -> None:
        self.user = user


def redis_at(url: RedisUrl, node: str = "here", **more: Any) -> LegacyRedisPresence:
    """
    Return the presence that a Connect shares, not yet started.
    """
    more = {"now_s": lambda: NOW_S, **more}
    return LegacyRedisPresence(url, REACTOR, node=node, retry=soon, **more)


async def until(true: Callable[[], Awaitable[bool]]) -> None:
    """
    Poll Redis until a condition holds.
    """
    end_s = REACTOR.seconds() + LIMIT_S
    while not await true():
        if REACTOR.seconds() > end_s:
            raise AssertionError(f"it was not so within {LIMIT_S:g} s")
        await deferLater(REACTOR, 0.01)


def lost(thing: Any) -> Deferred[None]:
    """
    Wait for a loss.

    @return: a Deferred that fires when the dependency is no longer up.
    """
    gone: Deferred[None] = Deferred()

    def changed(dependency: Any) -> None:
        if not dependency.up and not gone.called:
            gone.callback(None)

    thing.dependency.on_change(changed)
    return gone


class BridgeCase(TestCase):
    """
    A Redis of the test's own, and a client that looks into it.
    """

    timeout = 300
    own: Own[Redis]
    url: RedisUrl
    other: RedisConnection

    async def setUp(self) -> None:  # type: ignore[override]
        self.own = await own_redis(self, "--appendonly", "no")
        self.url = place(url_of(self.own), "wsmsg")
        self.other = await asking(self, self.url)

    async def online(self) -> set[str]:
        """
        Return the users who are online, as legacy Connects see it.
        """
        return set(await self.other.execute("SMEMBERS", "online_users"))

    async def connections(self, user: int) -> list[str]:
        """
        Return the connections of a user, as legacy Connects find them.
        """
        return sorted(await self.other.execute("KEYS", f"conn:{user}:*"))

    async def settled(self, *users: int) -> None:
        """
        Wait until exactly these users are online.
        """

        async def seen() -> bool:
            return await self.online() == {str(user) for user in users}

        await until(seen)

    async def legacy_login(
        self, user: int, since_s: int, server: str = "connect-1"
    ) -> str:
        """
        Log a user in at a legacy Connect.
        """
        name = f"conn-{user}-{since_s}"
        key = f"conn:{user}:{name}"
        await self.other.execute("HSET", key, "userID", user, "connID", name)
        await self.other.execute("HSET", key, "serverID", server)
        await self.other.execute("EXPIRE", key, 7200)
        await self.other.execute("SADD", "online_users", user)
        return key

    async def back(self) -> None:
        """
        Wait until the client is connected again.
        """

        async def up_again() -> bool:
            return self.other.up

        await until(up_again)
