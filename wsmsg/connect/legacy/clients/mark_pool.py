"""
What users of this node have seen, until it is stored: also when the session is gone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from wsmsg.connect.upstream.interface import IUpstream
from wsmsg.dependency.retry import Backoff
from wsmsg.errors import WsmsgError
from wsmsg.flow.batches import BatchLoop
from wsmsg.model import Mark

_LINGER_S = 0.02
# The most in a round, and the most marks of one user in it.
_USERS = 256
_MARKS = 500

#: What it is a mark of: a message by its id, and by its place.
_Which = tuple[int, str, int]


class MarkPool:
    """
    Marks wait a moment for company, are given to Message in rounds, and are given again
    until it has stored them.

    @param unknown: told of marks of which Message knows no message to the user, and of
        those that it will never take.
    @param limit: marks that are kept; a further one is dropped and counted, and its
        message stays unread.
    @ivar stored: how many were.
    @ivar dropped: how many were not kept, or not stored when this ended.
    """

    _log = Logger()

    def __init__(
        self,
        upstream: IUpstream,
        clock: IReactorTime,
        backoff: Backoff,
        *,
        unknown: Callable[[int, Mark], object] | None = None,
        limit: int = 100_000,
    ) -> None:
        self.stored = self.dropped = 0
        self._upstream = upstream
        self._clock = clock
        self._unknown = unknown
        self._limit = limit
        self._waiting: dict[int, dict[_Which, Mark]] = {}
        self._n = 0
        self._closed = False
        self._loop = BatchLoop(
            self._round,
            lambda: bool(self._waiting),
            clock,
            linger_s=_LINGER_S,
            pause=lambda failures: deferLater(clock, backoff(failures)),
        )

    def __len__(self) -> int:
        """
        How many are kept, those that are being stored among them.
        """
        return self._n

    def put(self, user: int, mark: Mark) -> bool:
        """
        Keep a mark until it is stored.

        @return: whether it is kept; it is not when there are too many, or this ended.
        """
        which = (mark.message_id, mark.conversation, mark.seq)
        if which in self._waiting.get(user, ()):
            return True
        if self._closed or self._n >= self._limit:
            self.dropped += 1
            return False
        self._n += 1
        self._waiting.setdefault(user, {})[which] = mark
        self._loop.wake()
        return True

    def drain(self, limit_s: float) -> Deferred[None]:
        """
        Store what is kept; what is not stored in this time is given up, and counted.
        None is kept from then on.

        @return: a Deferred that fires when none is kept any more; never fails.
        """
        empty = self._loop.when_idle()
        if not empty.called:
            empty.addTimeout(max(limit_s, 0.0), self._clock, lambda *_: None)
        return empty.addCallback(lambda _: self._close())

    def stats(self) -> dict[str, int]:
        """
        What the status page tells.
        """
        return {"waiting": self._n, "stored": self.stored, "dropped": self.dropped}

    def _close(self) -> None:
        self._closed = True
        self._waiting.clear()
        if self._n:
            self._log.warn("{n} marks as seen are not stored", n=self._n)
            self.dropped += self._n
            self._n = 0
        self._loop.stop()

    async def _round(self) -> bool:
        """
        @return: whether anything came of it.
        """
        asked = list(self._take())
        waiting: list[Deferred[Any]] = [
            self._upstream.reads.mark(user, marks) for user, marks in asked
        ]
        answers = await DeferredList(waiting, consumeErrors=True)
        if self._closed:
            return True
        good = [
            self._settle(user, marks, answer)
            for (user, marks), (_, answer) in zip(asked, answers, strict=True)
        ]
        return any(good)

    def _take(self) -> Iterable[tuple[int, Sequence[Mark]]]:
        for user in list(self._waiting)[:_USERS]:
            mine = self._waiting[user]
            keys = list(mine)[:_MARKS]
            yield user, [mine.pop(key) for key in keys]
            if not mine:
                del self._waiting[user]

    def _settle(self, user: int, marks: Sequence[Mark], answer: Any) -> bool:
        """
        @return: whether they need not be given again.
        """
        if isinstance(answer, Failure):
            error = answer.value
            if isinstance(error, WsmsgError) and error.retry:
                self._put_back(user, marks)
                return False
            if not isinstance(error, WsmsgError):
                self._log.failure("storing marks", answer)
            answer = [False] * len(marks)
        self._n -= len(marks)
        for mark, known in zip(marks, answer, strict=True):
            self.stored += known
            if not known and self._unknown is not None:
                self._unknown(user, mark)
        return True

    def _put_back(self, user: int, marks: Sequence[Mark]) -> None:
        mine = self._waiting.setdefault(user, {})
        for m in marks:
            which = (m.message_id, m.conversation, m.seq)
            if which in mine:
                self._n -= 1  # it came once more meanwhile
            mine[which] = m
