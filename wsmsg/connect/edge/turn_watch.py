"""
The watch over the turns of the reactor: a Connect that is busy for too long at a time
reports that it is not ready, so that a load balancer gives new clients to others.

The clients that are connected are served on.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from typing import Protocol

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from wsmsg.monitoring.measures.histogram import Histogram
from wsmsg.settings.values import ConnectSettings

#: The interval of looks, and the number of them that decide.
LOOK_S = 1.0
LOOKS = 5
#: So many of them must have found long turns; none of them, for the end of it.
_MOST = 3
#: The part of the turns between two looks that may be long: p99.
_SHARE = 0.01

_CAUSE = "turns"


class Holding(Protocol):
    """
    The part of L{wsmsg.monitoring.health.Health} that the watch uses.
    """

    def hold(self, name: str, reason: str) -> None: ...


class TurnWatch:
    """
    Watches the turns, from L{start} to L{stop}.

    @param turns: the durations of the turns; L{None}: they are not known, and nothing
        is watched.
    @ivar turn_s: a turn above this is long; 0: none is.
    """

    _log = Logger()

    def __init__(
        self,
        turns: Histogram | None,
        health: Holding,
        clock: IReactorTime,
        turn_s: float,
    ) -> None:
        self.turn_s = turn_s
        self._turns = turns
        self._health = health
        self._before: list[int] = []
        self._found: deque[bool] = deque(maxlen=LOOKS)
        self._holds = False
        self._looks = LoopingCall(self._look)
        self._looks.clock = clock

    def apply_settings(self, settings: ConnectSettings) -> None:
        """
        Apply the duration above which a turn is long.
        """
        self.turn_s = settings.ready.turn_s

    def start(self) -> None:
        """
        Look each second from now on; what was before, such as the start, counts not.
        """
        if self._turns is not None:
            self._before = list(self._turns.counts)
            self._looks.start(LOOK_S, now=False)

    def stop(self) -> None:
        """
        Look no more.
        """
        if self._looks.running:
            self._looks.stop()

    def _look(self) -> None:
        with self._log.failuresHandled("the turns of the reactor cannot be looked at"):
            self._found.append(self._are_long())
            n_long = sum(self._found)
            if not self._holds and n_long >= _MOST:
                self._hold(
                    f"1 in 100 turns of the reactor takes over {self.turn_s:g} s "
                    "(ready.turn_s): this Connect has too much to do"
                )
            elif self._holds and not n_long:
                self._hold("")

    def _hold(self, reason: str) -> None:
        self._holds = bool(reason)
        self._health.hold(_CAUSE, reason)

    def _are_long(self) -> bool:
        """
        Return whether over one in a hundred turns since the last look was long.
        """
        turns = self._turns
        if turns is None:
            return False
        counts, self._before = turns.since(self._before), list(turns.counts)
        if not self.turn_s:
            return False
        # The bucket in which turn_s lies may have shorter ones, and does not count.
        n_long = sum(counts[bisect_left(turns.bounds, self.turn_s) + 1 :])
        return n_long > _SHARE * sum(counts)
