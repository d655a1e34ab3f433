"""
Sessions of legacy clients, and what outlives them: a plug-in of Connect.

::

    websocket --> session ---> sends      --> IUpstream.send
                   |   ^ `---> mark_pool  --> IUpstream.mark
                   |   |
                   |  feed <-- pushes, IUpstream.page, heads, unread
                   `- partners    (which of the people they talk to are online)
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import count

from twisted.internet.defer import Deferred, gatherResults
from twisted.logger import Logger

from wsmsg.auth.identity import Identity, parse_user
from wsmsg.auth.user_id_tokens import authenticate_user_id, names_user_id
from wsmsg.connect.edge.interface import HeartbeatSweep
from wsmsg.connect.legacy.clients.counters import LegacyClientCounters
from wsmsg.connect.legacy.clients.feed import LegacyFeed
from wsmsg.connect.legacy.clients.mark_pool import MarkPool
from wsmsg.connect.legacy.clients.sends import HeldSends
from wsmsg.connect.legacy.clients.session import LegacySession
from wsmsg.connect.session.context import SessionContext
from wsmsg.connect.session.interface import ISessionPeer
from wsmsg.dependency.retry import backoff
from wsmsg.errors import BadRequest, Close, Unauthenticated, WsmsgError
from wsmsg.model import Mark
from wsmsg.monitoring.metrics import Gauge, Metrics
from wsmsg.protocol import json, protobuf
from wsmsg.text.counted import plural

_NO_SUBPROTOCOL = (
    "the request offers no WebSocket subprotocol (Sec-WebSocket-Protocol: "
    f"{protobuf.CODEC.subprotocol} or {json.CODEC.subprotocol})"
)

#: The reason for refusing a token whose subject is a name.
NO_NAME = "a client without a subprotocol needs a token whose subject is a number"

#: Seconds between two warnings about skipped messages.
_WARN_S = 10.0

_HELD = {
    "sends_held": Gauge(
        "wsmsg_connect_legacy_sends_held",
        "Messages of legacy clients that wait to be accepted",
    ),
    "bytes_held": Gauge(
        "wsmsg_connect_legacy_held_bytes",
        "Size of the messages of legacy clients that wait to be accepted",
    ),
    "senders": Gauge(
        "wsmsg_connect_legacy_senders",
        "Users whose messages wait to be accepted at a legacy connection",
    ),
    "not_read": Gauge(
        "wsmsg_connect_legacy_connections_not_read",
        "Legacy connections that are not read because too much waits",
    ),
    "marks": Gauge(
        "wsmsg_connect_legacy_marks",
        "Acknowledgements of legacy clients that are not stored yet",
    ),
}


class LegacyClients:
    """
    A L{wsmsg.connect.plugins.Plugin} that serves legacy clients.

    @param heartbeat: finds silent connections; legacy clients have C{heartbeat_s} of
        their own.
    @ivar held: sends that Message has not accepted yet.
    @ivar marks: acknowledgements that Message has not stored yet.
    @ivar counters: counters of all sessions.
    """

    _log = Logger()

    name = "legacy"

    def __init__(self, context: SessionContext, heartbeat: HeartbeatSweep) -> None:
        self.context = context
        self.heartbeat = heartbeat
        self.counters = LegacyClientCounters()
        self.held = HeldSends(context, self.counters, self.skipped)
        self.marks = MarkPool(
            context.upstream,
            context.clock,
            self._backoff_s,
            on_unknown=self._mark_unknown,
        )
        self._numbers = count(1)
        self._later: dict[LegacyFeed, float] = {}
        self._warned_s: float | None = None
        self._leaving: dict[LegacySession, str] = {}
        self._last_s = 0.0

    # ------------------------------------------------------------- connections

    def check_headers(self, headers: Mapping[str, str]) -> None:
        """
        Check that the headers of a handshake name and prove a user: the legacy
        protocol has no other place for that.

        @raise WsmsgError: C{Authorization} or C{User-ID} is missing or wrong.
        """
        if headers.get("authorization") is None:
            reason = f"{_NO_SUBPROTOCOL} and has no Authorization header"
            raise Unauthenticated(reason, fault="missing")
        try:
            parse_user(headers.get("user-id"))
        except Unauthenticated as e:
            reason = f"{_NO_SUBPROTOCOL}; its header User-ID: {e.reason}"
            raise BadRequest(reason) from None

    def authenticate(self, token: str, claimed_user: int | None = None) -> Identity:
        """
        Identify the bearer of a token: a usual one, or one with C{user_id} that
        C{legacy.token_secret} signed.

        @raise Unauthenticated: it is not valid.
        """
        settings = self.context.settings
        secret = settings.legacy.token_secret.get_secret_value()
        if not (secret and names_user_id(token)):
            identity = self.context.authenticate(token, claimed_user)
            if identity.name:
                raise Unauthenticated(NO_NAME, fault="subject")
            return identity
        identity = authenticate_user_id(
            token,
            secret,
            settings.token.leeway_s,
            claimed_user,
            max_lifetime_s=settings.token.max_lifetime_s,
        )
        return self.context.registry.revocations.check(identity)

    def open(self, peer: ISessionPeer, identity: Identity | None) -> LegacySession:
        """
        Open a session for a connection.

        @param identity: the identity that the token in the headers proves.
        """
        if identity is None:
            raise Unauthenticated("the headers have no token", fault="missing")
        session = LegacySession(peer, self, identity)
        self.heartbeat.slow_down(peer, self._heartbeat_s)
        session.begin()
        return session

    # ---------------------------------------------- called by sessions and feeds

    def client_id(self) -> str:
        """
        Return an id that no other message has.
        """
        return f"{self.context.incarnation}-{next(self._numbers)}"

    def skipped(self, user: int, error: WsmsgError) -> None:
        """
        Count and log an invalid message: the legacy protocol has no error frame.
        """
        counters, now = self.counters, self.context.clock.seconds()
        counters.skipped += 1
        self._log.debug(
            "skipped a message of legacy client {user}: {reason}",
            user=user,
            reason=error.reason,
        )
        if self._warned_s is None or now - self._warned_s >= _WARN_S:
            self._warned_s = now
            self._log.warn(
                "skipped {n} invalid {noun} of legacy clients so far; the last is "
                "from {user}: {reason}",
                n=counters.skipped,
                noun=plural(counters.skipped, "message"),
                user=user,
                reason=error.reason,
            )

    def mark(self, mark: Mark) -> None:
        """
        Store an acknowledgement, and keep it until it is stored.
        """
        self.marks.put(mark.user, mark)

    def later(self, feed: LegacyFeed) -> None:
        """
        Resume a feed after the delay of the retry policy.
        """
        delay_s = self._backoff_s(max(feed.failures, 1))
        self._later[feed] = self.context.clock.seconds() + delay_s

    def leave_last(self, session: LegacySession, reason: str) -> None:
        """
        Close a session when the clients that move by themselves have gone, at the
        latest after a quarter of C{stop_s}.
        """
        if not self._leaving:
            wait_s = self.context.settings.stop_s / 4
            self._last_s = self.context.clock.seconds() + wait_s
        self._leaving[session] = reason

    def forget(self, session: LegacySession) -> None:
        """
        Forget a session that ends.  Its sends and acknowledgements are kept.
        """
        self.held.forget(session)
        self._later.pop(session.feed, None)
        self._leaving.pop(session, None)
        self.heartbeat.speed_up(session.peer)

    def _heartbeat_s(self) -> float:
        return self.context.settings.legacy.heartbeat_s

    def _backoff_s(self, failures: int) -> float:
        # The settings may change, so the backoff is made for each call.
        return backoff(self.context.settings.retry)(failures)

    def _mark_unknown(self, user: int, mark: Mark) -> None:
        reason = f"there is no message {mark.message_id} to the user"
        self.skipped(user, WsmsgError(reason))

    # ------------------------------------------------------------------ plug-in

    def start(self) -> None:
        """
        Do nothing: the node calls L{sweep}.
        """

    async def stop(self) -> None:
        """
        Do nothing: L{drain} has settled everything.
        """

    def sweep(self) -> None:
        """
        Send again and resume what is due.
        """
        self.held.sweep()
        now = self.context.clock.seconds()
        for feed in [feed for feed, due_s in self._later.items() if due_s <= now]:
            del self._later[feed]
            feed.resume()
        others = self.context.registry.count - len(self._leaving)
        if self._leaving and (others <= 0 or self._last_s <= now):
            leaving, self._leaving = self._leaving, {}
            for session, reason in leaving.items():
                session.close(Close.DRAIN, reason)

    def drain(self, limit_s: float) -> Deferred[None]:
        """
        @return: a Deferred that fires when all sends are settled and all
            acknowledgements stored, or both are given up at the limit.
        """
        empty: Deferred[None] = self.held.when_empty()
        empty.addTimeout(max(0.0, limit_s), self.context.clock, lambda *_: None)
        empty.addCallback(lambda _: self.held.close("this node is stopping"))
        ended = gatherResults([empty, self.marks.drain(limit_s)])
        return ended.addCallback(lambda _: None)

    def status(self) -> dict[str, int]:
        """
        Return what Connect keeps for legacy clients, by name.
        """
        return {**self.held.status(), "marks": len(self.marks)}

    def register_metrics(self, metrics: Metrics) -> None:
        """
        Have the counts read by each scrape.
        """
        self.counters.register_metrics(metrics)
        metrics.counter(
            "wsmsg_connect_legacy_marks_dropped",
            "Acknowledgements of legacy clients that were not stored",
            lambda: self.marks.dropped,
        )
        metrics.keyed(self.status, _HELD)
