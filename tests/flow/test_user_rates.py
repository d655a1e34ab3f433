"""
The rates of users, which outlast their sessions.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from wsmsg.flow.token_bucket import TokenBucket
from wsmsg.flow.user_rates import UserRates, UserRatesTable


class UserRatesTableTests(SynchronousTestCase):
    """
    L{UserRatesTable}.
    """

    def rates(self, table: UserRatesTable, user: int, now: float) -> UserRates:
        """
        Return the rates of a user with a session.
        """
        return table.of(user, now, sends_burst=2, requests_burst=2)

    def test_kept_until_full(self) -> None:
        """
        The buckets of a user who is gone are kept until they are full.
        """
        table = UserRatesTable()
        rates = self.rates(table, 1, 0.0)
        table.left(1, 0.0, lambda _: 5.0)
        self.assertIs(self.rates(table, 1, 4.0), rates)
        table.left(1, 4.0, lambda _: 1.0)
        table.left(2, 5.0, lambda _: 1.0)
        self.assertEqual(len(table), 0)
        self.assertIsNot(self.rates(table, 1, 5.0), rates)

    def test_full(self) -> None:
        """
        Nothing is kept of a user who left with full buckets, or asked for nothing.
        """
        table = UserRatesTable()
        self.rates(table, 1, 0.0)
        table.left(1, 0.0, lambda _: 0.0)
        table.left(2, 0.0, lambda _: 9.0)
        self.assertEqual(len(table), 0)

    def test_bounded(self) -> None:
        """
        Those who left first are forgotten, of more users than the bound.
        """
        table = UserRatesTable(most_gone=3)
        kept = []
        for user in range(5):
            kept.append(self.rates(table, user, 0.0))
            table.left(user, 0.0, lambda _: 99.0)
        self.assertEqual(len(table), 3)
        self.assertIs(self.rates(table, 4, 0.0), kept[4])
        self.assertIsNot(self.rates(table, 0, 0.0), kept[0])


class SpendTests(SynchronousTestCase):
    """
    L{TokenBucket.spend}.
    """

    def test_on_credit(self) -> None:
        """
        More tokens than there are can be taken at once, and must be refilled before the
        next.
        """
        bucket = TokenBucket(0.0, 10)
        self.assertTrue(bucket.spend(4, 0.0, 2, 10))
        self.assertFalse(bucket.spend(12, 0.0, 2, 10))
        self.assertEqual(bucket.wait_s(0.0, 2), 3.5)
        self.assertEqual(bucket.wait_s(3.5, 2), 0.0)

    def test_debt_is_bounded(self) -> None:
        """
        A debt is at most a burst, so that no single request keeps a user out for long.
        """
        bucket = TokenBucket(0.0, 10)
        self.assertFalse(bucket.spend(10**9, 0.0, 2, 10))
        self.assertEqual(bucket.wait_s(0.0, 2), 5.5)
