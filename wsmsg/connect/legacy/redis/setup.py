"""
The bridge to legacy Connects: both connections to their Redis.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
from twisted.internet.defer import Deferred, succeed

from wsmsg.connect.legacy.redis.forward import Forward
from wsmsg.connect.legacy.redis.inbox import ForwardInbox
from wsmsg.connect.legacy.redis.presence import LegacyRedisPresence
from wsmsg.connect.session.registry import Registry
from wsmsg.dependency.retry import RetryPolicy
from wsmsg.dependency.state import Dependency
from wsmsg.monitoring.metrics import Counter, Gauge, Metrics
from wsmsg.settings.legacy import ConnectLegacySettings
from wsmsg.settings.urls.redis import read_redis_url

_PREFIX = "wsmsg_connect_legacy_redis"
_FAMILIES = {
    "redis_written": Counter(
        f"{_PREFIX}_written", "Sessions written to the Redis of legacy Connects"
    ),
    "redis_removed": Counter(
        f"{_PREFIX}_removed", "Sessions removed from the Redis of legacy Connects"
    ),
    "redis_cleared": Counter(
        f"{_PREFIX}_cleared", "Entries of Connects that died, removed from that Redis"
    ),
    "redis_waiting": Gauge(
        f"{_PREFIX}_waiting", "Sessions that wait to be written or removed there"
    ),
    "redis_forgotten": Counter(
        f"{_PREFIX}_forgotten",
        "Sessions left there to expire, because too many ended while Redis was away",
    ),
    "forwards_delivered": Counter(
        "wsmsg_connect_legacy_forwards_delivered",
        "Messages forwarded by legacy Connects that were delivered",
    ),
    "forwards_unneeded": Counter(
        "wsmsg_connect_legacy_forwards_unneeded",
        "Messages forwarded by legacy Connects that Message delivers itself",
    ),
    "forwards_invalid": Counter(
        "wsmsg_connect_legacy_forwards_invalid",
        "Messages forwarded by legacy Connects that were malformed",
    ),
}


@attrs.frozen
class LegacyRedisBridge:
    """
    The plug-in that shares presence and messages with legacy Connects.
    """

    presence: LegacyRedisPresence
    inbox: ForwardInbox

    def start(self) -> None:
        self.presence.start()
        self.inbox.start()

    async def stop(self) -> None:
        """
        Remove the users of this node first, so that no message is forwarded to them.
        """
        await self.presence.stop()
        await self.inbox.stop()

    def dependencies(self) -> list[Dependency]:
        return [self.presence.dependency, self.inbox.dependency]

    @property
    def name(self) -> str:
        return "legacy_redis"

    def sweep(self) -> None:
        """
        Do nothing: both connections have timers of their own.
        """

    def drain(self, limit_s: float) -> Deferred[None]:
        """
        Do nothing: L{stop} removes the users of this node.
        """
        return succeed(None)

    def register_metrics(self, metrics: Metrics) -> None:
        """
        Have the counters read by each scrape.
        """
        metrics.keyed(self.status, _FAMILIES)

    def status(self) -> dict[str, int]:
        """
        Return the counters since the start, by name.
        """
        return {**self.presence.stats(), **self.inbox.stats()}


def legacy_redis_bridge(
    settings: ConnectLegacySettings,
    reactor: Any,
    *,
    registry: Registry,
    node: str,
    retry: RetryPolicy,
    unnumbered: Callable[[], bool],
) -> LegacyRedisBridge:
    """
    Return the bridge that the setting C{legacy.redis} asks for, not started.

    @param unnumbered: returns whether Message numbers no messages.
    """
    url = read_redis_url(settings.redis, settings.redis_password.get_secret_value())

    def deliver(forward: Forward) -> bool:
        if not unnumbered() or forward.user not in registry:
            return False
        # A session drops what it already received by the stream.
        registry.push(forward.message, (forward.user,))
        return True

    presence = LegacyRedisPresence(
        url, reactor, node=node, retry=retry, unsure=registry.is_unsure
    )
    registry.observe(presence.session_added, presence.session_removed)
    inbox = ForwardInbox(
        url,
        reactor,
        node=node,
        deliver=deliver,
        content_bytes=lambda: registry.settings.limits.content_bytes,
        retry=retry,
    )
    return LegacyRedisBridge(presence, inbox)
