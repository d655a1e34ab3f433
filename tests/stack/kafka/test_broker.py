"""
Tests that acknowledged records survive while a broker is killed or hangs under load.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from tests.stack.kafka.places import REACTOR, kafka_place
from tests.stack.kafka.test_faults import KafkaCase
from tests.stack.servers import Own, own_kafka
from tests.stalls import History, Span
from tools.stack.kafka import Kafka
from wsmsg.dependency.state import Dependency
from wsmsg.errors import Unavailable
from wsmsg.message.journal.kafka.journal import KafkaJournal
from wsmsg.model import Message

_DELIVERY_S = 1.5
#: The library checks for expired deliveries once a second.
_LOOKS_S = 1.5
#: Seconds from the time that the broker serves again.
_BACK_S = 2.0
_AT_ONCE = 3
#: Several checks of the topics fail in that time.
_LONG_S = 12.0


def state_of(journal: KafkaJournal, *, up: bool) -> Deferred[None]:
    """
    Return a Deferred that fires when the journal is up, or down.
    """
    there: Deferred[None] = Deferred()

    def look(dependency: Dependency) -> None:
        if dependency.up is up and not there.called:
            there.callback(None)

    journal.dependency.on_change(look)
    look(journal.dependency)
    return there


@attrs.define
class Talk:
    """
    A conversation with messages sent without a pause, and the result of each.
    """

    sender: int
    journal: KafkaJournal
    said: int = 0
    accepted: list[str] = attrs.field(factory=list)
    turns: list[tuple[float, float]] = attrs.field(factory=list)
    over: bool = False
    _refusal: Deferred[None] | None = None

    def refusal(self) -> Deferred[None]:
        """
        Return a Deferred that fires when a message is refused from now on.
        """
        self._refusal = Deferred()
        return self._refusal

    async def go_on(self) -> None:
        """
        Send some messages at once, wait a little, and repeat until stopped.
        """
        while not self.over:
            began = time.monotonic()
            some = [self._next() for _ in range(_AT_ONCE)]
            waiting = [(m.client_id, self.journal.append([m])) for m in some]
            for client_id, appended in waiting:
                try:
                    await appended
                except Unavailable:
                    self._refused()
                    continue
                self.accepted.append(client_id)
            self.turns.append((began, time.monotonic()))
            await deferLater(REACTOR, 0.01)

    def _refused(self) -> None:
        refusal, self._refusal = self._refusal, None
        if refusal is not None:
            refusal.callback(None)

    def _next(self) -> Message:
        self.said += 1
        return Message(
            f"u:{self.sender}:99", self.sender, f"c{self.said}", self.said, "x", 1, 5
        )


class BrokerUnderLoadTests(KafkaCase):
    """
    Four conversations without a pause, read and settled at the same time.
    """

    timeout = 300

    async def loaded(self) -> None:
        """
        Start a broker, a journal on it, conversations, and their reader.
        """
        self.broker: Own[Kafka] = await own_kafka(self)
        self.history = History()
        self.addCleanup(self.history.end)
        place = kafka_place(
            self.broker.address, delivery_timeout_s=_DELIVERY_S, partitions=3
        )
        self.made = await self.opened(place)
        self.talks = [Talk(sender, self.made) for sender in range(1, 5)]
        self.going = [Deferred.fromCoroutine(talk.go_on()) for talk in self.talks]
        self.read: dict[int, list[str]] = {talk.sender: [] for talk in self.talks}
        self.places: dict[tuple[int, str], tuple[int, int]] = {}
        self.waiting: list[tuple[Callable[[], bool], Deferred[None]]] = []
        self.reading = Deferred.fromCoroutine(self.read_on())
        await self.more()

    async def read_on(self) -> None:
        """
        Read and settle until the journal is stopped.
        """
        while entries := await self.made.read(500):
            for e in entries:
                assert e.message is not None
                key = (e.message.sender, e.message.client_id)
                if key not in self.places:
                    self.read[key[0]].append(key[1])
                # A record may be read again, but it is in the log once.
                here = self.places.setdefault(key, (e.partition, e.offset))
                self.assertEqual(here, (e.partition, e.offset))
            self.made.commit({e.partition: e.offset + 1 for e in entries})
            for condition, reached in list(self.waiting):
                if condition():
                    self.waiting.remove((condition, reached))
                    reached.callback(None)

    def more(self) -> Deferred[None]:
        """
        Return a Deferred that fires when a hundred more messages of each conversation
        were read.
        """
        wanted = {sender: len(read) + 100 for sender, read in self.read.items()}
        reached: Deferred[None] = Deferred()
        self.waiting.append(
            (lambda: all(len(self.read[s]) >= n for s, n in wanted.items()), reached)
        )
        return reached

    async def ended(self) -> None:
        """
        End the conversations, and check that every accepted message was read in its
        order.
        """
        for talk in self.talks:
            talk.over = True
        for gone in self.going:
            await gone
        await self.made.append([Message("u:1:99", 1, "last", 1, "x", 1, 5)])
        self.talks[0].accepted.append("last")
        if not self.all_read():
            everything: Deferred[None] = Deferred()
            self.waiting.append((self.all_read, everything))
            await everything
        for talk in self.talks:
            accepted = frozenset(talk.accepted)
            in_log = [c for c in self.read[talk.sender] if c in accepted]
            self.assertEqual(in_log, talk.accepted)
            slowest = max(talk.turns, key=lambda turn: turn[1] - turn[0])
            self.history.check(*slowest, _DELIVERY_S + _LOOKS_S)
        await self.made.stop()
        await self.reading

    async def all_refused(self) -> None:
        """
        Check that every conversation is refused while the broker is away: what is on
        its way within the delivery timeout, and all else at once.
        """
        refusals = [talk.refusal() for talk in self.talks]
        for talk in self.talks:
            message = Message(f"u:{talk.sender}:99", talk.sender, "no", 1, "x", 1, 5)
            self.failureResultOf(self.made.append([message]), Unavailable)
        span = Span()
        for refusal in refusals:
            await refusal
        span.check(_DELIVERY_S + _LOOKS_S)

    def all_read(self) -> bool:
        """
        Tell whether every accepted message was read.
        """
        return all(
            (talk.sender, client_id) in self.places
            for talk in self.talks
            for client_id in talk.accepted
        )

    async def test_killed(self) -> None:
        """
        No acknowledged message is lost if a broker is killed twice, and the journal is
        up again soon after the broker serves.
        """
        await self.loaded()
        for _ in range(2):
            self.broker.kill()
            await state_of(self.made, up=False)
            await self.all_refused()
            await self.broker.start()
            back = Span()
            await state_of(self.made, up=True)
            back.check(_BACK_S)
            await self.more()
        await self.ended()

    async def test_suspended(self) -> None:
        """
        A broker that hangs is reported as lost, with the reason, and the journal is up
        soon after it resumes; no acknowledged message is lost.
        """
        await self.loaded()
        self.broker.suspend()
        self.addCleanup(self.broker.resume)
        await state_of(self.made, up=False)
        told = self.made.dependency.snapshot()
        self.assertIn("broker", told.last_error)
        await self.all_refused()
        self.broker.resume()
        await self.broker.start()  # runs already: until a client can write again
        back = Span()
        await state_of(self.made, up=True)
        back.check(_BACK_S)
        await self.more()
        await self.ended()

    async def test_suspended_for_long(self) -> None:
        """
        The journal is up soon after a broker resumes that hung for many attempts to
        reach it.
        """
        await self.loaded()
        self.broker.suspend()
        self.addCleanup(self.broker.resume)
        await state_of(self.made, up=False)
        await deferLater(REACTOR, _LONG_S)
        back = Span()
        self.broker.resume()
        await state_of(self.made, up=True)
        back.check(_BACK_S)
        await self.more()
        await self.ended()
