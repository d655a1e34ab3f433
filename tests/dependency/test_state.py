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

    def test_a_listener_that_fails(self) -> None:
        """
        A listener that raises is logged; the other listeners and who waits are told,
        and whoever reported the change goes on.
        """

        def broken(_: Dependency) -> None:
            raise RuntimeError("a bug")

        dependency = Dependency("store", self.clock)
        dependency.on_change(broken)
        told: list[State] = []
        dependency.on_change(lambda it: told.append(it.state))
        waiting = dependency.when_up()
        dependency.succeeded()
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.assertEqual(told, [State.UP])
        self.successResultOf(waiting)

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
        After a loss no attempt counts as failed before one was made.
        """
        with capturedLogs() as events:
            self.dependency.succeeded()
            self.dependency.lost("closed")
            self.dependency.failed("closed", 0.5)
        self.assertEqual(text_of(events[-1]), "journal: lost after 0.0 s: closed")
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

    def lines(self, seconds: int, reason: str = "refused") -> list[str]:
        """
        Fail once a second, and return the lines in the log.
        """
        with capturedLogs() as events:
            for _ in range(seconds):
                self.dependency.attempting()
                self.dependency.failed(reason, 1.0)
                self.clock.advance(1)
        return [text_of(e) for e in events if e["log_level"] > LogLevel.debug]

    def test_each_minute(self) -> None:
        """
        While a dependency cannot be reached, the log has a line with the reason at the
        first failure, and one with the number of attempts each minute.
        """
        self.assertEqual(
            self.lines(121),
            [
                f"journal: attempt {n} failed after {s}.0 s, next in 1.00 s: refused"
                for n, s in ((1, 0), (61, 60), (121, 120))
            ],
        )

    def test_lost_and_away(self) -> None:
        """
        A loss has one line; the failures after it have one each minute; and a line says
        that the dependency is up again.
        """
        self.dependency.succeeded()
        with capturedLogs() as events:
            self.dependency.lost("closed")
            lines = self.lines(61, "closed")
            self.dependency.succeeded()
        self.assertEqual(len(lines), 1)
        told = [text_of(e) for e in events if e["log_level"] > LogLevel.debug]
        self.assertEqual(
            told,
            [
                "journal: lost after 0.0 s: closed",
                *lines,
                "journal: up after 61 attempts and 61.0 s",
            ],
        )

    def test_new_reason(self) -> None:
        """
        Another reason has a line, once, and at the earliest ten seconds after the line
        before: an operator who is mending something sees what comes next.
        """
        self.assertEqual(len(self.lines(3)), 1)
        self.assertEqual(self.lines(7, "no such topic"), [])
        [line] = self.lines(3, "no such topic")
        self.assertTrue(line.endswith(": no such topic"), line)
        self.assertEqual(self.lines(20), [])

    def test_ever_new_reasons(self) -> None:
        """
        A dependency that fails with another reason each time has a line every ten
        seconds for a quarter of an hour, and one each minute from then on: the reasons
        that are remembered are bounded.
        """
        for n in range(100):
            self.assertLessEqual(len(self.lines(10, f"refused from port {n}")), 1)
        later = [self.lines(10, f"refused from port {n}") for n in range(100, 160)]
        self.assertLessEqual(sum(map(len, later)), 10)
