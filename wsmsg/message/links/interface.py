"""
The links as the other packages of Message use them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import attrs

from wsmsg.flow.life_ring import LifeRing
from wsmsg.message.links.recipients import (
    GroupRecipients,
    MemberCache,
    Push,
    places_before,
    recipients_forward,
)
from wsmsg.model import Cursor, Message
from wsmsg.monitoring.measures.histogram import Histogram
from wsmsg.rpc import rest_pb2

__all__ = [
    "Context",
    "GroupRecipients",
    "IConnectLives",
    "IConnectStreams",
    "ILinks",
    "IRoutes",
    "MemberCache",
    "Push",
    "PushListener",
    "PushTimings",
    "Settled",
    "places_before",
    "recipients_forward",
]

#: Called once all messages of a push are settled.
Settled = Callable[[], object]

#: Called with messages, the recipients of those in groups, and a callable for when
#: all of the messages are settled.
PushListener = Callable[[Sequence[Message], GroupRecipients | None, Settled], object]

#: C{grpc.aio.ServicerContext}; gRPC has no types.
Context = Any


@attrs.frozen
class PushTimings:
    """
    The durations of pushes, over all links.

    @ivar pushed: of each push, from the store until Connect acknowledges it.
    @ivar round_trip: of each frame, from its making until then.
    """

    pushed: Histogram = attrs.Factory(Histogram)
    round_trip: Histogram = attrs.Factory(Histogram)


class IConnectLives(Protocol):
    """
    The facts of messages that this Message and its Connects remember.
    """

    ring: LifeRing

    async def ask(
        self, query: rest_pb2.LifeQuery, timeout_s: float
    ) -> tuple[Sequence[rest_pb2.LifeAnswer], Mapping[str, str]]:
        """
        Ask all Connects.

        @return: their answers, and why the others gave none, by node.
        """


class IRoutes(Protocol):
    """
    The nodes that reach each user.
    """

    def of(self, user: int) -> frozenset[str]:
        """
        Return the nodes that reach the user.
        """


class ILinks(Protocol):
    """
    The links to all Connects.
    """

    def push(
        self,
        messages: Sequence[Message],
        settled: Settled,
        in_groups: GroupRecipients | None = None,
    ) -> None:
        """
        Push messages to the connected members of their conversations.

        @param settled: called once, when all links have settled all messages; at once
            if no user is connected.
        @param in_groups: the recipients of the messages that are in groups.
        """

    def break_off_all(self, reason: str) -> None:
        """
        Settle all pushes that are not acknowledged and end all streams.  Each Connect
        begins another stream and makes its sessions sync.
        """

    def came_through(self, latest_ms: Mapping[str, int]) -> None:
        """
        Note the Connects that records came through: each should have a link.

        @param latest_ms: when the last of these records was accepted, in unix ms, by
            the node of the Connect.
        """

    def release(self, age_s: float) -> None:
        """
        Settle the pushes that have not been acknowledged for so long, as the reading of
        the journal waits for them: cut their links, so their sessions sync.
        """

    def receipt(self, cursor: Cursor) -> None:
        """
        Send a user's new cursor to the members who may see it.
        """

    def kick(self, user: int, device: str, reason: str) -> int:
        """
        End sessions of a user on all Connects.

        @param device: the device whose session ends; empty: all of them.
        @return: the number of Connects with a stream that is open now.
        """

    def revoke(self, revoked: Mapping[int, int]) -> int:
        """
        Tell all Connects the times before which tokens of users are revoked.

        @param revoked: unix milliseconds, by user.
        @return: the number of Connects with a stream that is open now.
        """


class IConnectStreams(Protocol):
    """
    The streams of Connects that have a link version.

    @ivar open: the number of open streams.
    @ivar draining: whether Message takes no more sends.
    @ivar keepalive_s: the interval of HTTP/2 keepalive pings.
    """

    @property
    def open(self) -> int: ...

    @property
    def draining(self) -> bool: ...

    @property
    def keepalive_s(self) -> float: ...

    async def serve(self, hello: rest_pb2.SubscribeRequest, context: Context) -> None:
        """
        Serve one stream until it ends.

        @param hello: the first frame.
        """

    def hang_up_all(self, reason: str) -> None:
        """
        End all streams.
        """
