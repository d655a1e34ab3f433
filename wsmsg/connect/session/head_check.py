"""
The check of what was pushed: the sessions of a Connect are compared with the heads.

Pushes are acknowledged at each step, and this check looks at the whole way from the
outside.  About once a minute, Connect takes the numbers up to which each session was
pushed each conversation, or was told its head, and asks a Message for the heads.  Where
a head is higher, Connect waits for what is on its way; if the session is still not
pushed that message, it is told to sync, and C{pushes_missed} rises.

A round of all sessions is spread over a minute.  Each second a share of the users is
compared in one query, of a bounded number of conversations, so that with very many
sessions a round takes longer.  Time is counted in ticks: after a stall of this process,
what waits in its sockets is read before anything counts as missing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from wsmsg.connect.session.registry import RegisteredSession, Registry
from wsmsg.connect.upstream.interface import MOST_COMPARED, IUpstream
from wsmsg.dependency.alarms import Alarms
from wsmsg.errors import WsmsgError

#: Ticks, of a second, in which all sessions are compared once.
ROUND = 60
#: The same, for some rounds after a stream came up or was lost.
QUICK = 5
QUICK_ROUNDS = 4
#: Ticks for which a message may be on its way; a link waits less for its Connect.
SETTLE = 15
#: The most conversations of a session in a round: those that were pushed in last.
OF_SESSION = 100
#: Ticks without a missed push after which the alarm is cleared.
_QUIET = 600

_TICK_S = 1.0
_ALARM = "pushes_missed"


@attrs.frozen
class _Batch:
    """
    The sessions of one query.

    @ivar asked_s: the time of the query.
    @ivar sessions: with the numbers up to which each was pushed.
    """

    asked_s: float
    sessions: list[tuple[RegisteredSession, list[tuple[str, int]]]]


@attrs.frozen
class _Late:
    """
    A session with heads above what it was pushed.

    @ivar due: the tick at which it should have been pushed these.
    """

    session: RegisteredSession
    heads: list[tuple[str, int]]
    asked_s: float
    due: int


class HeadCheck:
    """
    Compares the sessions of this node with the heads, round after round.

    @param upstream: answers the comparisons.
    """

    _log = Logger()

    def __init__(
        self,
        registry: Registry,
        upstream: IUpstream,
        clock: IReactorTime,
        alarms: Alarms,
    ) -> None:
        self._registry = registry
        self._upstream = upstream
        self._clock = clock
        self._alarms = alarms
        self._tick = 0
        self._users: deque[int] = deque()
        self._left = 0
        self._quick = 0
        self._changed_s = 0.0
        self._asking = False
        self._late: deque[_Late] = deque()
        self._missed_at = 0
        self._ticking = LoopingCall(self.tick)
        self._ticking.clock = clock

    def start(self) -> None:
        """
        Begin to compare.
        """
        self._ticking.start(_TICK_S, now=False)

    def stop(self) -> None:
        """
        Compare no more.
        """
        if self._ticking.running:
            self._ticking.stop()

    def tick(self) -> None:
        """
        Do the share of one second.
        """
        # LoopingCall makes no further call after one that raises.
        with self._log.failuresHandled("sessions cannot be compared with the heads"):
            self._tick += 1
            self._look_at_late()
            if self._upstream.up and not self._upstream.unnumbered:
                self._compare_some()
            if self._missed_at and self._tick - self._missed_at >= _QUIET:
                self._missed_at = 0
                self._alarms.clear(_ALARM)

    # ------------------------------------------------------------------ the round

    def _compare_some(self) -> None:
        changed_s = self._upstream.changed_s
        if changed_s != self._changed_s:
            # A Message that begins anew may have another store: look at once.
            self._changed_s = changed_s
            self._users.clear()
            self._left, self._quick = 0, QUICK_ROUNDS
        if self._asking:
            return
        if not self._users and not self._left:
            self._users.extend(self._registry.users())
            self._left = QUICK if self._quick else ROUND
            self._quick = max(self._quick - 1, 0)
        batch = self._next_batch()
        self._left = max(self._left - 1, 0)
        if batch.sessions:
            self._asking = True
            Deferred.fromCoroutine(self._compare(batch))

    def _next_batch(self) -> _Batch:
        share = -(-len(self._users) // max(self._left, 1))
        batch = _Batch(self._clock.seconds(), [])
        room = MOST_COMPARED - OF_SESSION
        for _ in range(share):
            if room < 0:
                break
            for session in self._registry.sessions_of(self._users.popleft()):
                # Of a user with very many devices, not all in the same query.  Who
                # moves may have numbers of another history.
                if room < 0 or self._registry.timers.will_move(session):
                    continue
                pushed = session.pushed_up_to(OF_SESSION)
                if pushed is not None:
                    room -= len(pushed)
                    batch.sessions.append((session, pushed))
        return batch

    async def _compare(self, batch: _Batch) -> None:
        asked = [(s.user, *number) for s, pushed in batch.sessions for number in pushed]
        try:
            heads: Sequence[int] = ()
            if asked:
                found = await self._upstream.reads.compare(asked)
                heads = found.heads
                self._registry.keep_witness(found.witness)
            if len(heads) == len(asked):
                self._registry.counters.compared += len(asked)
                self._judge(batch, iter(heads), found.witness if asked else "")
        except WsmsgError as e:
            self._log.debug("the heads cannot be read: {reason}", reason=e.reason)
        except Exception:  # noqa: BLE001 - a guard
            self._log.failure("the heads cannot be compared")
        finally:
            self._asking = False

    def _judge(self, batch: _Batch, heads: Iterator[int], position: str) -> None:
        for session, pushed in batch.sessions:
            above = [
                (name, head)
                for (name, _), head in zip(pushed, heads, strict=False)
                if session.lacks(name, head)
            ]
            if self._registry.timers.will_resync(session):
                continue
            if above:
                due = self._tick + SETTLE
                self._late.append(_Late(session, above, batch.asked_s, due))
            else:
                # Of a session with more conversations, some were not compared.
                is_whole = len(pushed) < OF_SESSION
                session.compared(batch.asked_s, position if is_whole else "")

    # --------------------------------------------------------------- what is late

    def _look_at_late(self) -> None:
        missing: list[tuple[RegisteredSession, str, int]] = []
        while self._late and self._late[0].due <= self._tick:
            late = self._late.popleft()
            session = late.session
            if self._registry.timers.will_resync(session):
                continue
            lacking = [pair for pair in late.heads if session.lacks(*pair)]
            if lacking:
                missing += ((session, *pair) for pair in lacking)
                session.resync("a message was not pushed")
            session.compared(late.asked_s)
        if missing:
            self._missed(missing)

    def _missed(self, missing: list[tuple[RegisteredSession, str, int]]) -> None:
        session, conversation, seq = missing[0]
        known = self._clock.seconds() - self._upstream.changed_s < ROUND * _TICK_S
        self._log.warn(
            "{user} on {device} was not pushed message {seq} of {conversation}, nor"
            " others in {more} conversations of sessions here; they sync{why}",
            user=session.user,
            device=session.device,
            seq=seq,
            conversation=conversation,
            more=len(missing) - 1,
            why=": a stream was lost or came up meanwhile" if known else "",
        )
        if known:
            return
        self._registry.counters.pushes_missed += len(missing)
        self._missed_at = self._tick
        self._alarms.raise_alarm(
            _ALARM,
            f"{self._registry.counters.pushes_missed} times a session here was not"
            " pushed what is stored, and had to sync",
        )
