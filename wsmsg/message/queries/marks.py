"""
Read marks of single messages, on their way into the store.

::

    acknowledgements, HTTP, queries --mark--> Marks --places--> store --> Links.receipt
                         delivery --pushed------^
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import attrs
from twisted.internet.defer import Deferred, DeferredList, fail, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from wsmsg.errors import Internal, Overloaded, Unavailable, WsmsgError
from wsmsg.flow.batches import BatchLoop
from wsmsg.message.store.interface import IReadMarks
from wsmsg.model import INT64_MAX, Cursor, Mark, Message

_BATCH = 1000
# The most users in a batch whose messages have to be located in the store.
_LOOKUPS = 16
_LINGER_S = 0.01
# The store has messages to insert as well.
_MOST_REST_S = 0.5
# An early mark is tried so often, at this interval.
_SEARCHES = 5
_SEARCH_S = 1.0
_RETRY_MS = 500

#: A conversation and a seq.
Place = tuple[str, int]

#: A user, and the id of a message that the user has read.
_Key = tuple[int, int]


@attrs.define(eq=False)
class _Call:
    # The marks of one call of Marks.mark.
    user: int
    marks: Sequence[Mark]
    unplaced: bool
    answered: Deferred[list[bool]] = attrs.field(factory=Deferred)


class RecentMessages:
    """
    Maps the ids of the last messages to their places.

    There are two generations: when the younger one is full, it becomes the older one,
    and the older one is dropped.  So adding a message costs one entry of a dict, and
    dropping costs nothing.

    @param limit: the most messages that are kept; at least half as many are.
    """

    def __init__(self, limit: int) -> None:
        self._half = max(limit // 2, 1)
        self._young: dict[int, Place] = {}
        self._old: dict[int, Place] = {}

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def add(self, messages: Iterable[Message]) -> None:
        """
        Add messages.
        """
        young = self._young
        for m in messages:
            young[m.message_id] = (m.conversation, m.seq)
        if len(young) >= self._half:
            self._old, self._young = young, {}

    def get(self, message_id: int) -> Place | None:
        """
        Return the place of a message, if it is known.
        """
        return self._young.get(message_id) or self._old.get(message_id)


class Marks:
    """
    Stores marks in batches.

    A mark that has only a message id may arrive before the message is stored.  Such an
    I{early} mark is answered as unknown, kept for some seconds, and stored when its
    message is.

    @param receipt: called with each cursor that rose; L{Links.receipt}.
    @param limit: the most marks that wait; a call that exceeds it is refused.
    @param places: the most messages whose places are kept in memory.
    @param early: the most early marks.  Beyond it, the oldest are forgotten and
        counted.
    @ivar marked: the number of marks stored.
    @ivar unknown: the number of marks for messages that do not exist.
    @ivar forgotten: the number of early marks whose message never came.
    """

    _log = Logger()

    def __init__(
        self,
        store: IReadMarks,
        receipt: Callable[[Cursor], object],
        clock: IReactorTime,
        *,
        limit: int = 50_000,
        places: int = 100_000,
        early: int = 1000,
    ) -> None:
        self.marked = self.unknown = self.forgotten = 0
        self._store = store
        self._receipt = receipt
        self._clock = clock
        self._limit = limit
        self._places = RecentMessages(places)
        self._most_early = early
        self._early: dict[int, dict[int, int]] = {}
        self._n_early = 0
        self._waiting: deque[_Call] = deque()
        self._n_waiting = 0
        self._loop = BatchLoop(
            self._store_batch,
            lambda: bool(self._waiting),
            clock,
            linger_s=_LINGER_S,
            most_rest_s=_MOST_REST_S,
        )
        self._search: IDelayedCall | None = None

    def mark(self, user: int, marks: Sequence[Mark]) -> Deferred[list[bool]]:
        """
        Mark messages as read by a user.  A call may be repeated.

        @param marks: each has a conversation and a seq, or only a C{message_id}, which
            is cheap for messages that this Message has pushed recently.  The C{user}
            in the marks is ignored.
        @return: a Deferred that fires with one bool for each mark: whether there is
            such a message to the user, and the mark is stored.
        @raise Unavailable: (as failure) the store is down; only the caller may retry.
        @raise Overloaded: (as failure) too many marks wait.
        """
        if not marks:
            return succeed([])
        if self._n_waiting + len(marks) > self._limit:
            return fail(Overloaded("too many marks wait to be stored", _RETRY_MS))
        unplaced = any(self._place_of(m) is None for m in marks)
        return self._enqueue(_Call(user, marks, unplaced))

    def pushed(self, messages: Iterable[Message]) -> None:
        """
        Note messages that are stored and pushed, and store the early marks for them.
        """
        self._places.add(messages)
        if self._early:
            for m in messages:
                for user in self._early.get(m.message_id, ()):
                    mark = Mark(user, m.message_id, m.conversation, m.seq)
                    self._repeat(user, [mark])

    def idle(self) -> Deferred[None]:
        """
        @return: a Deferred that fires when no mark waits.
        """
        return self._loop.when_idle()

    def stop(self) -> None:
        """
        Forget the early marks.
        """
        self._early.clear()
        self._n_early = 0
        if self._search is not None:
            self._search.cancel()
            self._search = None

    # -- storing

    def _enqueue(self, call: _Call) -> Deferred[list[bool]]:
        self._waiting.append(call)
        self._n_waiting += len(call.marks)
        self._loop.wake()
        return call.answered

    def _next_batch(self) -> list[_Call]:
        batch: list[_Call] = []
        size = 0
        unplaced: set[int] = set()
        while self._waiting:
            call = self._waiting[0]
            size += len(call.marks)
            unplaced |= {call.user} if call.unplaced else set()
            if batch and (size > _BATCH or len(unplaced) > _LOOKUPS):
                break
            batch.append(self._waiting.popleft())
            self._n_waiting -= len(call.marks)
        return batch

    async def _store_batch(self) -> bool:
        batch = self._next_batch()
        try:
            answers, raised = await self._stored(batch)
        except WsmsgError as e:
            for call in batch:
                call.answered.errback(Failure(e))
            return True
        except Exception:  # noqa: BLE001 - a guard: each call waits for its answer
            self._log.failure("storing marks")
            for call in batch:
                call.answered.errback(Failure(Internal("marks could not be stored")))
            return True
        for cursor in raised:
            self._receipt(cursor)
        for call, known in zip(batch, answers, strict=True):
            self._count(call, known)
            call.answered.callback(known)
        return True

    async def _stored(
        self, batch: Sequence[_Call]
    ) -> tuple[list[list[bool]], Sequence[Cursor]]:
        found = await self._located(batch)
        marks: list[Mark] = []
        for call in batch:
            for m in call.marks:
                key = (call.user, m.message_id)
                place = self._place_of(m) or found.get(key, ("", 0))
                marks.append(Mark(call.user, m.message_id, *place))
        stored = await self._store.mark(marks)
        known = iter(stored.known)
        return [[next(known) for _ in call.marks] for call in batch], stored.raised

    async def _located(self, batch: Sequence[_Call]) -> dict[_Key, Place]:
        wanted: dict[int, dict[int, None]] = {}
        for call in batch:
            if call.unplaced:
                for m in call.marks:
                    if 0 < m.message_id <= INT64_MAX and self._place_of(m) is None:
                        wanted.setdefault(call.user, {})[m.message_id] = None
        asking: list[Deferred[Any]] = [
            self._store.located(user, list(ids)) for user, ids in wanted.items()
        ]
        found: dict[_Key, Place] = {}
        answers = await DeferredList(asking, consumeErrors=True)
        for user, (good, answer) in zip(wanted, answers, strict=True):
            if not good:
                answer.raiseException()
            found.update(((user, i), place) for i, place in answer.items())
        return found

    def _place_of(self, mark: Mark) -> Place | None:
        if mark.conversation and mark.seq:
            return mark.conversation, mark.seq
        return self._places.get(mark.message_id)

    # -- early marks

    def _count(self, call: _Call, known: Sequence[bool]) -> None:
        for mark, stored in zip(call.marks, known, strict=True):
            self.marked += stored
            self.unknown += not stored
            if stored:
                self._forget(call.user, mark.message_id)
            elif not mark.conversation and 0 < mark.message_id <= INT64_MAX:
                self._remember(call.user, mark.message_id)

    def _remember(self, user: int, message_id: int) -> None:
        users = self._early.setdefault(message_id, {})
        if user in users:
            return
        users[user] = _SEARCHES
        self._n_early += 1
        if self._n_early > self._most_early:
            oldest = next(iter(self._early))
            self._forget(next(iter(self._early[oldest])), oldest)
            self.forgotten += 1
        if self._search is None:
            self._search = self._clock.callLater(_SEARCH_S, self._retry_early)

    def _forget(self, user: int, message_id: int) -> None:
        users = self._early.get(message_id, {})
        if user in users:
            del users[user]
            self._n_early -= 1
            if not users:
                del self._early[message_id]

    def _retry_early(self) -> None:
        self._search = None
        by_user: dict[int, list[Mark]] = {}
        for message_id, users in list(self._early.items()):
            for user in list(users):
                if not users[user]:
                    self._forget(user, message_id)
                    self.forgotten += 1
                    continue
                users[user] -= 1
                by_user.setdefault(user, []).append(Mark(user, message_id))
        for user, marks in by_user.items():
            with self._log.failuresHandled("repeating early marks"):
                self._repeat(user, marks)
        if self._early:
            self._search = self._clock.callLater(_SEARCH_S, self._retry_early)

    def _repeat(self, user: int, marks: Sequence[Mark]) -> None:
        # Marks that fail stay among the early ones.
        again = self.mark(user, marks)
        again.addErrback(lambda failure: failure.trap(Unavailable, Overloaded))
        again.addErrback(
            lambda failure: self._log.failure("storing early marks", failure)
        )
