"""
Tests for L{wsmsg.stream.clocks}.
"""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from wsmsg.stream.clocks import ClockOffsets


class ClockOffsetsTests(SynchronousTestCase):
    """
    System clocks that differ are named.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.unix_s = 1000.0
        self.offsets = ClockOffsets(self.clock.seconds, lambda: self.unix_s)

    def test_apart(self) -> None:
        """
        A clock that is more than 5 s off is named with the difference, until it is
        right at the next welcome, or the peer tells no time.
        """
        self.offsets.note(1, "m1", 1_005_000)
        self.assertEqual((self.offsets.reason(), self.offsets.worst_s()), ("", 0.0))
        self.offsets.note(1, "m1", 994_000)
        self.offsets.note(2, "m2", 1_007_500)
        self.assertEqual(
            self.offsets.reason(),
            "the system clock differs from that of m2 by +7.5 s, m1 by -6.0 s",
        )
        self.assertEqual(self.offsets.worst_s(), 7.5)
        self.offsets.note(2, "m2", 0)
        self.offsets.note(1, "m1", 1_000_000)
        self.assertEqual(self.offsets.reason(), "")

    def test_slow_answer(self) -> None:
        """
        Half of the time that the answer took is the error, and no difference.
        """
        asked_s = self.offsets.asked_s()
        self.clock.advance(8)
        self.unix_s += 8
        self.offsets.note(1, "m1", 1_000_000, asked_s)
        self.assertEqual(self.offsets.reason(), "")
        self.offsets.note(1, "m1", 1_000_000 + 13_100, asked_s)
        self.assertIn("m1", self.offsets.reason())

    def test_now(self) -> None:
        """
        Our own time is told in milliseconds.
        """
        self.assertEqual(self.offsets.now_ms(), 1_000_000)
