"""
When an open loop sends: at times fixed beforehand, whatever the server does.

A server that stalls is not waited for, and each latency counts from the time its
message was due.  Otherwise the messages that a stall kept from being sent would
be missing from the percentiles, which is just when they matter.
"""

from __future__ import annotations

import random
from collections.abc import Iterator


def poisson(rate: float, seconds: float, rng: random.Random) -> Iterator[float]:
    """
    Times in [0, C{seconds}) at which independent people send, C{rate} a second
    together; rising.
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
        All times up to now that were not taken before.
        """
        taken = []
        while self.next_s is not None and self.next_s <= now_s:
            taken.append(self.next_s)
            self.next_s = next(self._times, None)
        return taken
