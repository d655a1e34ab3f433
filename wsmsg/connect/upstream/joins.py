"""
Barriers at which a login waits until every Message knows the user.

Users who join between two frames share one L{JoinBarrier}.  Each stream that is up
takes part in it, and reports when its Message has applied the presence delta that names
them::

    user_joined --> the open barrier --+--> stream 1: delta 17 --applied--> .
                                       `--> stream 2: delta 4  --applied--> all: True
                                                               --lost-----> all: False
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable

from twisted.internet.defer import Deferred

from wsmsg.connect.upstream.interface import Login

UserLogin = tuple[int, Login]


class JoinBarrier:
    """
    The logins of users who joined at about the same time.

    @param streams: the number of streams that take part.
    @param complete: called with the users and the logins of their named devices, once
        each stream has answered or is lost.
    @ivar closed: whether a stream has written its delta: users who join from now on
        need another barrier.
    """

    __slots__ = ("_complete", "_logins", "_missing", "_waiters", "closed")

    def __init__(
        self, streams: int, complete: Callable[[Iterable[UserLogin]], object]
    ) -> None:
        self.closed = False
        self._missing = streams
        self._complete = complete
        self._logins: list[UserLogin] = []
        self._waiters: list[Deferred[bool]] = []

    def wait(self, user: int, login: Login | None) -> Deferred[bool]:
        """
        @return: a Deferred that fires with whether every Message knows the users.
        """
        if login is not None:
            self._logins.append((user, login))
        waiter: Deferred[bool] = Deferred()
        self._waiters.append(waiter)
        return waiter

    def delta_applied(self) -> None:
        """
        One more Message knows the users.
        """
        self._answered()
        if self._missing == 0:
            self._fire(True)

    def stream_lost(self) -> None:
        """
        A stream was lost before its Message knew the users.
        """
        self._answered()
        self._fire(False)

    def close(self) -> None:
        """
        A stream has written its delta: let nobody wait here any more.
        """
        self.closed = True

    def _answered(self) -> None:
        self._missing -= 1
        if self._missing == 0:
            logins, self._logins = self._logins, []
            self._complete(logins)

    def _fire(self, known: bool) -> None:
        self.close()
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            waiter.callback(known)


class PresenceAcks:
    """
    The presence deltas of one stream that Message has not applied yet.

    @ivar waiting: the barriers that wait for the delta that is written next.
    """

    __slots__ = ("_changed_since_s", "_written", "waiting")

    def __init__(self) -> None:
        self.waiting: list[JoinBarrier] = []
        self._changed_since_s: float | None = None
        self._written: deque[tuple[int, float, list[JoinBarrier]]] = deque()

    def users_changed(self, now_s: float) -> None:
        """
        Note that the next delta has something to say.
        """
        if self._changed_since_s is None:
            self._changed_since_s = now_s

    def join(self, barrier: JoinBarrier) -> None:
        """
        Let a barrier wait for the delta that is written next.
        """
        self.waiting.append(barrier)

    def delta_written(self, number: int, now_s: float) -> None:
        """
        Note that the delta of this number says all changes so far.
        """
        since_s = now_s if self._changed_since_s is None else self._changed_since_s
        for barrier in self.waiting:
            barrier.close()
        self._written.append((number, since_s, self.waiting))
        self.waiting, self._changed_since_s = [], None

    def applied(self, number: int) -> None:
        """
        Note that Message has applied all deltas up to this number.
        """
        written = self._written
        while written and written[0][0] <= number:
            for barrier in written.popleft()[2]:
                barrier.delta_applied()

    def stream_lost(self, now_s: float) -> float:
        """
        Fail all barriers.

        @return: the clock time since which users may have joined without Message's
            knowledge.
        """
        times = [since_s for _, since_s, _ in self._written]
        if self._changed_since_s is not None:
            times.append(self._changed_since_s)
        barriers: Iterable[JoinBarrier] = [
            barrier
            for _, _, written in (*self._written, (0, 0.0, self.waiting))
            for barrier in written
        ]
        self._written.clear()
        self.waiting, self._changed_since_s = [], None
        for barrier in barriers:
            barrier.stream_lost()
        return min(times, default=now_s)
