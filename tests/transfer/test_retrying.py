"""
Tests for L{wsmsg.transfer.retrying}.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from wsmsg.errors import Unavailable
from wsmsg.transfer.retrying import RetryUntil


class PatienceTests(SynchronousTestCase):
    """
    A store that is away for a moment does not end an export or import.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.told: list[str] = []
        self.retrying = RetryUntil(
            self.clock, 3, self.told.append, backoff=lambda failures: 0.5
        )
        self.away = 0

    def store(self, value: int) -> Deferred[int]:
        """
        Answer as a store.
        """
        if self.away:
            self.away -= 1
            return fail(Unavailable("gone"))
        return succeed(value)

    def ask(self) -> Deferred[int]:
        """
        Call the store with retries.
        """
        return Deferred.fromCoroutine(self.retrying.call(self.store, 7))

    def test_at_once(self) -> None:
        """
        The first answer is returned.
        """
        self.assertEqual(self.successResultOf(self.ask()), 7)
        self.assertEqual(self.told, [])

    def test_comes_back(self) -> None:
        """
        The call is repeated until the store answers, and the wait is reported once.
        """
        self.away = 3
        asked = self.ask()
        self.assertNoResult(asked)
        self.clock.pump([0.5] * 3)
        self.assertEqual(self.successResultOf(asked), 7)
        self.assertEqual(self.told, ["waiting for the store: gone"])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_stays_away(self) -> None:
        """
        A store that stays away leads to an error with its reason.
        """
        self.away = 100
        asked = self.ask()
        self.clock.pump([0.5] * 5)
        self.assertNoResult(asked)
        self.clock.advance(0.5)
        self.failureResultOf(asked, Unavailable)
        self.assertEqual(self.clock.getDelayedCalls(), [])
