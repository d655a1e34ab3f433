"""
One Message, by its address: dialled, and dialled again.

C{ClientService} does the dialling.  L{UpstreamPeer} tells the L{Dependency} what
happens, says how long to wait, and remembers across streams what the next one may
resume.
"""

from __future__ import annotations

from typing import Any, Protocol

from twisted.application.internet import ClientService
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IStreamClientEndpoint
from twisted.internet.protocol import Factory
from twisted.logger import Logger, LogPublisher
from twisted.python.failure import Failure
from zope.interface import implementer

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

#: A stream that was up for less is a reason to wait longer before the next.
_STEADY_S = 5.0
#: No further attempt is wanted.
_NEVER_S = 86400.0

#: The reason for which a Message without a welcome is not used.
MIXED = (
    "the Message sends no welcome although another one does, and is not used: "
    "discovery must name Messages of one kind"
)


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

    def subscribe(self) -> rest_pb2.SubscribeRequest:
        """
        Return a subscribe that names this node.
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


class _Dialler(ClientService):
    # It logs each wait with the endpoint's repr; the Dependency says it better.
    _log = Logger(observer=LogPublisher())


@implementer(IStreamClientEndpoint)
class UpstreamPeer(Factory):
    """
    One Message.

    @ivar dependency: the state of the Message.
    @ivar stream: the stream, while it is up.
    @ivar unnumbered: whether the Message sent no welcome when it was met last; L{None}
        before it was met.
    """

    noisy = False

    def __init__(
        self,
        address: str,
        dialling: PeerDialling,
        owner: UpstreamPeerOwner,
        shared: UpstreamContext,
    ) -> None:
        self.address = address
        self.dependency = Dependency(f"message {address}", shared.clock)
        self.stream: Stream | None = None
        self.unnumbered: bool | None = None
        self._dialling = dialling
        self._owner = owner
        self._shared = shared
        self._life = PeerLife()
        self._failures = 0
        self._short_lives = 0
        self._failure = ""
        self._up_since_s = 0.0
        self._stopping = self._leaving = False
        self._welcoming = False
        self._unfit = ""
        self._dialler = _Dialler(
            self, self, retryPolicy=self._delay_s, clock=shared.clock
        )

    def start(self) -> None:
        """
        Dial; one that was leaving comes back as it is.
        """
        self._leaving = False
        if not self._dialler.running:
            self._dialler.startService()

    def leave(self) -> None:
        """
        Dial no more once the stream is lost.
        """
        self._leaving = True

    def stop(self) -> Deferred[None]:
        """
        Write what is left, close, dial no more.
        """
        self._stopping = True
        stopped = self._dialler.stopService()
        return stopped.addCallback(lambda _: self.dependency.stopped())

    # -- what ClientService calls

    def connect(self, protocolFactory: Any) -> Deferred[Any]:
        """
        Make one attempt.
        """
        self.dependency.attempting()
        welcoming, self._welcoming = self._welcoming, False
        endpoint = self._dialling.endpoint(
            self.address, self._hello, welcoming=welcoming
        )
        attempt: Deferred[Any] = endpoint.connect(protocolFactory)
        return attempt.addErrback(self._attempt_failed)

    def buildProtocol(self, addr: IAddress | None) -> Any:
        """
        A new stream; L{None} when none is wanted any more.
        """
        if self._stopping:
            return None
        unnumbered = not getattr(addr, "welcomed", True)
        if not self._dialling.accepts(self.address, unnumbered=unnumbered):
            self._unfit = MIXED
            return None
        self.unnumbered = unnumbered
        if unnumbered:
            return self._dialling.open_unnumbered(self.address, self)
        return UpstreamStream(self.address, self, self._shared, self._life)

    def _hello(self) -> rest_pb2.MessageStreamRequest:
        hello = self._dialling.subscribe()
        hello.link_version = LINK_VERSION
        hello.resume_incarnation = self._life.incarnation
        hello.resume_from = self._life.number
        return rest_pb2.MessageStreamRequest(subscribe=hello)

    def _attempt_failed(self, failure: Failure) -> Failure:
        unfit, self._unfit = self._unfit, ""
        self._failed(unfit or failure.getErrorMessage())
        return failure

    def _failed(self, reason: str) -> None:
        self._failures += 1
        self._failure = reason or "no reason given"

    def _delay_s(self, _: int) -> float:
        """
        How long to wait; asked once after each failure and each loss.
        """
        policy, reason = self._dialling.retry_policy(), self._failure
        if self._leaving:
            return _NEVER_S
        if not reason:
            return policy(1 + self._short_lives) or 0.1
        self._failure = ""
        delay_s = policy(self._failures)
        if delay_s is None and self._owner.up:
            # Others do our work; it would not get better if we ended.
            delay_s = 2 * _STEADY_S
        self.dependency.failed(reason, delay_s)
        if delay_s is None:
            self._owner.limit_reached(f"{self.dependency.name}: {reason}")
            return _NEVER_S
        return delay_s

    # -- what its stream calls

    def stream_up(self, stream: Stream) -> None:
        self.stream = stream
        self._failures = 0
        self._up_since_s = self._shared.clock.seconds()
        self.dependency.about = stream.kind
        self.dependency.succeeded()
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
            self._failed(reason)
            return
        self.stream = None
        lived_s = self._shared.clock.seconds() - self._up_since_s
        self._short_lives = self._short_lives + 1 if lived_s < _STEADY_S else 0
        if self._stopping or self._leaving:
            self.dependency.stopped()
        else:
            self.dependency.lost(reason)
        self._owner.stream_lost(stream, reason)
