"""
Start, stop and exit status of a daemon.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from twisted.internet.defer import Deferred
from twisted.logger import LogLevel, capturedLogs
from twisted.logger import formatEvent as text_of
from twisted.trial.unittest import TestCase

from tests.daemon.doubles import Process, Reactor
from wsmsg.daemon.lead import LeadTime
from wsmsg.daemon.lifecycle import Part, RootService
from wsmsg.monitoring.health import Health, required_up


class RootTests(TestCase):
    """
    L{RootService}.
    """

    def setUp(self) -> None:
        self.reactor = Reactor()
        self.process = Process(self.reactor)
        self.health = Health(self.reactor, required_up)
        self.did: list[str] = []
        self.waits: dict[str, Deferred[None]] = {}
        self.lead_s = 0.0
        self.lead = LeadTime(self.reactor, lambda: self.lead_s)

    def does(self, what: str, result: object = None) -> Callable[[], object]:
        def step() -> object:
            self.did.append(what)
            if isinstance(result, Exception):
                raise result
            return result

        return step

    def waits_for(self, what: str) -> Callable[[], object]:
        self.waits[what] = Deferred()
        return self.does(what, self.waits[what])

    def root(self, *parts: Part, order: str = "") -> RootService:
        return RootService(
            self.reactor,
            parts,
            order.split(),
            exits=self.process.exits,
            health=self.health,
            stop_s=lambda: 5.0,
            lead=self.lead,
            stopping=self.does("stopping"),
        )

    def test_order(self) -> None:
        """
        Parts start one after the other, and stop in the order that is written out.
        """
        root = self.root(
            Part("a", self.waits_for("start a"), self.does("stop a")),
            Part("b", self.does("start b"), self.waits_for("stop b")),
            Part("c", stop=self.does("stop c")),
            order="b c a",
        )
        root.startService()
        self.assertEqual(self.did, ["start a"])
        self.assertFalse(self.health.ready)
        self.waits["start a"].callback(None)
        self.assertEqual(self.did[1:], ["start b"])
        self.assertTrue(self.health.ready)
        self.did.clear()
        stopped = root.stopService()
        self.assertFalse(self.health.ready)
        self.assertEqual(self.did, ["stopping", "stop b"])
        self.assertNoResult(stopped)
        self.waits["stop b"].callback(None)
        self.assertEqual(self.did[2:], ["stop c", "stop a"])
        self.successResultOf(stopped)
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        self.assertEqual(self.process.end(), 0)

    def test_failed_start(self) -> None:
        """
        A part that cannot start ends the daemon with one line and status 1; only parts
        that were started are stopped.
        """
        root = self.root(
            Part("a", self.does("start a"), self.does("stop a")),
            Part("b", self.does("start b", OSError("held by another")), self.does("b")),
            Part("c", self.does("start c"), self.does("stop c")),
            order="c b a",
        )
        with capturedLogs() as events:
            root.startService()
        (line,) = [e for e in events if e["log_level"] >= LogLevel.warn]
        self.assertEqual(text_of(line), "stopping: cannot start b: held by another")
        self.assertNotIn("log_failure", line)
        self.assertEqual(self.reactor.stopped, 1)
        self.did.clear()
        self.successResultOf(root.stopService())
        self.assertEqual(self.did, ["stopping", "b", "stop a"])
        self.assertFalse(self.health.ready)
        self.assertEqual(self.process.end(), 1)

    def test_failed_stop(self) -> None:
        """
        A part that fails to stop is logged, and the others still stop.
        """
        root = self.root(
            Part("a", stop=self.does("stop a", ZeroDivisionError("x"))),
            Part("b", stop=self.does("stop b")),
            order="a b",
        )
        root.startService()
        self.successResultOf(root.stopService())
        self.assertEqual(self.did, ["stopping", "stop a", "stop b"])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_stop_takes_too_long(self) -> None:
        """
        A stop that exceeds its time limit still stops the other parts, and ends the
        process with status 1 and the name of the part that hung.
        """
        root = self.root(
            Part("a", stop=self.waits_for("stop a")),
            Part("b", stop=self.does("stop b")),
            order="a b",
        )
        root.startService()
        root.stopService()
        self.reactor.advance(4.9)
        self.assertEqual(self.did, ["stopping", "stop a"])
        self.assertEqual(self.process.left, [])
        with capturedLogs() as events:
            self.reactor.advance(0.1)
        self.assertEqual(self.did, ["stopping", "stop a", "stop b"])
        self.assertEqual(self.process.left, [1])
        self.assertIn("some parts still run: a", text_of(events[0]))

    def test_stop_while_starting(self) -> None:
        """
        A stop cancels a start that is under way, which does not count as a failure.
        """
        root = self.root(
            Part("a", self.waits_for("start a"), self.does("stop a")),
            Part("b", self.does("start b"), self.does("stop b")),
            order="b a",
        )
        root.startService()
        self.successResultOf(root.stopService())
        self.assertEqual(self.did, ["start a", "stopping", "stop a"])
        self.assertEqual(self.process.end(), 0)

    def test_lead_time(self) -> None:
        """
        Readiness ends at once, the first part stops when the lead time is over, and the
        time limit for stopping begins then.
        """
        self.lead_s = 30.0
        root = self.root(Part("a", stop=self.waits_for("stop a")), order="a")
        root.startService()
        stopped = root.stopService()
        self.assertFalse(self.health.ready)
        self.reactor.advance(29.9)
        self.assertEqual(self.did, ["stopping"])
        self.reactor.advance(0.1)
        self.assertEqual(self.did, ["stopping", "stop a"])
        self.reactor.advance(4.9)
        self.waits["stop a"].callback(None)
        self.successResultOf(stopped)
        self.assertEqual(self.process.left, [])
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_lead_time_cut(self) -> None:
        """
        A lead time that is cut ends at once.
        """
        self.lead_s = 30.0
        root = self.root(Part("a", stop=self.does("stop a")), order="a")
        root.startService()
        self.assertFalse(self.lead.cut())
        stopped = root.stopService()
        self.assertTrue(self.lead.cut())
        self.successResultOf(stopped)
        self.assertEqual(self.did, ["stopping", "stop a"])
        self.assertFalse(self.lead.cut())
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_no_lead_time(self) -> None:
        """
        A daemon to which no balancer sends anybody stops at once: one that was not
        ready, or that has failed.
        """
        self.lead_s = 30.0
        root = self.root(Part("a", stop=self.does("stop a")), order="a")
        root.startService()
        self.process.exits.exit_with(1, "gave up")
        self.successResultOf(root.stopService())
        starting = self.root(
            Part("b", self.waits_for("start b"), self.does("stop b")), order="b"
        )
        starting.startService()
        self.successResultOf(starting.stopService())
        self.assertEqual(self.did[-2:], ["stopping", "stop b"])

    def test_coroutines(self) -> None:
        """
        A part may start and stop with coroutines.
        """

        async def start() -> None:
            self.did.append("start")

        root = self.root(Part("a", start, self.does("stop")), order="a")
        root.startService()
        self.assertEqual(self.did, ["start"])
        self.assertTrue(self.health.ready)

    def test_forgotten_part(self) -> None:
        """
        A part that is missing in the order of stopping raises an error at once.
        """
        forgotten = Part("a", stop=self.does("stop"))
        self.assertRaises(ValueError, self.root, forgotten, order="")


class ExitTests(TestCase):
    """
    L{Exit}.
    """

    def setUp(self) -> None:
        self.reactor = Reactor()
        self.pidfile = Path(self.mktemp())
        self.pidfile.write_text("1")
        self.process = Process(self.reactor, str(self.pidfile))
        self.exits = self.process.exits

    def test_first_failure_decides(self) -> None:
        """
        A later success, or a second failure, does not replace the first failure: the
        log has one reason.
        """
        with capturedLogs() as logged:
            self.exits.exit_with(3, "gave up")
            self.exits.exit_with(0, "received SIGTERM")
            self.exits.exit_with(1, "more")
        self.assertEqual(self.process.end(), 3)
        self.assertEqual([event["reason"] for event in logged], ["gave up"])

    def test_success(self) -> None:
        """
        Without a failure the process exits as usual, with status 0.
        """
        self.exits.exit_with(0, "received SIGTERM")
        self.assertEqual(self.reactor.stopped, 1)
        self.assertEqual((self.process.end(), self.process.left), (0, []))

    def test_now(self) -> None:
        """
        An abort leaves no pid file behind.
        """
        self.exits.abort(1, "received SIGTERM again")
        self.assertEqual(self.process.left, [1])
        self.assertFalse(self.pidfile.exists())
        self.exits.abort(1, "no pid file")

    def test_last_line(self) -> None:
        """
        An abort writes the log out before it ends the process.
        """
        self.exits.on_abort(lambda: self.process.left.append(-1))
        self.exits.abort(1, "received SIGTERM again")
        self.assertEqual(self.process.left, [-1, 1])
