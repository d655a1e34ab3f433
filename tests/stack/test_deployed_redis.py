"""
Standing beside deployed Connects, at a Redis of the test's own, as names there have no
prefix.
"""

from __future__ import annotations

import json
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from tests.connect.test_deployed_redis import forwarded
from tests.doubles import up
from tests.message.sqlite_places import REACTOR, soon
from tests.stack.redis_places import asking, opened, place, url_of
from tests.stack.servers import GUEST, PASSWORD, READER, Own, needs, own_redis
from tools.stack.redis import Redis
from wsmsg.connect.deployed_redis import DeployedRedis
from wsmsg.connect.deployed_redis_forward import Forward
from wsmsg.connect.deployed_redis_inbox import ForwardInbox
from wsmsg.redis_connection import RedisConnection
from wsmsg.settings.redis_url import RedisUrl

NOW_S = 1795447831


class Codec:
    """
    All of it that matters here.
    """

    subprotocol = "wsmsg.v1.json"


class Known:
    """
    A session whose user is proved.
    """

    codec: Any = Codec()

    def __init__(self, user: int) -> None:
        self.user = user


def redis_at(url: RedisUrl, node: str = "here", **more: Any) -> DeployedRedis:
    """
    What a Connect tells, not yet started.
    """
    more = {"now_s": lambda: NOW_S, **more}
    return DeployedRedis(url, REACTOR, node=node, retry=soon, **more)


async def until(true: Any) -> None:
    """
    Wait for what will be so; the test's own limit ends it.
    """
    while not await true():
        await deferLater(REACTOR, 0.01)


def lost(thing: Any) -> Deferred[None]:
    """
    @return: a Deferred that fires when it is up no more.
    """
    gone: Deferred[None] = Deferred()

    def changed(dependency: Any) -> None:
        if not dependency.up and not gone.called:
            gone.callback(None)

    thing.dependency.on_change(changed)
    return gone


class BesideCase(TestCase):
    """
    A Redis, and somebody who looks into it.
    """

    timeout = 60
    own: Own[Redis]
    url: RedisUrl
    other: RedisConnection

    async def setUp(self) -> None:  # type: ignore[override]
        self.own = await own_redis(self, "--appendonly", "no")
        self.url = place(url_of(self.own), "wsmsg")
        self.other = await asking(self, self.url)

    async def online(self) -> set[str]:
        """
        Who is online, as deployed Connects see it.
        """
        return set(await self.other.ask("SMEMBERS", "online_users"))

    async def connections(self, user: int) -> list[str]:
        """
        Names of the connections of a user, as deployed Connects find them.
        """
        return sorted(await self.other.ask("KEYS", f"conn:{user}:*"))

    async def settled(self, *users: int) -> None:
        """
        Wait until these are online, and nobody else.
        """

        async def seen() -> bool:
            return await self.online() == {str(user) for user in users}

        await until(seen)

    async def theirs(self, user: int, since_s: int, server: str = "connect-1") -> str:
        """
        A user logs in at a deployed Connect.
        """
        name = f"conn-{user}-{since_s}"
        key = f"conn:{user}:{name}"
        await self.other.ask("HSET", key, "userID", user, "connID", name)
        await self.other.ask("HSET", key, "serverID", server)
        await self.other.ask("EXPIRE", key, 7200)
        await self.other.ask("SADD", "online_users", user)
        return key

    async def back(self) -> None:
        """
        The other looks into it again.
        """

        async def up_again() -> bool:
            return self.other.up

        await until(up_again)


@needs("redis")
class TellingTests(BesideCase):
    """
    Users here, as deployed Connects see them.
    """

    async def test_session(self) -> None:
        """
        A session is a connection of theirs with all fields, which expires; it is gone
        with the session.
        """
        redis = await opened(self, redis_at(self.url))
        session = Known(1001)
        redis.joined(session)
        await self.settled(1001)
        (key,) = await self.connections(1001)
        self.assertEqual(key, f"conn:1001:conn-1001-{NOW_S}")
        words = await self.other.ask("HGETALL", key)
        self.assertEqual(
            dict(zip(words[::2], words[1::2], strict=True)),
            {
                "userID": "1001",
                "connID": f"conn-1001-{NOW_S}",
                "serverID": "here",
                "clientType": "wsmsg.v1.json",
                "timestamp": str(NOW_S),
                "lastHeartbeat": str(NOW_S),
            },
        )
        self.assertTrue(7100 < await self.other.ask("TTL", key) <= 7200)
        redis.left(session)
        await self.settled()
        self.assertEqual(await self.connections(1001), [])

    async def test_devices(self) -> None:
        """
        A user with two devices, here or at another of ours, is online until the last
        has gone.
        """
        here = await opened(self, redis_at(self.url))
        there = await opened(self, redis_at(self.url, "there"))
        phone, laptop, tablet = Known(7), Known(7), Known(7)
        here.joined(phone)
        here.joined(laptop)
        there.joined(tablet)

        async def all_told() -> bool:
            return len(await self.connections(7)) == 3

        await until(all_told)
        for redis, session, left in (
            (here, phone, 2),
            (there, tablet, 1),
            (here, laptop, 0),
        ):
            redis.left(session)

            async def told(left: int = left) -> bool:
                return len(await self.connections(7)) == left

            await until(told)
            self.assertEqual(await self.online(), {"7"} if left else set())

    async def test_theirs_before(self) -> None:
        """
        Who was online before ours stays so when ours goes.
        """
        key = await self.theirs(7, 5)
        redis = await opened(self, redis_at(self.url))
        session, other = Known(7), Known(8)
        redis.joined(session)
        redis.joined(other)
        await self.settled(7, 8)
        redis.left(session)
        redis.left(other)
        await self.settled(7)
        self.assertEqual(await self.connections(7), [key])

    async def test_theirs_after(self) -> None:
        """
        Who moved to a deployed Connect within the last minute stays online when the
        connection here goes.
        """
        redis = await opened(self, redis_at(self.url))
        session, other = Known(7), Known(8)
        redis.joined(session)
        redis.joined(other)
        await self.settled(7, 8)
        now_s = int((await self.other.ask("TIME"))[0])
        await self.theirs(7, now_s - 30)
        redis.left(session)
        redis.left(other)
        await self.settled(7)

    async def test_same_second(self) -> None:
        """
        A connection of theirs with the name that ours would have is left to them.
        """
        key = await self.theirs(7, NOW_S)
        redis = await opened(self, redis_at(self.url))
        session = Known(7)
        redis.joined(session)

        async def both() -> bool:
            return len(await self.connections(7)) == 2

        await until(both)
        self.assertEqual(await self.other.ask("HGET", key, "serverID"), "connect-1")
        redis.left(session)

        async def theirs() -> bool:
            return await self.connections(7) == [key]

        await until(theirs)
        self.assertEqual(await self.online(), {"7"})

    async def test_stop(self) -> None:
        """
        A Connect that stops takes all its users along, and nobody else's.
        """
        await self.theirs(9, 5)
        redis = redis_at(self.url)
        await up(redis)
        for user in range(1, 701):
            redis.joined(Known(user))
        redis.joined(Known(9))

        async def all_told() -> bool:
            return len(await self.online()) == 700

        await until(all_told)
        await redis.stop()
        self.assertEqual(await self.online(), {"9"})
        self.assertEqual(len(await self.other.ask("KEYS", "conn:*")), 1)
        self.assertEqual(await self.other.ask("KEYS", "wsmsg:beside:node*"), [])


@needs("redis")
class LossTests(BesideCase):
    """
    What a Redis that fails does.
    """

    async def test_emptied(self) -> None:
        """
        After a Redis that died came back empty the users who are connected are online
        again, and those who left meanwhile are not.
        """
        redis = await opened(self, redis_at(self.url))
        sessions = [Known(user) for user in (1, 2, 3)]
        for session in sessions:
            redis.joined(session)
        await self.settled(1, 2, 3)
        gone = lost(redis)
        self.own.kill()
        await gone
        redis.left(sessions[0])
        redis.joined(Known(4))
        await self.own.start()
        await self.back()
        await self.settled(2, 3, 4)

    async def test_flushed(self) -> None:
        """
        So it is where only the data were lost, within two seconds.
        """
        redis = await opened(self, redis_at(self.url))
        redis.joined(Known(1))
        await self.settled(1)
        await self.other.ask("FLUSHALL")
        await self.settled(1)
        self.assertEqual(redis.dependency.snapshot().losses, 0)
        self.assertEqual(len(self.flushLoggedErrors()), 0)

    async def test_kept(self) -> None:
        """
        A Redis that kept its data loses those who left while it was away.
        """
        own = await own_redis(self, "--appendfsync", "always")
        self.own, self.url = own, place(url_of(own), "wsmsg")
        self.other = await asking(self, self.url)
        redis = await opened(self, redis_at(self.url))
        session = Known(1)
        redis.joined(session)
        redis.joined(Known(2))
        await self.settled(1, 2)
        gone = lost(redis)
        own.kill()
        await gone
        redis.left(session)
        await own.start()
        await self.back()
        await self.settled(2)
        self.assertEqual(await self.connections(1), [])

    async def test_hangs(self) -> None:
        """
        While Redis hangs sessions come and go at once, stopping takes no longer than
        its limit, and what was left is cleared when the Connect is back.
        """
        redis = redis_at(self.url, timeout_s=0.3)
        await up(redis)
        redis.joined(Known(1))
        await self.settled(1)
        gone = lost(redis)
        self.own.suspend()
        self.addCleanup(self.own.resume)
        redis.joined(Known(2))
        await gone
        self.assertIn("no answer", redis.dependency.snapshot().last_error)
        await redis.stop()
        self.own.resume()
        await self.back()
        again = await opened(self, redis_at(self.url))
        again.joined(Known(3))
        await self.settled(3)

    async def test_killed(self) -> None:
        """
        What a killed Connect told is removed by another of ours when its lease ends.
        """
        await opened(self, redis_at(self.url, "there"))
        dead = redis_at(self.url)
        await up(dead)
        dead.joined(Known(1))
        await self.settled(1)
        # As a kill does: nothing is taken out.
        await dead._redis.stop()
        await self.other.ask("ZADD", "wsmsg:beside:nodes", 1, "here")
        await self.settled()
        self.assertEqual(await self.connections(1), [])

    async def test_refused(self) -> None:
        """
        A user without the rights is told in the dependency, and nothing else fails.
        """
        for user, reason in ((GUEST, "NOPERM"), (READER, "lacks a right")):
            redis = redis_at(place(url_of(self.own, user), "wsmsg"))
            self.addCleanup(redis.stop)
            redis.start()
            redis.joined(Known(1))

            async def said(redis: DeployedRedis = redis, reason: str = reason) -> bool:
                return reason in redis.dependency.snapshot().last_error

            await until(said)

    async def test_password(self) -> None:
        """
        So is a wrong password; when it is right again, all is told.
        """
        redis = redis_at(place(url_of(self.own, "later"), "wsmsg"))
        self.addCleanup(redis.stop)
        redis.start()
        redis.joined(Known(1))

        async def said() -> bool:
            error = redis.dependency.snapshot().last_error
            return "user or the password is wrong" in error

        await until(said)
        word = f">{PASSWORD}"
        await self.other.ask("ACL", "SETUSER", "later", "on", word, "~*", "&*", "+@all")
        await self.settled(1)


@needs("redis")
class ForwardedTests(BesideCase):
    """
    What deployed Connects hand to us.
    """

    async def setUp(self) -> None:  # type: ignore[override]
        await super().setUp()
        self.heard: list[Forward] = []
        self.more: Deferred[None] = Deferred()
        self.inbox = ForwardInbox(
            self.url,
            REACTOR,
            node="here",
            give=self.give,
            content_bytes=lambda: 1000,
            retry=soon,
        )
        await opened(self, self.inbox)

    def give(self, forward: Forward) -> bool:
        """
        Users with even numbers are here.
        """
        self.heard.append(forward)
        REACTOR.callLater(0, self.more.callback, None)
        return forward.user % 2 == 0

    async def publish(self, text: str | bytes) -> int:
        """
        Hand it to us, as they do; how many heard it.
        """
        return int(await self.other.ask("PUBLISH", "connect_forward:here", text))

    async def test_forwarded(self) -> None:
        """
        What is handed to us is given to its user, and counted by what became of it.
        """
        for user in (1002, 1001):
            self.more = Deferred()
            self.assertEqual(await self.publish(json.dumps(forwarded(user_id=user))), 1)
            await self.more
        self.assertEqual([f.user for f in self.heard], [1002, 1001])
        self.assertEqual((self.inbox.given, self.inbox.unneeded), (1, 1))

    async def test_hostile(self) -> None:
        """
        Nonsense, bytes that are no text, and what is far too long are counted, warned
        of once, and cost the next message nothing.
        """
        nonsense: list[str | bytes] = [
            "",
            "{}",
            b"\xff\xfe{",
            "[" * 50_000,
            b"x" * 3_000_000,
            "null",
        ]
        for text in nonsense:
            await self.publish(text)
        await self.publish(json.dumps(forwarded()))
        await self.more
        self.assertEqual(self.inbox.bad, len(nonsense))
        self.assertEqual(len(self.heard), 1)
        self.assertEqual(self.inbox.dependency.snapshot().losses, 0)

    async def test_restart(self) -> None:
        """
        After a restart of Redis it is heard again.
        """
        gone = lost(self.inbox)
        self.own.kill()
        await gone
        await self.own.start()
        await self.back()

        async def heard() -> bool:
            return await self.publish(json.dumps(forwarded())) == 1

        await until(heard)
        await self.more
