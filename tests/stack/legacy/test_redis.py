"""
Standing beside legacy Connects: what is told, and what is heard.
"""

from __future__ import annotations

import json

from twisted.internet.defer import Deferred

from tests.connect.legacy.redis.test_presence import forwarded
from tests.doubles import up
from tests.message.sqlite_paths import REACTOR, soon
from tests.stack.legacy.redis_case import (
    NOW_S,
    BesideCase,
    Known,
    lost,
    redis_at,
    until,
)
from tests.stack.redis.places import opened
from tests.stack.servers import needs
from wsmsg.connect.legacy.redis.forward import Forward
from wsmsg.connect.legacy.redis.inbox import ForwardInbox


@needs("redis")
class TellingTests(BesideCase):
    """
    Users here, as legacy peers do Connects see them.
    """

    async def test_session(self) -> None:
        """
        A session is a connection of theirs with all fields, which expires; it is gone
        with the session.
        """
        redis = await opened(self, redis_at(self.url))
        session = Known(1001)
        redis.session_added(session)
        await self.settled(1001)
        (key,) = await self.connections(1001)
        self.assertEqual(key, f"conn:1001:conn-1001-{NOW_S}")
        words = await self.other.execute("HGETALL", key)
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
        self.assertTrue(7100 < await self.other.execute("TTL", key) <= 7200)
        redis.session_removed(session)
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
        here.session_added(phone)
        here.session_added(laptop)
        there.session_added(tablet)

        async def all_told() -> bool:
            return len(await self.connections(7)) == 3

        await until(all_told)
        for redis, session, left in (
            (here, phone, 2),
            (there, tablet, 1),
            (here, laptop, 0),
        ):
            redis.session_removed(session)

            async def told(left: int = left) -> bool:
                return len(await self.connections(7)) == left

            await until(told)
            self.assertEqual(await self.online(), {"7"} if left else set())

    async def test_theirs_before(self) -> None:
        """
        A user who was online at a legacy Connect first stays online when our session
        ends.
        """
        key = await self.theirs(7, 5)
        redis = await opened(self, redis_at(self.url))
        session, other = Known(7), Known(8)
        redis.session_added(session)
        redis.session_added(other)
        await self.settled(7, 8)
        redis.session_removed(session)
        redis.session_removed(other)
        await self.settled(7)
        self.assertEqual(await self.connections(7), [key])

    async def test_theirs_after(self) -> None:
        """
        A user who moved to a legacy Connect within the last minute stays online when
        the connection here ends.
        """
        redis = await opened(self, redis_at(self.url))
        session, other = Known(7), Known(8)
        redis.session_added(session)
        redis.session_added(other)
        await self.settled(7, 8)
        now_s = int((await self.other.execute("TIME"))[0])
        await self.theirs(7, now_s - 30)
        redis.session_removed(session)
        redis.session_removed(other)
        await self.settled(7)

    async def test_same_second(self) -> None:
        """
        A connection of theirs with the name that ours would have is left to them.
        """
        key = await self.theirs(7, NOW_S)
        redis = await opened(self, redis_at(self.url))
        session = Known(7)
        redis.session_added(session)

        async def both() -> bool:
            return len(await self.connections(7)) == 2

        await until(both)
        self.assertEqual(await self.other.execute("HGET", key, "serverID"), "connect-1")
        redis.session_removed(session)

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
            redis.session_added(Known(user))
        redis.session_added(Known(9))

        async def all_told() -> bool:
            return len(await self.online()) == 700

        await until(all_told)
        await redis.stop()
        self.assertEqual(await self.online(), {"9"})
        self.assertEqual(len(await self.other.execute("KEYS", "conn:*")), 1)
        self.assertEqual(await self.other.execute("KEYS", "wsmsg:bridge:node*"), [])


@needs("redis")
class ForwardedTests(BesideCase):
    """
    Messages that legacy Connects forward to us.
    """

    async def setUp(self) -> None:  # type: ignore[override]
        await super().setUp()
        self.heard: list[Forward] = []
        self.more: Deferred[None] = Deferred()
        self.inbox = ForwardInbox(
            self.url,
            REACTOR,
            node="here",
            deliver=self.give,
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
        return int(await self.other.execute("PUBLISH", "connect_forward:here", text))

    async def test_forwarded(self) -> None:
        """
        A forwarded message is delivered to its user, and counted by its result.
        """
        for user in (1002, 1001):
            self.more = Deferred()
            self.assertEqual(await self.publish(json.dumps(forwarded(user_id=user))), 1)
            await self.more
        self.assertEqual([f.user for f in self.heard], [1002, 1001])
        self.assertEqual((self.inbox.delivered, self.inbox.unneeded), (1, 1))

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
        self.assertEqual(self.inbox.invalid, len(nonsense))
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
