"""
Sends that have no answer yet: which stream has them, in what order, how long still.

Each conversation has a I{route}: the stream that its sends go to, for as long as the
stream lives, so that the sends of one sender keep their order.  When a stream is
lost, what it had not answered goes to others in the original order, before anything
new.  With no stream up the sends stay here, bounded, until one is or until they are
too old.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from typing import Protocol

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from wsmsg.connect.upstream.interface import NewSend, OnAnswer, SendAnswer
from wsmsg.flow.idle import IdleWaiters
from wsmsg.flow.send_fence import SendFences

#: Routes without unanswered sends that are remembered, so that a conversation stays
#: with its stream.
_IDLE_ROUTES = 50_000


class SendStream(Protocol):
    """
    A stream, as its sends see it.

    @ivar unanswered: how many sends it has; kept by L{PendingSends}.
    """

    unanswered: int

    def enqueue(self, send: PendingSend) -> None:
        """
        Write it, after those it was given before.
        """


class StickyRoute:
    """
    The way of one conversation.

    @ivar stream: L{None} while no stream is up.
    @ivar unanswered: how many of its sends have no answer.
    """

    __slots__ = ("stream", "unanswered")

    def __init__(self, stream: SendStream | None) -> None:
        self.stream = stream
        self.unanswered = 0


class PendingSend:
    """
    A send that has no answer yet.

    @ivar number: unique in this life of Connect, so that an answer from an earlier
        stream cannot be taken for another send's.
    @ivar since_s: when it came.
    """

    __slots__ = ("answered", "new", "number", "on_answer", "route", "since_s")

    def __init__(
        self,
        number: int,
        new: NewSend,
        on_answer: OnAnswer,
        route: StickyRoute,
        since_s: float,
    ) -> None:
        self.number = number
        self.new = new
        self.on_answer = on_answer
        self.route = route
        self.since_s = since_s
        self.answered = False


class PendingSends:
    """
    All sends that have no answer, oldest first.

    @ivar limit: the most of them; more are refused as C{overloaded}.
    @ivar streams: the streams that are up.
    @ivar closed: nothing new is taken.
    @param retry_after_ms: the hint to who is refused.
    """

    _log = Logger()

    def __init__(self, limit: int, *, retry_after_ms: int = 1000) -> None:
        self.limit = limit
        self.streams: list[SendStream] = []
        self.closed = False
        self.sent = self.accepted = self.rejected = 0
        self.expired = self.overloaded = self.moved = 0
        self._retry_after_ms = retry_after_ms
        self._numbers = count(1)
        self._pending: dict[int, PendingSend] = {}
        self._routes: dict[str, StickyRoute] = {}
        self._forget_routes_at = _IDLE_ROUTES
        self._idle = IdleWaiters()
        self._fences: SendFences[tuple[str, int]] = SendFences()

    def __len__(self) -> int:
        return len(self._pending)

    def send(self, new: NewSend, on_answer: OnAnswer, now_s: float) -> None:
        """
        Give a send to its stream, or keep it until there is one.
        """
        if self._fences and self._fence(new, on_answer, now_s):
            return
        if self.closed:
            self._refuse(new, on_answer, now_s, "unavailable", "this node is stopping")
            return
        if len(self._pending) >= self.limit:
            self.overloaded += 1
            reason = "too many sends wait for an answer"
            self._refuse(new, on_answer, now_s, "overloaded", reason)
            return
        route = self._route(new.conversation)
        send = PendingSend(next(self._numbers), new, on_answer, route, now_s)
        self._pending[send.number] = send
        route.unanswered += 1
        self.sent += 1
        if route.stream is not None:
            route.stream.unanswered += 1
            route.stream.enqueue(send)

    def answer(
        self, stream: SendStream, number: int, answer: SendAnswer, now_s: float
    ) -> None:
        """
        A stream has the answer to a send.  One that was answered already, or has
        gone to another stream, is left alone.
        """
        send = self._pending.get(number)
        if send is None or send.route.stream is not stream:
            return
        if answer.time_ms:
            self.accepted += 1
        else:
            self.rejected += 1
            if answer.retry_after_ms:
                # Message refuses what is behind it; another Message would not.
                key = (send.new.conversation, send.new.sender)
                self._fences.raise_for(key, now_s, answer.retry_after_ms)
        del self._pending[number]
        self._finish(send, answer)
        if not self._pending:
            self._idle.fire()

    def expire(self, before_s: float, now_s: float) -> None:
        """
        Answer all that came at C{before_s} or earlier, and what the same senders
        said after it in the same conversations: none of it may overtake.
        """
        first = next(iter(self._pending.values()), None)
        if first is None or first.since_s > before_s:
            return
        old: list[PendingSend] = []
        late: set[tuple[str, int]] = set()
        for send in self._pending.values():
            key = (send.new.conversation, send.new.sender)
            if send.since_s <= before_s or key in late:
                late.add(key)
                old.append(send)
        self._give_up(old, now_s, "no answer from Message in time")

    def give_up(self, now_s: float, reason: str) -> None:
        """
        Answer everything that still waits.
        """
        self._give_up(list(self._pending.values()), now_s, reason)

    def stream_up(self, stream: SendStream, now_s: float) -> None:
        """
        A stream is up, or is wanted again: what waits for one is given to it.
        """
        self.streams.append(stream)
        waiting = [s for s in self._pending.values() if s.route.stream is None]
        self._assign(waiting, now_s)

    def stop_using(self, stream: SendStream) -> None:
        """
        Choose this stream for nothing new.
        """
        if stream in self.streams:
            self.streams.remove(stream)
        self._forget_routes(stream)

    def lost(self, stream: SendStream, now_s: float) -> None:
        """
        A stream is gone: what it did not answer goes to others.
        """
        self.stop_using(stream)
        moving = [s for s in self._pending.values() if s.route.stream is stream]
        for send in moving:
            send.route.stream = None
        self.moved += len(moving)
        self._assign(moving, now_s)

    def when_idle(self) -> Deferred[None]:
        """
        @return: a Deferred that fires when nothing is unanswered.
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
            route.stream = self._choose()
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
            if self._fences:
                key = (send.new.conversation, send.new.sender)
                hint_ms = self._fences.remaining_ms(key, now_s)
                if hint_ms:
                    behind.append((send, hint_ms))
                    continue
            route = send.route
            if route.stream is None:
                route.stream = self._choose()
            assert route.stream is not None
            route.stream.unanswered += 1
            route.stream.enqueue(send)
        if behind:
            self._turn_back(behind)

    def _turn_back(self, behind: list[tuple[PendingSend, int]]) -> None:
        """
        Refuse sends that are behind one which a stream has refused, and would have
        refused as well.  Last of all: who is told may send something.
        """
        for send, _ in behind:
            del self._pending[send.number]
            send.answered = True
            send.route.unanswered -= 1
        self.rejected += len(behind)
        for send, hint_ms in behind:
            self._tell(send.on_answer, _behind(hint_ms))
        if not self._pending:
            self._idle.fire()

    def _forget_routes(self, stream: SendStream | None) -> None:
        # Those with unanswered sends stay: they hold these sends together.
        self._routes = {
            conversation: route
            for conversation, route in self._routes.items()
            if route.unanswered or (stream is not None and route.stream is not stream)
        }

    def _give_up(self, sends: list[PendingSend], now_s: float, reason: str) -> None:
        for send in sends:
            del self._pending[send.number]
            self._turn_away(send.new, now_s)
        self.expired += len(sends)
        answer = SendAnswer(
            code="unavailable", reason=reason, retry_after_ms=self._retry_after_ms
        )
        for send in sends:
            self._finish(send, answer)
        if not self._pending:
            self._idle.fire()

    def _finish(self, send: PendingSend, answer: SendAnswer) -> None:
        send.answered = True
        route = send.route
        route.unanswered -= 1
        if route.stream is not None:
            route.stream.unanswered -= 1
        self._tell(send.on_answer, answer)

    def _refuse(
        self, new: NewSend, on_answer: OnAnswer, now_s: float, code: str, reason: str
    ) -> None:
        self._turn_away(new, now_s)
        answer = SendAnswer(
            code=code, reason=reason, retry_after_ms=self._retry_after_ms
        )
        self._tell(on_answer, answer)

    def _turn_away(self, new: NewSend, now_s: float) -> None:
        key = (new.conversation, new.sender)
        self._fences.raise_for(key, now_s, self._retry_after_ms)

    def _fence(self, new: NewSend, on_answer: OnAnswer, now_s: float) -> bool:
        hint_ms = self._fences.remaining_ms((new.conversation, new.sender), now_s)
        if hint_ms:
            self._tell(on_answer, _behind(hint_ms))
        return bool(hint_ms)

    def _tell(self, on_answer: OnAnswer, answer: SendAnswer) -> None:
        try:
            on_answer(answer)
        except Exception:  # noqa: BLE001 - a guard
            self._log.failure("an answer to a send could not be taken")


def _behind(hint_ms: int) -> SendAnswer:
    reason = "an earlier send of this conversation comes first"
    return SendAnswer(code="unavailable", reason=reason, retry_after_ms=hint_ms)
