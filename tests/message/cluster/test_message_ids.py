"""
Tests for L{wsmsg.message.cluster.message_ids}.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from wsmsg.message.cluster.message_ids import EPOCH_MS, MessageIds


class MessageIdsTests(SynchronousTestCase):
    """
    Message ids are positive, unique and rising.
    """

    @given(st.lists(st.integers(-50, 50), min_size=1, max_size=200))
    def test_rise(self, steps: list[int]) -> None:
        """
        Ids rise and fit into an int64, whatever the clock does.
        """
        now = EPOCH_MS + 1000

        def now_ms() -> int:
            return now

        ids = MessageIds(now_ms, 3)
        last = 0
        for step in steps:
            now += step
            given_id = ids.next()
            self.assertGreater(given_id, last)
            self.assertLess(given_id, 2**63)
            last = given_id

    def test_many_in_a_millisecond(self) -> None:
        """
        Ids differ even if one millisecond needs more of them than the counter has.
        """
        ids = MessageIds(lambda: EPOCH_MS + 1)
        self.assertEqual(len({ids.next() for _ in range(10_000)}), 10_000)

    def test_nodes_differ(self) -> None:
        """
        Two nodes never give out the same id, not even at the same time.
        """
        a, b = (MessageIds(lambda: EPOCH_MS + 1, n) for n in (1, 2))
        self.assertFalse(
            {a.next() for _ in range(5000)} & {b.next() for _ in range(5000)}
        )

    def test_node_out_of_range(self) -> None:
        """
        A node number that is out of range is rejected.
        """
        self.assertRaises(ValueError, MessageIds, lambda: 0, 1024)

    def test_renumber(self) -> None:
        """
        Ids continue to rise when the node gets another number.
        """
        ids = MessageIds(lambda: EPOCH_MS + 1000, 1000)
        last = ids.next()
        ids.renumber(3)
        self.assertEqual(ids.node_number, 3)
        self.assertGreater(ids.next(), last)
        self.assertEqual(ids.next() >> 12 & 1023, 3)
