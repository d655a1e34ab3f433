"""
The rates of users on one node, which outlast their sessions.

A user who logs out and in again would begin with full token buckets if these ended with
the session.  So a table keeps the buckets of a user who is gone until they are full
again, when new ones are just as good.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from wsmsg.flow.token_bucket import TokenBucket

#: The most users without a session whose buckets are kept; over it those who have been
#: gone for longest begin with full ones.
MOST_GONE: Final = 100_000


class UserRates:
    """
    The token buckets that all sessions of a user on a node share.

    @ivar sends: one token for each send.
    @ivar requests: the units that other requests cost (L{wsmsg.protocol.costs}).
    """

    __slots__ = ("requests", "sends")

    def __init__(self, sends: TokenBucket, requests: TokenBucket) -> None:
        self.sends = sends
        self.requests = requests


class UserRatesTable:
    """
    The rates of users: of those who have a session and used it, and of those who are
    gone and whose buckets are not full.

    @param most_gone: the most of the latter.
    """

    def __init__(self, most_gone: int = MOST_GONE) -> None:
        self._most_gone = most_gone
        self._here: dict[int, UserRates] = {}
        self._gone: dict[int, tuple[float, UserRates]] = {}

    def __len__(self) -> int:
        return len(self._here) + len(self._gone)

    def of(
        self, user: int, now: float, *, sends_burst: int, requests_burst: int
    ) -> UserRates:
        """
        Return the rates of a user who has a session.
        """
        rates = self._here.get(user)
        if rates is None:
            _, rates = self._gone.pop(user, (0.0, None))
            if rates is None:
                sends = TokenBucket(now, sends_burst)
                rates = UserRates(sends, TokenBucket(now, requests_burst))
            self._here[user] = rates
        return rates

    def left(self, user: int, now: float, full_s: Callable[[UserRates], float]) -> None:
        """
        Note that the last session of a user has ended.

        @param full_s: returns the seconds after which the buckets are full.
        """
        rates = self._here.pop(user, None)
        wait_s = 0.0 if rates is None else full_s(rates)
        if rates is not None and wait_s > 0:
            self._gone[user] = (now + wait_s, rates)
        # Those behind one that takes longer to be full wait for it.
        while self._gone:
            first = next(iter(self._gone))
            if len(self._gone) <= self._most_gone and self._gone[first][0] > now:
                break
            del self._gone[first]
