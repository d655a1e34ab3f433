"""
What all deployed clients of a node share.

::

    websocket --> legacy_session ---> legacy_sends ---> IUpstream.send
                    |      ^  `-----> mark_pool ------> IUpstream.mark
                    |      |
                    |   legacy_feed <-- pushes, IUpstream.page, heads, unread
                    `-- legacy_watch    (who of their partners is online)
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import count
from typing import Any

from twisted.internet.defer import Deferred, gatherResults
from twisted.logger import Logger

from wsmsg.auth.identity import Identity, parse_user
from wsmsg.connect.legacy.clients.counters import LegacyCounters
from wsmsg.connect.legacy.clients.feed import LegacyFeed
from wsmsg.connect.legacy.clients.mark_pool import MarkPool
from wsmsg.connect.legacy.clients.sends import HeldSends
from wsmsg.connect.legacy.clients.session import LegacySession
from wsmsg.connect.session.context import SessionContext
from wsmsg.connect.session.interface import ISessionPeer
from wsmsg.connect.session.timers import Deadlines
from wsmsg.dependency.retry import backoff
from wsmsg.errors import BadRequest, Unauthenticated, WsmsgError
from wsmsg.model import Mark
from wsmsg.monitoring.metrics import Metrics
from wsmsg.protocol import json, protobuf

#: A warning of a kind at most so often.
_WARN_S = 10.0


class LegacyClients:
    """
    Makes their sessions, and keeps what outlives them.

    @ivar held: what they sent and is not accepted.
    @ivar marks: what they have seen and is not stored.
    @ivar counters: what was done so far.
    """

    _log = Logger()

    name = "legacy"

    def __init__(self, node: SessionContext) -> None:
        self.node = node
        self.counters = LegacyCounters()
        self.held = HeldSends(node, self.counters, self.skipped)
        self.marks = MarkPool(
            node.upstream,
            node.clock,
            self._backoff_s,
            unknown=self._not_marked,
        )
        self._numbers = count(1)
        self._later: Deadlines[LegacyFeed] = Deadlines()
        self._warned_s: float | None = None

    def open(self, peer: ISessionPeer, identity: Identity | None) -> LegacySession:
        """
        A session for a connection.

        @param identity: of the token in the headers; they have no other place for it.
        """
        if identity is None:
            raise Unauthenticated("the headers have no token")
        session = LegacySession(peer, self, identity)
        session.begin()
        return session

    def client_id(self) -> str:
        """
        An id that no other message has.
        """
        return f"{self.node.incarnation}-{next(self._numbers)}"

    def skipped(self, user: int, error: WsmsgError) -> None:
        """
        Something of a client cannot be, and nobody can tell it.
        """
        counters, now = self.counters, self.node.clock.seconds()
        counters.skipped += 1
        self._log.debug(
            "skipped a message of deployed client {user}: {reason}",
            user=user,
            reason=error.reason,
        )
        if self._warned_s is None or now - self._warned_s >= _WARN_S:
            self._warned_s = now
            self._log.warn(
                "deployed clients send what is skipped, {n} so far; the last is of "
                "{user}: {reason}",
                n=counters.skipped,
                user=user,
                reason=error.reason,
            )

    def mark(self, mark: Mark) -> None:
        """
        A message was seen; it is kept until that is stored.
        """
        self.marks.put(mark.user, mark)

    def check_headers(self, headers: Mapping[str, str]) -> None:
        """
        Check that a handshake names and proves a user in its headers: the legacy
        protocol has no other place for them.

        @raise WsmsgError: the headers C{Authorization} and C{User-ID} do not.
        """
        if headers.get("authorization") is None:
            raise Unauthenticated(
                "there is no Authorization header; without one offer the WebSocket "
                f"subprotocol {protobuf.CODEC.subprotocol} or {json.CODEC.subprotocol}"
            )
        try:
            parse_user(headers.get("user-id"))
        except Unauthenticated as e:
            raise BadRequest(f"the header User-ID: {e.reason}") from None

    def start(self) -> None:
        """
        Nothing to start: the node calls L{sweep}.
        """

    async def stop(self) -> None:
        """
        Nothing to stop: L{drain} ended everything.
        """

    def register_metrics(self, metrics: Metrics) -> None:
        """
        Have the counts read by each scrape.
        """
        self.counters.register_metrics(metrics)
        metrics.counter(
            "wsmsg_connect_marks_dropped",
            "Acknowledgements of legacy clients that were not stored",
            lambda: self.marks.dropped,
        )
        metrics.gauges(
            "wsmsg_connect_legacy",
            "What Connect keeps for legacy clients; see docs/operations.md",
            self.status,
            label="what",
        )

    def status(self) -> dict[str, int]:
        """
        Return what Connect keeps for legacy clients, by name.
        """
        return {**self.held.stats(), "marks": len(self.marks)}

    def _backoff_s(self, failures: int) -> float:
        # By the settings as they are now.
        return backoff(self.node.settings.retry)(failures)

    def _not_marked(self, user: int, mark: Mark) -> None:
        reason = f"there is no message {mark.message_id} to the user"
        self.skipped(user, WsmsgError(reason))

    def later(self, feed: LegacyFeed) -> None:
        """
        Have it go on after the delay of the retry policy.
        """
        delay_s = self._backoff_s(max(feed.failures, 1))
        self._later.add(feed, self.node.clock.seconds() + delay_s)

    def forget(self, session: LegacySession) -> None:
        """
        It ends; what it sent stays.
        """
        self.held.forget(session)
        self._later.drop(session.feed)

    def sweep(self) -> None:
        """
        Do what is due; to be called steadily.
        """
        self.held.sweep()
        for feed in self._later.take(self.node.clock.seconds()):
            feed.go_on()

    def drain(self, limit_s: float) -> Deferred[None]:
        """
        @return: a Deferred that fires when all that they sent is settled and what they
            have seen is stored, or both are given up at the limit.
        """
        empty: Deferred[Any] = self.held.when_empty()
        empty.addTimeout(max(0.0, limit_s), self.node.clock, lambda *_: None)
        empty.addCallback(lambda _: self.held.close("this node is stopping"))
        ended: Deferred[Any] = gatherResults([empty, self.marks.drain(limit_s)])
        return ended.addCallback(lambda _: None)
