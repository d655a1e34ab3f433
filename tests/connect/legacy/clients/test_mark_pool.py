"""
Acknowledgements are kept until they are stored.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from tests.connect.session.doubles import FakeUpstream
from wsmsg.connect.legacy.clients.mark_pool import MarkPool
from wsmsg.errors import Forbidden, Unavailable
from wsmsg.model import Mark

LINGER_S = 0.02


def mark(n: int, user: int = 2) -> Mark:
    """
    Return a mark of a message with this id.
    """
    return Mark(user, n, "u:1:2", n)


class MarkPoolTests(SynchronousTestCase):
    """
    Marks: gathered, repeated, bounded, drained.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.upstream = FakeUpstream()
        self.unknown: list[tuple[int, Mark]] = []
        self.pool = MarkPool(
            self.upstream,
            self.clock,
            lambda failures: 0.5 if failures < 3 else 2.0,
            on_unknown=lambda user, mark: self.unknown.append((user, mark)),
            limit=3,
        )
        self.addCleanup(self.assert_quiet)

    def assert_quiet(self) -> None:
        """
        Check that nothing is left after a drain.
        """
        self.pool.drain(0)
        self.clock.advance(0)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def asked(self) -> list[tuple[Any, ...]]:
        """
        Return what Message was asked so far.
        """
        return self.upstream.named("mark")

    def answer(self, *answers: Any) -> None:
        """
        Answer the oldest call to Message.
        """
        for answer in answers:
            self.upstream.asked.pop(0).callback(answer)

    def test_stored(self) -> None:
        """
        Marks that are put within a moment are passed to Message together, once each.
        """
        self.assertTrue(self.pool.put(2, mark(1)))
        self.assertTrue(self.pool.put(2, mark(1)))
        self.assertTrue(self.pool.put(3, mark(1, 3)))
        self.assertTrue(self.pool.put(2, mark(2)))
        self.assertEqual(self.asked(), [])
        self.clock.advance(LINGER_S)
        self.assertEqual(self.asked(), [(2, (mark(1), mark(2))), (3, (mark(1, 3),))])
        self.answer([True, True], [True])
        self.assertEqual(len(self.pool), 0)
        self.assertEqual((self.pool.stored, self.pool.dropped), (3, 0))

    def test_meanwhile(self) -> None:
        """
        Marks that are put during a round make the next round.
        """
        self.pool.put(2, mark(1))
        self.clock.advance(LINGER_S)
        self.pool.put(2, mark(2))
        self.answer([True])
        self.clock.advance(LINGER_S)
        self.assertEqual(self.asked(), [(2, (mark(1),)), (2, (mark(2),))])

    def test_again(self) -> None:
        """
        Marks that cannot be stored now are repeated by the policy for as long as it
        takes, with newer ones.
        """
        self.pool.put(2, mark(1))
        delay_s = LINGER_S
        for delay_s in (LINGER_S, 0.5, 0.5, 2.0, 2.0):
            self.clock.advance(delay_s)
            self.assertEqual(len(self.upstream.asked), 1)
            self.answer(Failure(Unavailable("away")))
        self.pool.put(2, mark(1))
        self.pool.put(2, mark(2))
        self.clock.advance(2.0)
        self.assertEqual(self.asked()[-1], (2, (mark(1), mark(2))))
        self.answer([True, True])
        self.assertEqual((len(self.pool), self.pool.stored), (0, 2))

    def test_came_again_in_flight(self) -> None:
        """
        A mark that is put again while it is being stored counts once when it has to be
        repeated.
        """
        self.pool.put(2, mark(1))
        self.clock.advance(LINGER_S)
        self.pool.put(2, mark(1))
        self.answer(Failure(Unavailable("away")))
        self.assertEqual(len(self.pool), 1)
        self.clock.advance(0.5)
        self.answer([True])
        self.assertEqual(len(self.pool), 0)

    def test_one_user_refused(self) -> None:
        """
        Marks that Message refuses for good are reported, and those of others are
        stored.
        """
        self.pool.put(2, mark(1))
        self.pool.put(3, mark(1, 3))
        self.clock.advance(LINGER_S)
        self.answer(Failure(Forbidden("no")), [True])
        self.assertEqual(self.unknown, [(2, mark(1))])
        self.assertEqual((len(self.pool), self.pool.stored), (0, 1))

    def test_unknown(self) -> None:
        """
        Marks of a message that does not exist are reported, and not repeated.
        """
        self.pool.put(2, mark(1))
        self.pool.put(2, mark(2))
        self.clock.advance(LINGER_S)
        self.answer([False, True])
        self.assertEqual(self.unknown, [(2, mark(1))])
        self.assertEqual((len(self.pool), self.pool.stored), (0, 1))

    def test_bug(self) -> None:
        """
        An unexpected failure is logged, and the next marks are stored.
        """
        self.pool.put(2, mark(1))
        self.clock.advance(LINGER_S)
        self.answer(Failure(ZeroDivisionError()))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.pool.put(2, mark(2))
        self.clock.advance(LINGER_S)
        self.answer([True])
        self.assertEqual(self.pool.stored, 1)

    def test_too_many(self) -> None:
        """
        Marks above the limit are dropped and counted; those in flight count too.
        """
        for n in (1, 2):
            self.pool.put(2, mark(n))
        self.clock.advance(LINGER_S)
        self.assertTrue(self.pool.put(2, mark(3)))
        self.assertFalse(self.pool.put(2, mark(4)))
        self.assertEqual(self.pool.dropped, 1)
        self.answer([True, True])
        self.assertTrue(self.pool.put(2, mark(4)))

    def test_drain(self) -> None:
        """
        A drain waits until all marks are stored.
        """
        self.pool.put(2, mark(1))
        drained = self.pool.drain(5)
        self.clock.advance(LINGER_S)
        self.assertNoResult(drained)
        self.answer([True])
        self.successResultOf(drained)
        self.assertEqual(self.pool.dropped, 0)
        self.assertFalse(self.pool.put(2, mark(2)))

    def test_drain_nothing(self) -> None:
        """
        A drain without marks ends at once.
        """
        self.successResultOf(self.pool.drain(5))

    def test_drain_in_vain(self) -> None:
        """
        Marks that are not stored within the limit are given up and counted, in flight
        or not.
        """
        self.pool.put(2, mark(1))
        self.clock.advance(LINGER_S)
        self.pool.put(2, mark(2))
        drained = self.pool.drain(5)
        self.clock.advance(5)
        self.successResultOf(drained)
        self.assertEqual(len(self.pool), 0)
        self.assertEqual((self.pool.stored, self.pool.dropped), (0, 2))
        self.answer([True])
        self.assertEqual(len(self.pool), 0)

    def test_drain_while_away(self) -> None:
        """
        While Message is away a drain ends at its limit too.
        """
        self.pool.put(2, mark(1))
        self.clock.advance(LINGER_S)
        self.answer(Failure(Unavailable("away")))
        drained = self.pool.drain(0.1)
        self.clock.advance(0.1)
        self.successResultOf(drained)
        self.assertEqual(self.pool.dropped, 1)
