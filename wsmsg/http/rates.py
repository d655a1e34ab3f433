"""
Rates of requests by address: requests above the rate wait, as frames of WebSockets do.
"""

from __future__ import annotations

from collections.abc import Callable

#: The most addresses whose rates are kept.
MOST_ADDRESSES = 10_000

#: A request that would wait for longer is refused.
LONGEST_WAIT_S = 2.0


class RequestRates:
    """
    Spaces the requests of each address, after a burst of one second's requests.

    @param per_s: returns the sustained rate of an address.
    """

    def __init__(self, per_s: Callable[[], int]) -> None:
        self._per_s = per_s
        self._next_s: dict[str, float] = {}

    def wait_s(self, address: str, now_s: float) -> float | None:
        """
        Count a request.

        @return: for how long it has to wait; L{None}: for too long, and it does not
            count.
        """
        per_s = self._per_s()
        at_s = max(self._next_s.pop(address, now_s - 1.0), now_s - 1.0)
        wait_s = at_s - now_s
        is_late = wait_s > LONGEST_WAIT_S
        self._next_s[address] = at_s if is_late else at_s + 1 / per_s
        if len(self._next_s) > MOST_ADDRESSES:
            del self._next_s[next(iter(self._next_s))]
        return None if is_late else max(0.0, wait_s)
