"""
Tests of the list of Messages in Redis: entries, leases and readers.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from tests.connect.discovery.discovery_contract import Reports, make_discovery_tests
from tests.message.sqlite_paths import REACTOR, soon
from tests.stack.redis.places import asking, opened, place, url_of
from tests.stack.servers import READER, Own, needs, own_redis
from tools.stack.redis import Redis
from wsmsg.connect.discovery.interface import IDiscovery
from wsmsg.connect.discovery.redis import RedisDiscovery
from wsmsg.dependency.state import Dependency
from wsmsg.message.cluster.registry import RedisRegistry
from wsmsg.settings.urls.redis import RedisUrl


def discovery_at(url: RedisUrl) -> RedisDiscovery:
    """
    Return a discovery on the test's reactor, not started.
    """
    return RedisDiscovery(url, REACTOR, retry=soon)


def registry_at(
    url: RedisUrl,
    address: str,
    *,
    number: int = 0,
    renumber: Callable[[int], object] | None = None,
) -> RedisRegistry:
    """
    Return a Message's entry in the list, not started.
    """
    return RedisRegistry(
        url,
        REACTOR,
        address=address,
        number=number,
        renumber=renumber,
        retry=soon,
        dependency=Dependency("registry", REACTOR, required=False),
    )


class RedisPlace:
    """
    A Redis of the test's own, which the test can kill.
    """

    fixed = False

    def __init__(self, test: TestCase, own: Own[Redis]) -> None:
        self._test = test
        self._own = own
        self._url = place(url_of(own))
        self._there: dict[str, RedisRegistry] = {}

    def discovery(self) -> IDiscovery:
        return discovery_at(self._url)

    async def put(self, *addresses: str) -> None:
        for address in self._there.keys() - set(addresses):
            await self._there.pop(address).stop()
        for address in set(addresses) - self._there.keys():
            registry = registry_at(self._url, address)
            self._there[address] = registry
            await opened(self._test, registry)

    async def fail(self) -> None:
        self._own.kill()

    async def heal(self) -> None:
        await self._own.start()


async def redis_place(test: TestCase) -> RedisPlace:
    """
    Return a source for a discovery.
    """
    return RedisPlace(test, await own_redis(test))


@needs("redis")
class RedisDiscoveryTests(make_discovery_tests(redis_place)):  # type: ignore[misc]
    """
    The discovery in Redis.
    """


@needs("redis")
class LeaseTests(TestCase):
    """
    Entries of a Message that dies.
    """

    timeout = 300

    async def setUp(self) -> None:  # type: ignore[override]
        self.url = place()
        self.reports = Reports()

    async def test_dead(self) -> None:
        """
        A Message that died leaves the list when its lease ends, while others stay.
        """
        await opened(self, registry_at(self.url, "127.0.0.1:1"))
        other = await asking(self, self.url)
        now = int((await other.execute("TIME"))[0]) * 1000
        key = f"{self.url.prefix}messages"
        await other.execute("ZADD", key, now + 1500, "127.0.0.2:1")
        discovery = discovery_at(self.url)
        self.addCleanup(discovery.stop)
        discovery.start(self.reports.changed)
        await self.reports.until("127.0.0.1:1", "127.0.0.2:1")
        await self.reports.until("127.0.0.1:1")

    async def test_last(self) -> None:
        """
        A list without a Message that is alive expires.
        """
        registry = await opened(self, registry_at(self.url, "127.0.0.1:1"))
        other = await asking(self, self.url)
        key = f"{self.url.prefix}messages"
        left_ms = await other.execute("PTTL", key)
        self.assertTrue(0 < left_ms <= 5000, left_ms)
        await registry.stop()
        self.assertEqual(await other.execute("EXISTS", key), 0)

    async def test_reader(self) -> None:
        """
        A user with read rights only finds Messages.
        """
        own = await own_redis(self)
        await opened(self, registry_at(place(url_of(own), "p"), "127.0.0.1:1"))
        reading = discovery_at(place(url_of(own, READER), "p"))
        self.addCleanup(reading.stop)
        reading.start(self.reports.changed)
        await self.reports.until("127.0.0.1:1")

    async def test_data_lost(self) -> None:
        """
        A Redis that lost all its data ends no stream.
        """
        own = await own_redis(self)
        url = place(url_of(own))
        await opened(self, registry_at(url, "127.0.0.1:1"))
        discovery = discovery_at(url)
        self.addCleanup(discovery.stop)
        discovery.start(self.reports.changed)
        await self.reports.until("127.0.0.1:1")
        own.kill()
        await own.start()
        await opened(self, registry_at(url, "127.0.0.2:1"))
        await self.reports.until("127.0.0.1:1", "127.0.0.2:1")
        self.assertEqual(len(self.reports.all), 2)


@needs("redis")
class NumberTests(TestCase):
    """
    The numbers in message ids.
    """

    timeout = 300

    async def numbered(self, url: RedisUrl, number: int) -> tuple[RedisRegistry, int]:
        """
        Return a Message that asks for this number, and the number that it got.
        """
        told: Deferred[int] = Deferred()
        registry = registry_at(
            url, f"127.0.0.1:{number + 1}", number=number, renumber=told.callback
        )
        await opened(self, registry)
        # Asked after what the registry has asked itself.
        await deferLater(REACTOR, 0)
        other = await asking(self, url)
        await other.execute("PING")
        return registry, told.result if told.called else number  # type: ignore[return-value]

    async def test_taken(self) -> None:
        """
        A Message whose number is taken gets a free one; a Message that stops releases
        its number.
        """
        url = place()
        first, number = await self.numbered(url, 255)
        self.assertEqual(number, 255)
        second, number = await self.numbered(url, 255)
        self.assertEqual((number, second.number), (0, 0))
        await first.stop()
        _, number = await self.numbered(url, 255)
        self.assertEqual(number, 255)
