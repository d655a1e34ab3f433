"""
Tests of the rule by which frames keep their distance.
"""

from __future__ import annotations

from twisted.trial.unittest import TestCase

from wsmsg.stream.spacing import BURST, BUSY, IDLE, MOST_S, BusyShare, Spacing, pause_at


class Process:
    """
    A process that uses a share of a core.
    """

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.used_s = 5.0
        self.share = 0.0

    def seconds(self) -> float:
        return self.now_s

    def cpu_s(self) -> float:
        return self.used_s

    def pass_s(self, seconds: float) -> None:
        self.now_s += seconds
        self.used_s += self.share * seconds


class BusyShareTests(TestCase):
    """
    The share of a core that the process used lately.
    """

    def setUp(self) -> None:
        self.process = Process()
        self.busy = BusyShare(self.process.seconds, self.process.cpu_s)

    def _use(self, share: float, seconds: float) -> float:
        self.process.share = share
        for _ in range(round(seconds / 0.01)):
            self.process.pass_s(0.01)
            self.busy.at(self.process.now_s)
        return self.busy.at(self.process.now_s)

    def test_follows(self) -> None:
        """
        The share follows what the process uses within half a second, and not at once.
        """
        self.assertEqual(self._use(0.0, 0.2), 0.0)
        self.assertLess(self._use(0.8, 0.05), 0.4)
        self.assertApproximates(self._use(0.8, 0.5), 0.8, 0.05)
        self.assertLess(self._use(0.0, 0.5), 0.05)

    def test_one_look_after_a_silence(self) -> None:
        """
        After a long silence, one look forgets how busy the process was before.
        """
        self._use(1.5, 1.0)
        self.process.share = 0.0
        self.process.pass_s(10.0)
        self.assertLess(self.busy.at(self.process.now_s), 0.05)

    def test_clock_set_back(self) -> None:
        """
        A clock that jumps back begins a new window; the share stays, and follows again.
        """
        before = self._use(0.5, 1.0)
        self.process.now_s -= 500.0
        self.assertEqual(self.busy.at(self.process.now_s), before)
        self.assertLess(self._use(0.0, 0.5), 0.05)

    def test_clock_set_forth(self) -> None:
        """
        A clock that jumps forth counts as a silence.
        """
        self._use(0.5, 1.0)
        self.process.now_s += 500.0
        self.assertLess(self.busy.at(self.process.now_s), 0.01)
        self.assertApproximates(self._use(0.5, 0.5), 0.5, 0.05)


class SpacingTests(TestCase):
    """
    The times at which a stream may write.
    """

    def setUp(self) -> None:
        self.process = Process()
        self.spacing = Spacing(self.process.seconds, self.process.cpu_s)

    def _work(self, share: float) -> None:
        self.process.share = share
        for _ in range(100):
            self.process.pass_s(0.05)
            self.spacing.wrote()
        self.process.pass_s(0.049)

    def test_pause(self) -> None:
        """
        The pause grows with the share from nothing to the most.
        """
        shares = (0.0, IDLE, (IDLE + BUSY) / 2, BUSY, 3.0)
        pauses = [pause_at(share) / MOST_S for share in shares]
        for pause, expected in zip(pauses, (0.0, 0.0, 0.5, 1.0, 1.0), strict=True):
            self.assertAlmostEqual(pause, expected)

    def test_idle_process(self) -> None:
        """
        In an idle process no frame waits, however many there are.
        """
        self.assertEqual([self.spacing.wrote() for _ in range(50)], [0.0] * 50)

    def test_busy_process(self) -> None:
        """
        In a busy process the first frames after a silence leave at once, and each of
        the others a pause after the last.
        """
        self._work(1.0)
        waits = []
        for _ in range(BURST + 3):
            wait_s = self.spacing.wrote()
            waits.append(wait_s)
            self.process.pass_s(wait_s)
        self.assertEqual(waits[: BURST - 1], [0.0] * (BURST - 1))
        for wait_s in waits[BURST - 1 :]:
            self.assertAlmostEqual(wait_s, MOST_S)

    def test_lone_frame_of_a_busy_process(self) -> None:
        """
        A stream of a busy process that writes seldom never waits.
        """
        self._work(1.0)
        for _ in range(20):
            self.assertEqual(self.spacing.wrote(), 0.0)
            self.process.pass_s(MOST_S)

    def test_clock_set_back(self) -> None:
        """
        After a clock that jumped back, no frame waits longer than one pause.
        """
        self._work(1.0)
        for _ in range(BURST):
            self.spacing.wrote()
        self.process.now_s -= 3600.0
        for _ in range(BURST + 2):
            wait_s = self.spacing.wrote()
            self.assertLessEqual(wait_s, MOST_S + 1e-9)
            self.process.pass_s(wait_s)

    def test_clock_set_forth(self) -> None:
        """
        After a clock that jumped forth, frames leave as after a silence.
        """
        self._work(1.0)
        for _ in range(BURST):
            self.spacing.wrote()
        self.process.now_s += 3600.0
        self.assertEqual([self.spacing.wrote() for _ in range(20)], [0.0] * 20)
