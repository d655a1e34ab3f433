"""
What sessions are due for at a later time: closed, resumed, told to sync or to move.

No session has a timer of its own; L{SessionTimers.sweep} is called steadily and costs
only what is due.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Generic, Protocol, TypeVar

from twisted.internet.interfaces import IReactorTime

from wsmsg.errors import Close

#: How often the sweep should be called, in seconds.
SWEEP_S = 0.25

#: How long after a welcome without conversations, or a vain attempt, to try again.
_UNSYNCED_S = 1.0

T = TypeVar("T")


class Deadlines(Generic[T]):
    """
    Things that each are due the same time after they were added, so that those due
    first are at the front and a look costs only what is due.
    """

    def __init__(self) -> None:
        self._due: dict[T, float] = {}

    def __len__(self) -> int:
        return len(self._due)

    def add(self, item: T, due: float) -> None:
        self._due.pop(item, None)
        self._due[item] = due

    def drop(self, item: T) -> None:
        self._due.pop(item, None)

    def take(self, now: float) -> list[T]:
        """
        Take out what is due at C{now}.
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
    Things that are handed out evenly over a time, so that what they cause does not
    come all at once.
    """

    def __init__(self) -> None:
        self._waiting: dict[T, None] = {}
        self._last = 0.0
        self._until = 0.0

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, items: Iterable[T], now: float, over_s: float) -> None:
        """
        Hand these out, and what waits still, from C{now} until C{over_s} later.
        """
        self._waiting.update(dict.fromkeys(items))
        self._last = now
        self._until = max(self._until, now + over_s)

    def drop(self, item: T) -> None:
        self._waiting.pop(item, None)

    def take(self, now: float) -> list[T]:
        """
        Take out the share of the time since the last call.
        """
        left = self._until - self._last
        share = (now - self._last) / left if left > 0 else 1.0
        count = math.ceil(len(self._waiting) * min(1.0, max(0.0, share)))
        self._last = now
        taken = list(self._waiting)[:count] if count else []
        for item in taken:
            del self._waiting[item]
        return taken


class TimedSession(Protocol):
    """
    A session, as the sweep sees it.
    """

    def resync(self, reason: str) -> None:
        """What was pushed may be incomplete."""

    def goaway(self, reason: str, after_ms: int, alternatives: tuple[str, ...]) -> None:
        """Ask the client to move, finish what it asked for, close."""

    def refill(self, now: float) -> bool:
        """Go on reading if the rate allows it again, and say whether it does."""

    def recheck(self) -> None:
        """Try again what the welcome could not have; if in vain, be due again."""

    def close(self, code: Close, reason: str) -> None:
        """End it."""


class SessionTimers:
    """
    The sessions that wait for something, by what it is.

    @param uniform: a random number between two.
    """

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
        self._alternatives: tuple[str, ...] = ()

    def forget(self, session: TimedSession) -> None:
        """
        The session is due for nothing any more.
        """
        for deadlines in (self._opening, self._checking, self._slow, self._unsynced):
            deadlines.drop(session)
        self._limited.pop(session, None)
        self._resyncing.drop(session)
        self._moving.drop(session)

    def opening(self, session: TimedSession, within_s: float) -> None:
        """
        The session must say hello in so many seconds.
        """
        self._opening.add(session, self._clock.seconds() + within_s)

    def checking(self, session: TimedSession, within_s: float) -> None:
        """
        It said hello, and must be welcomed in so many seconds.
        """
        self._opening.drop(session)
        self._checking.add(session, self._clock.seconds() + within_s)

    def admitted(self, session: TimedSession) -> None:
        """
        It was welcomed.
        """
        self._checking.drop(session)

    def unsynced(self, session: TimedSession) -> None:
        """
        It was welcomed, but no stream knew it or its conversations were not read.
        """
        self._unsynced.add(session, self._clock.seconds() + _UNSYNCED_S)

    def slow(self, session: TimedSession, within_s: float) -> None:
        """
        It was demoted, and must drain in so many seconds.
        """
        self._slow.add(session, self._clock.seconds() + within_s)

    def drained(self, session: TimedSession) -> None:
        """
        It is not slow any more.
        """
        self._slow.drop(session)

    def limited(self, session: TimedSession) -> None:
        """
        It is not read before it has tokens again.
        """
        self._limited[session] = None

    def resync(
        self, sessions: Iterable[TimedSession], reason: str, over_s: float
    ) -> None:
        """
        Tell these to sync, evenly over a time.
        """
        self._resync_reason = reason
        self._resyncing.add(sessions, self._clock.seconds(), over_s)

    def move(
        self,
        sessions: Iterable[TimedSession],
        reason: str,
        over_s: float,
        *,
        alternatives: tuple[str, ...],
        opening: bool = True,
    ) -> None:
        """
        Ask these to move to another node.

        @param opening: close those that said no hello yet.
        """
        for session in self._opening.take(float("inf")) if opening else ():
            session.close(Close.DRAIN, reason)
        self._move_reason, self._move_s = reason, over_s
        self._alternatives = alternatives
        self._moving.add(sessions, self._clock.seconds(), over_s)

    def sweep(self) -> None:
        """
        Do what is due now.
        """
        now = self._clock.seconds()
        for session in self._opening.take(now):
            session.close(Close.STALE, "no hello in time")
        for session in self._checking.take(now):
            session.close(Close.UNAVAILABLE, "the login could not be finished in time")
        for session in self._slow.take(now):
            session.close(Close.SLOW_CLIENT, "too slow for what is sent to it")
        for session in self._unsynced.take(now):
            session.recheck()
        for session in list(self._limited):
            if session.refill(now):
                self._limited.pop(session, None)
        for session in self._resyncing.take(now):
            session.resync(self._resync_reason)
        for session in self._moving.take(now):
            after_ms = int(self._uniform(0, self._move_s * 1000))
            session.goaway(self._move_reason, after_ms, self._alternatives)
