"""
One Message, by its address: dialled, and dialled again.

L{StreamDialler} does the dialling; L{UpstreamPeer} makes the streams, and remembers
across them what the next one may resume.
"""

from __future__ import annotations

from typing import Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IStreamClientEndpoint

from wsmsg.connect.discovery.interface import DOUBT_S, MessageWay
from wsmsg.connect.upstream.context import (
    PeerLife,
    Stream,
    StreamOwner,
    UpstreamContext,
)
from wsmsg.connect.upstream.endpoint import Hello
from wsmsg.connect.upstream.stream import UpstreamStream
from wsmsg.dependency.retry import RetryPolicy
from wsmsg.dependency.state import Dependency
from wsmsg.rpc import rest_pb2
from wsmsg.stream.contract import LINK_VERSION
from wsmsg.stream.dialler import StreamDialler

#: The delay before an attempt that the retry policy does not allow, while other
#: Messages are up.
_BEYOND_LIMIT_S = 10.0

#: The reason for which a Message without a welcome is not used.
MIXED = (
    "the Message sends no welcome although another one does, and is not used: "
    "discovery must name Messages of one kind"
)


def _at_once(failures: int) -> float:
    """
    Make the next attempt without a delay.
    """
    return 0.0


class PeerDialling(Protocol):
    """
    The way to dial Messages, the same for all of them.
    """

    def retry_policy(self) -> RetryPolicy: ...

    def endpoint(
        self, address: str, hello: Hello, *, welcoming: bool
    ) -> IStreamClientEndpoint:
        """
        Return the endpoint of one attempt.

        @param welcoming: wait for the welcome, however late it is.
        """

    def relayed(
        self, through: str, address: str, hello: Hello
    ) -> IStreamClientEndpoint:
        """
        Return the endpoint of one attempt through another Message.
        """

    def relays_for(self, address: str) -> list[str]:
        """
        Return the addresses of Messages that may pass on a stream to this address.
        """

    def subscribe(self) -> rest_pb2.SubscribeRequest:
        """
        Return a subscribe that names this node, numbers the stream, and names the
        other streams.
        """

    def stream_lost(self) -> None:
        """
        A stream is lost; a Message that was reached by it may be reached by another
        address.
        """

    def accepts(self, address: str, *, unnumbered: bool) -> bool:
        """
        Return whether a Message of this kind may be used together with the others.
        """

    def open_unnumbered(self, name: str, owner: StreamOwner) -> Stream:
        """
        Return the protocol of a stream to a Message that sent no welcome.
        """


class UpstreamPeerOwner(Protocol):
    """
    Receives the events of all Messages.

    @ivar up: whether any stream is up.
    """

    @property
    def up(self) -> bool: ...

    def stream_up(self, stream: Stream) -> None: ...

    def stream_synced(self, stream: Stream) -> None: ...

    def stream_lost(self, stream: Stream, reason: str) -> None: ...

    def limit_reached(self, reason: str) -> None:
        """
        The retry policy allows no further attempt, and no stream is up.
        """


class UpstreamPeer:
    """
    One Message.

    @ivar dependency: the state of the Message.
    @ivar stream: the stream, while it is up.
    @ivar way: the way to the Message.
    @ivar number: the number of the stream or of the attempt; 0: there is none.
    @ivar unnumbered: whether the Message sent no welcome when it was met last; L{None}
        before it was met.
    """

    def __init__(
        self,
        address: str,
        dialling: PeerDialling,
        owner: UpstreamPeerOwner,
        shared: UpstreamContext,
    ) -> None:
        self.address = address
        self.dependency = Dependency(
            f"message {address}", shared.clock, unix_s=shared.unix_s
        )
        self.stream: Stream | None = None
        self.number = 0
        self.unnumbered: bool | None = None
        self._dialling = dialling
        self._owner = owner
        self._shared = shared
        self._life = PeerLife()
        self.way = MessageWay(shared.clock.seconds)
        self._welcoming = False
        self._dialler = StreamDialler(self, self.dependency, shared.clock)

    def start(self) -> None:
        """
        Dial, or take back L{leave}.
        """
        self._dialler.start()

    def redial(self, *, is_lost: bool) -> None:
        """
        Dial now if the Message was reached by another address, whose stream may be lost
        (L{StreamDialler.redial}).
        """
        self._dialler.redial(is_lost=is_lost)

    def reached(self) -> None:
        """
        Note that another Message reaches this one, which has no stream: make the next
        attempt now.
        """
        hangs = self.way.reached()
        if hangs or not self.engaged:
            self._dialler.hurry("no answer, and another Message reaches it")

    @property
    def engaged(self) -> bool:
        """
        True while there is an attempt or a stream.
        """
        return self._dialler.engaged

    def leave(self) -> None:
        """
        Make no attempt once the stream is lost.
        """
        self._dialler.leave()

    def stop(self) -> Deferred[None]:
        """
        Write what is left, close the stream, and make no attempt any more.
        """
        return self._dialler.stop()

    # -- called by the dialler

    def retry_policy(self) -> RetryPolicy:
        return _at_once if self.way.goes_around else self._dialling.retry_policy()

    def endpoint(self) -> IStreamClientEndpoint:
        self.number = 0
        welcoming, self._welcoming = self._welcoming, False
        others = [] if self.unnumbered else self._dialling.relays_for(self.address)
        through = self.way.choose(others)
        if through:
            return self._dialling.relayed(through, self.listed_address, self._hello)
        return self._dialling.endpoint(self.address, self._hello, welcoming=welcoming)

    def protocol(self, address: IAddress | None) -> Stream | None:
        unnumbered = not getattr(address, "welcomed", True)
        if not self._dialling.accepts(self.address, unnumbered=unnumbered):
            self._dialler.refuse(MIXED)
            return None
        self.unnumbered = unnumbered
        if unnumbered:
            return self._dialling.open_unnumbered(self.address, self)
        return UpstreamStream(self.address, self, self._shared, self._life)

    @property
    def listed_address(self) -> str:
        """
        The address at which other Messages reach this one.
        """
        return self._life.address or self._shared.reach.address_of(self.address)

    def beyond_limit(self, reason: str) -> float | None:
        if self._owner.up:
            # Other Messages do the work; ending the daemon would not help.
            return _BEYOND_LIMIT_S
        self._owner.limit_reached(f"{self.dependency.name}: {reason}")
        return None

    def _hello(self) -> rest_pb2.MessageStreamRequest:
        hello = rest_pb2.SubscribeRequest(
            link_version=LINK_VERSION,
            resume_incarnation=self._life.incarnation,
            resume_from=self._life.number,
            unix_ms=self._shared.clocks.now_ms(),
        )
        self._life.asked(self._shared.clocks.asked_s())
        hello.MergeFrom(self._dialling.subscribe())
        self.number = hello.stream
        return rest_pb2.MessageStreamRequest(subscribe=hello)

    # -- called by the stream

    def stream_up(self, stream: Stream) -> None:
        self.stream = stream
        self.way.stream_up()
        self.dependency.describe(stream.kind)
        self._dialler.stream_up()
        self._owner.stream_up(stream)

    def stream_synced(self, stream: Stream) -> None:
        self._owner.stream_synced(stream)

    def late_welcome(self) -> None:
        """
        Have the next attempt wait for the welcome: the Message is only slow.
        """
        self._welcoming = True

    def stream_lost(self, stream: Stream, reason: str) -> None:
        if self.stream is not stream:
            self._dialler.stream_lost(reason, was_up=False)
            return
        self.stream = None
        self.way.stream_lost()
        if stream.silence_s(self._shared.clock.seconds()) >= DOUBT_S:
            self.way.go_around()  # the way may be at fault
        self._dialler.stream_lost(reason, was_up=True)
        self._owner.stream_lost(stream, reason)
        self._dialling.stream_lost()
