"""
Limits on connections: their total number, their number by address, and handshakes per
second.
"""

from __future__ import annotations

from collections import Counter

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from wsmsg.errors import Overloaded, RateLimited, Unavailable, WsmsgError
from wsmsg.flow.token_bucket import TokenBucket
from wsmsg.monitoring.metrics import Metrics
from wsmsg.settings.values import LimitSettings

_WARN_S = 10.0


class Admission:
    """
    Counts connections and handshakes, and refuses those above the limits.

    @ivar connections: the number of open connections.
    @ivar refused: refused connections by reason: C{connections}, C{address},
        C{handshakes}.
    """

    _log = Logger()

    def __init__(self, limits: LimitSettings, clock: IReactorTime) -> None:
        self._limits = limits
        self._clock = clock
        self._by_address: dict[str, int] = {}
        self._bucket = TokenBucket(clock.seconds(), limits.handshakes_per_s)
        self._warned_at: float | None = None
        self.connections = 0
        self.refused: Counter[str] = Counter()

    def apply_settings(self, limits: LimitSettings) -> None:
        """
        Apply new limits to new connections; open ones stay.
        """
        self._limits = limits

    def register_metrics(self, metrics: Metrics) -> None:
        """
        Have the counts read by each scrape.
        """
        metrics.counters(
            "wsmsg_connect_refused",
            "Connections refused",
            label="reason",
            read=lambda: self.refused,
        )
        metrics.gauge(
            "wsmsg_connect_connections",
            "Open connections, those of HTTP included",
            lambda: self.connections,
        )

    def admit(self, address: str) -> WsmsgError | None:
        """
        Count a new connection from an address, unless a limit is reached.

        @return: the reason to refuse the connection, or L{None}: it counts until
            L{release}.
        """
        here = self._by_address.get(address, 0)
        if self.connections >= self._limits.connections:
            return self._refuse("connections", Unavailable, "no room for more", 1000)
        if here >= self._limits.connections_per_address:
            return self._refuse(
                "address", Overloaded, "too many connections from your address", 1000
            )
        self._by_address[address] = here + 1
        self.connections += 1
        return None

    def release(self, address: str) -> None:
        """
        Count a connection that was admitted as gone.
        """
        self.connections -= 1
        here = self._by_address[address] - 1
        if here:
            self._by_address[address] = here
        else:
            del self._by_address[address]

    def admit_handshake(self) -> WsmsgError | None:
        """
        Count a WebSocket handshake, unless there are too many at once.

        @return: the reason to refuse the handshake, or L{None}.
        """
        rate = self._limits.handshakes_per_s
        if self._bucket.take(self._clock.seconds(), rate, rate):
            return None
        return self._refuse(
            "handshakes", RateLimited, "too many handshakes at once", 1000
        )

    def _refuse(
        self, what: str, error: type[WsmsgError], reason: str, retry_after_ms: int
    ) -> WsmsgError:
        self.refused[what] += 1
        now = self._clock.seconds()
        if self._warned_at is None or now - self._warned_at >= _WARN_S:
            self._warned_at = now
            self._log.warn(
                "refusing connections: {reason} ({connections} open, refused so far: "
                "{refused})",
                reason=reason,
                connections=self.connections,
                refused=dict(self.refused),
            )
        return error(reason, retry_after_ms)
