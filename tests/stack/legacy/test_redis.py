"""
Tests of the Redis that Connect shares with legacy Connects: entries and forwards.
"""

from __future__ import annotations

import json

from twisted.internet.defer import Deferred

from tests.connect.legacy.redis.test_presence import forwarded
from tests.doubles import up
from tests.message.sqlite_paths import REACTOR, soon
from tests.stack.legacy.redis_case import (
    NOW_S,
    BridgeCase,
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
class EntriesTests(BridgeCase):
    """
    The entries of this node's sessions, as legacy Connects see them.
    """

    async def test_session(self) -> None:
        """
        A session is a connection in the legacy format, which expires, and is removed
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
        A user with two devices, at one Connect of wsmsg or at two, is online until the
        last one leaves.
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

    async def test_online_at_legacy_before(self) -> None:
        """
        A user who was online at a legacy Connect first stays online when the session
        at wsmsg ends.
        """
        key = await self.legacy_login(7, 5)
        redis = await opened(self, redis_at(self.url))
        session, other = Known(7), Known(8)
        redis.session_added(session)
        redis.session_added(other)
        await self.settled(7, 8)
        redis.session_removed(session)
        redis.session_removed(other)
        await self.settled(7)
        self.assertEqual(await self.connections(7), [key])

    async def test_moved_to_legacy(self) -> None:
        """
        A user who moved to a legacy Connect within the last minute stays online when
        the session at wsmsg ends.
        """
        redis = await opened(self, redis_at(self.url))
        session, other = Known(7), Known(8)
        redis.session_added(session)
        redis.session_added(other)
        await self.settled(7, 8)
        now_s = int((await self.other.execute("TIME"))[0])
        await self.legacy_login(7, now_s - 30)
        redis.session_removed(session)
        redis.session_removed(other)
        await self.settled(7)

    async def test_same_second(self) -> None:
        """
        A connection of a legacy Connect keeps its name, even if a session of wsmsg
        would have the same.
        """
        key = await self.legacy_login(7, NOW_S)
        redis = await opened(self, redis_at(self.url))
        session = Known(7)
        redis.session_added(session)

        async def both() -> bool:
            return len(await self.connections(7)) == 2

        await until(both)
        self.assertEqual(await self.other.execute("HGET", key, "serverID"), "connect-1")
        redis.session_removed(session)

        async def only_legacy() -> bool:
            return await self.connections(7) == [key]

        await until(only_legacy)
        self.assertEqual(await self.online(), {"7"})

    async def test_stop(self) -> None:
        """
        A Connect that stops removes its own users, and no others.
        """
        await self.legacy_login(9, 5)
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
class ForwardedTests(BridgeCase):
    """
    Messages that legacy Connects forward.
    """

    async def setUp(self) -> None:  # type: ignore[override]
        await super().setUp()
        self.received: list[Forward] = []
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
        Deliver to users with even numbers.
        """
        self.received.append(forward)
        REACTOR.callLater(0, self.more.callback, None)
        return forward.user % 2 == 0

    async def publish(self, text: str | bytes) -> int:
        """
        Forward a message as a legacy Connect does, and return the number of
        subscribers.
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
        self.assertEqual([f.user for f in self.received], [1002, 1001])
        self.assertEqual((self.inbox.delivered, self.inbox.unneeded), (1, 1))

    async def test_hostile(self) -> None:
        """
        Nonsense, bytes that are no text, and forwards that are far too long are
        counted, lead to one warning, and do not delay the next message.
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
        self.assertEqual(len(self.received), 1)
        self.assertEqual(self.inbox.dependency.snapshot().losses, 0)

    async def test_restart(self) -> None:
        """
        Forwards arrive again after a restart of Redis.
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
