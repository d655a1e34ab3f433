"""
The part of the journal that may be committed.
"""

from __future__ import annotations

from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from wsmsg.message.delivery.progress import CommitTracker


class CommitTests(SynchronousTestCase):
    """
    Only a contiguous settled prefix is committed.
    """

    def setUp(self) -> None:
        self.commits: list[Mapping[int, int]] = []
        self.tracker = CommitTracker(self.commits.append, lambda: 0.0)

    def test_in_order(self) -> None:
        """
        A batch that is settled early is committed after the batch before it.
        """
        first = self.tracker.begin({0: 10}, 10)
        second = self.tracker.begin({0: 15}, 5)
        second()
        self.assertEqual(self.commits, [])
        self.assertEqual(self.tracker.unsettled, 15)
        first()
        self.assertEqual(self.commits, [{0: 15}])
        self.assertEqual(self.tracker.unsettled, 0)

    def test_partitions(self) -> None:
        """
        Each partition has a position of its own.
        """
        self.tracker.begin({0: 1, 1: 7}, 3)()
        self.assertEqual(self.commits, [{0: 1, 1: 7}])

    @given(st.permutations(range(8)))
    def test_any_order(self, order: list[int]) -> None:
        """
        Commits never go back, and reach the end when all batches are settled.
        """
        commits: list[Mapping[int, int]] = []
        tracker = CommitTracker(commits.append, lambda: 0.0)
        settles = [tracker.begin({0: i + 1}, 1) for i in range(8)]
        done: set[int] = set()
        for i in order:
            settles[i]()
            done.add(i)
            prefix = next((k for k in range(8) if k not in done), 8)
            self.assertEqual(commits[-1][0] if commits else 0, prefix)
        self.assertEqual(tracker.unsettled, 0)
