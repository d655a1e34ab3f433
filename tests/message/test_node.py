"""
Tests for L{wsmsg.message.node}: the work of each second.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.message.doubles import MemoryStore
from wsmsg.dependency.alarms import Alarms
from wsmsg.message.node import MessageNode


class EachSecondTests(SynchronousTestCase):
    """
    The leases and the plug-ins of a Message, once a second.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.fails: set[str] = set()
        self.calls: list[str] = []
        users = SimpleNamespace(renew_leases=lambda: self.call("leases"))
        links = SimpleNamespace(
            users=users,
            check_slow=lambda: self.call("slow"),
            slow=str,
            tell_partial=lambda: None,
            unlinked=str,
            status=list,
            reach=SimpleNamespace(
                unreached=str, address="", listed=(), unreached_by=dict
            ),
        )
        parts: dict[str, Any] = dict.fromkeys(("settings", "numbering", "marks"), None)
        self.node = MessageNode(
            **parts,
            store=MemoryStore(),
            clock=self.clock,
            alarms=Alarms(),
            queries=SimpleNamespace(history=SimpleNamespace(reason=str, look=str)),  # type: ignore[arg-type]
            log=SimpleNamespace(stalled=self.stalled),  # type: ignore[arg-type]
            core=SimpleNamespace(links=links, clocks=SimpleNamespace(reason=str)),  # type: ignore[arg-type]
            streams=None,  # type: ignore[arg-type]
            rpc=None,  # type: ignore[arg-type]
            peers=SimpleNamespace(look=lambda: None),  # type: ignore[arg-type]
            plugins=[
                SimpleNamespace(tick=lambda: self.call("one")),
                SimpleNamespace(tick=lambda: self.call("two")),
            ],
        )
        self.node.start_leases()
        self.addCleanup(self.node.stop_leases)

    def call(self, name: str) -> None:
        self.calls.append(name)
        if name in self.fails:
            raise RuntimeError("a bug")

    def stalled(self) -> str:
        self.call("progress")
        return ""

    def test_goes_on(self) -> None:
        """
        A part that raises is logged, and neither stops the other parts nor the work of
        the next second.
        """
        self.fails = {"leases", "slow", "progress", "one"}
        self.calls.clear()
        self.clock.advance(1)
        self.assertEqual(self.calls, ["leases", "slow", "progress", "one", "two"])
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 4)
        self.clock.advance(1)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 4)
        self.assertEqual(self.calls, ["leases", "slow", "progress", "one", "two"] * 2)
