"""
Tests for L{wsmsg.dependency.stop}.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from wsmsg.dependency.stop import StopOnce


class StopOnceTests(SynchronousTestCase):
    """
    A stop that several callers ask for.
    """

    def test_twice(self) -> None:
        """
        The stop runs once, and all callers wait until it is over; a caller that cancels
        its wait does not end that of the others.
        """
        over: Deferred[None] = Deferred()
        begun: list[bool] = []

        async def stop() -> None:
            begun.append(stopping.begun)
            await over

        stopping = StopOnce(stop)
        self.assertFalse(stopping.begun)
        first, second = stopping(), stopping()
        self.assertEqual(begun, [True])
        first.addErrback(lambda _: None).cancel()
        self.assertNoResult(second)
        over.callback(None)
        self.successResultOf(second)
        self.successResultOf(stopping())
