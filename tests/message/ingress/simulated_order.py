"""
One sender, one Connect and one Message in a simulated time, drawn from a seed: the
store and the journal are slow and fail at times, and Connect gives up sends whose
copies still arrive at Message.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from random import Random
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from tests.message.doubles import ManualJournal, MemoryStore, rules_by
from tests.message.store.group_contract import CREW
from wsmsg.connect.upstream.interface import NewSend, SendAnswer
from wsmsg.connect.upstream.pending_sends import PendingSends
from wsmsg.connect.upstream.send_route import PendingSend
from wsmsg.errors import Unavailable, WsmsgError
from wsmsg.events.group_change import GroupChange
from wsmsg.message.cluster.message_ids import EPOCH_MS, MessageIds
from wsmsg.message.ingress.ingress import Ingress
from wsmsg.message.ingress.interface import Answer, SendRequest
from wsmsg.message.log.appends import Appends
from wsmsg.model import TEXT, Message, MessageIdentity

#: The time until the faults end.
FAULTS_S = 20.0

_SENDER = 1
_GIVE_UP_S = 2.0


class SlowStore(MemoryStore):
    """
    A store that answers after a while, or fails then.
    """

    def __init__(self, clock: Clock, random: Random, slow_s: float) -> None:
        super().__init__()
        self._clock, self._random, self._slow_s = clock, random, slow_s

    def _later(self, ask: Callable[[], Deferred[Any]]) -> Deferred[Any]:
        done: Deferred[Any] = Deferred()
        faults = self._clock.seconds() < FAULTS_S
        wait_s = self._random.uniform(0.01, self._slow_s if faults else 0.05)
        fails = faults and self._random.random() < 0.3

        def answer() -> None:
            if fails:
                done.errback(Unavailable("the store failed"))
            else:
                ask().chainDeferred(done)

        self._clock.callLater(wait_s, answer)
        return done

    def readable_from(self, keys: Sequence[tuple[str, int]]) -> Deferred[Any]:
        return self._later(lambda: super(SlowStore, self).readable_from(keys))

    def find(self, identities: Iterable[MessageIdentity]) -> Deferred[Any]:
        some = list(identities)
        return self._later(lambda: super(SlowStore, self).find(some))


class SlowJournal(ManualJournal):
    """
    A journal that appends in order, one batch after the other, and at times fails with
    all that it was given.

    @ivar records: the client ids, in the order of their records.
    """

    def __init__(self, clock: Clock, random: Random, store: SlowStore) -> None:
        super().__init__()
        self.records: list[str] = []
        self._clock, self._random, self._store = clock, random, store

    def append(self, messages: Sequence[Message]) -> Deferred[None]:
        done = super().append(messages)
        if len(self.appends) == 1:
            self._next()
        return done

    def _next(self) -> None:
        faults = self._clock.seconds() < FAULTS_S
        wait_s = self._random.uniform(0.001, 0.7 if faults else 0.05)
        fails = faults and self._random.random() < 0.1
        self._clock.callLater(wait_s, self._end, fails)

    def _end(self, fails: bool) -> None:
        n = len(self.appends) if fails else 1
        ended, self.appends = self.appends[:n], self.appends[n:]
        if self.appends:
            self._next()
        for messages, done in ended:
            if fails:
                done.errback(Unavailable("the broker failed").may_be_done())
                continue
            self.records += [m.client_id for m in messages]
            for message in messages:
                wait_s = self._random.uniform(0.05, 3)
                self._clock.callLater(wait_s, self._deliver, message)
            done.callback(None)

    def _deliver(self, message: Message) -> None:
        self._store.messages.setdefault(message.identity, message)


class Line:
    """
    A direction of the stream, which keeps the order of what it carries.
    """

    def __init__(self, clock: Clock, random: Random) -> None:
        self._clock, self._random = clock, random
        self._free_s = 0.0

    def carry(self, arrive: Callable[[], object]) -> None:
        longest_s = self._random.choice((0.01, 0.01, 0.4))
        now_s = self._clock.seconds()
        arrive_s = now_s + self._random.uniform(0.001, longest_s)
        self._free_s = max(self._free_s + 1e-6, arrive_s)
        self._clock.callLater(self._free_s - now_s, arrive)


class Simulation:
    """
    A client sends a message now and then to a group, as L{wsmsg.prove.clients.raw}
    does, until the faults have ended and all of them are accepted.

    @ivar sent: the client ids, in the order in which they were sent.
    @ivar unanswered: those that are not accepted.
    @ivar journal: the journal, with its records.
    """

    def __init__(self, seed: int) -> None:
        self.random = random = Random(seed)
        self.clock = clock = Clock()
        store = SlowStore(clock, random, random.choice((0.1, 0.7, 1.5, 4.0)))
        store.start()
        crew = GroupChange(True, "crew", add=(_SENDER, 2))
        store.groups[CREW] = (crew, 1, {_SENDER: 1, 2: 1})
        self.journal = SlowJournal(clock, random, store)
        self.ingress = Ingress(
            Appends(self.journal, store, clock),
            store,
            MessageIds(self._now_ms),
            self._now_ms,
            rules=rules_by(store, self._now_ms),
            limit=random.choice((3, 100)),
            content_bytes=100,
            seconds=clock.seconds,
        )
        self.unanswered: int = 0
        self.sent: list[str] = []
        self.waiting: dict[str, None] = {}
        self._pending = PendingSends(1000, clock)
        self._pending.stream_up(self, 0.0)
        self._there, self._back = Line(clock, random), Line(clock, random)
        self._again: set[str] = set()
        self._repeats: set[str] = set()

    def _now_ms(self) -> int:
        return EPOCH_MS + int(self.clock.seconds() * 1000)

    # -- the client

    def run(self) -> None:
        """
        Let the client send, and wait until all that it sent is accepted.
        """
        next_s = expire_s = 0.0
        while self.waiting or self.clock.seconds() < FAULTS_S:
            now_s = self.clock.seconds()
            if now_s >= next_s and now_s < FAULTS_S:
                self._submit()
                next_s = now_s + self.random.choice((0.0, 0.3, 1.0))
            if now_s >= expire_s:
                self._pending.expire(now_s - _GIVE_UP_S, now_s)
                expire_s = now_s + 0.25
            if now_s > FAULTS_S + 60:
                raise AssertionError(f"not accepted: {list(self.waiting)}")
            self.clock.advance(0.01)

    def _submit(self) -> None:
        client_id = str(len(self.sent) + 1)
        self.sent.append(client_id)
        self.waiting[client_id] = None
        if self._again:
            self._again.add(client_id)
        else:
            self._send(client_id)

    def _send(self, client_id: str) -> None:
        repeat = client_id in self._repeats
        new = NewSend(_SENDER, client_id, CREW, "hi", TEXT, 1, repeat=repeat)
        self._pending.send(new, lambda answer: self._answered(client_id, answer))

    def _answered(self, client_id: str, answer: SendAnswer) -> None:
        if answer.time_ms:
            self.waiting.pop(client_id, None)
            self._repeats.discard(client_id)
            return
        if answer.uncertain:
            self._repeats.add(client_id)
        if not self._again:
            self.clock.callLater(answer.retry_after_ms / 1000, self._send_again)
        self._again.add(client_id)

    def _send_again(self) -> None:
        again, self._again = self._again, set()
        for client_id in [i for i in self.waiting if i in again]:
            self._send(client_id)

    # -- the stream of Connect

    def unwritten(self) -> Collection[PendingSend]:
        return ()

    def enqueue(self, send: PendingSend) -> None:
        self.unanswered += 1
        new = send.new
        request = SendRequest(
            send.number,
            new.sender,
            new.client_id,
            new.conversation,
            new.content,
            new.kind,
            repeat=new.repeat or send.tried,
        )
        self._there.carry(lambda: self.ingress.accept([request], self._reply))

    def send_finished(self) -> None:
        self.unanswered -= 1

    def _reply(self, answers: Sequence[Answer]) -> None:
        self._back.carry(lambda: self._take(answers))

    def _take(self, answers: Sequence[Answer]) -> None:
        for request, answer in answers:
            now_s = self.clock.seconds()
            self._pending.answer(self, request.ref, _answer_of(answer), now_s)


def _answer_of(answer: int | WsmsgError) -> SendAnswer:
    if isinstance(answer, int):
        return SendAnswer(answer)
    return SendAnswer(
        0, answer.code, answer.reason, answer.retry_after_ms, answer.uncertain
    )
