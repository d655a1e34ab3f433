"""
Tests of the shared Redis while it fails, or while Connect fails.
"""

from __future__ import annotations

from tests.doubles import up
from tests.stack.legacy.redis_case import BridgeCase, Known, lost, redis_at, until
from tests.stack.redis.places import asking, opened, place, url_of
from tests.stack.servers import GUEST, PASSWORD, READER, needs, own_redis
from wsmsg.connect.legacy.redis.presence import LegacyRedisPresence


@needs("redis")
class LossTests(BridgeCase):
    """
    Consequences of a Redis that fails.
    """

    async def test_emptied(self) -> None:
        """
        After a Redis that died came back empty, connected users are online again, and
        users who left meanwhile are not.
        """
        redis = await opened(self, redis_at(self.url))
        sessions = [Known(user) for user in (1, 2, 3)]
        for session in sessions:
            redis.session_added(session)
        await self.settled(1, 2, 3)
        gone = lost(redis)
        self.own.kill()
        await gone
        redis.session_removed(sessions[0])
        redis.session_added(Known(4))
        await self.own.start()
        await self.back()
        await self.settled(2, 3, 4)

    async def test_flushed(self) -> None:
        """
        Connected users are online again after the data was lost while the connection
        stood.
        """
        redis = await opened(self, redis_at(self.url))
        redis.session_added(Known(1))
        await self.settled(1)
        await self.other.execute("FLUSHALL")
        await self.settled(1)
        self.assertEqual(redis.dependency.snapshot().losses, 0)
        self.assertEqual(len(self.flushLoggedErrors()), 0)

    async def test_kept(self) -> None:
        """
        A Redis that kept its data loses the users who left while it was down.
        """
        own = await own_redis(self, "--appendfsync", "always")
        self.own, self.url = own, place(url_of(own), "wsmsg")
        self.other = await asking(self, self.url)
        redis = await opened(self, redis_at(self.url))
        session = Known(1)
        redis.session_added(session)
        redis.session_added(Known(2))
        await self.settled(1, 2)
        gone = lost(redis)
        own.kill()
        await gone
        redis.session_removed(session)
        await own.start()
        await self.back()
        await self.settled(2)
        self.assertEqual(await self.connections(1), [])

    async def test_hangs(self) -> None:
        """
        While Redis hangs, sessions begin and end at once, stopping takes no longer
        than its limit, and the entries are removed when Connect is back.
        """
        redis = redis_at(self.url, timeout_s=0.3)
        await up(redis)
        redis.session_added(Known(1))
        await self.settled(1)
        gone = lost(redis)
        self.own.suspend()
        self.addCleanup(self.own.resume)
        redis.session_added(Known(2))
        await gone
        self.assertIn("no answer", redis.dependency.snapshot().last_error)
        await redis.stop()
        self.own.resume()
        await self.back()
        again = await opened(self, redis_at(self.url))
        again.session_added(Known(3))
        await self.settled(3)

    async def test_killed(self) -> None:
        """
        Another Connect of wsmsg removes the entries of a killed Connect when its lease
        ends.
        """
        await opened(self, redis_at(self.url, "there"))
        dead = redis_at(self.url)
        await up(dead)
        dead.session_added(Known(1))
        await self.settled(1)
        # As a kill does: nothing is taken out.
        await dead._redis.stop()
        await self.other.execute("ZADD", "wsmsg:bridge:nodes", 1, "here")
        await self.settled()
        self.assertEqual(await self.connections(1), [])

    async def test_refused(self) -> None:
        """
        Missing rights in Redis are shown in the dependency, and nothing else fails.
        """
        for user, reason in ((GUEST, "NOPERM"), (READER, "lacks a right")):
            redis = redis_at(place(url_of(self.own, user), "wsmsg"))
            self.addCleanup(redis.stop)
            redis.start()
            redis.session_added(Known(1))

            async def said(
                redis: LegacyRedisPresence = redis, reason: str = reason
            ) -> bool:
                return reason in redis.dependency.snapshot().last_error

            await until(said)

    async def test_password(self) -> None:
        """
        A wrong password is shown in the dependency; with the right one everything is
        written, and no rights are needed beyond those on the page about legacy systems.
        """
        redis = redis_at(place(url_of(self.own, "later"), "wsmsg"))
        self.addCleanup(redis.stop)
        redis.start()
        redis.session_added(Known(1))

        async def said() -> bool:
            error = redis.dependency.snapshot().last_error
            return "user or the password is wrong" in error

        await until(said)
        rights = "+@read +@write +@scripting +@connection +@pubsub +time"
        places = "~conn:* ~online_users ~wsmsg:* &connect_forward:*"
        words = ["on", f">{PASSWORD}", *places.split(), *rights.split()]
        await self.other.execute("ACL", "SETUSER", "later", *words)
        await self.settled(1)
