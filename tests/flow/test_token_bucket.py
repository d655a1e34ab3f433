"""
Rates with bursts.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from wsmsg.flow.token_bucket import TokenBucket


class TokenBucketTests(SynchronousTestCase):
    """
    L{TokenBucket}.
    """

    def test_burst(self) -> None:
        """
        After a pause, as many calls as the burst are allowed at once.
        """
        bucket = TokenBucket(0.0, 3)
        self.assertEqual(
            [bucket.take(0.0, 1, 3) for _ in range(4)], [True, True, True, False]
        )

    def test_refill(self) -> None:
        """
        A token is refilled at its time, and not before.
        """
        bucket = TokenBucket(0.0, 1)
        self.assertTrue(bucket.take(0.0, 2, 1))
        self.assertEqual(bucket.wait_s(0.0, 2), 0.5)
        self.assertFalse(bucket.take(0.49, 2, 1))
        self.assertTrue(bucket.take(0.5, 2, 1))

    def test_no_hoard(self) -> None:
        """
        A long pause allows no more than the burst.
        """
        bucket = TokenBucket(0.0, 2)
        taken = [bucket.take(1e6, 10, 2) for _ in range(3)]
        self.assertEqual(taken, [True, True, False])

    def test_lower_burst(self) -> None:
        """
        A smaller burst applies from the next call on.
        """
        bucket = TokenBucket(0.0, 100)
        taken = [bucket.take(0.0, 1, 2) for _ in range(3)]
        self.assertEqual(taken, [True, True, False])

    def test_clock_back(self) -> None:
        """
        A clock that is set back neither adds tokens nor removes any.
        """
        bucket = TokenBucket(100.0, 2)
        self.assertTrue(bucket.take(50.0, 1, 2))
        self.assertTrue(bucket.take(50.0, 1, 2))
        self.assertFalse(bucket.take(50.0, 1, 2))
        self.assertTrue(bucket.take(51.0, 1, 2))

    @given(
        rate=st.integers(1, 1000),
        burst=st.integers(1, 1000),
        steps=st.lists(st.floats(0, 2), max_size=50),
    )
    def test_bound(self, rate: int, burst: int, steps: list[float]) -> None:
        """
        No sequence of calls is allowed more than the burst and the rate's share.
        """
        bucket, now, taken = TokenBucket(0.0, burst), 0.0, 0
        for step in steps:
            now += step
            taken += sum(bucket.take(now, rate, burst) for _ in range(20))
        self.assertLessEqual(taken, burst + rate * now + 1e-6 * len(steps))
