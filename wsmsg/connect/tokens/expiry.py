"""
The ends of sessions whose tokens expire.

A session is reminded a minute before its token expires, or when half of what is left
has passed if that is less.  Unless its client refreshes the token, the session is
closed C{leeway_s} after the token's C{exp}.  All sessions share one queue, which is
looked at once a second.

A token expires by the unix clock, which may be set.  So each end is a time of the
monotonic clock, computed when the token was verified, and a step of the unix clock
changes nothing at first.  If the step stands for a minute, all ends are computed anew,
with bounds: a session that would end earlier than before is reminded and has another
minute, and no session gains more than an hour.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heapify, heappop, heappush
from typing import Final, Protocol

import attrs
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from wsmsg.auth.identity import Identity
from wsmsg.errors import Close

#: The time from the reminder to the expiry.
REMIND_S: Final = 60.0
#: The difference between the clocks that counts as a step of the unix clock.
STEP_S: Final = 5.0
#: The time for which a step has to stand before ends are computed anew.
SETTLE_S: Final = 60.0
#: The most that a session gains by a step.
GAIN_S: Final = 3600.0
#: The most sessions that one sweep reminds or closes.
AT_ONCE: Final = 500

_SWEEP_S = 1.0
_LEAST_LEAD_S = 2.0
_SPARE = 64


class ExpiringSession(Protocol):
    """
    A session, as the queue sees it.

    @ivar term: what L{limit_term} was given last; L{None} at first.
    """

    @property
    def term(self) -> Term | None: ...

    def limit_term(self, term: Term | None) -> None:
        """Keep the time until which the session may live; L{None}: it has no end."""

    def remind(self) -> None:
        """Tell the client that its token expires soon."""

    def close(self, code: Close, reason: str) -> None:
        """End the session."""


@attrs.frozen
class Term:
    """
    The time until which a session may live.

    @ivar until_s: its end in unix time.
    @ivar ends_s: the same in the time of the monotonic clock.
    """

    until_s: float
    ends_s: float
    leeway_s: float

    def reminds_s(self, now_s: float) -> float:
        """
        Return the monotonic time of the next reminder, or that of the end if there is
        no time for a reminder.
        """
        left_s = self.ends_s - self.leeway_s - now_s
        lead_s = min(REMIND_S, left_s / 2)
        if lead_s < _LEAST_LEAD_S:
            return self.ends_s
        return self.ends_s - self.leeway_s - lead_s


class Expiry:
    """
    Reminds and ends sessions by the terms of their tokens.

    @param clock: its seconds are monotonic.
    @param unix_s: returns the unix time.
    """

    _log = Logger()

    def __init__(self, clock: IReactorTime, unix_s: Callable[[], float]) -> None:
        self._clock = clock
        self._unix_s = unix_s
        self._offset_s = unix_s() - clock.seconds()
        self._stepped_s: float | None = None
        self._next_s = 0.0
        self._added = 0
        self._left = 0
        # Of a session that has left, or has another term, an entry stays until its
        # time comes, or until such entries are most of the queue.
        self._queue: list[tuple[float, int, ExpiringSession, Term]] = []

    def __len__(self) -> int:
        return len(self._queue)

    def begin(
        self, session: ExpiringSession, identity: Identity, leeway_s: float
    ) -> None:
        """
        Have the session end by this token, in place of the one before.
        """
        self.forget(session)
        if not identity.expires_s:
            return
        now_s, until_s = self._clock.seconds(), identity.expires_s + leeway_s
        term = Term(until_s, now_s + until_s - self._unix_s(), leeway_s)
        session.limit_term(term)
        self._add(term.reminds_s(now_s), session, term)

    def forget(self, session: ExpiringSession) -> None:
        """
        Forget a session that has ended.
        """
        if session.term is None:
            return
        session.limit_term(None)
        self._left += 1
        if self._left > _SPARE + len(self._queue) // 2:
            self._left = 0
            self._queue = [e for e in self._queue if e[2].term is e[3]]
            heapify(self._queue)

    def sweep(self) -> None:
        """
        Do what is due, at most once a second unless there is more than one sweep does.
        """
        now_s = self._clock.seconds()
        if now_s < self._next_s:
            return
        self._next_s = now_s + _SWEEP_S
        if self._queue:
            self._follow(now_s)
        done = 0
        while self._queue and self._queue[0][0] <= now_s:
            if done >= AT_ONCE:
                self._next_s = now_s
                return
            _, _, session, term = heappop(self._queue)
            if session.term is not term:
                self._left = max(0, self._left - 1)
                continue
            done += 1
            with self._log.failuresHandled("the end of a token"):
                self._due(session, term, now_s)

    def _due(self, session: ExpiringSession, term: Term, now_s: float) -> None:
        if now_s < term.ends_s:
            self._add(term.ends_s, session, term)
            session.remind()
        else:
            session.limit_term(None)
            session.close(Close.UNAUTHENTICATED, "the token has expired")

    def _add(self, at_s: float, session: ExpiringSession, term: Term) -> None:
        self._added += 1
        heappush(self._queue, (at_s, self._added, session, term))

    # ----------------------------------------------------- steps of the unix clock

    def _follow(self, now_s: float) -> None:
        """
        Compute the ends anew if a step of the unix clock stands.
        """
        step_s = self._unix_s() - now_s - self._offset_s
        if abs(step_s) < STEP_S:
            self._stepped_s = None
        elif self._stepped_s is None:
            self._stepped_s = now_s
        elif now_s - self._stepped_s >= SETTLE_S:
            self._stepped_s = None
            self._offset_s += step_s
            self._log.warn(
                "the system clock was set by {step:.0f} s: the ends of sessions are"
                " computed anew from the expiries of their tokens",
                step=step_s,
            )
            self._compute_anew(now_s)

    def _compute_anew(self, now_s: float) -> None:
        live = [e[2:] for e in self._queue if e[2].term is e[3]]
        self._queue, self._left = [], 0
        for session, term in live:
            ends_s = term.until_s - self._offset_s
            soonest_s = min(term.ends_s, now_s + SETTLE_S + term.leeway_s)
            at_most_s = term.ends_s + GAIN_S
            term = attrs.evolve(term, ends_s=min(max(ends_s, soonest_s), at_most_s))
            session.limit_term(term)
            at_s = now_s if ends_s < soonest_s else term.reminds_s(now_s)
            self._add(at_s, session, term)
