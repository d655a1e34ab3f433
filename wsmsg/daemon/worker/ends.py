"""
A worker's end of the pipes to its supervisor.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from twisted.internet.protocol import connectionDone
from twisted.internet.stdio import StandardIO
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.protocols.basic import LineOnlyReceiver
from twisted.python.failure import Failure

from wsmsg.daemon.worker.facts import (
    FACTS_FD,
    MOST_BYTES,
    ORDERS_FD,
    Fact,
    Order,
    encoded_fact,
)
from wsmsg.monitoring.health import Health

#: Seconds between two signs of life.
ALIVE_S = 1.0
_REASON = 500


class ObeyingProcess(Protocol):
    """
    The process of the worker.
    """

    def stop(self, status: int, reason: str) -> None:
        """
        Stop in order.
        """

    def stop_now(self, reason: str) -> None:
        """
        End the lead time, or the process.
        """

    @property
    def reload(self) -> Callable[[], bool]:
        """
        Reads the settings again, and returns whether they are valid.
        """

    @property
    def rotate(self) -> Callable[[], object]:
        """
        Begins a new log file.
        """


class WorkerEnds(LineOnlyReceiver):
    """
    Reports to the supervisor, and obeys it.  When the supervisor is gone, the worker
    stops in order: it does not stay behind with the port.

    @param admin: returns the port of the admin listener.
    """

    _log = Logger()
    delimiter = b"\n"
    MAX_LENGTH = MOST_BYTES

    def __init__(
        self,
        clock: Any,
        health: Health,
        process: ObeyingProcess,
        admin: Callable[[], int],
        connect: Callable[..., object] = StandardIO,
    ) -> None:
        self._health = health
        self._process = process
        self._admin = admin
        self._connect = connect
        self._clock = clock
        self._stopping = False
        self._open = False
        self._alive = LoopingCall(self._tell_life)
        self._alive.clock = clock

    def start(self) -> None:
        """
        Report the state from now on.
        """
        self._connect(self, stdin=ORDERS_FD, stdout=FACTS_FD, reactor=self._clock)
        self._tell(Fact(admin=self._admin()))
        self._health.on_change(lambda _: self._tell_readiness())
        self._alive.start(ALIVE_S, now=False)

    def stop(self) -> None:
        """
        Report no more.
        """
        if self._alive.running:
            self._alive.stop()

    def connectionMade(self) -> None:
        self._open = True

    def lineReceived(self, line: bytes) -> None:
        with self._log.failuresHandled("an order of the supervisor"):
            self._obey(Order(line.decode()))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._open = False
        if not self._stopping:
            self._stopping = True
            self._process.stop(1, "the supervisor is gone")

    def _obey(self, order: Order) -> None:
        match order:
            case Order.STOP if self._stopping:
                self._process.stop_now("the supervisor asked to stop again")
            case Order.STOP:
                self._stopping = True
                self._process.stop(0, "the supervisor asked to stop")
            case Order.RELOAD:
                self._tell(Fact(reloaded=self._process.reload()))
            case Order.ROTATE:
                self._process.rotate()

    def _tell_life(self) -> None:
        if self._health.ready:
            self._tell(Fact())
        else:
            self._tell_readiness()  # the reason may be another one

    def _tell_readiness(self) -> None:
        reason = self._health.reason()[:_REASON]
        self._tell(Fact(ready=self._health.ready, reason=reason))

    def _tell(self, fact: Fact) -> None:
        if self._open:
            self.sendLine(encoded_fact(fact))  # type: ignore[no-untyped-call]
