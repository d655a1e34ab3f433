"""
A limit on a rate, with bursts, alone or together with one on an amount in a period.
"""

from __future__ import annotations

from typing import Protocol


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


class MeterLimits(Protocol):
    """
    The limits of a L{Meter}; C{0}: none.

    @ivar period: a number of the current period, in which C{amount} is allowed.
    """

    @property
    def rate(self) -> float: ...

    @property
    def burst(self) -> float: ...

    @property
    def amount(self) -> int: ...

    @property
    def period(self) -> int: ...

    def unsaved(self, meter: Meter) -> None:
        """
        Note that a meter has counted something since its L{Meter.take_unsaved}.
        """


class Meter(TokenBucket):
    """
    A token bucket of one user that also counts an amount in a period.

    @ivar used: the amount that is counted in the period, also elsewhere.
    """

    __slots__ = ("_period", "_unsaved", "used", "user")

    def __init__(self, user: int, now: float, limits: MeterLimits) -> None:
        super().__init__(now, limits.burst)
        self.user = user
        self.used = 0
        self._period = limits.period
        self._unsaved = 0

    def count(self, size: int, now: float, limits: MeterLimits) -> str:
        """
        Take a token and count an amount, unless that would pass a limit.

        @return: the limit that it would pass, C{rate} or C{amount}; or empty.
        """
        if limits.rate and not self.take(now, limits.rate, limits.burst):
            return "rate"
        if limits.amount:
            if self._period != limits.period:
                self._period = limits.period
                self.used = 0
            if self.used + size > limits.amount:
                return "amount"
            if not self._unsaved:
                limits.unsaved(self)
            self.used += size
            self._unsaved += size
        return ""

    def take_unsaved(self) -> int:
        """
        Return the amount that was counted since the last call.
        """
        unsaved, self._unsaved = self._unsaved, 0
        return unsaved

    def saved(self, total: int, period: int) -> None:
        """
        Take over the amount that all others have counted with this one.

        @param total: as it was saved; what was counted here meanwhile is not in it.
        """
        if period == self._period:
            self.used = total + self._unsaved
