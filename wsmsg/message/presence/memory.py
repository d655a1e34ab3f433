"""
Presence in the memory of this process: L{IPresence} without a server.

A lease is checked when presence is read, so there is no timer; the first call after a
lease has expired removes its Connect.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence

import attrs
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from wsmsg.dependency.backend import BackendContext
from wsmsg.dependency.state import Dependency
from wsmsg.message.presence.interface import LEASE_S, IPresence
from wsmsg.model import UserPresence


@attrs.define(kw_only=True)
class _Lease:
    """
    The users of one Connect.

    @ivar renewed_s: the time of the last renewal, in clock seconds.
    @ivar seen_ms: the same in unix milliseconds.
    """

    renewed_s: float
    seen_ms: int
    users: set[int] = attrs.Factory(set)

    def renew(self, now_s: float, now_ms: int) -> None:
        self.renewed_s, self.seen_ms = now_s, now_ms


@implementer(IPresence)
class MemoryPresence:
    """
    The users of each Connect, and when those who left were last seen.

    @param clock: for the leases.
    @param lease_s: the length of a lease.
    @param last_seen_limit: the number of offline users whose last time is kept; beyond
        it, the users who left first count as never seen.
    @param unix_s: returns the unix time, for the last times.
    """

    def __init__(
        self,
        clock: IReactorTime,
        lease_s: float = LEASE_S,
        *,
        dependency: Dependency | None = None,
        last_seen_limit: int = 1_000_000,
        unix_s: Callable[[], float] = time.time,
    ) -> None:
        self.dependency = dependency or Dependency("presence", clock, required=False)
        self._clock = clock
        self._unix_s = unix_s
        self._lease_s = lease_s
        self._last_seen_limit = last_seen_limit
        self._leases: dict[str, _Lease] = {}
        self._places: dict[int, int] = {}
        self._last_seen: dict[int, int] = {}

    def start(self) -> None:
        self.dependency.attempting()
        self.dependency.succeeded()

    def stop(self) -> Deferred[None]:
        self._leases.clear()
        self._places.clear()
        self._last_seen.clear()
        self.dependency.stopped()
        return succeed(None)

    def replace(self, node: str, users: Sequence[int]) -> Deferred[None]:
        lease = self._renewed(node)
        there = set(users)
        self._add(lease, there - lease.users)
        self._remove(lease, lease.users - there, lease.seen_ms)
        return succeed(None)

    def change(
        self, node: str, online: Sequence[int], offline: Sequence[int]
    ) -> Deferred[None]:
        lease = self._renewed(node)
        self._add(lease, set(online) - lease.users)
        self._remove(lease, lease.users.intersection(offline), lease.seen_ms)
        return succeed(None)

    def renew(self, node: str) -> Deferred[None]:
        self._renewed(node)
        return succeed(None)

    def forget(self, node: str) -> Deferred[None]:
        self._expire()
        lease = self._leases.pop(node, None)
        if lease is not None:
            self._remove(lease, set(lease.users), self._now_ms())
        return succeed(None)

    def look_up(self, users: Sequence[int]) -> Deferred[list[UserPresence]]:
        self._expire()
        now_ms = self._now_ms()
        return succeed([self._presence(user, now_ms) for user in users])

    def _presence(self, user: int, now_ms: int) -> UserPresence:
        if user in self._places:
            return UserPresence(user, True, now_ms)
        return UserPresence(user, False, self._last_seen.get(user, 0))

    def _renewed(self, node: str) -> _Lease:
        self._expire()
        now_s, now_ms = self._clock.seconds(), self._now_ms()
        lease = self._leases.setdefault(node, _Lease(renewed_s=now_s, seen_ms=now_ms))
        lease.renew(now_s, now_ms)
        return lease

    def _expire(self) -> None:
        # There are only a few Connects, and rarely has a lease expired.
        oldest_s = self._clock.seconds() - self._lease_s
        for node in [n for n, x in self._leases.items() if x.renewed_s <= oldest_s]:
            lease = self._leases.pop(node)
            self._remove(lease, set(lease.users), lease.seen_ms)

    def _add(self, lease: _Lease, users: Iterable[int]) -> None:
        for user in users:
            lease.users.add(user)
            self._places[user] = self._places.get(user, 0) + 1
            self._last_seen.pop(user, None)

    def _remove(self, lease: _Lease, users: Iterable[int], seen_ms: int) -> None:
        for user in users:
            lease.users.discard(user)
            self._places[user] -= 1
            if not self._places[user]:
                del self._places[user]
                self._last_seen[user] = seen_ms
        while len(self._last_seen) > self._last_seen_limit:
            del self._last_seen[next(iter(self._last_seen))]

    def _now_ms(self) -> int:
        return int(self._unix_s() * 1000)


def make_presence(context: BackendContext) -> MemoryPresence:
    """
    Make the presence for the settings of a Message.
    """
    return MemoryPresence(context.reactor, dependency=context.dependency)
