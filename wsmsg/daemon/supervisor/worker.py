"""
One worker: a process, and the next one after that has ended.

::

    waiting --start--> starting --ready--> up --not ready--> starting
       ^                  |                 |
       '---- ended, or silent for so long that it is killed: by retry.* ----

The state is a L{Dependency}, so the log, C{/readyz} and the metrics tell of it as of
anything else that the daemon needs.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import ProcessExitedAlready, ProcessTerminated
from twisted.internet.protocol import ProcessProtocol
from twisted.logger import Logger
from twisted.python.failure import Failure

from wsmsg.daemon.worker.facts import (
    FACTS_FD,
    ORDERS_FD,
    STDERR_FD,
    Fact,
    Lines,
    Order,
    decoded_fact,
)
from wsmsg.dependency.retry import RetryPolicy
from wsmsg.dependency.state import Dependency

#: A worker that reports nothing for so long hangs: 20 signs of life are missing.
HANGS_S = 20.0
#: A process may take so long until its first fact.
STARTS_S = 120.0
#: A worker that was ready for so long begins with the shortest delay again.
STEADY_S = 10.0

#: Starts a process for a protocol, and returns its transport.
Spawn = Callable[[ProcessProtocol], Any]


class _Run(ProcessProtocol):
    """
    One process of a worker.
    """

    _log = Logger()

    def __init__(self, worker: SupervisedWorker) -> None:
        self._worker = worker
        self._pipes = {
            FACTS_FD: (Lines(), self._fact),
            STDERR_FD: (Lines(), self._complaint),
        }

    def childDataReceived(self, childFD: int, data: bytes) -> None:
        lines, take = self._pipes[childFD]
        for line in lines.split(data):
            take(line)

    def order(self, order: Order) -> None:
        """
        Write an order.
        """
        transport: Any = self.transport
        # The process may have closed its end already: processEnded follows.
        if ORDERS_FD in transport.pipes:
            transport.writeToChild(ORDERS_FD, f"{order}\n".encode())

    def kill(self) -> None:
        transport: Any = self.transport
        try:
            transport.signalProcess("KILL")
        except ProcessExitedAlready:
            pass

    def processEnded(self, reason: Failure) -> None:
        self._worker.ended(self, _end_in_words(reason.value))

    def _fact(self, line: bytes) -> None:
        try:
            fact = decoded_fact(line)
        except ValueError as e:
            self._log.error("a line of a worker is no fact: {e}", e=e)
            return
        self._worker.told(self, fact)

    def _complaint(self, line: bytes) -> None:
        self._log.warn(
            "worker {number}, on stderr: {text}",
            number=self._worker.number,
            text=line.decode("utf-8", "replace"),
        )


class SupervisedWorker:
    """
    One worker, as its supervisor has it.

    @param clock: the reactor.
    @param retry: the delays before a process is started again.
    @param told_admin: called when the admin listener of a process is known.
    @ivar number: from 1 on.
    @ivar dependency: up while the worker is ready.
    @ivar admin: the port of its admin listener; 0: not known.
    @ivar pid: the number of its process; 0: there is none.
    """

    _log = Logger()

    def __init__(
        self,
        number: int,
        clock: Any,
        *,
        spawn: Spawn,
        retry: RetryPolicy,
        told_admin: Callable[[SupervisedWorker], object] = lambda _: None,
    ) -> None:
        self.number = number
        self.dependency = Dependency(f"worker {number}", clock)
        self.admin = 0
        self.pid = 0
        self._clock = clock
        self._spawn = spawn
        self._retry = retry
        self._told_admin = told_admin
        self._run: _Run | None = None
        self._timer: Any = None
        self._failures = 0
        self._heard_s = 0.0
        self._ready_s: float | None = None
        self._stopping = False
        self._gone: Deferred[None] | None = None
        self._reloaded: Deferred[bool] | None = None

    @property
    def silent_s(self) -> float:
        """
        Seconds since the process was heard of last; 0 without a process.
        """
        return 0.0 if self._run is None else self._clock.seconds() - self._heard_s

    def start(self) -> None:
        """
        Start a process.
        """
        self._timer = None
        self.dependency.attempting()
        self._heard_s = self._clock.seconds()
        run = self._run = _Run(self)
        try:
            self.pid = self._spawn(run).pid
        except OSError as e:  # no memory, too many processes
            self.ended(run, f"cannot be started: {e.strerror or e}")
            return
        self.dependency.describe(f"process {self.pid}")

    def order(self, order: Order) -> None:
        """
        Give an order to the process, if there is one.
        """
        if self._run is not None:
            self._run.order(order)

    def reload(self) -> Deferred[bool]:
        """
        Have the worker read the settings again.

        @return: whether it has; at once L{True} without a process, as the next one
            reads them anyway.
        """
        if self._run is None or not self.admin:
            return succeed(True)
        self._reloaded = Deferred()
        self.order(Order.RELOAD)
        return self._reloaded

    def stop(self) -> Deferred[None]:
        """
        Stop in order, and start no more.

        @return: fires when there is no process.
        """
        self._stopping = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self.dependency.stopped()
        if self._run is None:
            return succeed(None)
        self._gone = Deferred()
        self.order(Order.STOP)
        return self._gone

    def kill(self) -> None:
        """
        End the process at once.
        """
        if self._run is not None:
            self._run.kill()

    def look(self) -> None:
        """
        Kill a process that hangs; called once a second.
        """
        limit_s = HANGS_S if self.admin else STARTS_S
        if self.silent_s > limit_s:
            self._log.error(
                "worker {number}: process {pid} was silent for {seconds:.0f} s and is "
                "killed",
                number=self.number,
                pid=self.pid,
                seconds=self.silent_s,
            )
            self.kill()

    # ------------------------------------------------------ reports of the process

    def told(self, run: _Run, fact: Fact) -> None:
        """
        Take a fact.
        """
        if run is not self._run:
            return
        self._heard_s = self._clock.seconds()
        if fact.admin:
            self.admin = fact.admin
            self._told_admin(self)
        if fact.reloaded is not None:
            self._answer_reload(fact.reloaded)
        if fact.ready is not None and not self._stopping:
            self._tell_readiness(fact.ready, fact.reason)

    def ended(self, run: _Run, how: str) -> None:
        """
        Note the end of a process, and start the next one after a delay.
        """
        if run is not self._run:
            return
        how = f"process {self.pid} {how}" if self.pid else how
        self._run, self.pid, self.admin = None, 0, 0
        self._answer_reload(False)
        if self._stopping:
            if self._gone is not None:
                self._gone.callback(None)
            return
        now_s, ready_s = self._clock.seconds(), self._ready_s
        is_steady = ready_s is not None and now_s - ready_s >= STEADY_S
        self._failures = 1 if is_steady else self._failures + 1
        self._ready_s = None
        delay_s = self._retry(self._failures)
        self.dependency.describe("")
        self.dependency.lost(how)
        self.dependency.failed(how, delay_s)
        if delay_s is not None:
            self._timer = self._clock.callLater(delay_s, self.start)

    def _tell_readiness(self, ready: bool, reason: str) -> None:
        if ready:
            self._ready_s = self._clock.seconds()
            self.dependency.describe(f"process {self.pid}")
            self.dependency.succeeded()
        else:
            self.dependency.describe(f"process {self.pid}, {reason}")
            self.dependency.lost(reason)

    def _answer_reload(self, valid: bool) -> None:
        reloaded, self._reloaded = self._reloaded, None
        if reloaded is not None:
            reloaded.callback(valid)


def _end_in_words(error: BaseException | None) -> str:
    if isinstance(error, ProcessTerminated):
        if error.signal is not None:
            return f"was ended by {signal.Signals(error.signal).name}"
        return f"ended with status {error.exitCode}"
    return "ended with status 0"
