"""
Who waits until every stream knows a user, and when the waiting ends.

Users who come between two frames share one L{JoinBarrier}.  It is given to every stream
that is up; each stream tells when its Message has applied the delta that has them::

    came --> the open arrival --+--> stream 1: delta 17 --applied--> .
                                `--> stream 2: delta 4  --applied--> all: True
                                                        --lost-----> all: False
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from twisted.internet.defer import Deferred


class JoinBarrier:
    """
    Users who came at about the same time.

    @ivar closed: a stream has taken it; who comes now needs another.
    """

    __slots__ = ("_missing", "_waiters", "closed")

    def __init__(self, streams: int) -> None:
        self.closed = False
        self._missing = streams
        self._waiters: list[Deferred[bool]] = []

    def wait(self) -> Deferred[bool]:
        waiter: Deferred[bool] = Deferred()
        self._waiters.append(waiter)
        return waiter

    def applied(self) -> None:
        """
        One more stream knows them.
        """
        self._missing -= 1
        if self._missing == 0:
            self._tell(True)

    def lost(self) -> None:
        """
        A stream was lost before it knew them.
        """
        self._tell(False)

    def _tell(self, known: bool) -> None:
        self.closed = True
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            waiter.callback(known)


class PresenceAcks:
    """
    The presence deltas of one stream that Message has not applied yet.

    @ivar open: the logins that wait for the delta that is written next.
    """

    __slots__ = ("_since_s", "_written", "open")

    def __init__(self) -> None:
        self.open: list[JoinBarrier] = []
        self._since_s: float | None = None
        self._written: deque[tuple[int, float, list[JoinBarrier]]] = deque()

    def changed(self, now_s: float) -> None:
        """
        There is something for the next delta.
        """
        if self._since_s is None:
            self._since_s = now_s

    def join(self, arrival: JoinBarrier) -> None:
        self.open.append(arrival)

    def written(self, number: int, now_s: float) -> None:
        """
        All changes so far left in the delta of this number.
        """
        since_s = now_s if self._since_s is None else self._since_s
        for arrival in self.open:
            arrival.closed = True
        self._written.append((number, since_s, self.open))
        self.open, self._since_s = [], None

    def applied(self, number: int) -> None:
        """
        Message has applied all deltas up to this number.
        """
        written = self._written
        while written and written[0][0] <= number:
            for arrival in written.popleft()[2]:
                arrival.applied()

    def lost(self, now_s: float) -> float:
        """
        The stream is gone.

        @return: since when there may be users of whom its Message does not know.
        """
        times = [since_s for _, since_s, _ in self._written]
        if self._since_s is not None:
            times.append(self._since_s)
        arrivals: Iterable[JoinBarrier] = [
            arrival
            for _, _, written in (*self._written, (0, 0.0, self.open))
            for arrival in written
        ]
        self._written.clear()
        self.open, self._since_s = [], None
        for arrival in arrivals:
            arrival.lost()
        return min(times, default=now_s)
