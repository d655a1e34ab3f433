"""
Addresses that Messages put into a list in Redis, each under a lease.

The list is read every second, and that is what shows that Redis is there.  A Message
that died leaves the list when its lease ends; while Redis is away what is known stays.
So it does for a while when Redis comes back without a list (it lost its data): the
Messages that live are in it again a moment later.
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
from wsmsg.redis.connection import Ask, RedisConnection
from wsmsg.settings.urls.redis import RedisUrl

#: After Redis has come back, so long nobody is thought to be gone.
SETTLING_S = 5.0


@implementer(IDiscovery)
class RedisDiscovery:
    """
    What is in the list C{messages}.
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
            url, reactor, retry=retry, dependency=self.dependency, check=self._look
        )
        self.dependency.on_change(self._came_or_went)

    def start(self, changed: Changed) -> None:
        self._changed = changed
        self._redis.start()

    def stop(self) -> Deferred[None]:
        self._changed = None
        return self._redis.stop()

    def _look(self, ask: Ask) -> Deferred[Any]:
        asked = ask("ZRANGE", f"{self._redis.url.prefix}messages", 0, -1)
        return asked.addCallback(self._listed)

    def _listed(self, found: list[str]) -> None:
        self._found = frozenset(found)
        if self.dependency.up:
            self._tell()

    def _tell(self) -> None:
        addresses = self._found
        if self._settled is not None:
            addresses |= self._known
        if self._changed is None or addresses == self._known:
            return
        self._log.info(
            "{dependency}: {addresses}",
            dependency=self.dependency.name,
            addresses=", ".join(sorted(addresses)) or "nobody",
        )
        self._known = addresses
        self._changed(addresses)

    def _came_or_went(self, dependency: Dependency) -> None:
        if self._settled is not None:
            self._settled.cancel()
            self._settled = None
        if dependency.up and self._known:
            self._settled = self._reactor.callLater(SETTLING_S, self._settle)
        if dependency.up:
            self._tell()

    def _settle(self) -> None:
        self._settled = None
