"""
The surroundings of a stream to Message: its transport, its owner, and what all streams
share.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from itertools import count
from typing import Any, Protocol

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime, IStreamClientEndpoint

from wsmsg.connect.discovery.interface import MessageReach
from wsmsg.connect.upstream.endpoint import Hello
from wsmsg.connect.upstream.interface import (
    IEdge,
    IUpstreamReads,
    NewSend,
    OnAnswer,
)
from wsmsg.connect.upstream.joins import JoinBarrier
from wsmsg.connect.upstream.outgoing import CursorPool, TypingPool
from wsmsg.connect.upstream.pending_sends import PendingSends
from wsmsg.connect.upstream.presence import WatchedPresence
from wsmsg.connect.upstream.send_route import SendStream
from wsmsg.monitoring.counters import Counters
from wsmsg.monitoring.measures.histogram import Histogram
from wsmsg.rpc import rest_pb2
from wsmsg.settings.values import ConnectSettings
from wsmsg.stream.clocks import ClockOffsets
from wsmsg.stream.logins import LoginNumbers

#: Calls a function at the end of the reactor turn.
Soon = Callable[[Callable[[], None]], object]

_CURSORS = 100_000
_TYPING = 1000


class Transport(Protocol):
    """
    The part of L{wsmsg.stream.transport.StreamTransport} that a stream uses.
    """

    def flush_soon(self) -> None: ...

    def flush_later(self) -> None: ...

    def loseConnection(self) -> None: ...

    def abortConnection(self, reason: str) -> None: ...

    def query(
        self, method: str, request: Any, answer: type[Any], timeout_s: float
    ) -> Deferred[Any]: ...

    def echo(self, timeout_s: float) -> Deferred[None]: ...


class Stream(SendStream, Hashable, Protocol):
    """
    A stream to one Message, as L{wsmsg.connect.upstream.upstream.Upstream} sees it.

    @ivar name: C{host:port} of the Message, for the log.
    @ivar kind: the kind of Message, in words for the log and the status.
    """

    name: str

    @property
    def kind(self) -> str: ...

    @property
    def status_page(self) -> str:
        """
        The URL of the Message's status page; empty: not known.
        """

    @property
    def unnumbered(self) -> bool:
        """
        True if the Message numbers no messages (L{UnnumberedMode}).
        """

    @property
    def is_synced(self) -> bool:
        """
        True once the Message knows all users of this node.
        """

    def lead(self, primary: bool) -> None:
        """
        Make the Message the primary, or no longer the primary.
        """

    def user_joined(self, user: int) -> None: ...

    def logged_in(self, logins: Sequence[rest_pb2.Login]) -> None:
        """
        Tell the Message of logins, which end older ones of their devices elsewhere.
        """

    def user_left(self, user: int) -> None: ...

    def join(self, barrier: JoinBarrier) -> None:
        """
        Tell the barrier once the Message knows all users who joined so far.
        """

    def watch(self, users: Iterable[int]) -> None: ...

    def unwatch(self, users: Iterable[int]) -> None: ...

    def unreached(self, addresses: Sequence[str]) -> None:
        """
        Tell the Message which other Messages no stream reaches.
        """

    def load(self, load: rest_pb2.ConnectLoad) -> None:
        """
        Tell the Message how much this node carries.
        """

    def pool_changed(self) -> None:
        """
        Take the pooled cursors, typing signals and acknowledgements in the next frame.
        """

    def query(self, request: rest_pb2.QueryRequest) -> Deferred[rest_pb2.QueryResponse]:
        """
        Have the Message answer reads.

        @return: a Deferred that fails with L{wsmsg.errors.WsmsgError}.
        """

    def reaches(self, address: str) -> Deferred[bool]:
        """
        Ask the Message whether it reaches another one; never fails.
        """

    def silence_s(self, now_s: float) -> float:
        """
        Return for how long the Message has been silent; 0 where that means nothing.
        """

    def drop(self, reason: str) -> None:
        """
        Close the stream now.
        """

    def is_silent(self, now_s: float) -> bool:
        """
        Return whether the Message is late with a sign of life.
        """

    def check_liveness(self, now_s: float, *, was_stalled: bool) -> None:
        """
        Probe a silent Message, and drop one that stays silent; called several times
        a second.

        @param was_stalled: this process did not run for a while, so what looks like
            silence of the Message may be its own.
        """


class StreamOwner(Protocol):
    """
    Receives the events in the life of a stream.
    """

    def stream_up(self, stream: Stream) -> None: ...

    def stream_synced(self, stream: Stream) -> None:
        """
        The Message knows all users of this node.
        """

    def stream_lost(self, stream: Stream, reason: str) -> None:
        """
        The stream is closed.

        @param stream: perhaps one that never was up.
        """

    def late_welcome(self) -> None:
        """
        A Message that was taken for one without a welcome sent a welcome.
        """


class UnnumberedMode(Protocol):
    """
    The behaviour of Connect while its Message numbers no messages: it sends no
    welcome, answers no queries, and knows neither users nor client ids.

    A plug-in, loaded when the settings name such a Message, or one is met.

    @ivar reads: takes the place of the reads.
    """

    reads: IUpstreamReads

    def endpoint(
        self, address: str, hello: Hello, settings: ConnectSettings
    ) -> IStreamClientEndpoint:
        """
        Return the endpoint that dials such a Message.
        """

    def open_stream(
        self, name: str, owner: StreamOwner, settings: ConnectSettings
    ) -> Stream:
        """
        Return the protocol of a stream that such a Message has taken.
        """

    def send(self, new: NewSend, on_answer: OnAnswer) -> None:
        """
        As L{IUpstream.send}.
        """

    def user_joined(self, user: int) -> None: ...

    def user_left(self, user: int) -> None: ...

    def stats(self) -> dict[str, int]:
        """
        Counters since the start and present sizes, by name.
        """


#: (what all streams share, called when there are acknowledgements to write).
UnnumberedModeOf = Callable[["UpstreamContext", Callable[[], None]], UnnumberedMode]


@attrs.define
class PeerLife:
    """
    The state of the exchange with one life of a Message, kept across its streams.

    @ivar incarnation: the name of that life; empty before the first welcome.
    @ivar address: of the Message in the list of Messages; empty: none.
    @ivar number: the number of the last push batch that was in the outboxes when the
        last stream began or ended.
    @ivar unknown_since_s: the clock time since which users may have joined without the
        Message's knowledge.
    @ivar deltas: the numbers of presence deltas.  They never restart, because a
        resumed stream may carry answers to deltas of the stream before.
    @ivar asked_s: the clock time of the last subscribe.
    """

    incarnation: str = ""
    address: str = ""
    number: int = 0
    unknown_since_s: float = 0.0
    deltas: count[int] = attrs.Factory(lambda: count(1))
    asked_s: float = 0.0

    def asked(self, clock_s: float) -> None:
        """
        Note when the Message is sent a subscribe.
        """
        self.asked_s = clock_s

    def begin(self, incarnation: str) -> None:
        """
        Begin the exchange with another life of the Message.
        """
        self.incarnation, self.number = incarnation, 0

    def set_address(self, address: str) -> None:
        """
        Note the address that the Message has in the list of Messages.
        """
        self.address = address

    def stream_lost(self, number: int, unknown_since_s: float) -> None:
        """
        Note which batch is the last in the outboxes, and since when users may have
        joined without the Message's knowledge.
        """
        self.number, self.unknown_since_s = number, unknown_since_s


@attrs.define
class UpstreamCounters(Counters):
    """
    Monotonic counters of all streams, read by the metrics.

    @ivar written: the durations from a push until the connections have it.
    @ivar all_the_way: those from the arrival of messages at a Message until then.
    """

    frames_written: int = 0
    frames_read: int = 0
    pushes: int = 0
    resyncs: int = 0
    protocol_errors: int = 0
    written: Histogram = attrs.Factory(Histogram)
    all_the_way: Histogram = attrs.Factory(Histogram)


@attrs.define
class UpstreamContext:
    """
    The objects and settings that all streams share.

    @ivar clock: for durations: its seconds are monotonic.
    @ivar unix_s: returns the unix time.
    @ivar soon: calls a function at the end of the reactor turn, when the connections
        have been given what is pushed in it.
    @ivar clocks: the Messages whose system clocks differ from ours.
    @ivar reach: the Messages that exist and that no stream reaches.
    @ivar logins: the numbers of the logins at this node.
    """

    edge: IEdge
    clock: IReactorTime
    sends: PendingSends
    query_timeout_s: float
    watching: WatchedPresence
    unix_s: Callable[[], float]
    soon: Soon
    cursors: CursorPool = attrs.Factory(lambda: CursorPool(_CURSORS))
    reach: MessageReach = attrs.field()
    typing: TypingPool = attrs.Factory(lambda: TypingPool(_TYPING))
    counters: UpstreamCounters = attrs.Factory(UpstreamCounters)
    clocks: ClockOffsets = attrs.field()
    logins: LoginNumbers = attrs.Factory(LoginNumbers)

    def apply_settings(self, settings: ConnectSettings) -> None:
        """
        Apply the time limit of queries and the limit of unanswered sends.
        """
        self.query_timeout_s = settings.query_timeout_s
        self.sends.set_limit(settings.limits.waiting_sends)

    @clocks.default
    def _clocks_by_ours(self) -> ClockOffsets:
        return ClockOffsets(self.clock.seconds, self.unix_s)

    @reach.default
    def _reach_by_clock(self) -> MessageReach:
        return MessageReach(self.clock.seconds)

    def stages(self) -> dict[str, Histogram]:
        """
        Return the durations of the stages of messages that the streams know, by name.
        """
        return {
            "frame_accepted": self.sends.answers,
            "pushed_written": self.counters.written,
            "received_written": self.counters.all_the_way,
        }

    def stats(self) -> dict[str, int]:
        """
        Return the counters since the start and the present sizes, by name.
        """
        sends, counters = self.sends, self.counters
        return {
            "sends_unanswered": len(sends),
            "sends": sends.sent,
            "sends_accepted": sends.accepted,
            "sends_rejected": sends.rejected,
            "sends_expired": sends.expired,
            "sends_overloaded": sends.overloaded,
            "sends_moved": sends.moved,
            "frames_written": counters.frames_written,
            "frames_read": counters.frames_read,
            "pushes": counters.pushes,
            "resyncs": counters.resyncs,
            "protocol_errors": counters.protocol_errors,
            "cursors_shed": self.cursors.shed,
            "typing_shed": self.typing.shed,
        }
