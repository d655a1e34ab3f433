"""
Tests of the runner: it counts the results of trial, and rejects counts that do not add
up.
"""

from __future__ import annotations

import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.run import (
    Command,
    Result,
    modules_of,
    read_summary,
    real_servers,
    run_together,
)
from tools import typescript


class SummaryTests(SynchronousTestCase):
    """
    Tests of L{read_summary}.
    """

    def test_all_passed(self) -> None:
        """
        Passed and skipped tests are counted separately.
        """
        text = "Ran 41 tests in 1.0s\n\nPASSED (skips=1, successes=40)\n"
        self.assertEqual(read_summary(text, 0), Result(40, 0, 1))

    def test_failures_and_errors(self) -> None:
        """
        A failure, an error and an unexpected success are each a failed test.
        """
        text = (
            "Ran 9 tests in 1.0s\n\n"
            "FAILED (failures=1, errors=2, unexpectedSuccesses=1, successes=5)\n"
        )
        self.assertEqual(read_summary(text, 1), Result(5, 4, 0))

    def test_no_tests(self) -> None:
        """
        A run of no tests has failed.
        """
        self.assertEqual(read_summary("Ran 0 tests in 0s\n\nPASSED\n", 0).failed, 1)

    def test_died(self) -> None:
        """
        A run that ended without a summary has failed.
        """
        self.assertEqual(read_summary("Ran 3 tests in 0s\n", 0), Result(0, 1, 0))

    def test_status(self) -> None:
        """
        A run that reports success and exits with an error has failed.
        """
        text = "Ran 1 tests in 0s\n\nPASSED (successes=1)\n"
        self.assertEqual(read_summary(text, 1), Result(1, 1, 0))

    def test_lost_results(self) -> None:
        """
        Tests without a result have failed.
        """
        text = "Ran 5 tests in 0s\n\nPASSED (successes=3)\n"
        self.assertEqual(read_summary(text, 0), Result(3, 2, 0))

    def test_form(self) -> None:
        """
        The closing line has its fixed format.
        """
        self.assertEqual(str(Result(12, 0, 3)), "12 passed, 0 failed, 3 skipped")


class StageTests(SynchronousTestCase):
    """
    Files that belong to each stage.
    """

    def test_every_file_has_one_stage(self) -> None:
        """
        A test file is found even if its folder has no C{__init__.py}, and only once.
        """
        root = Path(self.mktemp())
        for name in (
            "test_a.py",
            "new/deep/test_b.py",
            "faults/test_c.py",
            "conformance/test_d.py",
            "conformance/daemons/test_e.py",
        ):
            (root / "tests" / name).parent.mkdir(parents=True, exist_ok=True)
            (root / "tests" / name).touch()
        self.assertEqual(
            modules_of("unit", root),
            ["tests.conformance.test_d", "tests.new.deep.test_b", "tests.test_a"],
        )
        self.assertEqual(modules_of("faults", root), ["tests.faults.test_c"])
        self.assertEqual(
            modules_of("integration", root), ["tests.conformance.daemons.test_e"]
        )
        self.assertEqual(modules_of("stack", root), [])

    def test_overdue(self) -> None:
        """
        A command that does not end is killed, and has failed.
        """
        command = ["sh", "-c", "cat /dev/zero > /dev/null; true"]
        [(_, status)] = run_together([Command(command, 0.1, live=False)])
        self.assertNotEqual(status, 0)


class NodeTests(SynchronousTestCase):
    """
    Tests of the stage that needs Node, without it.
    """

    def _without_node(self, required: str) -> int:
        more = {"PATH": "/nonexistent", "WSMSG_NODE": required}
        self.patch(os, "environ", {**os.environ, **more})
        return typescript.main([])

    def test_left_out(self) -> None:
        """
        Without Node the stage says what is missing, and is left out.
        """
        self.assertEqual(self._without_node(""), typescript.LEFT_OUT)

    def test_required(self) -> None:
        """
        Without Node the stage has failed if Node is required.
        """
        self.assertEqual(self._without_node("required"), 1)


class RealServersTests(SynchronousTestCase):
    """
    Tests of L{real_servers}, with none installed.
    """

    def _nothing_installed(self, **more: str) -> None:
        empty = {"WSMSG_STACK_CACHE": self.mktemp(), "PATH": "/nonexistent"}
        self.patch(os, "environ", {**os.environ, "WSMSG_STACK": "", **empty, **more})

    def test_left_out(self) -> None:
        """
        If there is no server, the environment says so, and the tests are skipped.
        """
        self._nothing_installed()
        with real_servers() as told:
            assert told is not None
            for name in ("KAFKA", "MONGO", "REDIS"):
                self.assertEqual(told[f"WSMSG_STACK_{name}"], "")

    def test_required(self) -> None:
        """
        The stage fails if the servers are required and missing.
        """
        self._nothing_installed(WSMSG_STACK="required")
        with real_servers() as told:
            self.assertIsNone(told)
