"""
A limit on a rate, with bursts.
"""

from __future__ import annotations


class TokenBucket:
    """
    Tokens that are refilled at a steady rate, up to a burst.

    The caller passes rate and burst with each call, so that settings can change them;
    the bucket keeps two numbers.

    @param now: seconds, of the clock that later calls use.
    @param tokens: the number of tokens at first: the burst.
    """

    __slots__ = ("_at", "_tokens")

    def __init__(self, now: float, tokens: float) -> None:
        self._tokens = float(tokens)
        self._at = now

    def take(self, now: float, rate: float, burst: float) -> bool:
        """
        Take a token, if there is one.

        @param rate: the tokens a second.
        @param burst: the most tokens in the bucket.
        @return: whether there was one.
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

    def spend(self, cost: int, now: float, rate: float, burst: float) -> bool:
        """
        Take several tokens, on credit if there are fewer.

        @param rate: as for L{take}, as is C{burst}.  A debt is at most a burst.
        @return: whether there is a token left.
        """
        tokens = min(burst, self._tokens + max(0.0, now - self._at) * rate) - cost
        self._tokens = max(tokens, -burst)
        self._at = now
        return tokens >= 1.0

    def wait_s(self, now: float, rate: float, tokens: float = 1.0) -> float:
        """
        Return the seconds until there are so many tokens; 0: there are.
        """
        missing = tokens - self._tokens - max(0.0, now - self._at) * rate
        return max(0.0, missing / rate)
