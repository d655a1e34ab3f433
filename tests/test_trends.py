"""
Tests of L{tests.soak.trends}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.soak.trends import rise


class RiseTests(SynchronousTestCase):
    """
    The rise of a row of figures.
    """

    def test_flat(self) -> None:
        """
        Figures that go up and down do not rise, and an outlier changes nothing.
        """
        self.assertEqual(rise([5, 5, 5, 5]), 0)
        self.assertEqual(rise([5, 5, 90, 5, 5, 5]), 0)
        self.assertLess(abs(rise([5, 7, 4, 6, 5, 6, 5])), 1)

    def test_leak(self) -> None:
        """
        Figures that rise with each step do, whatever they do in between.
        """
        self.assertEqual(rise([1, 2, 3, 4]), 3)
        self.assertGreater(rise([10, 22, 28, 41, 49, 61]), 45)
        self.assertEqual(rise([1]), 0)
