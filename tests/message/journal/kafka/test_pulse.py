"""
Tests for L{wsmsg.message.journal.kafka.pulse}.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from wsmsg.dependency.reopen import KeptOpen
from wsmsg.dependency.state import Dependency
from wsmsg.dependency.worker import IWorker
from wsmsg.errors import Unavailable
from wsmsg.message.journal.kafka.pulse import BrokerPulse


@implementer(IWorker)
class AskedWorker:
    """
    A worker whose calls are answered by the test.
    """

    def __init__(self) -> None:
        self.asked: list[Deferred[Any]] = []

    def do(self, f: Callable[..., Any], *args: Any) -> Deferred[Any]:
        asked: Deferred[Any] = Deferred()
        self.asked.append(asked)
        return asked

    def quit(self) -> Deferred[None]:
        return succeed(None)


class CountingProducer:
    """
    The part of a producer that counts what was acknowledged.
    """

    acknowledged = 0

    def appended(self) -> None:
        self.acknowledged += 1


class PulseTests(SynchronousTestCase):
    """
    Tests of L{BrokerPulse}.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.dependency = Dependency("journal", self.clock)
        self.kept = KeptOpen(
            lambda: succeed(None), self.clock, lambda _: 1, self.dependency
        )
        self.kept.start()
        self.worker = AskedWorker()
        self.producer = CountingProducer()
        place: Any = None
        producer: Any = self.producer
        self.pulse = BrokerPulse(
            self.kept, lambda: producer, place, self.worker, self.clock
        )
        self.pulse.start()

    def tearDown(self) -> None:
        self.successResultOf(Deferred.fromCoroutine(self.pulse.stop()))
        self.successResultOf(self.kept.stop())
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def answer(self, answered: bool) -> None:
        """
        Answer the open question.
        """
        self.worker.asked.pop().callback(answered)

    def test_idle(self) -> None:
        """
        The brokers are asked twice a second while nothing is sent.
        """
        for _ in range(4):
            self.clock.advance(0.5)
            self.answer(True)
        self.assertTrue(self.dependency.up)

    def test_busy(self) -> None:
        """
        While records are acknowledged, no broker is asked.
        """
        for _ in range(4):
            self.producer.appended()
            self.clock.advance(0.5)
        self.assertEqual(self.worker.asked, [])

    def test_silent(self) -> None:
        """
        The journal is not up if no broker answers; it is asked again, and up as soon as
        one answers, without being opened again.
        """
        self.clock.advance(0.5)
        self.answer(False)
        self.assertFalse(self.dependency.up)
        self.assertIn("no broker answered", self.dependency.snapshot().last_error)
        self.clock.advance(0.5)
        self.answer(True)
        self.assertTrue(self.dependency.up)
        self.assertEqual(self.dependency.snapshot().attempts, 0)

    def test_acknowledged_meanwhile(self) -> None:
        """
        A broker that acknowledges records while it does not answer is not silent.
        """
        self.clock.advance(0.5)
        self.producer.appended()
        self.answer(False)
        self.assertTrue(self.dependency.up)

    def test_lost(self) -> None:
        """
        A journal that is lost for another reason is not asked until it is open again.
        """
        self.kept.lost(Unavailable("closed"))
        self.clock.advance(0.5)
        self.assertEqual(self.worker.asked, [])
        self.clock.advance(0.5)
        self.assertTrue(self.dependency.up)
        self.clock.advance(0.5)
        self.answer(True)

    def test_bug(self) -> None:
        """
        A question that fails is logged, and asked again.
        """
        self.clock.advance(0.5)
        self.worker.asked.pop().errback(ValueError("what"))
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
        self.clock.advance(0.5)
        self.answer(True)
