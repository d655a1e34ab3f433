"""
Sends that have no answer yet: their streams, their order, and their time limit.

Each conversation has a I{route}: the stream that its sends go to, for as long as the
stream is up, so that the sends of one sender keep their order.  When a stream is lost,
its unanswered sends go to other streams in the original order, before any new send.
While no stream is up, sends wait here, bounded in number, until one is or until they
are too old.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from wsmsg.connect.upstream.interface import NewSend, OnAnswer, SendAnswer, SendKey
from wsmsg.connect.upstream.send_route import (
    PendingSend,
    SendStream,
    StickyRoute,
    mark_written,
)
from wsmsg.flow.idle import IdleWaiters
from wsmsg.flow.send_fence import BEHIND, SendFences
from wsmsg.monitoring.measures.histogram import Histogram

#: The most routes without unanswered sends that are kept, so that a conversation stays
#: on its stream.
_IDLE_ROUTES = 50_000


class PendingSends:
    """
    All sends that have no answer, oldest first.

    @ivar clock: the clock of L{send}; callers of other methods pass the time.
    @ivar limit: the most sends; further ones are rejected as C{overloaded}.
    @ivar fences: the order of what a session repeats to a conversation.
    @ivar streams: the streams that take new conversations.
    @ivar answers: the durations from L{send} until a Message accepted.
    @ivar closed: whether new sends are rejected because the node is stopping.
    @param retry_after_ms: the hint that goes with a rejection.
    """

    _log = Logger()

    def __init__(
        self, limit: int, clock: IReactorTime, *, retry_after_ms: int = 1000
    ) -> None:
        self.clock = clock
        self.limit = limit
        self.streams: list[SendStream] = []
        self.closed = False
        self.sent = self.accepted = self.rejected = 0
        self.expired = self.overloaded = self.moved = 0
        self.answers = Histogram()
        self._retry_after_ms = retry_after_ms
        self._numbers = count(1)
        self._pending: dict[int, PendingSend] = {}
        self._routes: dict[str, StickyRoute] = {}
        self._forget_routes_at = _IDLE_ROUTES
        self._idle = IdleWaiters()
        self.fences: SendFences[SendKey] = SendFences()

    def __len__(self) -> int:
        return len(self._pending)

    def set_limit(self, limit: int) -> None:
        """
        Keep at most this many sends from now on.
        """
        self.limit = limit

    def unanswered(self, key: SendKey) -> Sequence[str]:
        """
        Return the client ids that have no answer yet, oldest first.
        """
        route = self._routes.get(key[0])
        sends = () if route is None else route.unanswered.values()
        return [s.new.client_id for s in sends if s.new.key == key]

    def close(self) -> None:
        """
        Reject new sends, because the node is stopping.
        """
        self.closed = True

    def send(self, new: NewSend, on_answer: OnAnswer) -> None:
        """
        Enqueue a send on its stream, or keep it until a stream is up.
        """
        now_s = self.clock.seconds()
        if self.fences.standing and self._is_fenced(new, on_answer, now_s):
            return
        if self.closed:
            self._reject(new, on_answer, now_s, "unavailable", "this node is stopping")
            return
        if len(self._pending) >= self.limit:
            self.overloaded += 1
            reason = "too many sends wait for an answer"
            self._reject(new, on_answer, now_s, "overloaded", reason)
            return
        route = self._route(new.conversation)
        send = PendingSend(next(self._numbers), new, on_answer, route, now_s)
        self._pending[send.number] = send
        self.sent += 1
        route.add(send)

    def answer(
        self, stream: SendStream, number: int, answer: SendAnswer, now_s: float
    ) -> None:
        """
        Pass on the answer of a stream to a send.  An answer is ignored when the send
        was answered already, or has moved to another stream.
        """
        send = self._pending.get(number)
        if send is None or send.route.stream is not stream:
            return
        if answer.time_ms:
            self.accepted += 1
            self.answers.observe(now_s - send.since_s)
        else:
            self.rejected += 1
        if answer.retry_after_ms:
            # This Message rejects later sends as well; another one would not.
            self._raise_fence(send.new, now_s, answer.retry_after_ms)
            if send.is_uncertain:
                answer = attrs.evolve(answer, uncertain=True)
        elif self.fences.standing:
            self.fences.forget(send.new.key, send.new.client_id)
        del self._pending[number]
        self._finish(send, answer)
        if self._idle.waiters and not self._pending:
            self._idle.fire()

    def expire(self, before_s: float, now_s: float) -> None:
        """
        Reject all sends made at C{before_s} or earlier, and later ones of the same
        sessions to the same conversations: none of them may overtake.
        """
        first = next(iter(self._pending.values()), None)
        if first is None or first.since_s > before_s:
            return
        old: list[PendingSend] = []
        late: set[SendKey] = set()
        for send in self._pending.values():
            if send.since_s <= before_s or send.new.key in late:
                late.add(send.new.key)
                old.append(send)
        self._give_up(old, now_s, "no answer from Message in time")

    def give_up(self, now_s: float, reason: str) -> None:
        """
        Reject all sends that still wait.
        """
        self._give_up(list(self._pending.values()), now_s, reason)

    def stream_up(self, stream: SendStream, now_s: float) -> None:
        """
        Use a stream for new conversations, and for the sends that wait for a stream.
        """
        self.streams.append(stream)
        waiting = [s for s in self._pending.values() if s.route.stream is None]
        self._assign(waiting, now_s)

    def stop_using(self, stream: SendStream) -> None:
        """
        Use a stream for no new conversation; what it has stays with it.
        """
        if stream in self.streams:
            self.streams.remove(stream)
        self._forget_routes(stream)

    def stream_lost(self, stream: SendStream, now_s: float) -> None:
        """
        Move the unanswered sends of a lost stream to other streams.
        """
        self.stop_using(stream)
        moving = [s for s in self._pending.values() if s.route.stream is stream]
        mark_written(moving)
        for send in moving:
            send.route.use(None)
        self.moved += len(moving)
        self._assign(moving, now_s)

    def when_idle(self) -> Deferred[None]:
        """
        @return: a Deferred that fires when no send is unanswered.
        """
        return self._idle.wait(not self._pending)

    def _route(self, conversation: str) -> StickyRoute:
        route = self._routes.get(conversation)
        if route is None:
            if len(self._routes) >= self._forget_routes_at:
                self._forget_routes(None)
                self._forget_routes_at = max(_IDLE_ROUTES, 2 * len(self._routes))
            route = self._routes[conversation] = StickyRoute(self._choose())
        elif route.stream is None:
            route.use(self._choose())
        return route

    def _choose(self) -> SendStream | None:
        streams = self.streams
        if len(streams) == 1:
            return streams[0]
        return min(streams, key=lambda c: c.unanswered, default=None)

    def _assign(self, sends: Sequence[PendingSend], now_s: float) -> None:
        if not self.streams:
            return
        behind: list[tuple[PendingSend, int]] = []
        for send in sends:
            if self.fences.standing:
                new = send.new
                hint_ms = self.fences.hint_ms(new.key, new.client_id, now_s)
                if hint_ms:
                    behind.append((send, hint_ms))
                    continue
            route = send.route
            if route.stream is None:
                route.use(self._choose())
            assert route.stream is not None
            route.stream.enqueue(send)
        if behind:
            self._reject_behind(behind)

    def _reject_behind(self, behind: list[tuple[PendingSend, int]]) -> None:
        """
        Reject sends that follow one which their lost stream had rejected, as it would
        have rejected them.  Called after all else, because a session may make a send
        when it gets the answer.
        """
        for send, _ in behind:
            del self._pending[send.number]
            send.finish_unsent()
        self.rejected += len(behind)
        for send, hint_ms in behind:
            self._call(send.on_answer, _behind(hint_ms, uncertain=send.is_uncertain))
        if not self._pending:
            self._idle.fire()

    def _forget_routes(self, stream: SendStream | None) -> None:
        # A route with unanswered sends stays, because it keeps them on one stream.
        self._routes = {
            conversation: route
            for conversation, route in self._routes.items()
            if route.unanswered or (stream is not None and route.stream is not stream)
        }

    def _give_up(self, sends: list[PendingSend], now_s: float, reason: str) -> None:
        mark_written(sends)
        for send in sends:
            self._raise_fence(send.new, now_s, self._retry_after_ms)
        for send in sends:
            del self._pending[send.number]
        self.expired += len(sends)
        for send in sends:
            answer = SendAnswer(
                code="unavailable",
                reason=reason,
                retry_after_ms=self._retry_after_ms,
                uncertain=send.is_uncertain,
            )
            self._finish(send, answer)
        if not self._pending:
            self._idle.fire()

    def _finish(self, send: PendingSend, answer: SendAnswer) -> None:
        send.finish()
        self._call(send.on_answer, answer)

    def _reject(
        self, new: NewSend, on_answer: OnAnswer, now_s: float, code: str, reason: str
    ) -> None:
        self._raise_fence(new, now_s, self._retry_after_ms)
        answer = SendAnswer(
            code=code,
            reason=reason,
            retry_after_ms=self._retry_after_ms,
            uncertain=new.repeat,
        )
        self._call(on_answer, answer)

    def _raise_fence(self, new: NewSend, now_s: float, hint_ms: int) -> None:
        self.fences.refuse(new.key, new.client_id, now_s, hint_ms, self.unanswered)

    def _is_fenced(self, new: NewSend, on_answer: OnAnswer, now_s: float) -> bool:
        hint_ms = self.fences.hint_ms(new.key, new.client_id, now_s)
        if hint_ms:
            self._call(on_answer, _behind(hint_ms, uncertain=new.repeat))
        return bool(hint_ms)

    def _call(self, on_answer: OnAnswer, answer: SendAnswer) -> None:
        try:
            on_answer(answer)
        except Exception:  # noqa: BLE001 - a guard
            self._log.failure("passing on the answer to a send failed")


def _behind(hint_ms: int, *, uncertain: bool) -> SendAnswer:
    return SendAnswer(
        code="unavailable", reason=BEHIND, retry_after_ms=hint_ms, uncertain=uncertain
    )
