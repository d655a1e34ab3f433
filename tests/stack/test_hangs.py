"""
A Kafka and a Redis that hang, and that pause for a moment only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall, deferLater
from twisted.trial.unittest import TestCase

from tests.connect.discovery.discovery_contract import until_state
from tests.doubles import up
from tests.message.journal.journal_contract import messages, sent
from tests.stack.kafka.places import kafka_journal_at, kafka_place
from tests.stack.redis.places import opened, place, presence_at, url_of
from tests.stack.servers import Own, needs, own_kafka, own_redis
from tests.stalls import Span
from wsmsg.dependency.state import Dependency, State
from wsmsg.errors import Unavailable
from wsmsg.message.journal.kafka.journal import KafkaJournal
from wsmsg.message.presence.redis import RedisPresence

#: An alias with a type, which mypy cannot see in a module.
REACTOR: Any = reactor
#: Within this time a server that hangs is reported, and one that goes on is up.
_TOLD_S = 2.0
_PAUSE_S = 1.0


class HangCase(TestCase):
    """
    Base class of both servers.
    """

    timeout = 300

    async def hangs(self, own: Own[Any], dependency: Dependency) -> None:
        """
        Suspend the server until it is reported, then let it go on until it is up.
        """
        span = Span()
        own.suspend()
        self.addCleanup(own.resume)
        await until_state(dependency, State.CONNECTING)
        span.check(_TOLD_S)
        self.assertIn("within 1.25 s", dependency.snapshot().last_error)
        await deferLater(REACTOR, _PAUSE_S)
        span = Span()
        own.resume()
        await until_state(dependency, State.UP)
        span.check(_TOLD_S)

    async def pauses(self, own: Own[Any], dependency: Dependency) -> None:
        """
        Suspend the server for a moment.
        """
        for _ in range(3):
            span = Span()
            own.suspend()
            await deferLater(REACTOR, _PAUSE_S)
            own.resume()
            if span.now()[0] < _PAUSE_S + 0.1:  # else the machine paused as well
                self.assertEqual(dependency.snapshot().losses, 0)
            await deferLater(REACTOR, _PAUSE_S)

    def again_and_again(self, do: Callable[[], Deferred[Any]]) -> None:
        """
        Make a call fifty times a second to the end of the test, and ignore refusals.
        """

        def once() -> None:
            do().addErrback(lambda failure: failure.trap(Unavailable))

        loop = LoopingCall(once)
        loop.start(0.02)
        self.addCleanup(loop.stop)


@needs("kafka")
class KafkaHangTests(HangCase):
    """
    Suspension of the broker.
    """

    async def opened(self) -> tuple[Own[Any], KafkaJournal]:
        own = await own_kafka(self)
        journal = kafka_journal_at(kafka_place(own.address, partitions=1))
        self.addCleanup(journal.stop)
        await up(journal)
        return own, journal

    async def test_idle(self) -> None:
        """
        A broker that hangs while nothing is sent is reported within two seconds, and
        takes records on the same connections as soon as it goes on.
        """
        own, journal = await self.opened()
        await self.hangs(own, journal.dependency)
        self.assertEqual(journal.dependency.snapshot().attempts, 0)
        await journal.append([sent(1)])
        self.assertEqual(messages(await journal.read(9)), [sent(1)])

    async def test_busy(self) -> None:
        """
        The same holds under traffic, and what is sent meanwhile is refused.
        """
        own, journal = await self.opened()
        self.again_and_again(lambda: journal.append([sent(1)]))
        await self.hangs(own, journal.dependency)

    async def test_pause(self) -> None:
        """
        A broker that pauses for a second is not reported.
        """
        own, journal = await self.opened()
        await self.pauses(own, journal.dependency)
        self.again_and_again(lambda: journal.append([sent(1)]))
        await self.pauses(own, journal.dependency)


@needs("redis")
class RedisHangTests(HangCase):
    """
    Suspension of the server.
    """

    async def opened(self) -> tuple[Own[Any], RedisPresence]:
        own = await own_redis(self)
        return own, await opened(self, presence_at(place(url_of(own))))

    async def test_idle(self) -> None:
        """
        A Redis that hangs while nothing is written is reported within two seconds, and
        is up again soon after it goes on.
        """
        own, presence = await self.opened()
        await self.hangs(own, presence.dependency)

    async def test_busy(self) -> None:
        """
        The same holds while presence changes.
        """
        own, presence = await self.opened()
        self.again_and_again(lambda: presence.change("a", [7], []))
        await self.hangs(own, presence.dependency)

    async def test_pause(self) -> None:
        """
        A Redis that pauses for a second is not reported.
        """
        own, presence = await self.opened()
        await self.pauses(own, presence.dependency)
        self.again_and_again(lambda: presence.change("a", [7], []))
        await self.pauses(own, presence.dependency)
