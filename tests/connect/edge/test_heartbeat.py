"""
The heartbeat of a connection.
"""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from wsmsg.connect.edge.heartbeat import HeartbeatSweep


class _Connection:
    def __init__(self) -> None:
        self.ticks = 0
        self.is_asked = False

    def tick(self) -> None:
        self.ticks += 1

    def ask(self) -> None:
        self.is_asked = True

    def answer(self) -> None:
        self.is_asked = False


class HeartbeatTests(SynchronousTestCase):
    """
    L{HeartbeatSweep}.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.sweep = HeartbeatSweep(2.0, self.clock)
        self.usual, self.quiet = _Connection(), _Connection()
        self.buckets = [self.sweep.add(one) for one in (self.usual, self.quiet)]
        self.own_s = 30.0
        self.sweep.slow_down(self.quiet, lambda: self.own_s)
        self.sweep.start()
        self.addCleanup(self.sweep.stop)

    def ticked(self, seconds: int) -> tuple[int, int]:
        """
        The ticks of both connections within this time.
        """
        before = self.usual.ticks, self.quiet.ticks
        for _ in range(seconds * 20):
            self.clock.advance(0.05)
        return self.usual.ticks - before[0], self.quiet.ticks - before[1]

    def test_own(self) -> None:
        """
        A connection has four ticks in its own heartbeat, which follows the setting,
        until it closes.
        """
        self.assertEqual(self.ticked(60), (120, 8))
        self.own_s = 4.0
        self.ticked(2)
        self.assertEqual(self.ticked(8), (16, 8))
        self.own_s = 0.1
        self.ticked(2)
        self.assertEqual(self.ticked(4), (8, 8))
        self.own_s = 30.0
        self.sweep.speed_up(self.quiet)
        self.assertEqual(self.ticked(4), (8, 8))

    def test_discarded(self) -> None:
        """
        A connection that is removed gets no tick, and nothing of it is kept.
        """
        self.sweep.discard(self.quiet, self.buckets[1])
        self.assertEqual(self.ticked(30), (60, 0))
        self.assertEqual((len(self.sweep), self.sweep._quiet), (1, {}))

    def test_stood_still(self) -> None:
        """
        A process that stood still for two seconds asks the clients, but those with a
        heartbeat of their own, and is unsure until all have answered.
        """
        self.clock.advance(2.0)
        self.assertFalse(self.usual.is_asked)
        self.clock.advance(2.2)
        self.assertEqual((self.usual.is_asked, self.quiet.is_asked), (True, False))
        self.ticked(1)
        self.assertTrue(self.sweep.is_unsure())
        self.usual.answer()
        self.clock.advance(0.1)
        self.assertFalse(self.sweep.is_unsure())

    def test_vanished(self) -> None:
        """
        A process that stood still is sure again when a client that does not answer is
        removed, or would have been.
        """
        self.clock.advance(3)
        self.sweep.discard(self.usual, self.buckets[0])
        self.assertFalse(self.sweep.is_unsure())
        self.sweep.add(self.usual)
        self.clock.advance(3)
        self.ticked(2)
        self.assertTrue(self.sweep.is_unsure())
        self.ticked(1)
        self.assertFalse(self.sweep.is_unsure())
