"""
Histograms of durations.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from twisted.trial.unittest import SynchronousTestCase

from wsmsg.monitoring.measures.histogram import Histogram
from wsmsg.monitoring.measures.turns import SAMPLE_S, SampledTurns, TimedSelector


class HistogramTests(SynchronousTestCase):
    """
    L{Histogram}.
    """

    def setUp(self) -> None:
        self.histogram = Histogram(lowest=-2, highest=1)

    def test_bounds(self) -> None:
        """
        A duration counts in the first bucket whose bound is not below it, and a
        classic bucket ends at each power of two.
        """
        for seconds in (0.0, 0.25, 0.26, 0.5, 0.51, 1.0, 2.0, 2.1):
            self.histogram.observe(seconds)
        found = list(self.histogram.classic())
        self.assertEqual(found, [(0.25, 2), (0.5, 4), (1.0, 6), (2.0, 7)])
        self.assertEqual(self.histogram.count, 8)
        self.assertAlmostEqual(self.histogram.sum, 6.62)

    def test_many(self) -> None:
        """
        A batch that shares a duration is counted with one call.
        """
        self.histogram.observe(0.3, 1000)
        self.assertEqual(self.histogram.count, 1000)
        self.assertAlmostEqual(self.histogram.sum, 300.0)

    def test_since(self) -> None:
        """
        The age of a message is counted by unix times; one that another clock put into
        the future has the age 0.
        """
        self.histogram.observe_since(10_000, [9_700, 10_000, 10_500])
        self.assertEqual(list(self.histogram.classic())[:2], [(0.25, 2), (0.5, 3)])
        self.assertAlmostEqual(self.histogram.sum, 0.3)

    def test_native(self) -> None:
        """
        A native bucket has the index that Prometheus gives to its bounds: bucket i
        ends at 2^(i/4).
        """
        self.histogram.observe(0.1)
        self.histogram.observe(0.26)
        self.histogram.observe(1.0)
        self.histogram.observe(1.01)
        self.histogram.observe(100.0)
        self.assertEqual(self.histogram.counts[0], 1)
        self.assertEqual(self.histogram.native(), [(-7, 1), (0, 1), (1, 1), (5, 1)])

    def test_quantile(self) -> None:
        """
        A quantile is the upper bound of its bucket, and 0 without a duration.
        """
        before = list(self.histogram.counts)
        for n in range(100):
            self.histogram.observe(0.3 if n < 99 else 1.9)
        counts = self.histogram.since(before)
        self.assertEqual(self.histogram.quantile(0.99, counts), 2**-1.5)
        self.assertEqual(self.histogram.quantile(1.0, counts), 2.0)
        self.assertEqual(self.histogram.quantile(0.5, [0] * len(counts)), 0.0)


class TurnsTests(SynchronousTestCase):
    """
    L{TimedSelector}.
    """

    def test_turn(self) -> None:
        """
        A turn lasts from the end of one wait to the begin of the next.
        """
        times = iter([1.0, 1.3, 5.0, 5.75, 9.0])
        selector = TimedSelector(lambda: next(times))
        self.addCleanup(selector.close)
        ours, theirs = os.pipe()
        self.addCleanup(os.close, ours)
        self.addCleanup(os.close, theirs)
        selector.register(theirs, 2)
        for _ in range(3):
            self.assertEqual(len(selector.select(0)), 1)
        self.assertEqual(selector.turns.count, 2)
        self.assertAlmostEqual(selector.turns.sum, 1.05)

    def test_sampled(self) -> None:
        """
        Without a selector, a turn lasts as long as a timer is late, and not less than
        nothing where it is early.
        """
        times = iter([1.0, 1.0 + SAMPLE_S + 0.75, 2.0, 2.0 + SAMPLE_S - 0.001, 3.0])
        calls: list[tuple[float, Callable[[], None]]] = []
        sampled = SampledTurns(
            lambda s, call: calls.append((s, call)), lambda: next(times)
        )
        sampled.begin()
        for n in range(2):
            self.assertEqual(calls[n][0], SAMPLE_S)
            calls[n][1]()
        self.assertEqual((len(calls), sampled.turns.count), (3, 2))
        self.assertAlmostEqual(sampled.turns.sum, 0.75)
