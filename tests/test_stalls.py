"""
Tests of the measure of lost time, on a machine that is made to stall.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable

from twisted.trial.unittest import SynchronousTestCase

from tests.stalls import History, Loss, Moment, Span, Watcher, judge, watcher

#: An event that is never set.
_PAUSE = threading.Event()


def moment(
    at_s: float = 0.0,
    *,
    still: float = 0.0,
    stolen: float = 0.0,
    used: float = 0.0,
    ours: float = 0.0,
    waited: dict[int, float] | None = None,
) -> Moment:
    return Moment(at_s, still, stolen, used, ours, waited or {})


class LossTests(SynchronousTestCase):
    """
    Tests of L{Loss.between} with given counters.
    """

    def test_quiet(self) -> None:
        """
        Nothing is lost if no counter rose, however much time passed.
        """
        self.assertEqual(Loss.between(moment(1), moment(9)), Loss(0, 0, 0))

    def test_stolen_from_few(self) -> None:
        """
        A single working process lost everything that was stolen.
        """
        last = moment(9, stolen=2.0, used=1.0)
        self.assertEqual(Loss.between(moment(), last), Loss(0, 2.0, 0))

    def test_stolen_from_all(self) -> None:
        """
        With two busy cores each process lost its share.
        """
        last = moment(9, stolen=6.0, used=12.0, ours=12.0)
        self.assertEqual(Loss.between(moment(), last), Loss(0, 3.0, 0))

    def test_waited_for_strangers(self) -> None:
        """
        The time that one of our processes waited for a core used by other programs is
        lost, also if the process is new.
        """
        first = moment(used=10, ours=2, waited={1: 0.5})
        last = moment(9, used=14, ours=3, waited={1: 1.0, 2: 1.5})
        self.assertEqual(Loss.between(first, last), Loss(0, 0, 1.5))

    def test_waited_for_ours(self) -> None:
        """
        Time that our own processes take from each other is not lost.
        """
        last = moment(9, used=4, ours=4, waited={1: 3.0})
        self.assertEqual(Loss.between(moment(), last), Loss(0, 0, 0))
        last = moment(9, used=4, ours=3.5, waited={1: 3.0})
        self.assertEqual(Loss.between(moment(), last), Loss(0, 0, 0.5))

    def test_largest(self) -> None:
        """
        The three measurements overlap, so only the largest counts.
        """
        self.assertEqual(Loss(0.5, 2.0, 1.0).largest_s, 2.0)


class JudgeTests(SynchronousTestCase):
    """
    Tests of L{judge}: a bound holds for the time that was not lost.
    """

    def test_nothing_lost(self) -> None:
        """
        A test that takes too long fails if nothing was lost.
        """
        judge(0.99, Loss(0, 0, 0), 1.0)
        with self.assertRaises(AssertionError):
            judge(1.0, Loss(0, 0, 0), 1.0)

    def test_some_lost(self) -> None:
        """
        The lost time, and no more, is subtracted; the failure names both.
        """
        self.assertIn("took 1.50 s", judge(1.5, Loss(0, 0.6, 0), 1.0))
        with self.assertRaises(AssertionError) as raised:
            judge(1.7, Loss(0.1, 0.6, 0), 1.0)
        self.assertEqual(
            str(raised.exception),
            "took 1.70 s, of which the machine lost 0.60 s (stood still 0.10,"
            " stolen 0.60, waited 0.00): over 1.00 s",
        )


class WatcherTests(SynchronousTestCase):
    """
    The real watcher process.
    """

    def setUp(self) -> None:
        self.watcher = Watcher()
        self.addCleanup(self.watcher.end)

    def until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            _PAUSE.wait(0.01)  # other processes have no event to wait for

    def test_stopped(self) -> None:
        """
        While the watcher cannot run, time is lost, and stays lost afterwards; no more
        than the real time is counted.
        """
        span = Span(self.watcher)
        os.kill(self.watcher.pid, signal.SIGSTOP)
        self.until(lambda: span.now()[1].stood_still_s > 0.3)
        os.kill(self.watcher.pid, signal.SIGCONT)
        before = self.watcher.stood_still_s()
        self.until(lambda: self.watcher.stood_still_s() <= before + 0.001)
        took_s, loss = span.now()
        self.assertGreater(loss.stood_still_s, 0.3)
        self.assertLess(loss.stood_still_s, took_s)

    def test_quiet_moment(self) -> None:
        """
        While the machine is idle about nothing is lost; such a moment comes.
        """
        self.until(lambda: self.lost_in_a_moment_s() < 0.005)

    def lost_in_a_moment_s(self) -> float:
        began, before_s = time.monotonic(), self.watcher.stood_still_s()
        _PAUSE.wait(0.05)  # the moment
        lost_s = self.watcher.stood_still_s() - before_s
        self.assertLess(lost_s, time.monotonic() - began)
        return lost_s

    def test_history(self) -> None:
        """
        Time that was lost within a past period is subtracted; outside of the observed
        time nothing counts as lost.
        """
        history = History()
        self.addCleanup(history.end)
        shared = watcher()
        began_s, before_s = time.monotonic(), shared.stood_still_s()
        os.kill(shared.pid, signal.SIGSTOP)
        self.addCleanup(os.kill, shared.pid, signal.SIGCONT)
        self.until(lambda: shared.stood_still_s() - before_s > 1.0)
        ended_s = time.monotonic()
        history.check(began_s, ended_s, ended_s - began_s - 0.2)
        with self.assertRaises(AssertionError):
            history.check(began_s, ended_s, 0.0)
        with self.assertRaises(AssertionError):
            history.check(began_s - 9, began_s - 7, 1.9)

    def test_child_that_ended(self) -> None:
        """
        CPU time of a child that has ended counts as ours.
        """
        first = Moment.now(self.watcher)
        code = "import time\nwhile time.process_time() < 0.3: pass"
        subprocess.run([sys.executable, "-c", code], check=True)
        last = Moment.now(self.watcher)
        self.assertGreaterEqual(last.ours_s - first.ours_s, 0.28)

    def test_watcher_ended(self) -> None:
        """
        A dead watcher is an error, not an endless loss.
        """
        os.kill(self.watcher.pid, signal.SIGKILL)
        with self.assertRaises(RuntimeError):
            self.until(lambda: self.watcher.stood_still_s() < 0)

    def test_ends_with_the_test(self) -> None:
        """
        A watcher ends when the process that started it is gone.
        """
        code = (
            "import os, tests.stalls as s; w = s.Watcher();"
            " print(w.pid, flush=True); os._exit(0)"
        )
        told = subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            stdout=subprocess.PIPE,
            check=True,
        )
        self.until(lambda: not _lives(int(told.stdout)))


def _lives(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
