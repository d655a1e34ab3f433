"""
The tree keeps its laws, and each law can find what breaks it.
"""

from __future__ import annotations

import re

from twisted.trial.unittest import SynchronousTestCase

from tests import laws
from tests.laws import ROOT, Law, Module, modules_in, parsed
from tools import make_rpc

FRAGMENT = r"\+?[\w-]+\.(feature|bugfix|doc|removal|misc)(\.\d+)?\.md"


class TreeTests(SynchronousTestCase):
    """
    The tree as it is.
    """

    def test_package(self) -> None:
        """
        The package imports only what each of its modules may.
        """
        self._keeps(laws.LAWS_OF_PACKAGE, modules_in("wsmsg"))

    def test_everything(self) -> None:
        """
        Package, tests and tools are short, documented, and wait for events.
        """
        modules = modules_in("wsmsg", "tests", "tools", "twisted")
        self.assertGreater(len(modules), 30)
        self._keeps(laws.LAWS_OF_ALL, modules)

    def test_pure_modules_exist(self) -> None:
        """
        No law holds for a name that has gone.
        """
        names = {m.name for m in modules_in("wsmsg")}
        self.assertEqual([n for n in laws.PURE if n not in names], [])

    def test_generated_code(self) -> None:
        """
        The generated code is what the protos make.
        """
        self.assertEqual(make_rpc.differences(), [], "run make protos")

    def test_fragments(self) -> None:
        """
        Every news fragment has a name from which its kind can be told.
        """
        names = [p.name for p in (ROOT / "newsfragments").glob("[!.]*")]
        self.assertEqual([n for n in names if not re.fullmatch(FRAGMENT, n)], [])

    def _keeps(self, which: tuple[Law, ...], modules: list[Module]) -> None:
        faults = [str(fault) for law in which for fault in law(modules)]
        if faults:
            self.fail("\n" + "\n".join(faults))


class LawTests(SynchronousTestCase):
    """
    Each law against a sample that breaks it, and one that keeps it.
    """

    def assert_finds(self, law: Law, *modules: Module, at: str) -> None:
        """
        The law finds exactly one fault, and it is there.
        """
        found = [f"{f.path}:{f.line}" for f in law(list(modules))]
        self.assertEqual(found, [at])

    def assert_keeps(self, law: Law, *modules: Module) -> None:
        """
        The law finds nothing.
        """
        self.assertEqual([str(f) for f in law(list(modules))], [])

    def test_daemons_apart(self) -> None:
        """
        Connect does not import Message, even inside of a function.
        """
        source = "def f():\n    from wsmsg import message\n"
        bad = parsed("wsmsg.connect.x", source)
        found = [str(f) for f in laws.law_of_imports([bad])]
        self.assertEqual(len(found), 2)
        self.assertIn("wsmsg/connect/x.py:2: imports wsmsg.message: ", found[0])

    def test_nobody_imports_tap(self) -> None:
        """
        A tap is not imported, not even beside it.
        """
        bad = parsed("wsmsg.connect.x", "\nfrom wsmsg.connect.tap import Options\n")
        self.assert_finds(laws.law_of_imports, bad, at="wsmsg/connect/x.py:2")

    def test_reactor(self) -> None:
        """
        The reactor is imported in a tap and nowhere else.
        """
        source = "from twisted.internet import defer, reactor\n"
        bad = parsed("wsmsg.stream.endpoint", source)
        self.assert_finds(laws.law_of_imports, bad, at="wsmsg/stream/endpoint.py:1")
        self.assert_keeps(laws.law_of_imports, parsed("wsmsg.connect.tap", source))

    def test_families(self) -> None:
        """
        A library's client is known to its own modules only.
        """
        bad = parsed("wsmsg.message.delivery.numbering", "import sqlite3\n")
        self.assert_finds(
            laws.law_of_imports, bad, at="wsmsg/message/delivery/numbering.py:1"
        )

    def test_new_library(self) -> None:
        """
        A library that nobody has given a place is a fault.
        """
        bad = parsed("wsmsg.monitoring.logs", "import json\nimport requests\n")
        self.assert_finds(
            laws.law_of_known_libraries, bad, at="wsmsg/monitoring/logs.py:2"
        )

    def test_types_only(self) -> None:
        """
        What only type checkers import is no import.
        """
        source = "if TYPE_CHECKING:\n    import grpc\n"
        self.assert_keeps(laws.law_of_imports, parsed("wsmsg.model", source))

    def test_purity(self) -> None:
        """
        I/O is found behind a module that looks harmless.
        """
        session = parsed("wsmsg.connect.session.session", "from wsmsg.calm import f\n")
        calm = parsed("wsmsg.calm", "import os\nimport grpc.aio\n")
        self.assert_finds(laws.law_of_purity, session, calm, at="wsmsg/calm.py:2")

    def test_client_without_twisted(self) -> None:
        """
        The client works where Twisted does not run.
        """
        client = parsed("wsmsg.client.x", "import wsmsg.dependency.state\n")
        other = parsed("wsmsg.dependency.state", "import twisted.logger\n")
        self.assert_finds(
            laws.law_of_purity, client, other, at="wsmsg/dependency/state.py:1"
        )

    def test_length(self) -> None:
        """
        A module of 400 lines is let through and one of 401 is not.
        """
        self.assert_keeps(laws.law_of_length, parsed("wsmsg.a", "x = 1\n" * 400))
        long = parsed("wsmsg.b", "x = 1\n" * 401)
        self.assert_finds(laws.law_of_length, long, at="wsmsg/b.py:401")

    def test_module_docstring(self) -> None:
        """
        A module without a docstring is found.
        """
        bad = parsed("wsmsg.a", "x = 1\n")
        self.assert_finds(laws.law_of_docstrings, bad, at="wsmsg/a.py:1")
        empty = parsed("wsmsg.a", "")
        self.assert_finds(laws.law_of_docstrings, empty, at="wsmsg/a.py:1")
        self.assert_keeps(laws.law_of_docstrings, parsed("tests.a", ""))

    def test_class_docstring(self) -> None:
        """
        A public class without a docstring is found; a private one is let through.
        """
        bad = parsed("wsmsg.a", '"""D."""\n\nclass A: ...\n\nclass _B: ...\n')
        self.assert_finds(laws.law_of_docstrings, bad, at="wsmsg/a.py:3")

    def test_test_docstring(self) -> None:
        """
        A test that does not say what a user sees is found.
        """
        source = (
            '"""D."""\nclass T:\n    """D."""\n    async def test_x(self): ...\n'
            "    def make(self): ...\n"
        )
        bad = parsed("tests.test_a", source)
        self.assert_finds(laws.law_of_docstrings, bad, at="tests/test_a.py:4")

    def test_sleep(self) -> None:
        """
        Sleeping is found, however it is imported.
        """
        bad = parsed("tests.test_a", "import time\ntime.sleep(1)\n")
        self.assert_finds(laws.law_of_waiting, bad, at="tests/test_a.py:2")
        bad = parsed("tests.test_a", "from time import sleep\n")
        self.assert_finds(laws.law_of_waiting, bad, at="tests/test_a.py:1")

    def test_mock(self) -> None:
        """
        Patching is found, however it is imported.
        """
        bad = parsed("tests.test_a", "from unittest import mock\n")
        self.assert_finds(laws.law_of_waiting, bad, at="tests/test_a.py:1")
