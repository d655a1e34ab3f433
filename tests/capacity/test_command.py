"""
Tests of C{python -m tools.capacity}.
"""

from __future__ import annotations

import contextlib
import io

from twisted.trial.unittest import SynchronousTestCase

from tools.capacity.__main__ import judge, main
from tools.capacity.checks import Compared


class CommandTests(SynchronousTestCase):
    """
    The command, without a measurement.
    """

    def printed(self, *arguments: str) -> tuple[int, str]:
        """
        Run the command; return its status and what it printed.
        """
        out = io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
            try:
                status = main(arguments)
            except SystemExit as e:
                status = int(e.code or 0)
        return status, out.getvalue()

    def test_need(self) -> None:
        """
        The need of a load is printed, with the date of the constants.
        """
        status, text = self.printed("--connections", "20000", "--rate", "300")
        self.assertEqual(status, 0)
        for words in ("constants of", "busy cores", "disk a day", "network of clients"):
            self.assertIn(words, text)

    def test_small_need(self) -> None:
        """
        Latencies are simulated if one of each is enough.
        """
        _, text = self.printed("--connections", "100", "--rate", "50")
        self.assertIn("p50, p99 (simulated)", text)

    def test_check(self) -> None:
        """
        The checks pass as they are.
        """
        status, text = self.printed("--check")
        self.assertEqual(status, 0, text)
        self.assertIn("0 of ", text)

    def test_beyond(self) -> None:
        """
        A figure that differs by more than a fifth is marked, and the status is 1.
        """
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            status = judge([Compared("CPU", "us", 100.0, 150.0)])
        self.assertEqual(status, 1)
        self.assertIn("1 of 1 figures", out.getvalue())

    def test_mistakes(self) -> None:
        """
        A load of nothing, and two checks at once, are refused.
        """
        for wrong in (
            ["--rate", "0"],
            ["--connections", "0"],
            ["--check", "--measure"],
        ):
            status, _ = self.printed(*wrong)
            self.assertEqual(status, 2)
