"""
What a stream to Message needs of its surroundings, and shares with the others.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from itertools import count
from typing import TYPE_CHECKING, Any, Protocol

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from wsmsg.connect.legacy.upstream.acks import Acks
from wsmsg.connect.upstream.interface import IEdge
from wsmsg.connect.upstream.outgoing import CursorPool, TypingPool
from wsmsg.connect.upstream.pending_sends import PendingSends, SendStream
from wsmsg.connect.upstream.presence import WatchedPresence
from wsmsg.rpc import rest_pb2

if TYPE_CHECKING:
    from wsmsg.connect.upstream.joins import JoinBarrier


class Transport(Protocol):
    """
    What a stream needs of L{wsmsg.stream.transport.StreamTransport}.
    """

    def wake(self) -> None: ...

    def nudge(self) -> None: ...

    def loseConnection(self) -> None: ...

    def abortConnection(self, reason: str) -> None: ...

    def query(
        self, method: str, request: Any, answer: type[Any], timeout_s: float
    ) -> Deferred[Any]: ...

    def echo(self, timeout_s: float) -> Deferred[None]: ...


class Stream(SendStream, Hashable, Protocol):
    """
    A stream to a Message of either kind, as L{wsmsg.connect.upstream.upstream.Upstream}
    sees it; told in L{wsmsg.connect.upstream.stream.UpstreamStream}.

    @ivar name: C{host:port} of the Message, for the log.
    @ivar deployed: whether that is one of the deployed system.
    """

    name: str

    @property
    def deployed(self) -> bool: ...

    @property
    def knows(self) -> bool: ...

    def lead(self, primary: bool) -> None: ...

    def came(self, user: int) -> None: ...

    def left(self, user: int) -> None: ...

    def join(self, arrival: JoinBarrier) -> None: ...

    def watch(self, users: Iterable[int]) -> None: ...

    def unwatch(self, users: Iterable[int]) -> None: ...

    def pooled(self) -> None: ...

    def ask(
        self, request: rest_pb2.QueryRequest
    ) -> Deferred[rest_pb2.QueryResponse]: ...

    def drop(self, reason: str) -> None: ...

    def is_silent(self, now_s: float) -> bool: ...

    def listen_for(self, now_s: float, *, was_deaf: bool) -> None: ...


class StreamOwner(Protocol):
    """
    Who is told when a stream comes and goes.
    """

    def stream_up(self, stream: Stream) -> None: ...

    def stream_knows(self, stream: Stream) -> None:
        """
        Its Message has our users.
        """

    def stream_lost(self, stream: Stream, reason: str) -> None:
        """
        @param stream: perhaps one that never was up.
        """

    def late_welcome(self) -> None:
        """
        The stream is none to a deployed Message, as it seemed.
        """


@attrs.define
class PeerLife:
    """
    What we have of the life of one Message, across its streams.

    @ivar incarnation: of the Message; empty: none was met.
    @ivar number: the last push batch that is in the outboxes.
    @ivar unknown_since_s: since when there may be users of whom it does not know.
    @ivar deltas: numbers its presence deltas; never starts again, because a stream
        that is resumed may bring answers to those of the stream before.
    """

    incarnation: str = ""
    number: int = 0
    unknown_since_s: float = 0.0
    deltas: count[int] = attrs.Factory(lambda: count(1))


@attrs.define
class UpstreamCounters:
    """
    What went over all streams.

    @ivar failures: messages that a deployed Message said to have failed.
    @ivar odd_events: its pushes of nothing that a client could be shown.
    """

    frames_written: int = 0
    frames_read: int = 0
    pushes: int = 0
    resyncs: int = 0
    protocol_errors: int = 0
    failures: int = 0
    odd_events: int = 0


@attrs.define
class UpstreamContext:
    """
    What all streams have in common.
    """

    edge: IEdge
    clock: IReactorTime
    sends: PendingSends
    cursors: CursorPool
    typing: TypingPool
    watching: WatchedPresence
    query_timeout_s: float
    counters: UpstreamCounters = attrs.Factory(UpstreamCounters)
    acks: Acks = attrs.Factory(Acks)
