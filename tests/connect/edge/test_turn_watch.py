"""
A Connect whose reactor is busy for too long at a time.
"""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from wsmsg.connect.edge.turn_watch import TurnWatch
from wsmsg.monitoring.measures.histogram import Histogram
from wsmsg.settings.upstream import ReadySettings
from wsmsg.settings.values import ConnectSettings


class Held:
    """
    Records the reasons for which the daemon is not ready.
    """

    def __init__(self) -> None:
        self.reasons: list[str] = []

    def hold(self, name: str, reason: str) -> None:
        self.reasons.append(reason)


class TurnWatchTests(SynchronousTestCase):
    """
    L{TurnWatch}, with turns above 0.2 s being long.
    """

    def setUp(self) -> None:
        self.clock, self.turns, self.held = Clock(), Histogram(), Held()
        self.watch = TurnWatch(self.turns, self.held, self.clock, 0.2)
        self.watch.start()
        self.addCleanup(self.watch.stop)

    def second(self, *, long: int = 0, short: int = 98) -> None:
        """
        Let a second pass, with so many turns.
        """
        self.turns.observe(0.5, long)
        self.turns.observe(0.001, short)
        self.clock.advance(1.0)

    def test_busy(self) -> None:
        """
        Connect is not ready once one turn in a hundred has been long in most of the
        last five seconds, and the reason names the setting.
        """
        self.second(long=2)
        self.second(long=2)
        self.assertEqual(self.held.reasons, [])
        self.second(long=2)
        [reason] = self.held.reasons
        self.assertIn("ready.turn_s", reason)
        self.second(long=2)
        self.assertEqual(len(self.held.reasons), 1)

    def test_again(self) -> None:
        """
        It is ready again when no second of the last five had long turns.
        """
        for _ in range(5):
            self.second(long=2)
        for _ in range(4):
            self.second()
        self.assertEqual(len(self.held.reasons), 1)
        self.second()
        self.assertEqual(self.held.reasons[1:], [""])

    def test_seldom(self) -> None:
        """
        A long turn now and then, such as of a garbage collection, changes nothing; nor
        do long turns that are fewer than one in a hundred.
        """
        for _ in range(5):
            self.second(long=1)
            self.second()
            self.second()
        for _ in range(10):
            self.second(long=1, short=200)
        self.assertEqual(self.held.reasons, [])

    def test_just_below(self) -> None:
        """
        A turn that may be shorter than the bound is not long.
        """
        for _ in range(10):
            self.turns.observe(0.2, 50)
            self.clock.advance(1.0)
        self.assertEqual(self.held.reasons, [])

    def test_off(self) -> None:
        """
        With 0, Connect is ready however long the turns take.
        """
        for _ in range(5):
            self.second(long=2)
        self.watch.apply_settings(ConnectSettings(ready=ReadySettings(turn_s=0)))
        for _ in range(5):
            self.second(long=50)
        self.assertEqual(self.held.reasons[1:], [""])

    def test_before(self) -> None:
        """
        The turns before the start of the watch do not count.
        """
        turns = Histogram()
        turns.observe(5.0, 1000)
        watch = TurnWatch(turns, self.held, self.clock, 0.2)
        watch.start()
        self.addCleanup(watch.stop)
        self.clock.pump([1.0] * 10)
        self.assertEqual(self.held.reasons, [])

    def test_unknown(self) -> None:
        """
        Without the durations of the turns nothing is watched, and no timer is left.
        """
        clock = Clock()
        TurnWatch(None, self.held, clock, 0.2).start()
        self.assertEqual(clock.getDelayedCalls(), [])
