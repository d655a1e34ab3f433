"""
One worker, with processes that do not run.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.error import ProcessDone, ProcessExitedAlready, ProcessTerminated
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from tests.daemon.doubles import Reactor
from wsmsg.daemon.supervisor.worker import HANGS_S, STEADY_S, SupervisedWorker
from wsmsg.daemon.supervisor.workers import Workers
from wsmsg.daemon.worker.facts import FACTS_FD, ORDERS_FD, Fact, encoded_fact
from wsmsg.dependency.state import State
from wsmsg.monitoring.health import Health, any_up


class Child:
    """
    A process, as its transport.
    """

    def __init__(self, protocol: Any, pid: int) -> None:
        self.protocol = protocol
        self.pid = pid
        self.pipes = {ORDERS_FD: self}
        self.orders: list[str] = []
        self.killed = False
        self.gone = False
        protocol.makeConnection(self)

    def writeToChild(self, descriptor: int, data: bytes) -> None:
        assert descriptor == ORDERS_FD
        self.orders += data.decode().split()

    def signalProcess(self, name: str) -> None:
        if self.gone:
            raise ProcessExitedAlready()
        self.killed = name == "KILL"

    def say(self, **fields: Any) -> None:
        """
        Report a fact.
        """
        line = encoded_fact(Fact(**fields)) + b"\n"
        for part in (line[:3], line[3:]):
            self.protocol.childDataReceived(FACTS_FD, part)

    def end(self, status: int | None = None, signal: int | None = None) -> None:
        """
        End.
        """
        self.gone = True
        error = ProcessDone(0) if status == 0 else ProcessTerminated(status, signal)
        self.protocol.processEnded(Failure(error))


class WorkerTestCase(SynchronousTestCase):
    """
    Workers with processes that do not run.
    """

    def setUp(self) -> None:
        self.clock = Reactor()
        self.children: list[Child] = []
        self.refuses = False

    def spawn(self, protocol: Any) -> Child:
        if self.refuses:
            raise OSError(11, "Resource temporarily unavailable")
        self.children.append(Child(protocol, 1000 + len(self.children)))
        return self.children[-1]

    def worker(self, number: int = 1) -> SupervisedWorker:
        def retry(failures: int) -> float | None:
            return None if failures > 4 else float(failures)

        return SupervisedWorker(number, self.clock, spawn=self.spawn, retry=retry)


class WorkerTests(WorkerTestCase):
    """
    L{SupervisedWorker}.
    """

    def test_again(self) -> None:
        """
        A process that ends is followed by another one, after longer and longer delays;
        one that was ready for a while begins with the shortest again.
        """
        worker = self.worker()
        worker.start()
        for n, (child, delay_s) in enumerate(((0, 1), (1, 2), (2, 3))):
            self.children[child].say(ready=True)
            self.assertIs(worker.dependency.state, State.UP)
            self.children[child].end(signal=9)
            self.assertIs(worker.dependency.state, State.CONNECTING)
            error = worker.dependency.snapshot().last_error
            self.assertEqual(error, f"process {1000 + n} was ended by SIGKILL")
            self.clock.advance(delay_s - 0.1)
            self.assertEqual(len(self.children), child + 1)
            self.clock.advance(0.1)
            self.assertEqual(len(self.children), child + 2)
        self.children[3].say(ready=True)
        self.clock.advance(STEADY_S)
        self.children[3].end(status=1)
        self.clock.advance(1)
        self.assertEqual(len(self.children), 5)
        self.assertEqual(worker.dependency.snapshot().losses, 4)

    def test_given_up(self) -> None:
        """
        With a limit of attempts, a worker is given up at it.
        """
        worker = self.worker()
        worker.start()
        for _ in range(5):
            self.children[-1].end(status=2)
            self.clock.advance(10)
        self.assertEqual(len(self.children), 5)
        self.assertIs(worker.dependency.state, State.DOWN)
        self.assertIn("status 2", worker.dependency.snapshot().last_error)

    def test_no_process(self) -> None:
        """
        A process that cannot be started is tried again.
        """
        self.refuses = True
        worker = self.worker()
        worker.start()
        error = worker.dependency.snapshot().last_error
        self.assertIn("Resource temporarily unavailable", error)
        self.refuses = False
        self.clock.advance(1)
        self.assertEqual(len(self.children), 1)

    def test_hangs(self) -> None:
        """
        A worker that has reported, and then is silent, is killed; a sign of life in
        time prevents it.
        """
        worker = self.worker()
        worker.start()
        self.children[0].say(admin=1234)
        for _ in range(3):
            self.clock.advance(HANGS_S - 1)
            worker.look()
            self.assertFalse(self.children[0].killed)
            self.children[0].say()
        self.clock.advance(HANGS_S + 1)
        worker.look()
        self.assertTrue(self.children[0].killed)

    def test_unready(self) -> None:
        """
        A worker that is not ready has the reason in its state.
        """
        worker = self.worker()
        worker.start()
        self.children[0].say(ready=True)
        self.children[0].say(ready=False, reason="waiting for message a:1")
        snapshot = worker.dependency.snapshot()
        self.assertEqual(snapshot.state, State.CONNECTING)
        self.assertEqual(snapshot.last_error, "waiting for message a:1")
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_nonsense(self) -> None:
        """
        A line that is no fact is logged and changes nothing.
        """
        worker = self.worker()
        worker.start()
        protocol = self.children[0].protocol
        protocol.childDataReceived(FACTS_FD, b'{"ready": "x"}\n' + b"[" * 20_000)
        protocol.childDataReceived(2, b"Segmentation fault\n")
        self.children[0].say(ready=True)
        self.assertTrue(worker.dependency.up)

    def test_stop(self) -> None:
        """
        A worker that stops is not started again; without a process it stops at once.
        """
        worker = self.worker()
        worker.start()
        stopped = worker.stop()
        self.assertNoResult(stopped)
        self.assertEqual(self.children[0].orders, ["stop"])
        self.children[0].end(status=0)
        self.successResultOf(stopped)
        waiting = self.worker()
        waiting.start()
        self.children[1].end(status=1)
        self.successResultOf(waiting.stop())
        self.assertEqual(self.clock.getDelayedCalls(), [])


class WorkersTests(WorkerTestCase):
    """
    L{Workers}.
    """

    def setUp(self) -> None:
        super().setUp()
        self.health = Health(self.clock, any_up)
        self.workers = Workers(
            [self.worker(1), self.worker(2)], self.clock, self.health, lambda: 5.0
        )
        self.workers.start()
        self.addCleanup(self.workers.stop)
        self.health.started()

    def test_ready(self) -> None:
        """
        The daemon is ready when all workers are, and then while one is, degraded; when
        all have died, it says so, and stays.
        """
        one, two = self.children
        one.say(ready=True)
        self.assertEqual(self.health.reason(), "waiting for worker 2")
        two.say(ready=True)
        self.assertTrue(self.health.ready)
        self.assertFalse(self.health.degraded)
        one.end(signal=11)
        self.assertTrue(self.health.ready and self.health.degraded)
        two.end(signal=11)
        self.assertFalse(self.health.ready)
        self.assertEqual(self.health.reason(), "waiting for worker 1, worker 2")
        self.clock.advance(1)
        self.children[2].say(ready=True)
        self.assertTrue(self.health.ready)

    def test_reload(self) -> None:
        """
        One worker reloads after another; one that dies meanwhile holds up none.
        """
        one, two = self.children
        one.say(admin=1, ready=True)
        two.say(admin=2, ready=True)
        done = self.workers.reload()
        self.assertEqual((one.orders, two.orders), (["reload"], []))
        one.end(signal=9)
        self.assertEqual(two.orders, ["reload"])
        two.say(reloaded=True)
        self.successResultOf(done)

    def test_cut(self) -> None:
        """
        A second signal ends the lead time of all workers, and only that.
        """
        self.workers.stop()
        self.assertTrue(self.workers.cut())
        self.assertEqual([c.orders for c in self.children], [["stop", "stop"]] * 2)
        self.assertFalse(self.workers.cut())

    def test_kill(self) -> None:
        """
        All workers are killed, also one that has just ended.
        """
        self.children[0].gone = True
        self.workers.kill()
        self.assertTrue(self.children[1].killed)

    def test_fine(self) -> None:
        """
        A worker that is silent although it was killed keeps the watchdog hungry.
        """
        for child in self.children:
            child.say(admin=1)
        self.clock.advance(HANGS_S)
        self.assertTrue(self.workers.is_fine)
        self.clock.advance(HANGS_S)
        self.assertFalse(self.workers.is_fine)
