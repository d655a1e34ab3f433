"""
Plug-ins of a Connect.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase

from tests.doubles import exposed
from wsmsg.connect.plugins import Plugin, Plugins
from wsmsg.monitoring.metrics import Metrics


class RecordingPlugin:
    """
    A plug-in that records its calls.
    """

    def __init__(self, name: str, calls: list[str]) -> None:
        self.name = name
        self.calls = calls
        self.drained: Deferred[None] = succeed(None)

    def start(self) -> None:
        self.calls.append(f"{self.name} start")

    async def stop(self) -> None:
        self.calls.append(f"{self.name} stop")

    def sweep(self) -> None:
        self.calls.append(f"{self.name} sweep")

    def drain(self, limit_s: float) -> Deferred[None]:
        self.calls.append(f"{self.name} drain {limit_s}")
        return self.drained

    def status(self) -> dict[str, int]:
        return {"calls": len(self.calls)}

    def register_metrics(self, metrics: Metrics) -> None:
        metrics.gauge(f"wsmsg_connect_{self.name}", "Calls", lambda: len(self.calls))


class PluginsTests(SynchronousTestCase):
    """
    L{Plugins}.
    """

    def setUp(self) -> None:
        self.calls: list[str] = []
        self.metrics = Metrics()
        self.plugins = Plugins(self.metrics)

    def add(self, name: str) -> RecordingPlugin:
        """
        Add a plug-in.
        """
        plugin = RecordingPlugin(name, self.calls)
        typed: Plugin = plugin
        self.plugins.add(typed)
        return plugin

    def test_order(self) -> None:
        """
        Plug-ins start in the order in which they were added, and stop in reverse.
        """
        self.add("a")
        self.add("b")
        self.assertEqual(self.calls, [])
        self.plugins.start()
        self.plugins.sweep()
        self.successResultOf(Deferred.fromCoroutine(self.plugins.stop()))
        expected = ["a start", "b start", "a sweep", "b sweep", "b stop", "a stop"]
        self.assertEqual(self.calls, expected)

    def test_one_that_fails(self) -> None:
        """
        A plug-in that raises is logged, and the others do what is due.
        """

        def broken() -> None:
            raise RuntimeError("a bug")

        self.patch(self.add("a"), "sweep", broken)
        self.add("b")
        self.plugins.sweep()
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.assertEqual(self.calls, ["b sweep"])

    def test_added_later(self) -> None:
        """
        A plug-in that is added to a running Connect starts at once, and is reported.
        """
        self.plugins.start()
        self.assertEqual(self.plugins.status(), {})
        self.add("late")
        self.assertEqual(self.calls, ["late start"])
        self.assertEqual(self.plugins.status(), {"late": {"calls": 1}})
        self.assertIn(b"wsmsg_connect_late 1", exposed(self.metrics))

    def test_drain(self) -> None:
        """
        All plug-ins drain at the same time, and the drain ends with the last.
        """
        first, _ = self.add("a"), self.add("b")
        first.drained = Deferred()
        drained = Deferred.fromCoroutine(self.plugins.drain(2.5))
        self.assertEqual(self.calls, ["a drain 2.5", "b drain 2.5"])
        self.assertNoResult(drained)
        first.drained.callback(None)
        self.successResultOf(drained)
