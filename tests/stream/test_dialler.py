"""
Tests of the dialling of one peer, without any network.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IStreamClientEndpoint
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from wsmsg.dependency.retry import RetryPolicy
from wsmsg.dependency.state import Dependency, State
from wsmsg.stream.dialler import StreamDialler
from wsmsg.stream.errors import StreamFailed


@implementer(IStreamClientEndpoint)
class ManualEndpoint:
    """
    An endpoint whose attempts the test answers.
    """

    def __init__(self) -> None:
        self.attempts: list[tuple[Deferred[Any], Any]] = []

    def connect(self, protocolFactory: Any) -> Deferred[Any]:
        attempt: Deferred[Any] = Deferred()
        self.attempts.append((attempt, protocolFactory))
        return attempt


class RecordingPeer:
    """
    A peer with a policy of three attempts, 1 s apart.

    @ivar limits: the reasons given to L{beyond_limit}.
    @ivar extra_s: the answer to it.
    """

    def __init__(self) -> None:
        self.manual = ManualEndpoint()
        self.limits: list[str] = []
        self.extra_s: float | None = None
        self.accepts = True

    def retry_policy(self) -> RetryPolicy:
        return lambda failures: float(failures) if failures < 3 else None

    def endpoint(self) -> IStreamClientEndpoint:
        return self.manual

    def protocol(self, address: IAddress | None) -> Any:
        return object() if self.accepts else None

    def beyond_limit(self, reason: str) -> float | None:
        self.limits.append(reason)
        return self.extra_s


class StreamDiallerTests(SynchronousTestCase):
    """
    Attempts, delays, and the reports to the dependency.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1000)
        self.peer = RecordingPeer()
        self.dependency = Dependency("message a:1", self.clock)
        self.dialler = StreamDialler(self.peer, self.dependency, self.clock)
        self.attempts = self.peer.manual.attempts
        self.dialler.start()

    def fail_attempt(self, reason: str = "connection refused") -> None:
        self.attempts[-1][0].errback(StreamFailed(reason))

    def open_stream(self) -> None:
        attempt, factory = self.attempts[-1]
        attempt.callback(factory.buildProtocol(None))
        self.dialler.stream_up()

    def test_failures(self) -> None:
        """
        The delay grows with each failure, and the dependency has the reason.
        """
        self.fail_attempt()
        self.assertEqual(self.dependency.snapshot().last_error, "connection refused")
        self.clock.advance(1)
        self.assertEqual(len(self.attempts), 2)
        self.fail_attempt()
        self.clock.advance(1.9)
        self.assertEqual(len(self.attempts), 2)
        self.clock.advance(0.1)
        self.assertEqual(len(self.attempts), 3)

    def test_limit(self) -> None:
        """
        After the last attempt that the policy allows, the peer decides.
        """
        for delay_s in (1, 2):
            self.fail_attempt()
            self.clock.advance(delay_s)
        self.fail_attempt("still refused")
        self.assertEqual(self.peer.limits, ["still refused"])
        self.assertIs(self.dependency.state, State.DOWN)
        self.clock.advance(3600)
        self.assertEqual(len(self.attempts), 3)

    def test_beyond_limit(self) -> None:
        """
        The peer may ask for another attempt all the same.
        """
        self.peer.extra_s = 10.0
        for delay_s in (1, 2, 10):
            self.fail_attempt()
            self.clock.advance(delay_s)
        self.assertEqual(len(self.attempts), 4)
        self.assertIs(self.dependency.state, State.CONNECTING)

    def test_refused_protocol(self) -> None:
        """
        A stream that the peer refuses is a failed attempt with the peer's reason.
        """
        self.dialler.refuse("of the wrong kind")
        self.fail_attempt("the stream is not wanted any more")
        self.assertEqual(self.dependency.snapshot().last_error, "of the wrong kind")

    def test_leave(self) -> None:
        """
        A peer that is left counts as stopped once its stream is lost.
        """
        self.open_stream()
        self.assertIs(self.dependency.state, State.UP)
        self.dialler.leave()
        self.dialler.stream_lost("closed", was_up=True)
        self.assertIs(self.dependency.state, State.STOPPED)

    def test_stop(self) -> None:
        """
        After the stop no attempt and no timer is left.
        """
        self.fail_attempt()
        self.successResultOf(self.dialler.stop())
        self.assertIs(self.dependency.state, State.STOPPED)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_stopped_during_an_attempt(self) -> None:
        """
        A stream that opens after the stop gets no protocol.
        """
        self.dialler.stop()
        self.assertIsNone(self.dialler.buildProtocol(None))
