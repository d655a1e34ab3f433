"""
Standing beside deployed Connects: telling them who is here, hearing what they hand on.
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
from wsmsg.monitoring.metrics import Metrics
from wsmsg.settings.legacy import ConnectLegacySettings
from wsmsg.settings.urls.redis import read_redis_url


@attrs.frozen
class LegacyRedisBridge:
    """
    Both connections to their Redis.
    """

    redis: LegacyRedisPresence
    inbox: ForwardInbox

    def start(self) -> None:
        self.redis.start()
        self.inbox.start()

    async def stop(self) -> None:
        """
        Take our users out first: nothing is handed to who is not there.
        """
        await self.redis.stop()
        await self.inbox.stop()

    def dependencies(self) -> list[Dependency]:
        return [self.redis.dependency, self.inbox.dependency]

    @property
    def name(self) -> str:
        return "legacy_redis"

    def sweep(self) -> None:
        """
        Nothing is due: both connections have timers of their own.
        """

    def drain(self, limit_s: float) -> Deferred[None]:
        """
        Nothing to finish: L{stop} removes this node's users.
        """
        return succeed(None)

    def register_metrics(self, metrics: Metrics) -> None:
        """
        Have the counts read by each scrape.
        """
        metrics.gauges(
            "wsmsg_connect_legacy_redis",
            "What legacy Connects are told and hand over; see docs/operations.md",
            self.status,
            label="what",
        )

    def status(self) -> dict[str, int]:
        """
        What was done since the start, by name.
        """
        return {**self.redis.stats(), **self.inbox.stats()}


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
    What the setting C{legacy.redis} asks for; nothing of it has begun.

    @param unnumbered: whether our Message is a deployed one.
    """
    url = read_redis_url(settings.redis, settings.redis_password.get_secret_value())

    def give(forward: Forward) -> bool:
        if not unnumbered() or forward.user not in registry:
            return False
        # Who has had it by the stream does not get it again, whichever was first.
        registry.push(forward.message, (forward.user,))
        return True

    redis = LegacyRedisPresence(url, reactor, node=node, retry=retry)
    registry.observe(redis.joined, redis.left)
    inbox = ForwardInbox(
        url,
        reactor,
        node=node,
        give=give,
        content_bytes=lambda: registry.settings.limits.content_bytes,
        retry=retry,
    )
    return LegacyRedisBridge(redis, inbox)
