"""
Tests of presence in Redis: the contract of all presences, and faults of the server.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from tests.connect.discovery.discovery_contract import until_state
from tests.message.presence.presence_contract import make_presence_tests
from tests.message.sqlite_paths import REACTOR
from tests.stack.redis.places import (
    asking,
    opened,
    place,
    presence_at,
    presence_on,
    url_of,
)
from tests.stack.servers import (
    GUEST,
    READER,
    USER,
    Own,
    needs,
    own_redis,
)
from tools.stack.redis import Redis
from wsmsg.dependency.state import Dependency, State
from wsmsg.errors import Unavailable
from wsmsg.message.presence.redis import RedisPresence
from wsmsg.settings.urls.redis import RedisUrl, read_redis_url


class Failures:
    """
    A retry policy that reports each failure, and waits for a short time only.
    """

    def __init__(self) -> None:
        self._waiting: list[Deferred[None]] = []

    def __call__(self, failures: int) -> float:
        waiting, self._waiting = self._waiting, []
        for waiter in waiting:
            # The dependency learns of the failure after this call.
            REACTOR.callLater(0, waiter.callback, None)
        return 0.05

    async def until(self, dependency: Dependency, text: str) -> None:
        """
        Wait until the dependency is down for a reason with this text.
        """
        while dependency.up or text not in dependency.snapshot().last_error:
            waiter: Deferred[None] = Deferred()
            self._waiting.append(waiter)
            await waiter


async def online(presence: RedisPresence, *users: int) -> list[bool]:
    """
    Return whether each of the users is online.
    """
    return [p.online for p in await presence.look_up(users)]


@needs("redis")
class RedisPresenceTests(make_presence_tests(presence_on)):  # type: ignore[misc]
    """
    The presence in Redis.
    """


@needs("redis")
class SharedTests(TestCase):
    """
    Several Messages with one Redis.
    """

    timeout = 300

    async def setUp(self) -> None:  # type: ignore[override]
        self.url = place()
        self.one = await opened(self, presence_at(self.url))
        self.two = await opened(self, presence_at(self.url))

    async def test_seen_by_all(self) -> None:
        """
        Every Message sees what one of them has written, and another may take over.
        """
        await self.one.replace("a", [7])
        self.assertEqual(await online(self.two, 7, 8), [True, False])
        await self.two.replace("a", [8])
        self.assertEqual(await online(self.one, 7, 8), [False, True])

    async def test_not_the_primary_any_more(self) -> None:
        """
        A Message that is no longer the primary of a Connect does not overwrite what its
        successor wrote.
        """
        await self.one.replace("a", [7])
        await self.two.replace("a", [7, 8])
        await self.one.change("a", [9], [7])
        await self.one.renew("a")
        await self.one.forget("a")
        self.assertEqual(await online(self.two, 7, 8, 9), [True, True, False])

    async def test_many(self) -> None:
        """
        Ten thousand users are written, changed and read together.
        """
        users = list(range(1, 10_001))
        await self.one.replace("a", users)
        self.assertEqual(sum(await online(self.two, *users)), 10_000)
        await self.one.change("a", range(20_001, 25_001), users[:5000])
        self.assertEqual(sum(await online(self.two, *users)), 5000)
        await self.one.forget("a")
        self.assertEqual(sum(await online(self.two, *users)), 0)

    async def test_all_expires(self) -> None:
        """
        Every key has the prefix and an expiry time.
        """
        own = await own_redis(self)
        presence = await opened(self, presence_at(place(url_of(own), "ours")))
        await presence.replace("a", [1, 2])
        await presence.replace("a", [2])
        await presence.change("b", [3], [])
        await presence.change("b", [], [3])
        await presence.forget("b")
        other = await asking(self, place(url_of(own)))
        keys = set(await other.execute("KEYS", "*")) - {"stack:ready"}
        self.assertGreaterEqual(len(keys), 6)
        for key in keys:
            self.assertTrue(key.startswith("ours:"), key)
            self.assertGreater(await other.execute("PTTL", key), 0, key)

    async def test_dead_message(self) -> None:
        """
        A Connect without a primary is gone when its lease ends.
        """
        brief = await opened(self, presence_at(self.url, lease_s=0.2))
        await brief.replace("a", [7])
        self.assertEqual(await online(brief, 7), [True])
        while any(await online(brief, 7)):
            pass  # each iteration sends a query to Redis
        (found,) = await brief.look_up([7])
        self.assertGreater(found.last_seen_ms, 0)


@needs("redis")
class FaultTests(TestCase):
    """
    Faults of Redis.
    """

    timeout = 300

    async def setUp(self) -> None:  # type: ignore[override]
        self.own: Own[Redis] = await own_redis(self)
        self.url = place(url_of(self.own))
        self.failures = Failures()
        self.other = await asking(self, place(url_of(self.own)))

    def presence(self, url: RedisUrl) -> RedisPresence:
        """
        Return a presence that has started.
        """
        presence = presence_at(url, timeout_s=0.5, retry=self.failures)
        self.addCleanup(presence.stop)
        presence.start()
        return presence

    async def told(self) -> RedisPresence:
        """
        Return a presence that has written a user.
        """
        presence = self.presence(self.url)
        await until_state(presence.dependency, State.UP)
        await presence.replace("a", [7])
        return presence

    async def test_killed(self) -> None:
        """
        The loss of Redis is reported at once; when Redis is back, the changes made
        meanwhile are written.
        """
        presence = await self.told()
        self.own.kill()
        await until_state(presence.dependency, State.CONNECTING)
        with self.assertRaises(Unavailable) as told:
            await presence.change("a", [8], [7])
        self.assertIn("presence is not up: ", told.exception.reason)
        await self.own.start()
        await until_state(presence.dependency, State.UP)
        await presence.renew("a")
        self.assertEqual(await online(presence, 7, 8), [False, True])

    async def test_data_lost(self) -> None:
        """
        After Redis lost all data, every online user is written again.
        """
        presence = await self.told()
        await self.other.execute("FLUSHALL")
        self.assertEqual(await online(presence, 7), [False])
        await presence.renew("a")
        self.assertEqual(await online(presence, 7), [True])

    async def test_scripts_lost(self) -> None:
        """
        After Redis lost our scripts, they are loaded again.
        """
        presence = await self.told()
        await self.other.execute("SCRIPT", "FLUSH")
        with self.assertRaises(Unavailable):
            await presence.renew("a")
        await until_state(presence.dependency, State.UP)
        await presence.renew("a")
        self.assertEqual(await online(presence, 7), [True])

    async def test_suspended(self) -> None:
        """
        A Redis that accepts connections and never answers is down after the timeout.
        """
        presence = await self.told()
        self.own.suspend()
        await self.failures.until(presence.dependency, "no answer within 0.5 s")
        self.own.resume()
        await until_state(presence.dependency, State.UP)

    async def test_read_only(self) -> None:
        """
        A replica, which is read-only, is reported as such, and used again once it
        accepts writes.
        """
        presence = await self.told()
        await self.other.execute("REPLICAOF", "127.0.0.1", "1")
        await self.failures.until(presence.dependency, "it is read-only (READONLY ")
        await self.other.execute("REPLICAOF", "NO", "ONE")
        await until_state(presence.dependency, State.UP)

    async def test_full(self) -> None:
        """
        A full Redis is reported as such, and used again once it has space.
        """
        presence = await self.told()
        await self.other.execute("CONFIG", "SET", "maxmemory", "1")
        await self.failures.until(presence.dependency, "it is full and takes no writes")
        await self.other.execute("CONFIG", "SET", "maxmemory", "0")
        await until_state(presence.dependency, State.UP)
        await presence.renew("a")
        self.assertEqual(await online(presence, 7), [True])

    async def test_wrong_password(self) -> None:
        """
        A wrong password is reported without the password, and retried until it is
        accepted.
        """
        url = place(url_of(self.own, USER, "wrong-one"))
        presence = self.presence(url)
        await self.failures.until(presence.dependency, "password is wrong (WRONGPASS")
        self.assertNotIn("wrong-one", presence.dependency.snapshot().last_error)
        await self.other.execute("ACL", "SETUSER", USER, ">wrong-one")
        await until_state(presence.dependency, State.UP)

    async def test_missing_right(self) -> None:
        """
        A missing right is reported, and retried until the user has it.
        """
        presence = self.presence(place(url_of(self.own, GUEST)))
        await self.failures.until(presence.dependency, "the user lacks a right (NOPERM")
        reader = self.presence(place(url_of(self.own, READER)))
        await self.failures.until(reader.dependency, "the user lacks a right (NOPERM")
        rights = ("+@read", "+@write", "+@scripting", "+@connection", "+time")
        await self.other.execute("ACL", "SETUSER", GUEST, *rights)
        await until_state(presence.dependency, State.UP)
        await presence.replace("a", [7])
        await presence.change("a", [8], [7])
        self.assertEqual(await online(presence, 7, 8), [False, True])

    async def test_needs_login(self) -> None:
        """
        A missing password is reported as such.
        """
        await self.other.execute("ACL", "SETUSER", "default", "off")
        presence = self.presence(self.url)
        await self.failures.until(presence.dependency, "it wants a user or a password")

    async def test_killed_connections(self) -> None:
        """
        Presence survives connections that are cut again and again, during the login as
        well.
        """
        presence = self.presence(place(url_of(self.own, USER)))
        await until_state(presence.dependency, State.UP)
        for _ in range(5):
            await self.other.execute("CLIENT", "KILL", "USER", USER)
            await until_state(presence.dependency, State.CONNECTING)
            await self.other.execute("CLIENT", "KILL", "USER", USER)
            await until_state(presence.dependency, State.UP)
        await presence.replace("a", [7])

    async def test_tls(self) -> None:
        """
        With TLS, only the authority named in the URL is trusted.
        """
        port = self.own.server.ports["redis_tls"]
        ca = self.own.server.certificate
        base = f"rediss://127.0.0.1:{port}/1"
        presence = self.presence(read_redis_url(f"{base}?prefix=t:&ca={ca}"))
        await until_state(presence.dependency, State.UP)
        await presence.replace("a", [7])
        distrusting = self.presence(read_redis_url(base))
        await self.failures.until(distrusting.dependency, "certificate verify failed")
