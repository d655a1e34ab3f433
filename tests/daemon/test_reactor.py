"""
Tests of L{wsmsg.daemon.reactor}.
"""

from __future__ import annotations

import asyncio
import os
import sys

import uvloop
from twisted.internet.asyncioreactor import AsyncioSelectorReactor
from twisted.internet.task import LoopingCall
from twisted.trial.unittest import SynchronousTestCase

from wsmsg.daemon.reactor import (
    LOOP,
    WrongReactor,
    make_monotonic,
    monotonic_s,
    new_loop,
)


class MonotonicTests(SynchronousTestCase):
    """
    The seconds of the reactor.
    """

    make_loop = staticmethod(asyncio.new_event_loop)

    def setUp(self) -> None:
        self.loop = self.make_loop()
        self.reactor = AsyncioSelectorReactor(self.loop)
        self.unix_s = 1_700_000_000.0
        self.reactor.seconds = lambda: self.unix_s

    def tearDown(self) -> None:
        for call in self.reactor.getDelayedCalls():
            call.cancel()
        for reader in self.reactor.removeAll():
            reader.connectionLost(None)
        self.loop.close()

    def run_for(self, seconds: float) -> None:
        """
        Run the loop.
        """
        self.loop.run_until_complete(asyncio.sleep(seconds))

    def test_clock_set_back(self) -> None:
        """
        Timers go on while the system clock is set back and forth.
        """
        make_monotonic(self.reactor)
        called: list[float] = []
        repeated = LoopingCall(lambda: called.append(monotonic_s()))
        repeated.clock = self.reactor
        repeated.start(0.02)
        self.run_for(0.1)
        self.unix_s -= 3600
        before = len(called)
        self.run_for(0.1)
        self.unix_s += 7200
        self.run_for(0.1)
        repeated.stop()
        self.assertGreater(before, 1)
        self.assertGreater(len(called), before + 1)

    def test_pending(self) -> None:
        """
        A call that is due keeps its delay.
        """
        call = self.reactor.callLater(60, lambda: None)
        make_monotonic(self.reactor)
        left_s = call.getTime() - monotonic_s()
        self.assertLess(abs(left_s - 60), 5)
        call.reset(30)
        self.assertLess(abs(call.getTime() - monotonic_s() - 30), 5)


class UvloopMonotonicTests(MonotonicTests):
    """
    The same on the loop of uvloop.
    """

    make_loop = staticmethod(uvloop.new_event_loop)


class NewLoopTests(SynchronousTestCase):
    """
    The loop of the daemons.
    """

    def loop_of(self, name: str) -> str:
        self.patch(os, "environ", {LOOP: name})
        loop, _ = new_loop()
        self.addCleanup(loop.close)
        return type(loop).__module__.split(".")[0]

    def test_named(self) -> None:
        """
        The loop is Python's, or that of uvloop where the environment says so.
        """
        found = [self.loop_of(name) for name in ("", "asyncio", "uvloop")]
        self.assertEqual(found, ["asyncio", "asyncio", "uvloop"])

    def test_unknown(self) -> None:
        """
        The name of another loop is refused, with those that there are.
        """
        with self.assertRaises(WrongReactor) as refused:
            self.loop_of("trio")
        self.assertIn("asyncio or uvloop", str(refused.exception))

    def test_not_installed(self) -> None:
        """
        The reason says how to install what is missing.
        """
        self.addCleanup(sys.modules.__setitem__, "uvloop", uvloop)
        sys.modules["uvloop"] = None  # type: ignore[assignment]
        with self.assertRaises(WrongReactor) as refused:
            self.loop_of("uvloop")
        self.assertIn("pip install 'wsmsg[fast]'", str(refused.exception))
