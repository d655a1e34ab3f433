"""
Everything that the sessions of a node share: context and counters.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Hashable
from functools import partial
from typing import TYPE_CHECKING, Protocol

import attrs
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from wsmsg.auth.identity import Authenticate, Identity
from wsmsg.connect.names.interface import IUserNames
from wsmsg.connect.upstream.interface import IUpstream
from wsmsg.errors import ERRORS, Close, Unauthenticated
from wsmsg.flow.user_rates import UserRates, UserRatesTable
from wsmsg.monitoring.counters import Counters
from wsmsg.monitoring.measures.histogram import Histogram
from wsmsg.monitoring.metrics import Metrics
from wsmsg.monitoring.repeats import Repeats
from wsmsg.settings.values import ConnectSettings, LimitSettings
from wsmsg.text.counted import plural

if TYPE_CHECKING:
    from wsmsg.connect.session.input import FrameDecoder
    from wsmsg.connect.session.registry import Registry

#: The most lines about the sessions of one user, and of all, in a minute.
USER_LINES = 20
ALL_LINES = 6000

#: The last ended sessions whose devices are recognised when they come back.
ENDED = 10_000
#: Reasons of reconnects, besides the names of close codes: the client ended the
#: session, or its connection broke; it was not at this node, or not of late.
LOST, ELSEWHERE = "LOST", "ELSEWHERE"

_log = Logger()

_METRICS = (
    ("frames", "Frames that clients sent"),
    ("bad_frames", "Frames that could not be decoded"),
    ("sends", "Sends that clients made"),
    ("accepted", "Sends accepted"),
    ("pushed", "Messages pushed to sessions"),
    ("repeats", "Pushes of messages that the session had been pushed before"),
    ("absent", "Pushes for users without a session on this node"),
    ("shed", "Ephemeral frames dropped for slow clients"),
    ("demoted", "Clients that became too slow for pushes"),
    ("resyncs", "Clients told to sync"),
    ("compared", "Conversations of sessions compared with their heads"),
    ("pushes_missed", "Conversations in which a session was not pushed a message"),
    (
        "limited",
        "Times that a client was over its rate of frames or requests and not read",
    ),
    ("costly", "Times that requests of a user cost more than their rate allows"),
    ("moved", "Clients that were asked to move"),
    ("welcomed", "Sessions welcomed"),
    ("lost", "Sessions that clients ended, or whose connections broke"),
    ("refreshed", "Tokens that clients refreshed"),
)


class EndedSession(Protocol):
    """
    A session, as a later one of its device is recognised; the user is 0 if nobody has
    logged in.
    """

    user: int
    device: str


class Reconnects:
    """
    Counts the logins of devices that were connected before.

    @ivar counts: by why the last session of the device here ended: the name of a close
        code, or L{LOST}; L{ELSEWHERE}: there was none of late, and the client shows the
        position of an earlier one.
    """

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._ended: dict[int, str] = {}

    def ended(self, session: EndedSession, reason: str) -> None:
        """
        Note why a session ended.
        """
        if session.user:
            self._ended[hash((session.user, session.device))] = reason
            if len(self._ended) > ENDED:
                del self._ended[next(iter(self._ended))]

    def logged_in(self, session: EndedSession, position: str) -> None:
        """
        Count a login, if the device was connected before.

        @param position: the one that the client shows.
        """
        reason = self._ended.pop(hash((session.user, session.device)), "")
        if reason or position:
            self.counts[reason or ELSEWHERE] += 1


@attrs.define(kw_only=True)
class SessionCounters(Counters):
    """
    Monotonic counters, read by the metrics.

    @ivar frames: frames that clients sent.
    @ivar bad_frames: frames that could not be decoded.
    @ivar sends: sends that clients made.
    @ivar accepted: sends accepted.
    @ivar rejected: sends rejected, by error code.
    @ivar pushed: messages pushed to sessions.
    @ivar repeats: pushes of messages that the session had been pushed before.
    @ivar absent: pushes for users without a session on this node.
    @ivar shed: ephemeral frames (typing, presence) dropped for slow clients.
    @ivar demoted: times that a client became too slow for pushes.
    @ivar resyncs: times that a client was told to sync.
    @ivar compared: conversations of sessions that were compared with their heads.
    @ivar pushes_missed: conversations in which a session was found not to have been
        pushed what the store has.
    @ivar limited: times that a client was over its frame rate, or its user over the
        rate of requests, and not read.
    @ivar costly: times that the requests of a user cost more than the rate allows.
    @ivar moved: clients that were asked to move.
    @ivar welcomed: sessions welcomed.
    @ivar refreshed: tokens that clients refreshed.
    @ivar closes: connections that Connect closed, by name of the close code.
    @ivar lost: sessions that clients ended, or whose connections broke.
    @ivar reconnects: logins of devices that were connected before.
    @ivar outbox_bytes: the bytes that wait in outboxes now; it falls, too.
    @ivar received_bytes: bytes of frames of clients, by codec.
    @ivar sent_bytes: bytes of frames for clients, by codec.
    @ivar login: the durations of logins, from hello to welcome.
    @ivar waited: those from when a frame has to wait in an outbox until none does.
    @ivar delivered: those from the outbox until the client confirms, of samples.
    @ivar all_the_way: those from the arrival at a Message until then, of samples.
    """

    frames: int = 0
    bad_frames: int = 0
    sends: int = 0
    accepted: int = 0
    rejected: Counter[str] = attrs.Factory(Counter)
    pushed: int = 0
    repeats: int = 0
    absent: int = 0
    shed: int = 0
    demoted: int = 0
    resyncs: int = 0
    compared: int = 0
    pushes_missed: int = 0
    limited: int = 0
    costly: int = 0
    moved: int = 0
    welcomed: int = 0
    refreshed: int = 0
    closes: Counter[str] = attrs.Factory(Counter)
    lost: int = 0
    reconnects: Reconnects = attrs.Factory(Reconnects)
    outbox_bytes: int = 0
    received_bytes: Counter[str] = attrs.Factory(Counter)
    sent_bytes: Counter[str] = attrs.Factory(Counter)
    login: Histogram = attrs.Factory(Histogram)
    waited: Histogram = attrs.Factory(Histogram)
    delivered: Histogram = attrs.Factory(Histogram)
    all_the_way: Histogram = attrs.Factory(Histogram)

    def stages(self) -> dict[str, Histogram]:
        """
        Return the durations of the stages of messages that the sessions know, by name.
        """
        return {
            "queued_written": self.waited,
            "queued_delivered": self.delivered,
            "received_delivered": self.all_the_way,
        }

    def welcome(self, seconds: float) -> None:
        """
        Count a session that is welcomed so long after its hello.
        """
        self.welcomed += 1
        self.login.observe(seconds)

    def closed(self, session: EndedSession, reason: str) -> None:
        """
        Count a session that Connect closes.

        @param reason: the name of the close code.
        """
        self.closes[reason] += 1
        self.reconnects.ended(session, reason)

    def note_loss(self, session: EndedSession, reason: str) -> None:
        """
        Count a session whose connection was lost.
        """
        if reason in Close.__members__:  # Connect closed it for a protocol error.
            self.closed(session, reason)
        else:
            self.lost += 1
            self.reconnects.ended(session, LOST)

    def register_metrics(self, metrics: Metrics) -> None:
        """
        Have the counters read by each scrape.
        """
        for name, text in _METRICS:
            metrics.counter(f"wsmsg_connect_{name}", text, partial(getattr, self, name))
        metrics.counters(
            "wsmsg_connect_rejected",
            "Sends rejected",
            label="code",
            read=lambda: self.rejected,
            values=ERRORS,
        )
        for name, text, read in (
            ("received", "Bytes of frames that clients sent", self.received_bytes),
            ("sent", "Bytes of frames for clients", self.sent_bytes),
        ):
            metrics.counters(
                f"wsmsg_connect_{name}_bytes",
                text,
                label="codec",
                read=partial(dict, read),
                values=("protobuf", "json"),
            )
        metrics.gauge(
            "wsmsg_connect_outbox_bytes",
            "Bytes that wait for clients that do not read fast enough",
            lambda: self.outbox_bytes,
        )
        metrics.histogram(
            "wsmsg_connect_login_seconds",
            "Time from the hello of a client to its welcome",
            self.login,
        )
        metrics.counters(
            "wsmsg_connect_reconnects",
            "Logins of devices that were connected before, by why that ended",
            label="reason",
            read=lambda: self.reconnects.counts,
            values=[LOST, ELSEWHERE, *(close.name for close in Close)],
        )
        metrics.counters(
            "wsmsg_connect_closes",
            "Connections that Connect closed",
            label="reason",
            read=lambda: self.closes,
            values=[close.name for close in Close],
        )


def gathered_lines(clock: IReactorTime) -> Repeats:
    """
    Return what gathers the lines of the log that users cause.
    """

    def log_sum(user: Hashable, more: int, seconds: float) -> None:
        _log.info(
            "sessions of {user}: {more:,} more {noun} in {seconds:.0f} s",
            user="other users" if user is None else user,
            more=more,
            noun=plural(more, "line"),
            seconds=seconds,
        )

    return Repeats(clock, log_sum, first=USER_LINES, lines=ALL_LINES)


class NamedSession(Protocol):
    """
    A session, as far as its tokens are concerned.
    """

    user: int
    identity: Identity | None


@attrs.frozen(kw_only=True)
class SessionContext:
    """
    The daemon, as its sessions see it.

    @ivar name: the node's id, part of the names of sessions.
    @ivar incarnation: a random id of this life of the process.
    @ivar registry: holds the current settings.
    @ivar rates: the rates of users.
    @ivar clock: for durations: its seconds are monotonic.
    @ivar unix_s: returns the unix time, for the times that clients are told.
    @ivar names: the names of users; L{None}: they have none.
    @ivar lines: decides which lines about the sessions of a user are logged.
    @ivar decoder: decodes their frames.
    """

    name: str
    incarnation: str
    registry: Registry
    upstream: IUpstream
    authenticate: Authenticate
    clock: IReactorTime
    unix_s: Callable[[], float] = time.time
    rates: UserRatesTable = attrs.field(factory=UserRatesTable)
    names: IUserNames | None = None
    decoder: FrameDecoder
    lines: Repeats = attrs.field(init=False)

    @lines.default
    def _new_lines(self) -> Repeats:
        return gathered_lines(self.clock)

    def rates_of(self, user: int, now: float) -> UserRates:
        """
        Return the token buckets that all sessions of a user on this node share.
        """
        limits = self.limits
        return self.rates.of(
            user,
            now,
            sends_burst=limits.sends_burst,
            requests_burst=limits.requests_burst,
        )

    def user_left(self, user: int) -> None:
        """
        Keep the token buckets of a user who has no session any more, until they are
        full.
        """
        now, limits = self.clock.seconds(), self.limits

        def full_s(rates: UserRates) -> float:
            sends, requests = rates.sends, rates.requests
            return max(
                sends.wait_s(now, limits.sends_per_s, limits.sends_burst),
                requests.wait_s(now, limits.requests_per_s, limits.requests_burst),
            )

        self.rates.left(user, now, full_s)

    def authenticate_again(self, session: NamedSession, token: str) -> Identity:
        """
        Return the identity of another token of the user of a session.

        @raise WsmsgError: mostly C{Unauthenticated}.
        """
        before = session.identity
        if before is None or not before.name:
            return self.authenticate(token, session.user)
        identity = self.authenticate(token, None)
        if identity.name != before.name:
            reason = "the token is of another user than that of the session"
            raise Unauthenticated(reason, fault="other_user")
        return identity._replace(user=session.user)

    @property
    def settings(self) -> ConnectSettings:
        return self.registry.settings

    @property
    def limits(self) -> LimitSettings:
        return self.registry.settings.limits
