"""
Tests for L{wsmsg.dependency.state}.
"""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs
from twisted.logger import formatEvent as text_of
from twisted.trial.unittest import TestCase

from wsmsg.dependency.state import Dependency, State


class DependencyTests(TestCase):
    """
    L{Dependency}.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1000)
        self.dependency = Dependency("journal", self.clock, unix_s=self.clock.seconds)
        self.states: list[State] = []
        self.dependency.on_change(lambda d: self.states.append(d.state))

    def test_failures(self) -> None:
        """
        A dependency that cannot be reached is connecting, with the number of attempts,
        the last reason and the time of the next attempt.
        """
        self.dependency.attempting()
        self.dependency.failed("refused", 0.5)
        self.dependency.attempting()
        self.clock.advance(3)
        self.dependency.failed("timed out", 2.0)
        told = self.dependency.snapshot()
        self.assertEqual(told.state, State.CONNECTING)
        self.assertEqual(told.attempts, 2)
        self.assertEqual(told.last_error, "timed out")
        self.assertEqual(told.since_s, 1000)
        self.assertEqual(told.next_try_s, 1005)
        self.assertEqual(self.states, [])

    def test_clock_set_back(self) -> None:
        """
        The times for operators are those of the system clock; durations are not.
        """
        unix_s = [1_700_000_000.0]
        dependency = Dependency("store", self.clock, unix_s=lambda: unix_s[0])
        self.clock.advance(3)
        unix_s[0] -= 3600
        with capturedLogs() as events:
            dependency.succeeded()
        self.assertEqual(dependency.snapshot().since_s, 1_699_996_400)
        self.assertEqual(events[-1]["seconds"], 3)
        dependency.lost("closed")
        dependency.failed("refused", 2.0)
        self.assertEqual(dependency.snapshot().next_try_s, 1_699_996_402)

    def test_attempt_has_no_next(self) -> None:
        """
        While an attempt is under way, no time of a next one is given.
        """
        self.dependency.failed("refused", 0.5)
        self.dependency.attempting()
        self.assertIsNone(self.dependency.snapshot().next_try_s)

    def test_up(self) -> None:
        """
        Once the dependency answers it is up since then, and attempts are counted anew.
        """
        self.dependency.attempting()
        self.clock.advance(2)
        self.dependency.succeeded()
        told = self.dependency.snapshot()
        self.assertTrue(self.dependency.up)
        self.assertEqual((told.attempts, told.since_s), (0, 1002))
        self.assertIsNone(told.next_try_s)

    def test_up_twice(self) -> None:
        """
        A second report of success changes nothing and is not passed on.
        """
        self.dependency.succeeded()
        self.clock.advance(2)
        with capturedLogs() as events:
            self.dependency.succeeded()
        self.assertEqual(self.dependency.snapshot().since_s, 1000)
        self.assertEqual((self.states, events), ([State.UP], []))

    def test_lost(self) -> None:
        """
        A loss is counted, and logged with the time for which the dependency was up.
        """
        self.dependency.succeeded()
        self.clock.advance(60)
        with capturedLogs() as events:
            self.dependency.lost("stream ended")
        told = self.dependency.snapshot()
        self.assertEqual((told.state, told.losses), (State.CONNECTING, 1))
        self.assertEqual(told.last_error, "stream ended")
        self.assertEqual(events[0]["log_level"], LogLevel.error)
        self.assertEqual(text_of(events[0]), "journal: lost after 60.0 s: stream ended")

    def test_lost_before_any_attempt(self) -> None:
        """
        After a loss the log announces the first attempt, and no attempt counts as
        failed.
        """
        with capturedLogs() as events:
            self.dependency.succeeded()
            self.dependency.lost("closed")
            self.dependency.failed("closed", 0.5)
        self.assertEqual(
            [text_of(e) for e in events][-2:],
            ["journal: lost after 0.0 s: closed", "journal: first attempt in 0.50 s"],
        )
        told = self.dependency.snapshot()
        self.assertEqual((told.last_error, told.next_try_s), ("closed", 1000.5))

    def test_lost_when_not_up(self) -> None:
        """
        The loss of a dependency that is not up is neither counted nor logged.
        """
        with capturedLogs() as events:
            self.dependency.lost("again")
        self.assertEqual(self.dependency.snapshot().losses, 0)
        self.assertEqual((self.states, events), ([], []))

    def test_gave_up(self) -> None:
        """
        A dependency without a next attempt is down, which is logged as an error.
        """
        self.dependency.attempting()
        with capturedLogs() as events:
            self.dependency.failed("refused", None)
        self.assertEqual(self.dependency.snapshot().state, State.DOWN)
        self.assertIsNone(self.dependency.snapshot().next_try_s)
        self.assertEqual(self.states, [State.DOWN])
        self.assertEqual(
            text_of(events[0]), "journal: attempt 1 failed, giving up: refused"
        )

    def test_stopped(self) -> None:
        """
        A dependency that is not needed any more is stopped and not attempted again.
        """
        self.dependency.failed("refused", 5)
        self.dependency.stopped()
        self.assertEqual(self.dependency.snapshot().state, State.STOPPED)
        self.assertIsNone(self.dependency.snapshot().next_try_s)

    def test_attempts_are_logged(self) -> None:
        """
        Each attempt is logged, with its reason and delay.
        """
        with capturedLogs() as events:
            self.dependency.attempting()
            self.dependency.failed("refused", 0.15)
            self.dependency.attempting()
            self.dependency.succeeded()
        self.assertEqual(
            [text_of(event) for event in events],
            [
                "journal: attempt 1",
                "journal: attempt 1 failed, next in 0.15 s: refused",
                "journal: attempt 2",
                "journal: up after 2 attempts and 0.0 s",
            ],
        )
