"""
Tests for L{wsmsg.dependency.reopen}.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred, fail
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from wsmsg.dependency.reopen import KeptOpen
from wsmsg.dependency.state import Dependency
from wsmsg.errors import Unavailable


class Telling(Dependency):
    """
    A dependency with a listener that ends the attempts at the first failure.
    """

    end: Callable[[], Deferred[None]]
    over: Deferred[None] | None = None

    def failed(self, reason: str, delay_s: float | None) -> None:
        super().failed(reason, delay_s)
        self.over = self.end()


class ReopeningTests(SynchronousTestCase):
    """
    Stopping.
    """

    def test_stopped_by_the_news(self) -> None:
        """
        A listener that stops the attempts when one fails has seen the last one.
        """
        clock = Clock()
        dependency = Telling("thing", clock)
        reopening = KeptOpen(
            lambda: fail(Unavailable("not there")), clock, lambda _: 1, dependency
        )
        dependency.end = reopening.stop
        reopening.start()
        assert dependency.over is not None
        self.successResultOf(dependency.over)
        self.assertEqual(clock.getDelayedCalls(), [])
