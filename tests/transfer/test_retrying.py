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
    A store that is away for a moment does not end a move.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.told: list[str] = []
        self.patience = RetryUntil(
            self.clock, 3, self.told.append, backoff=lambda failures: 0.5
        )
        self.away = 0

    def store(self, value: int) -> Deferred[int]:
        """
        What is asked.
        """
        if self.away:
            self.away -= 1
            return fail(Unavailable("gone"))
        return succeed(value)

    def ask(self) -> Deferred[int]:
        """
        Ask patiently.
        """
        return Deferred.fromCoroutine(self.patience.ask(self.store, 7))

    def test_at_once(self) -> None:
        """
        An answer is an answer.
        """
        self.assertEqual(self.successResultOf(self.ask()), 7)
        self.assertEqual(self.told, [])

    def test_comes_back(self) -> None:
        """
        It is asked again until it answers, and the wait is told once.
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
        One that stays away is given up with its reason.
        """
        self.away = 100
        asked = self.ask()
        self.clock.pump([0.5] * 5)
        self.assertNoResult(asked)
        self.clock.advance(0.5)
        self.failureResultOf(asked, Unavailable)
        self.assertEqual(self.clock.getDelayedCalls(), [])
