"""
Timers of sessions: to close, resume, resync or move them later.

No session has a timer of its own.  The node calls L{SessionTimers.sweep} at a steady
rate, and a sweep costs only what is due.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from heapq import heappop, heappush
from typing import Generic, Protocol, TypeVar

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from wsmsg.errors import Close

#: Seconds from a welcome without conversations, or a failed attempt, to the next.
_UNSYNCED_S = 1.0

T = TypeVar("T")


class Deadlines(Generic[T]):
    """
    Items that are all due equally long after they were added.  So the items due first
    are at the front, and L{take} looks only at what is due.
    """

    def __init__(self) -> None:
        self._due: dict[T, float] = {}

    def __len__(self) -> int:
        return len(self._due)

    def __contains__(self, item: object) -> bool:
        return item in self._due

    def add(self, item: T, due: float) -> None:
        """
        Add an item, or move it to a later time.

        @param due: a time that is not before that of any other item.
        """
        self._due.pop(item, None)
        self._due[item] = due

    def drop(self, item: T) -> None:
        """
        Remove an item if it is there.
        """
        self._due.pop(item, None)

    def take(self, now: float) -> list[T]:
        """
        Remove the items that are due at C{now}, and return them.
        """
        taken = []
        for item, due in self._due.items():
            if due > now:
                break
            taken.append(item)
        for item in taken:
            del self._due[item]
        return taken


class PacedQueue(Generic[T]):
    """
    Items that are handed out evenly over a time, to spread the load that they cause.
    Each item keeps its time, however many are added later.
    """

    def __init__(self) -> None:
        self._due: dict[T, float] = {}
        self._order: list[tuple[float, int, T]] = []
        self._added = 0
        self._held_s = 0.0

    def __len__(self) -> int:
        return len(self._due)

    def __contains__(self, item: object) -> bool:
        return item in self._due

    def add(self, items: Iterable[T], now: float, over_s: float) -> None:
        """
        Hand out these items from C{now} until C{over_s} seconds later.  An item that
        waits already keeps the earlier time.
        """
        new = list(dict.fromkeys(items))
        for i, item in enumerate(new, 1):
            due = now - self._held_s + over_s * i / len(new)
            if due < self._due.get(item, math.inf):
                self._due[item] = due
                self._added += 1
                heappush(self._order, (due, self._added, item))

    def hold(self, seconds: float) -> None:
        """
        Hand out every item so much later.
        """
        self._held_s += seconds

    def drop(self, item: T) -> None:
        """
        Remove an item if it is there.
        """
        self._due.pop(item, None)
        if not self._due:
            self._order.clear()

    def take(self, now: float) -> list[T]:
        """
        Remove the items that are due at C{now}, and return them.
        """
        taken = []
        while self._order and self._order[0][0] <= now - self._held_s:
            due, _, item = heappop(self._order)
            if self._due.get(item) == due:
                del self._due[item]
                taken.append(item)
        return taken


class TimedSession(Protocol):
    """
    A session, as its timers see it.
    """

    def resync(self, reason: str) -> None:
        """Tell the client that pushes may be missing."""

    def goaway(self, reason: str, after_ms: int, alternatives: tuple[str, ...]) -> None:
        """Ask the client to move, finish its requests, then close."""

    def refill(self, now: float) -> bool:
        """Resume reading if the frame rate allows it; return whether it does."""

    def recheck(self) -> None:
        """Try again to read what the welcome lacked."""

    def close(self, code: Close, reason: str) -> None:
        """End the session."""


class SessionTimers:
    """
    The sessions that wait for a time, grouped by what happens then.

    @param uniform: returns a random number between its two arguments.
    """

    _log = Logger()

    def __init__(
        self, clock: IReactorTime, uniform: Callable[[float, float], float]
    ) -> None:
        self._clock = clock
        self._uniform = uniform
        self._opening: Deadlines[TimedSession] = Deadlines()
        self._checking: Deadlines[TimedSession] = Deadlines()
        self._slow: Deadlines[TimedSession] = Deadlines()
        self._unsynced: Deadlines[TimedSession] = Deadlines()
        self._limited: dict[TimedSession, None] = {}
        self._resyncing: PacedQueue[TimedSession] = PacedQueue()
        self._resync_reason = ""
        self._moving: PacedQueue[TimedSession] = PacedQueue()
        self._move_reason = ""
        self._move_s = 0.0
        self._alternatives: Callable[[], tuple[str, ...]] = tuple

    def forget(self, session: TimedSession) -> None:
        """
        Cancel all timers of a session.
        """
        for deadlines in (self._opening, self._checking, self._slow, self._unsynced):
            deadlines.drop(session)
        self._limited.pop(session, None)
        self._resyncing.drop(session)
        self._moving.drop(session)

    def opening(self, session: TimedSession, within_s: float) -> None:
        """
        Close the session unless hello comes within this time.
        """
        self._opening.add(session, self._clock.seconds() + within_s)

    def checking(self, session: TimedSession, within_s: float) -> None:
        """
        Close the session, which has sent hello, unless it is welcomed within this time.
        """
        self._opening.drop(session)
        self._checking.add(session, self._clock.seconds() + within_s)

    def admitted(self, session: TimedSession) -> None:
        """
        Cancel the timer of the login.
        """
        self._checking.drop(session)

    def unsynced(self, session: TimedSession) -> None:
        """
        Recheck the session in a second: it was welcomed without its conversations, or
        before a stream had its user.
        """
        self._unsynced.add(session, self._clock.seconds() + _UNSYNCED_S)

    def slow(self, session: TimedSession, within_s: float) -> None:
        """
        Close the session, which was demoted, unless it drains within this time.
        """
        self._slow.add(session, self._clock.seconds() + within_s)

    def drained(self, session: TimedSession) -> None:
        """
        Cancel the timer of a slow session.
        """
        self._slow.drop(session)

    def limited(self, session: TimedSession) -> None:
        """
        Resume reading from the session when its token bucket has refilled.
        """
        self._limited[session] = None

    def resync(
        self, sessions: Iterable[TimedSession], reason: str, over_s: float
    ) -> None:
        """
        Tell these sessions to sync, evenly over a time.
        """
        self._resync_reason = reason
        self._resyncing.add(sessions, self._clock.seconds(), over_s)

    def will_resync(self, session: TimedSession) -> bool:
        """
        Return whether the session waits to tell its client to sync.
        """
        return session in self._resyncing or session in self._unsynced

    def will_move(self, session: TimedSession) -> bool:
        """
        Return whether the session waits to ask its client to move.
        """
        return session in self._moving

    def move(
        self,
        sessions: Iterable[TimedSession],
        reason: str,
        over_s: float,
        *,
        after_s: float,
        alternatives: Callable[[], tuple[str, ...]] = tuple,
    ) -> None:
        """
        Ask the clients of these sessions to move, evenly over a time.

        @param after_s: each of them is to reconnect within so many seconds from then.
        @param alternatives: returns the addresses for one client.
        """
        self._move_reason, self._move_s = reason, after_s
        self._alternatives = alternatives
        self._moving.add(sessions, self._clock.seconds(), over_s)

    @property
    def moving(self) -> int:
        """
        The number of clients that are still to be asked to move.
        """
        return len(self._moving)

    def hold_moving(self, seconds: float) -> None:
        """
        Ask the clients that are still to be asked so much later.
        """
        self._moving.hold(seconds)

    def stop_moving(self) -> None:
        """
        Ask no further client to move.
        """
        self._moving = PacedQueue()

    def close_opening(self, reason: str) -> None:
        """
        Close the sessions that have not sent hello yet.
        """
        for session in self._opening.take(float("inf")):
            session.close(Close.DRAIN, reason)

    def sweep(self) -> None:
        """
        Do what is due now.
        """
        now = self._clock.seconds()
        for session in self._opening.take(now):
            self._guarded(session.close, Close.STALE, "no hello in time")
        for session in self._checking.take(now):
            late = "the login did not finish in time"
            self._guarded(session.close, Close.UNAVAILABLE, late)
        for session in self._slow.take(now):
            slow = "the client reads too slowly"
            self._guarded(session.close, Close.SLOW_CLIENT, slow)
        for session in self._unsynced.take(now):
            self._guarded(session.recheck)
        for session in list(self._limited):
            self._guarded(self._refill, session, now)
        for session in self._resyncing.take(now):
            self._guarded(session.resync, self._resync_reason)
        for session in self._moving.take(now):
            self._guarded(self._move, session)

    def _refill(self, session: TimedSession, now: float) -> None:
        if session.refill(now):
            self._limited.pop(session, None)

    def _move(self, session: TimedSession) -> None:
        after_ms = int(self._uniform(0, self._move_s * 1000))
        session.goaway(self._move_reason, after_ms, self._alternatives())

    def _guarded(self, do: Callable[..., object], *args: object) -> None:
        # The timers of the other sessions are due as well.
        with self._log.failuresHandled("a timer of a session"):
            do(*args)
