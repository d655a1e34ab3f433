"""
What a stream to Message needs of its surroundings, and shares with the others.
"""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any, Protocol

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from wsmsg.connect.deltas import CursorPool, TypingPool
from wsmsg.connect.interfaces import IEdge
from wsmsg.connect.pending import PendingSends
from wsmsg.connect.watching import Watching

if TYPE_CHECKING:
    from wsmsg.connect.upstream_stream import UpstreamStream


class Transport(Protocol):
    """
    What a stream needs of L{wsmsg.streams.endpoint.StreamTransport}.
    """

    def wake(self) -> None: ...

    def nudge(self) -> None: ...

    def loseConnection(self) -> None: ...

    def abortConnection(self, reason: str) -> None: ...

    def query(
        self, method: str, request: Any, answer: type[Any], timeout_s: float
    ) -> Deferred[Any]: ...


class Owner(Protocol):
    """
    Who is told when a stream comes and goes.
    """

    def stream_up(self, stream: UpstreamStream) -> None: ...

    def stream_knows(self, stream: UpstreamStream) -> None:
        """
        Its Message has our users.
        """

    def stream_lost(self, stream: UpstreamStream, reason: str) -> None:
        """
        @param stream: perhaps one that never was up.
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
class Counters:
    """
    What went over all streams.
    """

    frames_written: int = 0
    frames_read: int = 0
    pushes: int = 0
    resyncs: int = 0
    protocol_errors: int = 0


@attrs.define
class Shared:
    """
    What all streams have in common.
    """

    edge: IEdge
    clock: IReactorTime
    sends: PendingSends
    cursors: CursorPool
    typing: TypingPool
    watching: Watching
    query_timeout_s: float
    counters: Counters = attrs.Factory(Counters)
