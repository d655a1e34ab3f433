"""
What deployed Connects hand to us through Redis: the channel C{connect_forward:<node>}.

Whatever our Message stores is pushed to us with its number, so what is handed to us
beside that is only counted.  A deployed Message promises less, as its stream may lose
what it pushes: there it is given to the user's sessions, each of which drops what it
has had by the other way.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from wsmsg.connect.legacy.redis.forward import (
    LIMIT_BYTES,
    BadForward,
    Forward,
    read_forward,
)
from wsmsg.dependency.retry import RetryPolicy
from wsmsg.dependency.state import Dependency
from wsmsg.redis.connection import Ask, RedisConnection
from wsmsg.redis.subscriber import Subscriber
from wsmsg.settings.urls.redis import RedisUrl

#: At most one warning in so long.
_WARN_S = 10.0

#: Gives it to the sessions of its user; whether it did.
Give = Callable[[Forward], bool]


class ForwardInbox:
    """
    Listens from L{start} to L{stop}.

    @param node: our name, as deployed Connects have it from our connections.
    @param content_bytes: asked for the longest content, each time.
    @ivar given: how many were given to sessions.
    @ivar unneeded: how many come by our own stream, or are for who is not here.
    @ivar bad: how many could not be understood.
    """

    _log = Logger()

    def __init__(
        self,
        url: RedisUrl,
        reactor: Any,
        *,
        node: str,
        give: Give,
        content_bytes: Callable[[], int],
        retry: RetryPolicy,
        timeout_s: float = 2.0,
    ) -> None:
        self.dependency = Dependency(
            f"legacy forwards {url.place}", reactor, required=False
        )
        self.given = self.unneeded = self.bad = 0
        self._reactor = reactor
        self._node = node
        self._give = give
        self._content_bytes = content_bytes
        self._warned_s = -_WARN_S
        self._unwarned = 0
        self._redis = RedisConnection(
            url,
            reactor,
            retry=retry,
            dependency=self.dependency,
            check=self._subscribe,
            line=lambda: Subscriber(self._heard, LIMIT_BYTES),
            timeout_s=timeout_s,
        )

    def start(self) -> None:
        self._redis.start()

    def stop(self) -> Deferred[None]:
        """
        @return: a Deferred that fires when nothing is left; never fails.
        """
        return self._redis.stop()

    def stats(self) -> dict[str, int]:
        """
        What came since the start, by name.
        """
        return {
            "forwards_given": self.given,
            "forwards_unneeded": self.unneeded,
            "forwards_bad": self.bad,
        }

    def _subscribe(self, ask: Ask) -> Deferred[Any]:
        # Each second: who has it already is told so, and whom Redis forgot has it.
        return ask("SUBSCRIBE", f"connect_forward:{self._node}")

    def _heard(self, text: str | bytes) -> None:
        try:
            forward = read_forward(text, self._node, self._content_bytes())
        except BadForward as e:
            self._refuse(str(e))
            return
        with self._log.failuresHandled("giving what was forwarded"):
            if self._give(forward):
                self.given += 1
            else:
                self.unneeded += 1

    def _refuse(self, reason: str) -> None:
        self.bad += 1
        now_s = self._reactor.seconds()
        if now_s - self._warned_s < _WARN_S:
            self._unwarned += 1
            return
        self._log.warn(
            "{dependency}: not understood, nor {n} before it: {reason}",
            dependency=self.dependency.name,
            n=self._unwarned,
            reason=reason,
        )
        self._warned_s, self._unwarned = now_s, 0
