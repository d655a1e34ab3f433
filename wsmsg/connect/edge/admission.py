"""
Limits on connections: their total number, their number by address, and handshakes per
second, of each address and of all.
"""

from __future__ import annotations

from collections.abc import Sequence

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from wsmsg.connect.edge.budgets import Budgets, group_of
from wsmsg.connect.edge.refusals import REASONS, RefusedLogins, label_of
from wsmsg.errors import Close, Fault, Overloaded, RateLimited, Unavailable, WsmsgError
from wsmsg.flow.token_bucket import TokenBucket
from wsmsg.http.proxies import Proxies
from wsmsg.monitoring.metrics import Metrics
from wsmsg.settings.values import LimitSettings

_WARN_S = 10.0
#: So many connections of one address alone may be those of a proxy.
SEVERAL = 20
#: A refused login costs its address as much as this many handshakes.
FAILURE = 10.0
#: An address has at least so many handshakes a second.
_LEAST_RATE = 20.0
#: Of an address that is over its limit, so many connections at once may say what they
#: want (HTTP is not limited by handshakes); others are closed when they are accepted.
_HEARD = 4


class Admission:
    """
    Counts connections and handshakes, and refuses those above the limits.

    @param room: the most connections that there are files for.
    @ivar connections: the number of open connections.
    @ivar proxies: the proxies that may say for whom they connect.
    @ivar refusals: what was refused, by reason.
    """

    _log = Logger()

    def __init__(
        self,
        limits: LimitSettings,
        clock: IReactorTime,
        proxies: Sequence[str] = (),
        room: int = 2**31,
    ) -> None:
        self._limits = limits
        self._room = room
        self._clock = clock
        self._budgets = Budgets(_rate_of(limits))
        self._bucket = TokenBucket(clock.seconds(), limits.handshakes_per_s)
        self._warned_at: float | None = None
        self.connections = 0
        self.proxies = Proxies(proxies)
        self.refusals = RefusedLogins(clock)
        self.refused = self.refusals.counts
        self._closed = ""

    def apply_settings(
        self, limits: LimitSettings, proxies: Sequence[str] = ()
    ) -> None:
        """
        Apply new limits and proxies to new connections; open ones stay.
        """
        self._limits = limits
        self._budgets.apply_rate(_rate_of(limits))
        self.proxies = Proxies(proxies)

    def register_metrics(self, metrics: Metrics) -> None:
        """
        Have the counts read by each scrape.
        """
        metrics.counters(
            "wsmsg_connect_refused",
            "Connections, handshakes and logins refused",
            label="reason",
            read=lambda: self.refused,
            values=REASONS,
        )
        metrics.gauge(
            "wsmsg_connect_connections",
            "Open connections, those of HTTP included",
            lambda: self.connections,
        )
        metrics.gauge(
            "wsmsg_connect_addresses",
            "Addresses that have connections, or had some a moment ago",
            lambda: len(self._budgets),
        )

    @property
    def most_connections(self) -> int:
        """
        The most connections that are admitted.
        """
        return min(self._limits.connections, self._room)

    def admit(self, address: str) -> WsmsgError | None:
        """
        Count a new connection from an address, unless a limit is reached.

        @return: the reason to refuse the connection, or L{None}: it counts until
            L{release}.
        """
        group = group_of(address)
        if self.connections >= self.most_connections:
            return self._refuse(
                address, "connections", Unavailable("no room for more", 1000)
            )
        error = self._too_many(group, address)
        if error is None:
            self._budgets.opened(group, self._clock.seconds())
            self.connections += 1
        return error

    @property
    def room(self) -> int:
        """
        The number of further connections that there may be.
        """
        return self.most_connections - self.connections

    def release(self, address: str) -> None:
        """
        Count a connection that was admitted as gone.
        """
        self.connections -= 1
        self._budgets.closed(group_of(address), self._clock.seconds())

    def move(self, proxy: str, address: str) -> WsmsgError | None:
        """
        Count a connection of a proxy as one of the address that it is for.

        @return: the reason to refuse it; then it still counts as the proxy's.
        """
        group, now_s = group_of(address), self._clock.seconds()
        error = self._too_many(group, address)
        if error is None:
            self._budgets.closed(group_of(proxy), now_s)
            self._budgets.opened(group, now_s)
        return error

    def hear(self, address: str) -> bool:
        """
        Return whether a connection that was just admitted may say what it wants: not if
        its address makes too many handshakes, and others of it are being heard.
        """
        group = group_of(address)
        if self.proxies.trust(address):
            return True
        if not self._budgets.is_over(group, self._clock.seconds()):
            return True
        if self._budgets.connections(group) <= _HEARD:
            return True
        self.refusals.note(address, "address_handshakes", "too many handshakes")
        return False

    def admit_handshake(self, address: str) -> WsmsgError | None:
        """
        Count a WebSocket handshake, unless there are too many at once: first of its
        address, then of all.

        @return: the reason to refuse the handshake, or L{None}.
        """
        if self._closed:
            return self._refuse(address, "draining", Unavailable(self._closed, 1000))
        rate, now_s = self._limits.handshakes_per_s, self._clock.seconds()
        counts = not self.proxies.trust(address)
        if counts and not self._budgets.take(group_of(address), now_s):
            reason = "too many handshakes from your address at once"
            error = RateLimited(reason, 1000)
            return self._refuse(address, "address_handshakes", error)
        if self._bucket.take(now_s, rate, rate):
            return None
        error = RateLimited("too many handshakes at once", 1000)
        return self._refuse(address, "handshakes", error)

    def close(self, reason: str) -> None:
        """
        Refuse all handshakes from now on; with an empty reason, none.
        """
        self._closed = reason

    def handshake_failed(self, address: str, error: WsmsgError) -> None:
        """
        Count a handshake that was refused for what it asks; its address pays for it.
        """
        self._failed(address, label_of(error), error.reason)

    def login_failed(
        self, address: str, code: Close, reason: str, fault: Fault
    ) -> None:
        """
        Count a connection that was closed before anybody had logged in.

        @param fault: that of the token, if the code is C{UNAUTHENTICATED}.
        """
        match code:
            case Close.UNAUTHENTICATED:
                self._failed(address, f"token_{fault}", reason)
            case Close.STALE:
                self._failed(address, "no_hello", reason)
            case Close.DRAIN | Close.UNAVAILABLE | Close.DONE | Close.BUG:
                self.refusals.note(address, "unavailable", reason)
            case _:
                self._failed(address, "bad_request", reason)

    def counted_as(self, peer: str, forwarded: Sequence[bytes]) -> str | None:
        """
        Return what a request of HTTP is counted as (L{RequestRates}): one connection of
        a proxy serves many clients.
        """
        client = self.proxies.behind(peer, forwarded)
        return None if self.proxies.trust(client) else group_of(client)

    @property
    def sole_address(self) -> str:
        """
        The address of all connections, if there are some and it is no listed proxy:
        perhaps a proxy that should be listed.
        """
        sole = self._budgets.sole
        several = self.connections >= SEVERAL
        return sole if several and not self.proxies.trust(sole) else ""

    def sweep(self) -> None:
        """
        Forget addresses that have been quiet.
        """
        self._budgets.forget(self._clock.seconds())

    def _failed(self, address: str, fault: str, reason: str) -> None:
        self.refusals.note(address, fault, reason)
        if fault != "unavailable" and not self.proxies.trust(address):
            now_s = self._clock.seconds()
            self._budgets.charge(group_of(address), FAILURE - 1.0, now_s)

    def _too_many(self, group: str, address: str) -> WsmsgError | None:
        if self.proxies.trust(address):
            return None
        if self._budgets.connections(group) < self._limits.connections_per_address:
            return None
        reason = "too many connections from your address"
        return self._refuse(address, "address", Overloaded(reason, 1000))

    def _refuse(self, address: str, fault: str, error: WsmsgError) -> WsmsgError:
        self.refusals.note(address, fault, error.reason)
        now = self._clock.seconds()
        if self._warned_at is None or now - self._warned_at >= _WARN_S:
            self._warned_at = now
            sole = self._budgets.sole
            hint = (
                f"; all connections come from {sole}: if that is a proxy, list it in "
                "proxies"
            )
            self._log.warn(
                "refusing connections: {reason} ({connections} open, refused so far: "
                "{refused}){hint}",
                reason=error.reason,
                connections=self.connections,
                refused=dict(self.refused),
                hint=hint if sole and fault.startswith("address") else "",
            )
        return error


def _rate_of(limits: LimitSettings) -> float:
    """
    Return the handshakes a second of one address: by default half of all.
    """
    own = limits.address_handshakes_per_s
    return float(own) or max(_LEAST_RATE, limits.handshakes_per_s / 2)
