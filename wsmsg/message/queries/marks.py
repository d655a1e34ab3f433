"""
What users have seen, message by message: gathered, stored in batches, told to others.

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
from wsmsg.message.queries.recent import Place, RecentMessages
from wsmsg.message.store.interface import IReadMarks
from wsmsg.model import INT64_MAX, Cursor, Mark, Message

_BATCH = 1000
# The most users of a batch whose messages have to be looked for.
_LOOKUPS = 16
_LINGER_S = 0.01
# The store has messages to insert as well.
_MOST_REST_S = 0.5
# What is not known yet is looked for so often, so far apart.
_SEARCHES = 5
_SEARCH_S = 1.0
_RETRY_MS = 500

#: A user and the id of a message that the user has seen.
_Key = tuple[int, int]


@attrs.define(eq=False)
class _Asked:
    user: int
    marks: Sequence[Mark]
    answered: Deferred[list[bool]] = attrs.field(factory=Deferred)
    unplaced: bool = False


class Marks:
    """
    They wait a moment for company, and what comes while one batch is being stored makes
    the next.

    An acknowledgement by an id alone may overtake the storing of its message.  It is
    answered as not known, remembered for some seconds, and stored when the message is.

    @param receipt: told of each cursor that rose; L{Links.receipt}.
    @param limit: marks that may wait; with more, all of a call are refused.
    @param places: the most messages whose places are remembered.
    @param early: the most acknowledgements that are remembered for messages that are
        not there yet; of more the oldest are forgotten and counted.
    @ivar marked: how many were stored.
    @ivar unknown: how many were for nothing that is known.
    @ivar forgotten: how many were remembered in vain.
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
        self._waiting: deque[_Asked] = deque()
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
        A user has seen these messages.  May be repeated.

        @param marks: by conversation and number, or by C{message_id} alone, which is
            cheap for what was pushed here lately.  The C{user} in them does not count.
        @return: a Deferred that fires with a list of bool, one a mark: whether there is
            such a message to the user and it is stored that it was seen.
        @raise Unavailable: (as failure) the store is not there; nobody tries again but
            who asked.
        @raise Overloaded: (as failure) too many wait.
        """
        if not marks:
            return succeed([])
        if self._n_waiting + len(marks) > self._limit:
            return fail(Overloaded("too many marks wait to be stored", _RETRY_MS))
        return self._wait(_Asked(user, marks))

    def pushed(self, messages: Iterable[Message]) -> None:
        """
        These are stored, and given to whoever is there.
        """
        self._places.add(messages)
        if self._early:
            for m in messages:
                for user in self._early.get(m.message_id, ()):
                    mark = Mark(user, m.message_id, m.conversation, m.seq)
                    self._repeat(user, [mark])

    def idle(self) -> Deferred[None]:
        """
        @return: a Deferred that fires when none waits to be stored.
        """
        return self._loop.when_idle()

    def stop(self) -> None:
        """
        Look no more for messages that are not there.
        """
        self._early.clear()
        self._n_early = 0
        if self._search is not None:
            self._search.cancel()
            self._search = None

    # -- storing

    def _wait(self, asked: _Asked) -> Deferred[list[bool]]:
        asked.unplaced = any(self._place(m) is None for m in asked.marks)
        self._waiting.append(asked)
        self._n_waiting += len(asked.marks)
        self._loop.wake()
        return asked.answered

    def _next(self) -> list[_Asked]:
        batch: list[_Asked] = []
        size = 0
        unplaced: set[int] = set()
        while self._waiting:
            asked = self._waiting[0]
            size += len(asked.marks)
            unplaced |= {asked.user} if asked.unplaced else set()
            if batch and (size > _BATCH or len(unplaced) > _LOOKUPS):
                break
            batch.append(self._waiting.popleft())
            self._n_waiting -= len(asked.marks)
        return batch

    async def _store_batch(self) -> bool:
        batch = self._next()
        try:
            answers, risen = await self._stored(batch)
        except WsmsgError as e:
            for asked in batch:
                asked.answered.errback(Failure(e))
            return True
        except Exception:  # noqa: BLE001 - a guard: somebody waits for each answer
            self._log.failure("storing marks")
            for asked in batch:
                asked.answered.errback(Failure(Internal("marks could not be stored")))
            return True
        for cursor in risen:
            self._receipt(cursor)
        for asked, known in zip(batch, answers, strict=True):
            self._count(asked, known)
            asked.answered.callback(known)
        return True

    async def _stored(
        self, batch: Sequence[_Asked]
    ) -> tuple[list[list[bool]], Sequence[Cursor]]:
        found = await self._located(batch)
        marks: list[Mark] = []
        for asked in batch:
            for m in asked.marks:
                place = self._place(m) or found.get((asked.user, m.message_id), ("", 0))
                marks.append(Mark(asked.user, m.message_id, *place))
        told = await self._store.mark(marks)
        known = iter(told.known)
        return [[next(known) for _ in asked.marks] for asked in batch], told.raised

    async def _located(self, batch: Sequence[_Asked]) -> dict[_Key, Place]:
        wanted: dict[int, dict[int, None]] = {}
        for asked in batch:
            if asked.unplaced:
                for m in asked.marks:
                    if 0 < m.message_id <= INT64_MAX and self._place(m) is None:
                        wanted.setdefault(asked.user, {})[m.message_id] = None
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

    def _place(self, mark: Mark) -> Place | None:
        if mark.conversation and mark.seq:
            return mark.conversation, mark.seq
        return self._places.get(mark.message_id)

    # -- what is not there yet

    def _count(self, asked: _Asked, known: Sequence[bool]) -> None:
        for mark, stored in zip(asked.marks, known, strict=True):
            self.marked += stored
            self.unknown += not stored
            if stored:
                self._drop(asked.user, mark.message_id)
            elif not mark.conversation and 0 < mark.message_id <= INT64_MAX:
                self._remember(asked.user, mark.message_id)

    def _remember(self, user: int, message_id: int) -> None:
        users = self._early.setdefault(message_id, {})
        if user in users:
            return
        users[user] = _SEARCHES
        self._n_early += 1
        if self._n_early > self._most_early:
            oldest = next(iter(self._early))
            self._drop(next(iter(self._early[oldest])), oldest)
            self.forgotten += 1
        if self._search is None:
            self._search = self._clock.callLater(_SEARCH_S, self._look_again)

    def _drop(self, user: int, message_id: int) -> None:
        users = self._early.get(message_id, {})
        if user in users:
            del users[user]
            self._n_early -= 1
            if not users:
                del self._early[message_id]

    def _look_again(self) -> None:
        self._search = None
        by_user: dict[int, list[Mark]] = {}
        for message_id, users in list(self._early.items()):
            for user in list(users):
                if not users[user]:
                    self._drop(user, message_id)
                    self.forgotten += 1
                    continue
                users[user] -= 1
                by_user.setdefault(user, []).append(Mark(user, message_id))
        for user, marks in by_user.items():
            self._repeat(user, marks)
        if self._early:
            self._search = self._clock.callLater(_SEARCH_S, self._look_again)

    def _repeat(self, user: int, marks: Sequence[Mark]) -> None:
        # What fails stays remembered.
        again = self.mark(user, marks)
        again.addErrback(lambda failure: failure.trap(Unavailable, Overloaded))
        again.addErrback(
            lambda failure: self._log.failure("storing early marks", failure)
        )
