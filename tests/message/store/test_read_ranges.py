"""
Tests for L{wsmsg.message.store.read_ranges}.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from wsmsg.events.group_change import GROUP
from wsmsg.message.store.read_ranges import (
    ReadRanges,
    advance,
    contains,
    gaps,
    is_skippable,
    merged,
    scan_windows,
)
from wsmsg.model import RECALLED, TEXT

_LAST = 40
_seqs = st.sets(st.integers(1, _LAST))
_most = st.integers(0, 6)


def numbers(seen: ReadRanges) -> set[int]:
    """
    Return the numbers that were read, up to the last one of a test.
    """
    return {seq for seq in range(1, _LAST + 1) if seq in seen}


def singles(seqs: set[int]) -> list[tuple[int, int]]:
    """
    Return a range for each of these numbers.
    """
    return [(seq, seq) for seq in seqs]


class SettledTests(SynchronousTestCase):
    """
    Marks and cursors in any order.
    """

    def test_joined(self) -> None:
        """
        Neighbours become one range, and the cursor absorbs one that it touches.
        """
        seen = advance(ReadRanges(2), [(5, 5), (7, 9), (6, 6)])
        self.assertEqual(seen, ReadRanges(2, ((5, 9),)))
        self.assertEqual(advance(seen, [(3, 4)]), ReadRanges(9))
        self.assertEqual(advance(ReadRanges(6, seen.ranges)), ReadRanges(9))

    def test_over_what_passes(self) -> None:
        """
        Numbers that need no reading join the ranges on both sides, and are none
        themselves.
        """
        self.assertEqual(
            advance(ReadRanges(2), [(5, 5)], [3, 6, 8]), ReadRanges(3, ((5, 6),))
        )
        self.assertEqual(advance(ReadRanges(2), [(5, 5)], [3, 4, 6]), ReadRanges(6))

    def test_bound(self) -> None:
        """
        The highest new ranges beyond the limit are dropped; older ranges stay, and
        grow.
        """
        before = ReadRanges(0, ((10, 10), (20, 20)))
        marked = [(3, 3), (21, 21), (15, 15)]
        seen = advance(before, marked, most=3)
        self.assertEqual(seen, ReadRanges(0, ((3, 3), (10, 10), (20, 21))))
        full = advance(before, [(1, 1), (3, 3)], most=2)
        self.assertEqual(full, ReadRanges(1, before.ranges))

    @given(_seqs, _seqs, _seqs, st.integers(0, _LAST), _most)
    def test_never_too_much(
        self, old: set[int], new: set[int], passed: set[int], read: int, most: int
    ) -> None:
        """
        No number counts as read that was neither read nor skippable, none that was read
        is forgotten, and the ranges stay within the limit.
        """
        before = advance(ReadRanges(read), singles(old))
        most = max(most, len(before.ranges))
        after = advance(before, singles(new), passed, most=most)
        self.assertLessEqual(numbers(after), numbers(before) | new | passed)
        self.assertLessEqual(numbers(before), numbers(after))
        self.assertLessEqual(len(after.ranges), most)
        self.assertEqual(merged(after.ranges), after.ranges)
        for first, last in after.ranges:
            self.assertGreater(first, after.read + 1)
            self.assertTrue((old | new) & set(range(first, last + 1)))

    @given(_seqs, _seqs, _seqs)
    def test_order_is_nothing(
        self, one: set[int], other: set[int], passed: set[int]
    ) -> None:
        """
        Two batches of marks have the same result in either order, and when repeated.
        """
        first = advance(
            advance(ReadRanges(), singles(one), passed), singles(other), passed
        )
        second = advance(
            advance(ReadRanges(), singles(other), passed), singles(one), passed
        )
        self.assertEqual(first, second)
        self.assertEqual(advance(first, singles(one | other), passed), first)

    @given(_seqs, st.integers(0, _LAST))
    def test_gaps(self, seqs: set[int], read: int) -> None:
        """
        Gaps and read numbers together are all numbers.
        """
        seen = advance(ReadRanges(read), singles(seqs))
        found = {
            seq
            for first, last in gaps(seen)
            for seq in range(first, (last or _LAST) + 1)
        }
        self.assertEqual(found, set(range(1, _LAST + 1)) - numbers(seen))


class LookTests(SynchronousTestCase):
    """
    The search for numbers that need no reading.
    """

    def test_windows(self) -> None:
        """
        The windows are above the cursor and around marks, never below the cursor.
        """
        self.assertEqual(scan_windows(10, [11, 12], 64), ((11, 74),))
        self.assertEqual(scan_windows(10, [5], 64), ((11, 74),))
        self.assertEqual(scan_windows(10, [200], 64), ((11, 74), (184, 216)))

    def test_covers(self) -> None:
        """
        A number is in a range from its first to its last.
        """
        ranges = ((3, 4), (8, 8))
        found = [seq for seq in range(1, 11) if contains(ranges, seq)]
        self.assertEqual(found, [3, 4, 8])
        self.assertFalse(contains((), 1))

    def test_passes(self) -> None:
        """
        Own messages, events and recalled messages need no reading; messages to oneself
        do.
        """
        self.assertTrue(is_skippable(TEXT, 2, 2))
        self.assertFalse(is_skippable(TEXT, 1, 2))
        self.assertTrue(is_skippable(GROUP, 1, 2))
        self.assertTrue(is_skippable(RECALLED, 1, 2))
