"""
One timer that finds every connection that fell silent.

The connections are dealt into buckets, and each tick looks at one bucket, so the
work is even and an idle connection has no timer of its own.  A connection counts
how often it was looked at since it last heard something; as looks are what counts,
a reactor that was held up for seconds ends nobody: what waits in the sockets is
read before the next looks.

With a heartbeat of h seconds a look comes every h / 4: a ping leaves after h to
1.25 h of silence, and a connection that stays silent ends at most 2.25 h after its
last byte.
"""

from __future__ import annotations

from typing import Protocol

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

#: Looks in one heartbeat.
LOOKS = 4
#: The look at which a silent connection is pinged, and that at which it is dead.
PING_LOOK = LOOKS + 1
DEAD_LOOK = 2 * LOOKS + 1
_BUCKETS = 5


class Swept(Protocol):
    """
    What L{Sweep} looks at.
    """

    def looked_at(self) -> None:
        """
        A quarter of a heartbeat is over.  Never raises.
        """


class Sweep:
    """
    Looks at each connection four times a heartbeat.

    @param heartbeat_s: seconds of silence before a ping, and again before the end.
    """

    _log = Logger()

    def __init__(self, heartbeat_s: float, clock: IReactorTime) -> None:
        self.heartbeat_s = heartbeat_s
        self._clock = clock
        self._buckets: list[set[Swept]] = [set() for _ in range(_BUCKETS)]
        self._next = 0
        self._filling = 0
        self._loop: LoopingCall | None = None

    def __len__(self) -> int:
        return sum(map(len, self._buckets))

    def looks(self, seconds: float) -> int:
        """
        The look from which on at least so many seconds are over.
        """
        look_s = self.heartbeat_s / LOOKS
        return int(-(-seconds // look_s)) + 1

    def start(self) -> None:
        """
        Look from now on.
        """
        self._loop = LoopingCall.withCount(self._tick)
        self._loop.clock = self._clock
        self._loop.start(self.heartbeat_s / LOOKS / _BUCKETS, now=False)

    def stop(self) -> None:
        """
        Look no more.
        """
        loop, self._loop = self._loop, None
        if loop is not None:
            loop.stop()

    def apply_settings(self, heartbeat_s: float) -> None:
        """
        Go by another heartbeat from now on.
        """
        if heartbeat_s != self.heartbeat_s:
            running = self._loop is not None
            self.stop()
            self.heartbeat_s = heartbeat_s
            if running:
                self.start()

    def add(self, one: Swept) -> int:
        """
        Look at this one too.

        @return: its bucket, which L{discard} wants to know.
        """
        self._filling = bucket = (self._filling + 1) % _BUCKETS
        self._buckets[bucket].add(one)
        return bucket

    def discard(self, one: Swept, bucket: int) -> None:
        """
        Look at this one no more.
        """
        self._buckets[bucket].discard(one)

    def all(self) -> list[Swept]:
        """
        All that are looked at.
        """
        return [one for bucket in self._buckets for one in bucket]

    def _tick(self, due: int) -> None:
        for _ in range(min(due, _BUCKETS)):
            self._next = (self._next + 1) % _BUCKETS
            for one in list(self._buckets[self._next]):
                with self._log.failuresHandled("looking at a connection"):
                    one.looked_at()
