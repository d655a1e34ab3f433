"""
Tests that the conformance kit does not use the code that it tests.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.laws import Violation
from tests.syntax import Module, imports_of, modules_in, parsed, within

_BANNED = ("wsmsg", "autobahn", "websockets")


def borrowed(modules: list[Module]) -> list[Violation]:
    """
    Return the imports in the kit, its tests excepted, of our code, of a library that
    our code uses, or of other tests.
    """
    violations = []
    for module in modules:
        if module.name.rpartition(".")[2].startswith("test_"):
            continue
        if within(module.name, "tests.conformance.daemons"):
            continue
        for name, line in imports_of(module):
            banned = any(within(name, b) for b in _BANNED)
            other = within(name, "tests") and not within(name, "tests.conformance")
            if banned or other or within(name, "tests.conformance.daemons"):
                violations.append(Violation(module.path, line, f"imports {name}"))
    return violations


class IndependenceTests(SynchronousTestCase):
    """
    Tests of L{borrowed}.
    """

    def test_kit(self) -> None:
        """
        Peers, bytes and tables import none of our code.
        """
        modules = modules_in("tests/conformance")
        self.assertGreater(len(modules), 8)
        self.assertEqual([str(v) for v in borrowed(modules)], [])

    def test_found(self) -> None:
        """
        An import of our code is found, also by way of other tests.
        """
        name = "tests.conformance.peer"
        for source in (
            "from wsmsg.rpc import rest_pb2",
            "import websockets",
            "from tests.integration.device import Device",
            "from tests.conformance.daemons.cases import Case",
        ):
            self.assertEqual(len(borrowed([parsed(name, source)])), 1, source)
        own = parsed(name, "from tests.conformance.contract import rows")
        self.assertEqual(borrowed([own]), [])
