"""
Addresses that Messages put into a list in Redis, each under a lease.

L{RedisDiscovery} reads the list every second, which also shows that Redis is up.  A
Message that died leaves the list when its lease ends.  While Redis is down the known
addresses stay.  They also stay for a while after Redis returns, because it may have
lost its data: the Messages that are alive renew their entries a moment later.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from zope.interface import implementer

from wsmsg.connect.discovery.interface import Changed, IDiscovery
from wsmsg.dependency.retry import RetryPolicy
from wsmsg.dependency.state import Dependency
from wsmsg.redis.connection import Execute, RedisConnection
from wsmsg.settings.urls.redis import RedisUrl

#: For so long after the return of Redis no known address is dropped.
SETTLING_S = 5.0


@implementer(IDiscovery)
class RedisDiscovery:
    """
    The addresses in the list C{messages}.
    """

    _log = Logger()

    def __init__(self, url: RedisUrl, reactor: Any, *, retry: RetryPolicy) -> None:
        name = f"discovery redis {url.place}"
        self.dependency = Dependency(name, reactor, required=False)
        self._reactor = reactor
        self._changed: Changed | None = None
        self._known: frozenset[str] = frozenset()
        self._found: frozenset[str] = frozenset()
        self._settled: IDelayedCall | None = None
        self._redis = RedisConnection(
            url, reactor, retry=retry, dependency=self.dependency, check=self._read_list
        )
        self.dependency.on_change(self._state_changed)

    def start(self, changed: Changed) -> None:
        self._changed = changed
        self._redis.start()

    def stop(self) -> Deferred[None]:
        self._changed = None
        return self._redis.stop()

    def _read_list(self, execute: Execute) -> Deferred[Any]:
        asked = execute("ZRANGE", f"{self._redis.url.prefix}messages", 0, -1)
        return asked.addCallback(self._list_read)

    def _list_read(self, found: list[str]) -> None:
        self._found = frozenset(found)
        if self.dependency.up:
            self._report()

    def _report(self) -> None:
        addresses = self._found
        if self._settled is not None:
            addresses |= self._known
        if self._changed is None or addresses == self._known:
            return
        self._log.info(
            "{dependency}: {addresses}",
            dependency=self.dependency.name,
            addresses=", ".join(sorted(addresses)) or "none",
        )
        self._known = addresses
        self._changed(addresses)

    def _state_changed(self, dependency: Dependency) -> None:
        if self._settled is not None:
            self._settled.cancel()
            self._settled = None
        if dependency.up and self._known:
            self._settled = self._reactor.callLater(SETTLING_S, self._settle)
        if dependency.up:
            self._report()

    def _settle(self) -> None:
        self._settled = None
