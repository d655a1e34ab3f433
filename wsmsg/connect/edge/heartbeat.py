"""
One timer that finds every silent connection.

Connections are dealt into buckets.  Each step of the timer serves one bucket, so the
load is even and an idle connection has no timer of its own.  A connection counts its
I{ticks} since it last received data.  Since ticks count, not seconds, a reactor that
was stalled for seconds ends no connection: it reads what waits in the sockets before
the next ticks.

A process that stood still for long was perhaps given up by every Message, and knows
nothing of clients that vanished meanwhile.  It asks all clients for a sign of life at
once, and is I{unsure} of its users until each has answered or is dead.

With a heartbeat of h seconds, a connection gets a tick every h / 4 seconds.  It sends a
ping after h to 1.25 h of silence, and ends at most 2.25 h after its last byte.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

#: Ticks in one heartbeat.
TICKS = 4
#: The tick at which a silent connection sends a ping, and that at which it is dead.
PING_TICK = TICKS + 1
DEAD_TICK = 2 * TICKS + 1
_BUCKETS = 5
#: A process that did not run for so long stood still: a Message may give up a Connect
#: that is silent for a keepalive (1.5 s) and the grace time (1.5 s).
STOOD_STILL_S = 2.0
#: All steps within which a client that was asked is dead, unless it answers.
_UNSURE_STEPS = (DEAD_TICK - PING_TICK + 1) * _BUCKETS


class Ticking(Protocol):
    """
    A connection that L{HeartbeatSweep} serves.
    """

    def tick(self) -> None:
        """
        Note that a quarter of a heartbeat is over.  Never raises.
        """

    def ask(self) -> None:
        """
        Ask a client that has a session for a sign of life, whenever it was heard last.
        """

    @property
    def is_asked(self) -> bool:
        """
        True from L{ask}, if there is a session, until the client answers or is dead.
        """


class HeartbeatSweep:
    """
    Gives each connection four ticks in a heartbeat.

    @ivar heartbeat_s: seconds of silence before a ping, and again before the end.
    """

    _log = Logger()

    def __init__(self, heartbeat_s: float, clock: IReactorTime) -> None:
        self.heartbeat_s = heartbeat_s
        self._clock = clock
        self._buckets: list[set[Ticking]] = [set() for _ in range(_BUCKETS)]
        self._next = 0
        self._filling = 0
        self._quiet: dict[object, tuple[Callable[[], float], int]] = {}
        self._loop: LoopingCall | None = None
        self._asked: set[Ticking] = set()
        self._unsure_steps = 0

    def is_unsure(self) -> bool:
        """
        Return whether clients may be gone that this process has not missed yet, as it
        stood still.
        """
        return bool(self._asked)

    def __len__(self) -> int:
        return sum(map(len, self._buckets))

    def ticks(self, seconds: float) -> int:
        """
        Return the number of ticks after which at least these seconds are over.
        """
        tick_s = self.heartbeat_s / TICKS
        return int(-(-seconds // tick_s)) + 1

    def start(self) -> None:
        """
        Start the timer.
        """
        self._loop = LoopingCall.withCount(self._serve)
        self._loop.clock = self._clock
        self._loop.start(self.heartbeat_s / TICKS / _BUCKETS, now=False)

    def stop(self) -> None:
        """
        Stop the timer.
        """
        loop, self._loop = self._loop, None
        if loop is not None:
            loop.stop()

    def apply_settings(self, heartbeat_s: float) -> None:
        """
        Apply a new heartbeat, to open connections too.
        """
        if heartbeat_s != self.heartbeat_s:
            running = self._loop is not None
            self.stop()
            self.heartbeat_s = heartbeat_s
            if running:
                self.start()

    def add(self, one: Ticking) -> int:
        """
        Add a connection.

        @return: its bucket, which L{discard} takes.
        """
        self._filling = bucket = (self._filling + 1) % _BUCKETS
        self._buckets[bucket].add(one)
        return bucket

    def discard(self, one: Ticking, bucket: int) -> None:
        """
        Remove a connection.
        """
        self._buckets[bucket].discard(one)
        self._asked.discard(one)
        self._quiet.pop(one, None)

    def slow_down(self, one: object, heartbeat_s: Callable[[], float]) -> None:
        """
        Give a connection a heartbeat of its own, as long as it is open.

        @param heartbeat_s: returns its seconds; a heartbeat shorter than that of all
            has no effect.
        """
        self._quiet[one] = (heartbeat_s, 0)

    def speed_up(self, one: object) -> None:
        """
        Give a connection the heartbeat of all again, as while it closes.
        """
        self._quiet.pop(one, None)

    def _is_due(self, one: Ticking) -> bool:
        """
        Return whether a connection with a heartbeat of its own gets this tick.
        """
        heartbeat_s, ticks = self._quiet[one]
        ticks += 1
        is_due = ticks * self.heartbeat_s >= heartbeat_s()
        self._quiet[one] = (heartbeat_s, 0 if is_due else ticks)
        return is_due

    def all(self) -> list[Ticking]:
        """
        Return all connections.
        """
        return [one for bucket in self._buckets for one in bucket]

    def _serve(self, due: int) -> None:
        if (due - 1) * self.heartbeat_s / TICKS / _BUCKETS >= STOOD_STILL_S:
            self._ask_all()
        for _ in range(min(due, _BUCKETS)):
            self._next = (self._next + 1) % _BUCKETS
            for one in list(self._buckets[self._next]):
                if one in self._quiet and not self._is_due(one):
                    continue
                try:
                    one.tick()
                except Exception:  # noqa: BLE001 - a guard
                    self._log.failure("serving the heartbeat of a connection")
        if self._asked:
            self._unsure_steps -= 1
            left = self._asked if self._unsure_steps > 0 else ()
            self._asked = {one for one in left if one.is_asked}

    def _ask_all(self) -> None:
        self._unsure_steps = _UNSURE_STEPS
        asked = [one for one in self.all() if one not in self._quiet]
        for one in asked:
            with self._log.failuresHandled("asking a client for a sign of life"):
                one.ask()
        self._asked = {one for one in asked if one.is_asked}
