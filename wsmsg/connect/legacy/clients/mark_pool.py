"""
Acknowledgements of legacy clients, kept until Message has stored them, even when the
session is gone.
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
from wsmsg.text.counted import plural

_LINGER_S = 0.02
# The maximum of users in a round, and of marks of each.
_USERS = 256
_MARKS = 500

#: The message of a mark, by its id, conversation and seq.
_Which = tuple[int, str, int]


class MarkPool:
    """
    Collects marks for a moment, passes them to Message in rounds, and repeats those
    that Message could not store yet.

    @param on_unknown: called with the user and the mark when Message knows no such
        message to the user, or will never store the mark.
    @param limit: the maximum of marks; a further one is dropped and counted, and its
        message stays unread.
    @ivar stored: the number of marks that were stored.
    @ivar dropped: the number of marks that were not kept, or not stored at the end.
    """

    _log = Logger()

    def __init__(
        self,
        upstream: IUpstream,
        clock: IReactorTime,
        backoff: Backoff,
        *,
        on_unknown: Callable[[int, Mark], object] | None = None,
        limit: int = 100_000,
    ) -> None:
        self.stored = self.dropped = 0
        self._upstream = upstream
        self._clock = clock
        self._on_unknown = on_unknown
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
        Return the number of marks, those that are being stored included.
        """
        return self._n

    def put(self, user: int, mark: Mark) -> bool:
        """
        Keep a mark until it is stored.

        @return: whether it is kept; not if there are too many, or after L{drain}.
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
        Store all marks.  Those that are not stored within this time are dropped and
        counted.  No further mark is kept.

        @return: a Deferred that fires when no mark is left; never fails.
        """
        empty = self._loop.when_idle()
        if not empty.called:
            empty.addTimeout(max(limit_s, 0.0), self._clock, lambda *_: None)
        return empty.addCallback(lambda _: self._close())

    def _close(self) -> None:
        self._closed = True
        self._waiting.clear()
        if self._n:
            self._log.warn(
                "gave up {n} {noun} of legacy clients that could not be stored",
                n=self._n,
                noun=plural(self._n, "acknowledgement"),
            )
            self.dropped += self._n
            self._n = 0
        self._loop.stop()

    async def _round(self) -> bool:
        """
        Pass the marks that wait to Message.

        @return: whether Message has settled any.
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
        Count the answers of one user's marks.

        @return: whether the marks are settled; if not, they are repeated.
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
            if not known and self._on_unknown is not None:
                self._on_unknown(user, mark)
        return True

    def _put_back(self, user: int, marks: Sequence[Mark]) -> None:
        mine = self._waiting.setdefault(user, {})
        for m in marks:
            which = (m.message_id, m.conversation, m.seq)
            if which in mine:
                self._n -= 1  # The same mark came again meanwhile.
            mine[which] = m
