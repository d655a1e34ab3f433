"""
Tests for L{wsmsg.flow.batches} and L{wsmsg.flow.idle}.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock, deferLater
from twisted.trial.unittest import SynchronousTestCase

from wsmsg.flow.batches import BatchLoop
from wsmsg.flow.idle import IdleWaiters


class BatchLoopTests(SynchronousTestCase):
    """
    Numbers that are processed in batches of at most 3.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.work: list[int] = []
        self.batches: list[list[int]] = []
        self.failing = 0
        self.seconds = 0.0
        self.pauses: list[int] = []
        self.addCleanup(lambda: self.assertEqual(self.clock.getDelayedCalls(), []))

    async def process(self) -> bool:
        """
        Process a batch, unless it is to fail.
        """
        if self.seconds:
            await deferLater(self.clock, self.seconds)
        if self.failing:
            self.failing -= 1
            return False
        self.batches.append(self.work[:3])
        del self.work[:3]
        return True

    def pause(self, failures: int) -> Deferred[None]:
        self.pauses.append(failures)
        return deferLater(self.clock, 1.0)

    def loop(self, linger_s: float = 0.1, most_rest_s: float = 0.0) -> BatchLoop:
        """
        Make a loop.
        """
        return BatchLoop(
            self.process,
            lambda: bool(self.work),
            self.clock,
            linger_s=linger_s,
            most_rest_s=most_rest_s,
            pause=self.pause,
        )

    def add(self, loop: BatchLoop, *numbers: int) -> None:
        self.work += numbers
        loop.wake()

    def test_gathers(self) -> None:
        """
        Items that come within the linger time make one batch.
        """
        loop = self.loop()
        self.add(loop, 1)
        self.clock.advance(0.05)
        self.add(loop, 2)
        self.assertEqual(self.batches, [])
        self.clock.advance(0.05)
        self.assertEqual(self.batches, [[1, 2]])

    def test_hurried(self) -> None:
        """
        A loop that is hurried lingers for less, at once or in the batch that follows,
        and no shorter after that.
        """
        loop = self.loop()
        for early in (True, False):
            if early:
                loop.hurry(0.02)
            self.add(loop, 1)
            if not early:
                loop.hurry(0.02)
            self.clock.advance(0.01)
            self.assertEqual(self.batches, [])
            self.clock.advance(0.01)
            self.assertEqual(self.batches.pop(), [1])
        self.add(loop, 2)
        self.clock.advance(0.09)
        self.assertEqual(self.batches, [])
        self.clock.advance(0.01)
        self.assertEqual(self.batches, [[2]])

    def test_hurried_rest(self) -> None:
        """
        A loop that is hurried rests all the same.
        """
        loop = self.loop(most_rest_s=0.5)
        self.add(loop, 1)
        self.clock.advance(0.1)
        loop._rested_s = self.clock.seconds() + 0.3
        self.add(loop, 2)
        loop.hurry()
        self.clock.advance(0.29)
        self.assertEqual(len(self.batches), 1)
        self.clock.advance(0.01)
        self.assertEqual(len(self.batches), 2)

    def test_one_at_a_time(self) -> None:
        """
        Items that come during a batch wait for the next one.
        """
        self.seconds = 5
        loop = self.loop()
        self.add(loop, 1, 2, 3)
        self.clock.advance(0.1)
        self.add(loop, 4)
        self.clock.pump([5, 0.1])
        self.assertEqual(self.batches, [[1, 2, 3]])
        self.clock.advance(5)
        self.assertEqual(self.batches, [[1, 2, 3], [4]])

    def test_no_linger(self) -> None:
        """
        Without a linger time, the first batch begins at once.
        """
        self.add(self.loop(linger_s=0.0), 1)
        self.assertEqual(self.batches, [[1]])

    def test_rest(self) -> None:
        """
        After a batch the loop rests for three times as long as that took, up to the
        bound.
        """
        for took, rest in ((0.1, 0.3), (9, 0.5)):
            loop = self.loop(most_rest_s=0.5)
            self.batches.clear()
            self.seconds = took
            self.add(loop, 1)
            self.clock.pump([0.1, took])
            self.seconds = 0.0
            self.add(loop, 2)
            self.clock.advance(rest - 0.01)
            self.assertEqual(self.batches, [[1]])
            self.clock.advance(0.02)
            self.assertEqual(self.batches, [[1], [2]])

    def test_pause(self) -> None:
        """
        After a failure the loop pauses; a success ends the count of failures.
        """
        self.failing = 2
        loop = self.loop()
        self.add(loop, 1)
        self.clock.pump([0.1, 1, 1])
        self.assertEqual((self.batches, self.pauses), ([[1]], [1, 2]))
        self.failing = 1
        self.add(loop, 2)
        self.clock.pump([0.1, 1])
        self.assertEqual(self.pauses, [1, 2, 1])

    def test_a_bug(self) -> None:
        """
        An exception is logged and counts as a failure; the rest of the work is
        processed, without anybody waking the loop.
        """

        async def broken_at_first() -> bool:
            if len(self.work) == 4:
                del self.work[:3]
                raise RuntimeError("a bug")
            return await self.process()

        loop = BatchLoop(
            broken_at_first, lambda: bool(self.work), self.clock, linger_s=0.1
        )
        self.add(loop, 1, 2, 3, 4)
        self.clock.advance(0.1)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.assertNoResult(loop.when_idle())
        self.clock.advance(0.5)
        self.assertEqual(self.batches, [[4]])
        self.successResultOf(loop.when_idle())

    def test_idle(self) -> None:
        """
        The loop is idle when there is no work.
        """
        loop = self.loop()
        self.successResultOf(loop.when_idle())
        self.add(loop, 1, 2, 3, 4)
        idle = loop.when_idle()
        self.clock.advance(0.1)
        self.assertNoResult(idle)
        self.clock.advance(0.1)
        self.successResultOf(idle)

    def test_stop(self) -> None:
        """
        A loop that is stopped before a batch or in a pause leaves the work as it is,
        and may be woken again.
        """
        loop = self.loop()
        loop.stop()
        self.add(loop, 1)
        loop.stop()
        self.successResultOf(loop.when_idle())
        self.failing = 1
        loop.wake()
        self.clock.advance(0.1)
        loop.stop()
        self.assertEqual((self.work, self.batches), ([1], []))
        loop.wake()
        self.clock.advance(0.1)
        self.assertEqual(self.batches, [[1]])


class IdleWaitersTests(SynchronousTestCase):
    """
    L{IdleWaiters}.
    """

    def test_waits(self) -> None:
        """
        Each waiter is told once, when its owner is idle.
        """
        waiters = IdleWaiters()
        self.successResultOf(waiters.wait(True))
        waiting = [waiters.wait(False), waiters.wait(False)]
        for waiter in waiting:
            self.assertNoResult(waiter)
        waiters.fire()
        for waiter in waiting:
            self.successResultOf(waiter)
        waiters.fire()

    def test_given_up(self) -> None:
        """
        A waiter that has given up does not disturb the others.
        """
        waiters = IdleWaiters()
        gone, there = waiters.wait(False), waiters.wait(False)
        gone.addErrback(lambda _: None)
        gone.cancel()
        waiters.fire()
        self.successResultOf(there)
