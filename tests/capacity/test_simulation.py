"""
Tests of the simulation of the queues, and of the comparisons.
"""

from __future__ import annotations

import attrs
from twisted.trial.unittest import SynchronousTestCase

from tools.capacity.checks import Compared, recorded
from tools.capacity.constants import CONSTANTS
from tools.capacity.model import Load
from tools.capacity.simulation import simulate

#: Without what is no queue.
_BARE = attrs.evolve(CONSTANTS, hops_ms=0.0)


class SimulationTests(SynchronousTestCase):
    """
    Runs whose figures are known otherwise.
    """

    def test_seed(self) -> None:
        """
        The same seed gives the same figures; another one gives others.
        """
        load = Load(200, 300.0)
        self.assertEqual(simulate(load, 5.0, 1), simulate(load, 5.0, 1))
        self.assertNotEqual(simulate(load, 5.0, 1), simulate(load, 5.0, 2))

    def test_lone_message(self) -> None:
        """
        A message that meets no other takes the CPU of its batch, up and down.
        """
        c = CONSTANTS
        alone = simulate(Load(0, 0.5), 400.0, constants=_BARE)
        wanted_ms = (c.cycle_us + c.message_us) / 1e3
        self.assertApproximates(alone.p50_ms, wanted_ms, 0.01)
        # Its acknowledgement meets no other either.
        wanted_us = c.message_us + 2 * c.cycle_us
        self.assertApproximates(alone.cpu_us, wanted_us, 0.02 * wanted_us)

    def test_rate(self) -> None:
        """
        All messages arrive, up to saturation, at which a process is busy all the time.
        """
        for rate in (100.0, 1_000.0, 5_000.0):
            found = simulate(Load(0, rate), 5.0)
            self.assertApproximates(found.rate, rate, 0.1 * rate)
        flooded = simulate(Load(0, 50_000.0), 2.0)
        most = 2e6 / CONSTANTS.message_us
        self.assertLess(flooded.rate, most)
        self.assertGreater(flooded.p99_ms, 100.0)

    def test_closed_loop(self) -> None:
        """
        A closed loop obeys Little's law: messages in flight are rate times latency.
        """
        found = simulate(Load(0, 0.0, 100), 3.0)
        self.assertApproximates(found.rate * found.p50_ms / 1e3, 100, 15)


class CheckTests(SynchronousTestCase):
    """
    Comparisons of two figures.
    """

    def test_tolerance(self) -> None:
        """
        Two figures may differ by a fifth of the first.
        """
        self.assertTrue(Compared("CPU", "us", 100.0, 120.0).good)
        self.assertTrue(Compared("CPU", "us", 100.0, 80.0).good)
        self.assertFalse(Compared("CPU", "us", 100.0, 121.0).good)
        self.assertFalse(Compared("CPU", "us", 100.0, 79.0).good)
        self.assertIn("beyond 20%", str(Compared("CPU", "us", 100.0, 130.0)))

    def test_recorded(self) -> None:
        """
        The model, the simulation and the recorded measurements agree.
        """
        found = list(recorded())
        self.assertGreater(len(found), 10)
        self.assertEqual([str(one) for one in found if not one.good], [])
