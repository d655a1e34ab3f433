"""
Tests of the schedule of an open loop.
"""

from __future__ import annotations

import random

from twisted.trial.unittest import SynchronousTestCase

from wsmsg.bench.load.schedule import DueTimes, poisson


class PoissonTests(SynchronousTestCase):
    """
    Independent senders.
    """

    def test_rate(self) -> None:
        """
        About as many as the rate says come, in order, none after the end.
        """
        times = list(poisson(1000.0, 10.0, random.Random(1)))
        self.assertEqual(times, sorted(times))
        self.assertLess(times[-1], 10.0)
        self.assertTrue(9500 < len(times) < 10500, len(times))

    def test_seed(self) -> None:
        """
        The same seed gives the same times.
        """
        one, other = (list(poisson(10.0, 9.0, random.Random(3))) for _ in "ab")
        self.assertEqual(one, other)


class DueTests(SynchronousTestCase):
    """
    Taking what is due.
    """

    def test_on_time(self) -> None:
        """
        Nothing is due before its time, and each time is taken once.
        """
        due = DueTimes(iter([1.0, 2.0]), 10.0)
        self.assertEqual(due.next_s, 11.0)
        self.assertEqual(due.take(10.99), [])
        self.assertEqual(due.take(11.0), [11.0])
        self.assertEqual(due.take(11.5), [])
        self.assertEqual(due.next_s, 12.0)

    def test_late(self) -> None:
        """
        After a stall all that was missed comes, with the times it was due at.
        """
        due = DueTimes(iter([1.0, 2.0, 3.0]), 0.0)
        self.assertEqual(due.take(2.5), [1.0, 2.0])
        self.assertEqual(due.take(99.0), [3.0])
        self.assertIsNone(due.next_s)
        self.assertEqual(due.take(100.0), [])
