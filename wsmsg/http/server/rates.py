"""
Rates of requests by address: requests above the rate wait, as frames of WebSockets do.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

#: The most addresses whose rates are kept.
MOST_ADDRESSES = 10_000

#: A request that would wait for longer is refused.
LONGEST_WAIT_S = 2.0


#: Returns what a request is counted as.
CountedAs = Callable[[str, Sequence[bytes]], "str | None"]


class RequestRates:
    """
    Spaces the requests of each address, after a burst of one second's requests.

    @param per_s: returns the sustained rate of an address.
    @param counted_as: returns what a request is counted as, by the address of the
        connection and the values of C{X-Forwarded-For}; L{None}: it is not counted.
    """

    def __init__(
        self,
        per_s: Callable[[], int],
        counted_as: CountedAs = lambda address, _: address,
    ) -> None:
        self._per_s = per_s
        self._counted_as = counted_as
        self._next_s: dict[str, float] = {}

    def wait_s(
        self, peer: str, now_s: float, forwarded: Sequence[bytes] = ()
    ) -> float | None:
        """
        Count a request.

        @param peer: the address of the connection.
        @param forwarded: the values of C{X-Forwarded-For} in the request.
        @return: for how long it has to wait; L{None}: for too long, and it does not
            count.
        """
        address = self._counted_as(peer, forwarded)
        if address is None:
            return 0.0
        per_s = self._per_s()
        at_s = max(self._next_s.pop(address, now_s - 1.0), now_s - 1.0)
        wait_s = at_s - now_s
        is_late = wait_s > LONGEST_WAIT_S
        self._next_s[address] = at_s if is_late else at_s + 1 / per_s
        if len(self._next_s) > MOST_ADDRESSES:
            del self._next_s[next(iter(self._next_s))]
        return None if is_late else max(0.0, wait_s)
