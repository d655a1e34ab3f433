"""
Budgets of addresses: handshakes, failed logins and connections.

Addresses of IPv6 are told apart by their first 64 bits, which is what one customer has.
An address is remembered while it has connections, and after that until it has been
quiet for so long that nothing is held against it; a quiet address costs nothing.
"""

from __future__ import annotations

from functools import lru_cache
from socket import AF_INET6, inet_ntoa, inet_ntop, inet_pton

#: The most addresses without connections that are remembered.  Beyond them the one that
#: has been quiet for longest is forgotten.
RESTING = 50_000

_MAPPED = b"\0" * 10 + b"\xff\xff"


def group_of(address: str) -> str:
    """
    Return what an address is counted as: an address of IPv4, a network of IPv6.
    """
    return _network_of(address) if ":" in address else address


@lru_cache(1024)
def _network_of(address: str) -> str:
    try:
        packed = inet_pton(AF_INET6, address.partition("%")[0])
    except OSError:
        return address
    if packed.startswith(_MAPPED):
        return inet_ntoa(packed[12:])
    return f"{inet_ntop(AF_INET6, packed[:8] + bytes(8))}/64"


class Budget:
    """
    One address.

    @ivar connections: its open connections.
    @ivar at_s: the time when it last cost something.
    """

    __slots__ = ("_tokens", "at_s", "connections")

    def __init__(self, now_s: float, rate: float) -> None:
        self.connections = 0
        self.at_s = now_s
        self._tokens = rate

    def count(self, more: int) -> int:
        """
        Count a connection more, or less, and return their number.
        """
        self.connections += more
        return self.connections

    def refill(self, now_s: float, rate: float) -> float:
        """
        Return the handshakes that it may make now; below 0 after failed logins.
        """
        tokens = self._tokens + (now_s - self.at_s) * rate
        self.at_s = now_s
        self._tokens = tokens if tokens < rate else rate
        return self._tokens

    def take(self, cost: float) -> None:
        """
        Take the cost of something.
        """
        self._tokens -= cost


class Budgets:
    """
    The addresses that cost something of late.
    """

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._active: dict[str, Budget] = {}
        self._resting: dict[str, Budget] = {}

    def __len__(self) -> int:
        return len(self._active) + len(self._resting)

    def apply_rate(self, rate: float) -> None:
        """
        Give each address so many handshakes a second from now on.
        """
        self._rate = rate

    def connections(self, group: str) -> int:
        """
        Return the number of open connections.
        """
        found = self._active.get(group)
        return 0 if found is None else found.connections

    @property
    def sole(self) -> str:
        """
        The address of all connections, if they have only one.
        """
        return next(iter(self._active)) if len(self._active) == 1 else ""

    def is_over(self, group: str, now_s: float) -> bool:
        """
        Return whether an address has made too many handshakes.
        """
        found = self._active.get(group) or self._resting.get(group)
        return found is not None and found.refill(now_s, self._rate) < 1.0

    def opened(self, group: str, now_s: float) -> Budget:
        """
        Count a connection.
        """
        found = self._active.get(group)
        if found is None:
            found = self._resting.pop(group, None) or Budget(now_s, self._rate)
            self._active[group] = found
        found.count(1)
        return found

    def closed(self, group: str, now_s: float) -> None:
        """
        Count a connection as gone.
        """
        found = self._active[group]
        if found.count(-1):
            return
        del self._active[group]
        if found.refill(now_s, self._rate) < self._rate:
            if len(self._resting) >= RESTING:
                del self._resting[next(iter(self._resting))]
            self._resting[group] = found

    def take(self, group: str, now_s: float) -> bool:
        """
        Take what a handshake costs, if there is as much.
        """
        found = self._active.get(group)
        if found is None:
            return True
        if found.refill(now_s, self._rate) < 1.0:
            return False
        found.take(1.0)
        return True

    def charge(self, group: str, cost: float, now_s: float) -> None:
        """
        Take what a failure costs, at most so much that a second without handshakes
        makes up for it.
        """
        found = self._active.get(group)
        if found is not None:
            left = found.refill(now_s, self._rate) + self._rate - 1.0
            found.take(min(cost, max(0.0, left)))

    def forget(self, now_s: float) -> None:
        """
        Forget the addresses that nothing is held against any more.
        """
        resting, limit_s = self._resting, now_s - 2.0
        while resting:
            group = next(iter(resting))
            if resting[group].at_s > limit_s:
                return
            del resting[group]
