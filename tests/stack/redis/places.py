"""
Places for presence and registry in Redis: a key prefix for each test.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import TestCase

from tests.doubles import up
from tests.message.sqlite_paths import REACTOR, soon
from tests.stack.servers import PASSWORD, Own, redis_url, unique
from tools.stack.redis import Redis
from wsmsg.dependency.state import Dependency
from wsmsg.message.presence.redis import RedisPresence
from wsmsg.redis.connection import RedisConnection
from wsmsg.settings.urls.redis import RedisUrl, read_redis_url


def place(base: str = "", name: str = "") -> RedisUrl:
    """
    Return a URL with a key prefix of the test's own, on the shared server unless
    another is given.

    @param base: C{redis://user:password@host:port}.
    """
    return read_redis_url(f"{base or redis_url()}/0?prefix={name or unique()}:")


def url_of(own: Own[Redis], user: str = "", password: str = PASSWORD) -> str:
    """
    Return the beginning of the URL of a test's own server.
    """
    who = f"{user}:{password}@" if user else ""
    return f"redis://{who}{own.address}"


def presence_at(url: RedisUrl, **more: Any) -> RedisPresence:
    """
    Return a presence on the test's reactor, not started.
    """
    dependency = Dependency("presence", REACTOR, required=False)
    return RedisPresence(
        url, REACTOR, **{"retry": soon, "dependency": dependency, **more}
    )


async def opened(test: TestCase, thing: Any) -> Any:
    """
    Start a service, wait until its dependency is up, and stop it when the test ends.
    """
    test.addCleanup(thing.stop)
    await up(thing)
    return thing


async def presence_on(test: TestCase, clock: Clock) -> RedisPresence:
    """
    Return a presence on the shared server that uses the test's clock.
    """
    made = presence_at(place(), clock=clock, now_ms=lambda: int(clock.seconds() * 1000))
    return await opened(test, made)  # type: ignore[no-any-return]


async def asking(test: TestCase, url: RedisUrl) -> RedisConnection:
    """
    Return another client, for commands that only tests send.
    """
    dependency = Dependency("redis", REACTOR)
    made = RedisConnection(url, REACTOR, retry=soon, dependency=dependency)
    return await opened(test, made)  # type: ignore[no-any-return]
