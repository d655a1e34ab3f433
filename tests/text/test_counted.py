"""
Tests for L{wsmsg.text.counted}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from wsmsg.text.counted import counted, plural


class CountedTests(SynchronousTestCase):
    """
    Numbers of things.
    """

    def test_counted(self) -> None:
        """
        One thing is in the singular; none and several are in the plural.
        """
        told = [counted(n, "API key") for n in (0, 1, 2)]
        self.assertEqual(told, ["0 API keys", "1 API key", "2 API keys"])
        self.assertEqual(counted(2, "push", "pushes"), "2 pushes")
        self.assertEqual(plural(1, "is", "are"), "is")
