"""
Tests of the capacity model: its formulas at their ends, and its choice of processes.
"""

from __future__ import annotations

import attrs
from twisted.trial.unittest import SynchronousTestCase

from tools.capacity.constants import CONSTANTS
from tools.capacity.model import Load, batches, cpu_us, need, shares


class CpuTests(SynchronousTestCase):
    """
    CPU of one Connect and one Message.
    """

    def test_lone_message(self) -> None:
        """
        A message that is alone pays for its batch and for that of its acknowledgement.
        """
        c = CONSTANTS
        alone_us = cpu_us(Load(0, 0.01))
        self.assertApproximates(alone_us, c.message_us + 2 * c.cycle_us, 2)

    def test_large_batches(self) -> None:
        """
        In large batches, a message costs itself alone.
        """
        c = CONSTANTS
        self.assertApproximates(cpu_us(Load(0, 1e7)), c.message_us, 0.1)
        closed_us = cpu_us(Load(0, 10_000, 1_000))
        wanted_us = c.message_us + c.cycle_us / 1_000
        self.assertApproximates(closed_us, wanted_us, 0.1)

    def test_spacing(self) -> None:
        """
        A stream carries a batch for each event, or one in each pause.
        """
        self.assertEqual(batches(50.0, 0.0), 50.0)
        self.assertEqual(batches(50.0, 0.005), 50.0)
        self.assertEqual(batches(5_000.0, 0.005), 200.0)

    def test_silent_connections(self) -> None:
        """
        Pings are Connect's alone, and each connection costs the same.
        """
        none, some = shares(Load(0, 2_000)), shares(Load(1_000, 2_000))
        pings = CONSTANTS.ping_us * 1_000 / 1e6
        self.assertAlmostEqual(some.connect - none.connect, pings, places=6)
        self.assertAlmostEqual(some.message, none.message, places=6)

    def test_more_costs_more(self) -> None:
        """
        The cores never fall with the rate, and CPU of a message never rises.
        """
        loads = [Load(200, 10 * 1.3**n) for n in range(28)]
        cores = [shares(load).connect + shares(load).message for load in loads]
        self.assertEqual(cores, sorted(cores))
        each = [round(cpu_us(load), 6) for load in loads]
        self.assertEqual(each, sorted(each, reverse=True))


class NeedTests(SynchronousTestCase):
    """
    The processes that a load needs.
    """

    def test_small(self) -> None:
        """
        One of each is enough for a small installation.
        """
        found = need(Load(1_000, 10))
        assert found is not None
        self.assertEqual((found.connects, found.messages), (1, 1))
        self.assertAlmostEqual(found.disk_day, 10 * CONSTANTS.stored * 86_400)

    def test_below_the_planned_share(self) -> None:
        """
        No process is planned to use more than the planned share, and with one less of
        either kind some would.
        """
        for connections, rate in ((100_000, 1_000), (1_000_000, 10_000), (1e7, 10)):
            load = Load(connections, rate)
            found = need(load)
            assert found is not None
            used = shares(load, found.connects, found.messages)
            self.assertLessEqual(max(used.connect, used.message), CONSTANTS.share)
        found = need(Load(100_000, 1_000))
        assert found is not None
        fewer = shares(Load(100_000, 1_000), found.connects - 1, found.messages)
        self.assertGreater(max(fewer.connect, fewer.message), CONSTANTS.share)

    def test_limit_of_connections(self) -> None:
        """
        A Connect takes no more connections than its limit, however cheap they are.
        """
        cheap = attrs.evolve(CONSTANTS, ping_us=0.0)
        found = need(Load(1_000_000, 10), cheap)
        assert found is not None
        self.assertEqual(found.connects, 20)

    def test_impossible(self) -> None:
        """
        A load that no number of processes can carry has no need.
        """
        dear = attrs.evolve(CONSTANTS, message_us=1e9)
        self.assertIsNone(need(Load(1_000, 1_000), dear))
