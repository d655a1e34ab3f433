"""
One timer that finds every silent connection.

Connections are dealt into buckets.  Each step of the timer serves one bucket, so the
load is even and an idle connection has no timer of its own.  A connection counts its
I{ticks} since it last received data.  Since ticks count, not seconds, a reactor that
was stalled for seconds ends no connection: it reads what waits in the sockets before
the next ticks.

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


class Ticking(Protocol):
    """
    A connection that L{HeartbeatSweep} serves.
    """

    def tick(self) -> None:
        """
        Note that a quarter of a heartbeat is over.  Never raises.
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
        for _ in range(min(due, _BUCKETS)):
            self._next = (self._next + 1) % _BUCKETS
            for one in list(self._buckets[self._next]):
                if one in self._quiet and not self._is_due(one):
                    continue
                with self._log.failuresHandled("serving the heartbeat of a connection"):
                    one.tick()
