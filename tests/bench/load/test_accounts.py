"""
Tests of the accounts of a load, and of percentiles.
"""

from __future__ import annotations

from array import array

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from wsmsg.bench.load.accounts import Account, Totals, percentile, spread, total


def opened(count: int) -> Account:
    """
    Make an account with this many messages sent, due at 0, 1, 2 ...
    """
    account = Account()
    for number in range(count):
        assert account.send(float(number)) == number
    return account


class AccountTests(SynchronousTestCase):
    """
    The accounts of messages.
    """

    def test_all_well(self) -> None:
        """
        Messages that are accepted and arrive once, in order, lead to no complaint.
        """
        account = opened(3)
        for number in range(3):
            account.accept(number)
            self.assertEqual(account.deliver(number, number + 1), float(number))
        self.assertEqual(account.totals(), Totals(sent=3, accepted=3))
        self.assertTrue(account.settled)

    def test_lost(self) -> None:
        """
        A message that was accepted and did not arrive is lost.
        """
        account = opened(2)
        account.accept(0)
        account.accept(1)
        account.deliver(1, 2)
        totals = account.totals()
        self.assertEqual((totals.lost, totals.unanswered), (1, 0))
        self.assertFalse(account.settled)

    def test_unanswered(self) -> None:
        """
        A message without an answer is not lost, as nothing was promised.
        """
        totals = opened(1).totals()
        self.assertEqual((totals.lost, totals.unanswered), (0, 1))

    def test_delivered_unanswered(self) -> None:
        """
        The load waits for the answer to a message that has arrived already.
        """
        account = opened(1)
        account.deliver(0, 1)
        self.assertFalse(account.settled)
        self.assertEqual(account.in_flight, 1)
        account.accept(0)
        self.assertTrue(account.settled)
        self.assertEqual(account.in_flight, 0)

    def test_doubled(self) -> None:
        """
        A message that arrives again is counted, but not as a delivery.
        """
        account = opened(1)
        account.accept(0)
        account.deliver(0, 1)
        self.assertIsNone(account.deliver(0, 1))
        totals = account.totals()
        self.assertEqual((totals.doubled, totals.unordered, totals.holes), (1, 0, 0))

    def test_accepted_twice(self) -> None:
        """
        A second answer to one message does not widen the window.
        """
        account = opened(2)
        account.accept(0)
        account.accept(0)
        account.deliver(0, 1)
        self.assertEqual(account.in_flight, 1)
        self.assertEqual(account.totals().accepted, 1)

    def test_unordered(self) -> None:
        """
        A message that arrives after a later one of its sender is out of order.
        """
        account = opened(2)
        account.deliver(1, 1)
        account.deliver(0, 2)
        self.assertEqual(account.totals().unordered, 1)

    def test_holes(self) -> None:
        """
        Skipped numbers of the conversation are holes; the first may be any.
        """
        account = opened(3)
        account.deliver(0, 50)
        account.deliver(1, 51)
        account.deliver(2, 54)
        self.assertEqual(account.totals().holes, 2)

    def test_rejected(self) -> None:
        """
        A rejected message frees its place in the window, counts by its code and is not
        lost.
        """
        account = opened(2)
        account.reject(0, "overloaded")
        account.accept(1)
        account.deliver(1, 1)
        self.assertEqual(account.in_flight, 0)
        self.assertTrue(account.settled)
        self.assertEqual(
            account.totals(), Totals(sent=2, accepted=1, rejected={"overloaded": 1})
        )

    def test_rejected_and_delivered(self) -> None:
        """
        A message rejected without certainty may arrive after all, but only once.
        """
        account = opened(1)
        account.reject(0, "unavailable")
        self.assertIsNone(account.deliver(0, 1))
        self.assertEqual(account.totals().doubled, 0)
        account.deliver(0, 1)
        self.assertEqual(account.totals().doubled, 1)
        self.assertEqual(account.in_flight, 0)

    def test_total(self) -> None:
        """
        The accounts of all pairs are added up, including codes.
        """
        first, second = opened(2), opened(1)
        first.reject(0, "a")
        first.accept(1)
        second.reject(0, "a")
        self.assertEqual(
            total([first, second]),
            Totals(sent=3, accepted=1, lost=1, rejected={"a": 2}),
        )


class PercentileTests(SynchronousTestCase):
    """
    The percentiles of latencies.
    """

    def test_hundred(self) -> None:
        """
        The 99th percentile of 1 to 100 is 99, and the median is 50.
        """
        values = [float(v) for v in range(1, 101)]
        found = [percentile(values, share) for share in (0.5, 0.9, 0.99, 1.0)]
        self.assertEqual(found, [50.0, 90.0, 99.0, 100.0])

    @given(
        st.lists(st.floats(0, 100), min_size=1).map(sorted),
        st.floats(0.01, 1),
    )
    def test_meaning(self, values: list[float], share: float) -> None:
        """
        At least that share of the values does not exceed the percentile, which is one
        of them.
        """
        found = percentile(values, share)
        self.assertIn(found, values)
        below = sum(value <= found for value in values)
        self.assertGreaterEqual(below / len(values) + 1e-9, share)

    def test_spread(self) -> None:
        """
        A single stall is in the maximum, in milliseconds, and not in the median.
        """
        found = spread(array("d", [0.001] * 99 + [2.5]))
        self.assertEqual((found.count, found.p50, found.p99), (100, 1.0, 1.0))
        self.assertEqual(found.max, 2500.0)

    def test_nothing(self) -> None:
        """
        Without measurements, there is no division by zero.
        """
        self.assertEqual(spread(array("d")).count, 0)
