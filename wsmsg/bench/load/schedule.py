"""
The schedule of an open loop: sends at times fixed beforehand, whatever the server does.

The load does not wait for a server that stalls, and each latency counts from the time
when its message was due.  Otherwise the percentiles would lack the messages that a
stall delayed, exactly when they matter.
"""

from __future__ import annotations

import random
from collections.abc import Iterator


def poisson(rate: float, seconds: float, rng: random.Random) -> Iterator[float]:
    """
    Return the times in [0, C{seconds}) at which independent people send, C{rate} a
    second together; rising.
    """
    at_s = rng.expovariate(rate)
    while at_s < seconds:
        yield at_s
        at_s += rng.expovariate(rate)


class DueTimes:
    """
    Takes times from a schedule as they come due.
    """

    __slots__ = ("_times", "next_s")

    def __init__(self, times: Iterator[float], start_s: float):
        self._times = (start_s + t for t in times)
        self.next_s: float | None = next(self._times, None)

    def take(self, now_s: float) -> list[float]:
        """
        Return all times up to now that were not taken before.
        """
        taken = []
        while self.next_s is not None and self.next_s <= now_s:
            taken.append(self.next_s)
            self.next_s = next(self._times, None)
        return taken
