"""
Tests for L{wsmsg.dependency.gather}.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.trial.unittest import SynchronousTestCase

from wsmsg.dependency.gather import both, gather, gather_lists
from wsmsg.errors import Unavailable


async def found(*items: int) -> list[int]:
    """
    Return these items.
    """
    return list(items)


class GatherTests(SynchronousTestCase):
    """
    Several calls at the same time.
    """

    def test_order(self) -> None:
        """
        The results come in the order of the calls, whichever ends first.
        """
        first: Deferred[int] = Deferred()
        gathered = gather([first, succeed(2)])
        self.assertNoResult(gathered)
        first.callback(1)
        self.assertEqual(self.successResultOf(gathered), [1, 2])

    def test_failure(self) -> None:
        """
        The failure of the first call that fails is passed on as it was raised, and
        later failures are not reported as unhandled.
        """
        late: Deferred[int] = Deferred()
        calls: list[Deferred[Any]] = [late, gather([fail(Unavailable("away"))])]
        gathered = gather(calls)
        self.failureResultOf(gathered, Unavailable)
        late.errback(Unavailable("late"))

    def test_coroutines(self) -> None:
        """
        Coroutines are started; lists of results are joined.
        """
        gathered = Deferred.fromCoroutine(gather_lists([found(1, 2), found(3)]))
        self.assertEqual(self.successResultOf(gathered), [1, 2, 3])

    def test_both(self) -> None:
        """
        Two results of different types are returned as a pair.
        """
        pair = Deferred.fromCoroutine(both(found(1), succeed("b")))
        self.assertEqual(self.successResultOf(pair), ([1], "b"))
