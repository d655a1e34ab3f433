"""
Tests for L{wsmsg.dependency.retry}.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import TestCase

from wsmsg.dependency.retry import retry_policy
from wsmsg.settings.values import RetrySettings


def middle(low: float, high: float) -> float:
    return (low + high) / 2


class RetryTests(TestCase):
    """
    L{retry_policy}.
    """

    def test_grows_to_the_cap(self) -> None:
        """
        Each delay is longer than the one before by the factor, up to the cap.
        """
        policy = retry_policy(
            RetrySettings(first_s=0.5, factor=2, cap_s=3, jitter=0.2), middle
        )
        self.assertEqual([policy(n) for n in range(1, 6)], [0.5, 1.0, 2.0, 3.0, 3.0])

    def test_limit(self) -> None:
        """
        After as many failures as the settings allow there is no further attempt.
        """
        policy = retry_policy(RetrySettings(attempts=3), middle)
        self.assertIsNotNone(policy(2))
        self.assertIsNone(policy(3))
        self.assertIsNone(policy(4))

    def test_no_limit(self) -> None:
        """
        Without a limit there is an attempt after any number of failures.
        """
        policy = retry_policy(RetrySettings(), middle)
        self.assertEqual(policy(10**9), 2.0)

    @given(
        failures=st.integers(1, 10**6),
        first=st.floats(0.01, 5),
        factor=st.floats(1, 10),
        cap=st.floats(5, 100),
        jitter=st.floats(0, 1),
    )
    def test_bounds(
        self, failures: int, first: float, factor: float, cap: float, jitter: float
    ) -> None:
        """
        Whatever the settings, a delay is neither negative nor longer than the cap and
        its jitter.
        """
        settings = RetrySettings(first_s=first, factor=factor, cap_s=cap, jitter=jitter)
        delay = retry_policy(settings)(failures)
        assert delay is not None
        self.assertGreaterEqual(delay, 0)
        self.assertLessEqual(delay, cap * (1 + jitter) * 1.000001)

    def test_jitter(self) -> None:
        """
        Two daemons that fail together do not return together.
        """
        policy = retry_policy(RetrySettings(jitter=0.5))
        self.assertGreater(len({policy(3) for _ in range(20)}), 1)
