"""
Tests for L{wsmsg.message.cluster.message_ids}.
"""

from __future__ import annotations

from functools import partial

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from wsmsg.message.cluster.message_ids import EPOCH_MS, MessageIds

#: 2052-11-01, and some seconds less than the tests may add.
LAST_MS = 2_614_204_800_000 - 20_000
YEARS = (LAST_MS, LAST_MS + 31 * 86_400_000, LAST_MS + 9 * 365 * 86_400_000)


class MessageIdsTests(SynchronousTestCase):
    """
    Message ids are positive, unique and rising.
    """

    @given(st.lists(st.integers(-50, 50), min_size=1, max_size=200))
    def test_rise(self, steps: list[int]) -> None:
        """
        Ids rise and stay below 2^53 until 2052, whatever the clock does.
        """
        now = LAST_MS

        def now_ms() -> int:
            return now

        ids = MessageIds(now_ms, 3)
        last = 0
        for step in steps:
            now += step
            given_id = ids.next()
            self.assertGreater(given_id, last)
            self.assertLess(given_id, 2**53)
            last = given_id

    def test_above_legacy(self) -> None:
        """
        An id is above those that the legacy system made at the same time.
        """
        now_ms = 1_735_689_600_000  # 2025
        self.assertGreater(MessageIds(lambda: now_ms).next(), now_ms * 1000)

    def test_after_the_last_year(self) -> None:
        """
        Ids are unique and rise after 2052, too.
        """
        ids = [MessageIds(partial(int, at)).next() for at in YEARS]
        self.assertEqual(ids, sorted(set(ids)))
        self.assertGreater(ids[-1], 2**53)

    def test_sustained_rate(self) -> None:
        """
        At 32,000 ids a second ids do not run ahead of the clock.
        """
        now = EPOCH_MS + 1000
        ids = MessageIds(lambda: now)
        for _ in range(1000):
            now += 8
            for _ in range(256):
                last = ids.next()
        self.assertEqual(last >> 16, now - EPOCH_MS >> 3)

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
        self.assertRaises(ValueError, MessageIds, lambda: 0, 256)

    def test_renumber(self) -> None:
        """
        Ids continue to rise when the node gets another number.
        """
        ids = MessageIds(lambda: EPOCH_MS + 1000, 200)
        last = ids.next()
        ids.renumber(3)
        self.assertEqual(ids.node_number, 3)
        self.assertGreater(ids.next(), last)
        self.assertEqual(ids.next() >> 8 & 255, 3)
