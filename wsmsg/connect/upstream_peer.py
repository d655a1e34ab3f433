"""
One Message, by its address: dialled, and dialled again.

C{ClientService} does the dialling; this tells the L{Dependency} what happens, says
how long to wait, and remembers across streams what the next one may resume.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from twisted.application.internet import ClientService
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IStreamClientEndpoint
from twisted.internet.protocol import Factory
from twisted.logger import Logger, LogPublisher
from twisted.python.failure import Failure
from zope.interface import implementer

from wsmsg.connect.upstream_context import PeerLife, Shared
from wsmsg.connect.upstream_stream import UpstreamStream
from wsmsg.dependency import Dependency
from wsmsg.retry import RetryPolicy
from wsmsg.rpc import rest_pb2
from wsmsg.settings.values import ConnectSettings
from wsmsg.streams.endpoint import StreamEndpoint

LINK_VERSION = 1

#: Twice this finds a dead peer.
_KEEPALIVE_S = 1.5
#: Between the starts of two frames, so that a busy stream carries fewer and bigger.
_SPACING_S = 0.005
#: A stream that was up for less is a reason to wait longer before the next.
_STEADY_S = 5.0
#: No other attempt is wanted.
_NEVER_S = 86400.0

Hello = Callable[[], rest_pb2.MessageStreamRequest]
#: Makes the endpoint of one attempt: of the address and the subscribe to send.
EndpointOf = Callable[[str, Hello], IStreamClientEndpoint]


def grpc_endpoint(
    address: str, hello: Hello, settings: ConnectSettings
) -> StreamEndpoint:
    """
    The way to a Message.
    """
    return StreamEndpoint(
        address,
        "/rest.MessageService/MessageStream",
        request=rest_pb2.MessageStreamRequest,
        response=rest_pb2.MessageStreamResponse,
        hello=hello,
        welcomed=_is_welcome,
        welcome_timeout_s=settings.welcome_timeout_s,
        keepalive_s=_KEEPALIVE_S,
        spacing_s=_SPACING_S,
    )


def _is_welcome(message: rest_pb2.MessageStreamResponse | None) -> bool:
    # A deployed Message sends none; serving those too begins here.  None: what came
    # could not be decoded.
    return message is not None and message.HasField("welcome")


class PeerOwner(Protocol):
    """
    All Messages, as one of them sees them.

    @ivar up: whether any is up.
    """

    @property
    def up(self) -> bool: ...

    def retry_policy(self) -> RetryPolicy: ...

    def endpoint(self, address: str, hello: Hello) -> IStreamClientEndpoint: ...

    def subscribe(self, address: str) -> rest_pb2.SubscribeRequest:
        """
        Who we are; without what is resumed.
        """

    def stream_up(self, stream: UpstreamStream) -> None: ...

    def stream_knows(self, stream: UpstreamStream) -> None: ...

    def stream_lost(self, stream: UpstreamStream, reason: str) -> None: ...

    def limit_reached(self, reason: str) -> None:
        """
        No attempt is left, and no stream is up.
        """


class _Dialler(ClientService):
    # It logs each wait with the endpoint's repr; the Dependency says it better.
    _log = Logger(observer=LogPublisher())


@implementer(IStreamClientEndpoint)
class UpstreamPeer(Factory):
    """
    One Message.

    @ivar dependency: tells its state.
    @ivar stream: the stream, while it is up.
    """

    noisy = False

    def __init__(self, address: str, owner: PeerOwner, shared: Shared) -> None:
        self.address = address
        self.dependency = Dependency(f"message {address}", shared.clock)
        self.stream: UpstreamStream | None = None
        self._owner = owner
        self._shared = shared
        self._life = PeerLife()
        self._failures = 0
        self._short_lives = 0
        self._failure = ""
        self._up_since_s = 0.0
        self._stopping = self._leaving = False
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
        endpoint = self._owner.endpoint(self.address, self._hello)
        attempt: Deferred[Any] = endpoint.connect(protocolFactory)
        return attempt.addErrback(self._attempt_failed)

    def buildProtocol(self, addr: IAddress | None) -> Any:
        """
        A new stream; L{None} when none is wanted any more.
        """
        if self._stopping:
            return None
        return UpstreamStream(self.address, self, self._shared, self._life)

    def _hello(self) -> rest_pb2.MessageStreamRequest:
        hello = self._owner.subscribe(self.address)
        hello.link_version = LINK_VERSION
        hello.resume_incarnation = self._life.incarnation
        hello.resume_from = self._life.number
        return rest_pb2.MessageStreamRequest(subscribe=hello)

    def _attempt_failed(self, failure: Failure) -> Failure:
        self._failed(failure.getErrorMessage())
        return failure

    def _failed(self, reason: str) -> None:
        self._failures += 1
        self._failure = reason or "no reason given"

    def _delay_s(self, _: int) -> float:
        """
        How long to wait; asked once after each failure and each loss.
        """
        policy, reason = self._owner.retry_policy(), self._failure
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

    def stream_up(self, stream: UpstreamStream) -> None:
        self.stream = stream
        self._failures = 0
        self._up_since_s = self._shared.clock.seconds()
        self.dependency.succeeded()
        self._owner.stream_up(stream)

    def stream_knows(self, stream: UpstreamStream) -> None:
        self._owner.stream_knows(stream)

    def stream_lost(self, stream: UpstreamStream, reason: str) -> None:
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
