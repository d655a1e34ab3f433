"""
Tests for L{wsmsg.dependency.worker}.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from threading import Event
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.trial.unittest import TestCase
from zope.interface.verify import verifyObject

from tests.doubles import MemoryWorker
from wsmsg.dependency.worker import IWorker, Worker


class CountedHops:
    """
    A reactor that counts the calls from threads.
    """

    def __init__(self) -> None:
        self.hops = 0

    def callFromThread(self, f: Callable[..., Any], *args: Any) -> None:
        self.hops += 1
        reactor.callFromThread(f, *args)  # type: ignore[attr-defined]


class WorkerTests(TestCase):
    """
    L{Worker}.
    """

    def setUp(self) -> None:
        self.hops = CountedHops()
        self.worker = Worker("test", self.hops)  # type: ignore[arg-type]
        self.addCleanup(self.worker.quit)

    def threads(self) -> list[str]:
        """
        The names of the threads of the worker.
        """
        return [t.name for t in threading.enumerate() if t.name == "test"]

    def test_interface(self) -> None:
        """
        The thread and the worker of the tests provide L{IWorker}.
        """
        verifyObject(IWorker, self.worker)
        verifyObject(IWorker, MemoryWorker())

    async def test_results(self) -> None:
        """
        The caller gets the result of a call, or its exception.
        """
        self.assertEqual(await self.worker.do(max, 2, 3), 3)
        with self.assertRaises(ZeroDivisionError):
            await self.worker.do(divmod, 1, 0)

    async def test_in_a_thread_of_its_own(self) -> None:
        """
        Calls run in another thread, which starts with the first call.
        """
        self.assertEqual(self.threads(), [])
        name = await self.worker.do(lambda: threading.current_thread().name)
        self.assertEqual(name, "test")

    async def test_order(self) -> None:
        """
        Calls run in the order in which they were made, and so do their callbacks.
        """
        done: list[int] = []
        back: list[int] = []
        works = [self.worker.do(done.append, i) for i in range(100)]
        for i, work in enumerate(works):
            work.addCallback(partial(lambda i, _: back.append(i), i))
        await gatherResults(works)
        self.assertEqual(done, list(range(100)))
        self.assertEqual(back, done)

    async def test_one_hop_for_a_batch(self) -> None:
        """
        All results that are ready before the reactor turns arrive in one hop.
        """
        finished = Event()
        works = [self.worker.do(int) for _ in range(50)]
        last = self.worker.do(finished.set)
        # The reactor does not turn while it waits here.
        finished.wait(5)
        await gatherResults(works)
        await last
        self.assertLessEqual(self.hops.hops, 2)

    async def test_quit(self) -> None:
        """
        Quitting finishes earlier calls and ends the thread; it may be repeated.
        """
        done: list[int] = []
        works = [self.worker.do(done.append, i) for i in range(3)]
        first, second = self.worker.quit(), self.worker.quit()
        await first
        await second
        self.assertEqual(done, [0, 1, 2])
        self.assertEqual(self.threads(), [])
        for work in works:
            self.successResultOf(work)
        self.assertRaises(RuntimeError, self.worker.do, int)

    def test_quit_unused(self) -> None:
        """
        A worker without any call quits at once.
        """
        quitting: Deferred[None] = self.worker.quit()
        self.successResultOf(quitting)
