"""
Tests for L{wsmsg.dependency.wait}.
"""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from wsmsg.dependency.state import Dependency
from wsmsg.dependency.wait import pause, unless_lost
from wsmsg.errors import Unavailable


class PauseTests(SynchronousTestCase):
    """
    The pause before a failed call is repeated.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.store = Dependency("store", self.clock)

    def pause(self) -> Deferred[None]:
        """
        Pause, for two seconds if the store is up.
        """
        return Deferred.fromCoroutine(pause(self.store, self.clock, 2))

    def test_up(self) -> None:
        """
        While the dependency is up, the pause takes the delay.
        """
        self.store.succeeded()
        pausing = self.pause()
        self.clock.advance(1.9)
        self.assertNoResult(pausing)
        self.clock.advance(0.1)
        self.successResultOf(pausing)

    def test_away(self) -> None:
        """
        While the dependency is away the pause ends when it comes up, not before.
        """
        pausing = self.pause()
        self.clock.advance(3600)
        self.assertNoResult(pausing)
        self.store.succeeded()
        self.successResultOf(pausing)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_cancelled(self) -> None:
        """
        A cancelled pause ends and leaves no listener.
        """
        pausing = self.pause()
        pausing.cancel()
        self.failureResultOf(pausing, CancelledError)
        self.store.succeeded()

    def test_lost_again(self) -> None:
        """
        If the first caller finds the dependency lost again, the others keep waiting.
        """
        first, second = self.pause(), self.pause()
        first.addCallback(lambda _: self.store.lost("gone again"))
        self.store.succeeded()
        self.successResultOf(first)
        self.assertNoResult(second)
        self.store.succeeded()
        self.successResultOf(second)


class UnlessLostTests(SynchronousTestCase):
    """
    L{unless_lost}.
    """

    def setUp(self) -> None:
        self.store = Dependency("store", Clock())
        self.store.succeeded()
        self.call: Deferred[int] = Deferred()
        self.waiting = unless_lost(self.store, self.call)

    def test_answered(self) -> None:
        """
        A call that is answered in time has its result, and leaves no listener.
        """
        self.call.callback(7)
        self.assertEqual(self.successResultOf(self.waiting), 7)
        self.store.lost("closed")

    def test_failed(self) -> None:
        """
        A call that fails has its failure.
        """
        self.call.errback(ValueError("no"))
        self.failureResultOf(self.waiting, ValueError)

    def test_lost(self) -> None:
        """
        A dependency that is lost ends the wait for the call, whose late result is
        dropped.
        """
        self.store.lost("no answer")
        failure = self.failureResultOf(self.waiting, Unavailable)
        self.assertEqual(failure.value.reason, "store is not up: no answer")
        self.call.callback(7)
