"""
The messages that legacy Connects forward to this node: the channel
C{connect_forward:<node>} in their Redis.

A Message of wsmsg pushes every message that it stores with a number, so forwards are
only counted.  The stream of a legacy Message may lose pushes, so forwards are delivered
to the sessions of the user.  Each session drops a message that it received already.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from wsmsg.connect.legacy.redis.forward import (
    Forward,
    InvalidForward,
    limit_bytes,
    read_forward,
)
from wsmsg.dependency.retry import RetryPolicy
from wsmsg.dependency.state import Dependency
from wsmsg.redis.connection import Execute, RedisConnection
from wsmsg.redis.subscriber import Subscriber
from wsmsg.settings.urls.redis import RedisUrl

#: The least time between two warnings.
_WARN_S = 10.0

#: Delivers a forward to the sessions of its user; returns whether it did.
Deliver = Callable[[Forward], bool]


class ForwardInbox:
    """
    The subscriber to the channel, from L{start} to L{stop}.

    @param node: the name of this Connect, which legacy Connects find in its entries.
    @param content_bytes: returns the longest content, in bytes; called each time.
    @ivar delivered: the number of forwards that were delivered to sessions.
    @ivar unneeded: the number of forwards that Message pushes as well, or whose user
        has no session on this node.
    @ivar invalid: the number of invalid forwards.
    """

    _log = Logger()

    def __init__(
        self,
        url: RedisUrl,
        reactor: Any,
        *,
        node: str,
        deliver: Deliver,
        content_bytes: Callable[[], int],
        retry: RetryPolicy,
        timeout_s: float = 2.0,
    ) -> None:
        self.dependency = Dependency(
            f"legacy forwards {url.place}", reactor, required=False
        )
        self.delivered = self.unneeded = self.invalid = 0
        self._reactor = reactor
        self._node = node
        self._deliver = deliver
        self._content_bytes = content_bytes
        self._warned_s = -_WARN_S
        self._silent = 0
        self._redis = RedisConnection(
            url,
            reactor,
            retry=retry,
            dependency=self.dependency,
            check=self._subscribe,
            protocol=lambda: Subscriber(
                self._received, lambda: limit_bytes(content_bytes())
            ),
            timeout_s=timeout_s,
        )

    def start(self) -> None:
        self._redis.start()

    def stop(self) -> Deferred[None]:
        """
        @return: a Deferred that fires when no connection and no timer is left; never
            fails.
        """
        return self._redis.stop()

    def stats(self) -> dict[str, int]:
        """
        Return the counters since the start, by name.
        """
        return {
            "forwards_delivered": self.delivered,
            "forwards_unneeded": self.unneeded,
            "forwards_invalid": self.invalid,
        }

    def _subscribe(self, execute: Execute) -> Deferred[Any]:
        # Repeated each second, in case Redis has lost the subscription.
        return execute("SUBSCRIBE", f"connect_forward:{self._node}")

    def _received(self, text: str | bytes) -> None:
        try:
            forward = read_forward(text, self._node, self._content_bytes())
        except InvalidForward as e:
            self._warn(str(e))
            return
        with self._log.failuresHandled("delivering a forward"):
            if self._deliver(forward):
                self.delivered += 1
            else:
                self.unneeded += 1

    def _warn(self, reason: str) -> None:
        self.invalid += 1
        now_s = self._reactor.seconds()
        if now_s - self._warned_s < _WARN_S:
            self._silent += 1
            return
        self._log.warn(
            "{dependency}: a forward is invalid, after {n} without a warning: {reason}",
            dependency=self.dependency.name,
            n=self._silent,
            reason=reason,
        )
        self._warned_s, self._silent = now_s, 0
