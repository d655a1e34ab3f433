"""
Tests for L{wsmsg.dependency.reopen}.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from wsmsg.dependency.cause import Cause, KnownCause
from wsmsg.dependency.reopen import KeptOpen
from wsmsg.dependency.state import Dependency
from wsmsg.errors import Unavailable


class Telling(Dependency):
    """
    A dependency with a listener that ends the attempts at the first failure.
    """

    end: Callable[[], Deferred[None]]
    over: Deferred[None] | None = None

    def failed(
        self, reason: str, delay_s: float | None, cause: Cause = Cause.UNKNOWN
    ) -> None:
        super().failed(reason, delay_s, cause)
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

    def test_cause(self) -> None:
        """
        The cause of a failure is known until another failure, or a loss, has none.
        """
        failures: list[Exception] = [
            KnownCause("wrong password", Cause.CREDENTIALS),
            Unavailable("not there"),
        ]
        dependency = Dependency("thing", Clock())
        clock = Clock()
        reopening = KeptOpen(
            lambda: fail(failures.pop(0)), clock, lambda _: 1, dependency
        )
        reopening.start()
        self.assertEqual(dependency.snapshot().cause, "credentials")
        clock.advance(1)
        self.assertEqual(dependency.snapshot().cause, "")
        dependency.failed("wrong password", 1, Cause.CREDENTIALS)
        dependency.succeeded()
        dependency.lost("gone")
        self.assertEqual(dependency.snapshot().cause, "")
        self.successResultOf(reopening.stop())

    def test_stalled(self) -> None:
        """
        A thing that does not answer is not up, and is not opened again; it is up when
        it answers, and opened again when it turns out to be lost.
        """
        opened: list[None] = []

        def open_() -> Deferred[None]:
            opened.append(None)
            return succeed(None)

        clock = Clock()
        dependency = Dependency("thing", clock)
        reopening = KeptOpen(open_, clock, lambda _: 1, dependency)
        reopening.start()
        reopening.stalled(Unavailable("no answer"))
        self.assertEqual((reopening.up, dependency.up), (False, False))
        self.assertEqual(clock.getDelayedCalls(), [])
        reopening.answered()
        self.assertEqual((reopening.up, dependency.up), (True, True))
        reopening.stalled(Unavailable("no answer"))
        reopening.lost(Unavailable("closed"))
        reopening.answered()
        self.assertFalse(dependency.up)
        clock.advance(1)
        self.assertEqual((len(opened), dependency.up), (2, True))

    def test_waited(self) -> None:
        """
        An attempt that waited for its server is followed by the next one the earlier,
        and one that failed at once after the whole delay.
        """
        attempts: list[Deferred[None]] = []

        def open_() -> Deferred[None]:
            attempts.append(Deferred())
            return attempts[-1]

        clock = Clock()
        reopening = KeptOpen(open_, clock, lambda _: 2, Dependency("thing", clock))
        reopening.start()
        attempts[0].errback(Unavailable("refused"))
        clock.advance(1.9)
        self.assertEqual(len(attempts), 1)
        clock.advance(0.1)
        clock.advance(1.5)
        attempts[1].errback(Unavailable("no answer"))
        clock.advance(0.5)
        self.assertEqual(len(attempts), 3)
        clock.advance(9)
        attempts[2].errback(Unavailable("no answer"))
        clock.advance(0.1)
        self.assertEqual(len(attempts), 4)
        stopped = reopening.stop()
        attempts[3].callback(None)
        self.successResultOf(stopped)
