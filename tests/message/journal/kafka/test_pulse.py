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

    def live(self, seconds: float, answers: bool | None = True) -> int:
        """
        Let time pass, in which questions are answered so; L{None}: not at all.

        @return: the number of questions.
        """
        count = 0
        for _ in range(round(seconds / 0.1)):
            self.clock.advance(0.1)
            if self.worker.asked and answers is not None:
                self.answer(answers)
                count += 1
        return count

    def test_asked(self) -> None:
        """
        The brokers are asked more often than twice a second, one question at a time.
        """
        self.assertIn(self.live(4), range(8, 11))
        self.assertTrue(self.dependency.up)
        self.live(1.2, None)
        self.assertEqual(len(self.worker.asked), 1)

    def test_silent(self) -> None:
        """
        The journal is not up if no broker answers for long, and not for a pause of a
        second; it is asked on, and up as soon as one answers, without being opened
        again.
        """
        self.live(0.4)
        self.live(1.4, None)
        self.answer(True)
        self.assertTrue(self.dependency.up)
        self.live(1.8, None)
        self.assertFalse(self.dependency.up)
        self.assertIn("no broker answered", self.dependency.snapshot().last_error)
        self.answer(False)
        self.live(1.0, False)
        self.assertFalse(self.dependency.up)
        self.live(0.4)
        self.assertTrue(self.dependency.up)
        self.assertEqual(self.dependency.snapshot().attempts, 0)

    def test_acknowledged(self) -> None:
        """
        A broker that acknowledges records while it does not answer is not silent; from
        the last acknowledgement on it is.
        """
        for _ in range(40):
            self.producer.appended()
            self.live(0.1, False)
        self.assertTrue(self.dependency.up)
        self.live(1.5, False)
        self.assertTrue(self.dependency.up)
        self.live(0.3, False)
        self.assertFalse(self.dependency.up)
        self.producer.appended()
        self.live(0.1, False)
        self.assertTrue(self.dependency.up)

    def test_stood_still(self) -> None:
        """
        A process that stood still itself takes no broker for silent.
        """
        self.live(0.4)
        self.clock.advance(60)
        self.assertTrue(self.dependency.up)
        self.live(1)
        self.assertEqual(self.dependency.snapshot().losses, 0)

    def test_lost(self) -> None:
        """
        A journal that is lost for another reason is not asked until it is open again.
        """
        self.kept.lost(Unavailable("closed"))
        self.assertEqual(self.live(0.9), 0)
        self.live(1)
        self.assertTrue(self.dependency.up)

    def test_bug(self) -> None:
        """
        A question that fails is logged, and asked again.
        """
        self.live(0.4, None)
        self.worker.asked.pop().errback(ValueError("what"))
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
        self.assertEqual(self.live(0.5), 1)
