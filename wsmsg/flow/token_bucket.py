"""
How often somebody may do something.
"""

from __future__ import annotations


class TokenBucket:
    """
    Tokens that come back at a steady rate, up to a burst.

    Rate and burst are given with each call, so that they can change live; the
    bucket itself is two numbers.

    @param now: seconds, of the clock that later calls use.
    @param tokens: how many there are at first: the burst.
    """

    __slots__ = ("_at", "_tokens")

    def __init__(self, now: float, tokens: float) -> None:
        self._tokens = float(tokens)
        self._at = now

    def take(self, now: float, rate: float, burst: float) -> bool:
        """
        Take a token if there is one.

        @param rate: tokens a second.
        @param burst: the most tokens that there can be.
        """
        tokens = (
            self._tokens + (now - self._at) * rate if now > self._at else (self._tokens)
        )
        self._at = now
        if tokens > burst:
            tokens = burst
        if tokens < 1.0:
            self._tokens = tokens
            return False
        self._tokens = tokens - 1.0
        return True

    def wait_s(self, now: float, rate: float) -> float:
        """
        Seconds until there is a token; 0: there is one.
        """
        missing = 1.0 - self._tokens - max(0.0, now - self._at) * rate
        return max(0.0, missing / rate)
