"""
The dialling of one peer, for as long as a stream to it is wanted.

C{ClientService} makes the attempts.  L{StreamDialler} chooses the delay before each and
reports to the L{Dependency}::

    attempt --failed--> delay by the retry policy --> attempt
       |----stream_up--> up --stream_lost--> delay, longer after short lives --> attempt
       `----already open by another address--> up --L{redial}, or a delay--> attempt
"""

from __future__ import annotations

from typing import Any, Protocol

from twisted.application.internet import ClientService
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IReactorTime, IStreamClientEndpoint
from twisted.internet.protocol import Factory
from twisted.logger import Logger, LogPublisher
from twisted.python.failure import Failure
from zope.interface import implementer

from wsmsg.dependency.cause import Cause
from wsmsg.dependency.retry import RetryPolicy
from wsmsg.dependency.state import Dependency
from wsmsg.stream.errors import AlreadyOpen, StreamFailed

#: A stream that was up for less counts as a short life.
_STEADY_S = 5.0
#: The delay that stands for no further attempt.
_NEVER_S = 86400.0
#: The delay after an attempt that found the peer's stream open by another address.
_ELSEWHERE_S = 5.0


class DialledPeer(Protocol):
    """
    The peer that a L{StreamDialler} dials.
    """

    def retry_policy(self) -> RetryPolicy: ...

    def endpoint(self) -> IStreamClientEndpoint:
        """
        Return the endpoint of the next attempt.
        """

    def protocol(self, address: IAddress | None) -> Any:
        """
        Return the protocol of a stream that was opened; L{None} closes the stream.
        """

    def beyond_limit(self, reason: str) -> float | None:
        """
        Note that the retry policy allows no further attempt.

        @param reason: why the last attempt failed.
        @return: seconds until another attempt all the same; L{None}: there is none.
        """


class _QuietClientService(ClientService):
    # It would log each delay with the repr of the endpoint; the Dependency logs more.
    _log = Logger(observer=LogPublisher())


@implementer(IStreamClientEndpoint)
class StreamDialler(Factory):
    """
    Dials a peer, and dials again after each failure and each loss.

    The peer reports when its stream is up and when it is lost.

    @param dependency: receives the state of the peer.
    @ivar engaged: whether there is an attempt or a stream.
    """

    noisy = False

    def __init__(
        self, peer: DialledPeer, dependency: Dependency, clock: IReactorTime
    ) -> None:
        self._peer = peer
        self._dependency = dependency
        self._clock = clock
        self._failures = 0
        self._short_lives = 0
        self._failure = ""
        self._cause = Cause.UNKNOWN
        self._refusal = ""
        self._attempt: Deferred[Any] | None = None
        self._up_since_s = 0.0
        self._stopping = self._leaving = self._elsewhere = self.engaged = False
        self._service = _QuietClientService(
            self, self, retryPolicy=self._delay_s, clock=clock
        )

    def start(self) -> None:
        """
        Dial, or take back L{leave}.
        """
        self._leaving = False
        if not self._service.running:
            self._service.startService()

    def leave(self) -> None:
        """
        Make no attempt once the present stream is lost.
        """
        self._leaving = True

    def redial(self, *, is_lost: bool) -> None:
        """
        Dial now, if the peer was reached by another address and the next attempt waits.

        @param is_lost: the stream by that address is known to be lost.
        """
        if not self._elsewhere or self.engaged or self._stopping or self._leaving:
            return
        if is_lost:
            self._dependency.lost("the stream by another address is lost")
        self._end_delay()

    def hurry(self, reason: str) -> None:
        """
        Make the next attempt now, if there is no stream.

        @param reason: why the attempt that is under way, if any, ends.
        """
        if self._stopping or self._leaving:
            return
        if self._attempt is not None:
            self._refusal = reason
            self._attempt.cancel()
        elif not self.engaged:
            self._end_delay()

    def _end_delay(self) -> None:
        # ClientService has no other way to cut its delay short.
        self._service.stopService()
        self._service.startService()

    def stop(self) -> Deferred[None]:
        """
        Write what the stream still has, close it, and make no attempt any more.
        """
        self._stopping = True
        stopped = self._service.stopService()
        return stopped.addCallback(lambda _: self._dependency.stopped())

    # -- called by ClientService

    def connect(self, protocolFactory: Any) -> Deferred[Any]:
        """
        Make one attempt.
        """
        self.engaged = True
        if not self._elsewhere or not self._dependency.up:
            self._dependency.attempting()
        attempt: Deferred[Any] = self._peer.endpoint().connect(protocolFactory)
        self._attempt = attempt
        return attempt.addBoth(self._attempt_over).addErrback(self._attempt_failed)

    def buildProtocol(self, addr: IAddress | None) -> Any:
        """
        Return the protocol of the stream; L{None} when no stream is wanted any more.
        """
        return None if self._stopping else self._peer.protocol(addr)

    def _attempt_over(self, outcome: Any) -> Any:
        self._attempt = None
        return outcome

    def _attempt_failed(self, failure: Failure) -> Failure:
        refusal, self._refusal = self._refusal, ""
        self.engaged = False
        if failure.check(AlreadyOpen):
            self._failures = 0
            self._elsewhere = True
            self._dependency.describe(failure.getErrorMessage())
            self._dependency.succeeded()
            return failure
        if self._elsewhere:
            self._elsewhere = False
            self._dependency.describe("")
        error = failure.value
        self._cause = error.cause if isinstance(error, StreamFailed) else Cause.UNKNOWN
        self._failed(refusal or failure.getErrorMessage())
        return failure

    def _failed(self, reason: str) -> None:
        self._failures += 1
        self._failure = reason or "no reason given"

    def _delay_s(self, _: int) -> float:
        """
        Return the delay; called once after each failure and each loss.
        """
        policy, reason = self._peer.retry_policy(), self._failure
        if self._leaving:
            return _NEVER_S
        if self._elsewhere:
            return _ELSEWHERE_S
        if not reason:
            return policy(1 + self._short_lives) or 0.1
        self._failure = ""
        delay_s = policy(self._failures)
        if delay_s is None:
            delay_s = self._peer.beyond_limit(reason)
        cause, self._cause = self._cause, Cause.UNKNOWN
        self._dependency.failed(reason, delay_s, cause)
        return _NEVER_S if delay_s is None else delay_s

    # -- called by the peer

    def refuse(self, reason: str) -> None:
        """
        Give the reason why L{DialledPeer.protocol} is about to return L{None}.
        """
        self._refusal = reason

    def stream_up(self) -> None:
        """
        The peer has welcomed the stream.
        """
        self._failures = 0
        self._elsewhere = False
        self._up_since_s = self._clock.seconds()
        self._dependency.succeeded()

    def stream_lost(self, reason: str, *, was_up: bool) -> None:
        """
        The stream is closed.

        @param was_up: whether L{stream_up} was called for it.
        """
        self.engaged = False
        if not was_up:
            self._failed(reason)
            return
        lived_s = self._clock.seconds() - self._up_since_s
        self._short_lives = self._short_lives + 1 if lived_s < _STEADY_S else 0
        if self._stopping or self._leaving:
            self._dependency.stopped()
        else:
            self._dependency.lost(reason)
