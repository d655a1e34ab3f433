"""
Tests of C{tools/time_message.py}.
"""

from __future__ import annotations

from importlib import import_module
from operator import attrgetter

from twisted.trial.unittest import SynchronousTestCase

from tools.time_message import STEPS, medians

_LAST = len(STEPS) - 1


def _message(began: float, apart: float) -> tuple[list[tuple[int, float]], ...]:
    """
    Make the stamps of the daemons, and of the clients, for one message.
    """
    daemons = [(n, began + n * apart) for n in range(1, _LAST - 1)]
    clients = [(n, began + n * apart) for n in (0, _LAST - 1, _LAST)]
    return daemons, clients


class StepsTests(SynchronousTestCase):
    """
    The steps that are timed.
    """

    def test_functions(self) -> None:
        """
        The functions of all steps exist.
        """
        for step in STEPS[1:-2]:
            module, _, name = step.function.partition(":")
            function = attrgetter(name)(import_module(f"wsmsg.{module}"))
            self.assertTrue(callable(function), step.function)


class MediansTests(SynchronousTestCase):
    """
    The medians of many messages.
    """

    def test_medians(self) -> None:
        """
        A step is at the median of its times after the first; stamps between the
        messages, and the second stamp of a step, do not count.
        """
        stamps, clients = [], []
        for number, apart in enumerate((0.001, 0.002, 0.005)):
            daemons, ours = _message(10.0 * number, apart)
            stamps += daemons
            clients.append(ours)
        stamps += [(3, 5.0), (3, 10.0 + 0.0079)]
        at_ms = [round(ms, 6) for ms in medians(stamps, clients)]
        self.assertEqual(at_ms, [2.0 * n for n in range(len(STEPS))])

    def test_lost_step(self) -> None:
        """
        A step that a message did not pass is named.
        """
        stamps, clients = _message(0.0, 0.001)
        without = [stamp for stamp in stamps if stamp[0] != 4]
        with self.assertRaises(SystemExit) as raised:
            medians(without, [clients])
        self.assertIn(STEPS[4].function, str(raised.exception))
