"""
Repeats of messages that may have been accepted elsewhere.

A request that says that it is a repeat (L{SendRequest.repeat}), and that this Message
does not remember, may have been accepted by another Message, or by an earlier life of
this one, whose record is in the journal and not in the store yet.  Its sender was told,
or will be pushed, the time of the first record.  So the answer waits for the store,
which keeps the first of all records of an identity, and so decides::

    a repeat, not in the store --> append --> doubt --look, again and again--> answer
                                                 `-- 2 s --> unavailable, for now

While the store is away nobody can tell, and a repeat is refused for now.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from wsmsg.dependency.wait import unless_lost
from wsmsg.errors import Overloaded, Unavailable, WsmsgError
from wsmsg.message.ingress.interface import Reply, SendRequest
from wsmsg.message.store.interface import IMessages
from wsmsg.model import Message, MessageIdentity

#: The time after which a repeat without an answer is refused for now.
ANSWER_S = 2.0
#: The time for which it is known that a repeat is in the journal already.
KEPT_S = 30.0
#: The most doubts, and the most requests that wait; further ones are refused for now.
MOST = 4096

_FIRST_LOOK_S = 0.01
_LONGEST_LOOK_S = 0.2
_LOOK_FOR = 1000
_RETRY_AFTER_MS = 1000

#: Called with the message of the store, whether it is the one of this Message, and the
#: requests that wait for it.
Resolved = Callable[[Message, bool, Sequence[tuple[SendRequest, Reply]]], object]
#: Called with a request that is refused for now.
Refused = Callable[[SendRequest, WsmsgError, Reply], object]


@attrs.define
class _Doubt:
    """
    One identity, whose record is in the journal.

    @ivar message_id: that of the record of this Message.
    @ivar waiting: requests without an answer, with the times at which they came.
    """

    message_id: int
    since_s: float
    waiting: list[tuple[float, SendRequest, Reply]] = attrs.field(factory=list)

    def take_waiting(self, before_s: float) -> list[tuple[SendRequest, Reply]]:
        """
        Return and forget the requests that came before this time.
        """
        taken = [(r, reply) for came_s, r, reply in self.waiting if came_s <= before_s]
        self.waiting = [each for each in self.waiting if each[0] > before_s]
        return taken


class Doubts:
    """
    The repeats that wait for the store.

    @param resolved: answers the requests whose message the store has.
    @param refused: answers a request that has waited for too long.
    @ivar open: what is in the journal and in doubt.
    @ivar waiting: the number of requests without an answer.
    """

    _log = Logger()

    def __init__(
        self,
        store: IMessages,
        clock: IReactorTime,
        *,
        resolved: Resolved,
        refused: Refused,
    ) -> None:
        self._store = store
        self._clock = clock
        self._resolved = resolved
        self._refused = refused
        self.open: dict[MessageIdentity, _Doubt] = {}
        self.waiting = 0
        self._wait_s = _FIRST_LOOK_S
        self._next: IDelayedCall | None = None
        self._looking = False

    def problem(self) -> WsmsgError | None:
        """
        Return why no further repeat can be taken now, if so.
        """
        if not self._store.dependency.up:
            why = "whether this repeat was accepted before is known when the store is"
            return Unavailable(f"{why} back", _RETRY_AFTER_MS)
        if len(self.open) >= MOST or self.waiting >= MOST:
            return Overloaded("too many repeats wait for the store", _RETRY_AFTER_MS)
        return None

    def add(self, message: Message, request: SendRequest, reply: Reply) -> None:
        """
        Let a repeat wait whose record has just been appended.
        """
        now_s = self._clock.seconds()
        self.open[message.identity] = _Doubt(message.message_id, now_s)
        self.join(message.identity, request, reply)

    def join(
        self, identity: MessageIdentity, request: SendRequest, reply: Reply
    ) -> None:
        """
        Let a further request of an identity wait.
        """
        if self.waiting >= MOST:
            error = Overloaded("too many repeats wait for the store", _RETRY_AFTER_MS)
            self._refused(request, error, reply)
            return
        self.waiting += 1
        waiting = self.open[identity].waiting
        waiting.append((self._clock.seconds(), request, reply))
        self._wait_s = _FIRST_LOOK_S
        self._look_later()

    def _look_later(self) -> None:
        if self._next is None and not self._looking and self.open:
            self._next = self._clock.callLater(self._wait_s, self._look)
            self._wait_s = min(self._wait_s * 2, _LONGEST_LOOK_S)

    def _look(self) -> None:
        self._next, self._looking = None, True
        Deferred.fromCoroutine(self._looked()).addErrback(
            lambda failure: self._log.failure("resolving repeats", failure)
        )

    async def _looked(self) -> None:
        try:
            await self._resolve()
            self._expire(self._clock.seconds())
        finally:
            self._looking = False
            self._look_later()

    async def _resolve(self) -> None:
        if not self._store.dependency.up:
            return
        # The oldest first; those that the store does not have yet go to the end.
        some = list(islice(self.open, _LOOK_FOR))
        try:
            found: dict[MessageIdentity, Message] = await unless_lost(
                self._store.dependency, self._store.find(some)
            )
        except WsmsgError:
            return  # the dependency has logged the reason
        for identity in some:
            doubt = self.open.pop(identity, None)
            message = found.get(identity)
            if doubt is None:
                continue
            if message is None:
                self.open[identity] = doubt
                continue
            ours = message.message_id == doubt.message_id
            waiting = [(request, reply) for _, request, reply in doubt.waiting]
            self.waiting -= len(waiting)
            self._resolved(message, ours, waiting)

    def _expire(self, now_s: float) -> None:
        for identity, doubt in list(self.open.items()):
            late = doubt.take_waiting(now_s - ANSWER_S)
            self.waiting -= len(late)
            for request, reply in late:
                why = "the message is in the journal, and not in the store yet"
                self._refused(request, Unavailable(why, _RETRY_AFTER_MS), reply)
            if doubt.since_s <= now_s - KEPT_S and not doubt.waiting:
                del self.open[identity]
