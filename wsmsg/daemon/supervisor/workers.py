"""
All workers of a daemon.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.defer import Deferred, DeferredLock, gatherResults
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from wsmsg.daemon.supervisor.worker import HANGS_S, SupervisedWorker
from wsmsg.daemon.worker.facts import Order
from wsmsg.dependency.state import Dependency
from wsmsg.monitoring.health import Health
from wsmsg.text.counted import counted

_LOOK_S = 1.0
#: A worker has so long for a reload before the next one is asked.
_RELOAD_S = 30.0
_HOLD = "workers"


class Workers:
    """
    All workers, which start and stop together, and reload one after another.

    The daemon is ready for the first time when all of them are, and from then on while
    one of them is.

    @param lead_s: returns the time for which workers serve on when they stop.
    """

    _log = Logger()

    def __init__(
        self,
        workers: Sequence[SupervisedWorker],
        clock: Any,
        health: Health,
        lead_s: Callable[[], float],
    ) -> None:
        self.all = workers
        self._clock = clock
        self._health = health
        self._lead_s = lead_s
        self._lead_until_s: float | None = None
        self._turns = DeferredLock()
        self._waiting = {worker.dependency for worker in workers}
        self._looking = LoopingCall(self._look)
        self._looking.clock = clock
        for worker in workers:
            worker.dependency.one_of(len(workers))
            worker.dependency.on_change(self._changed)
            health.add(worker.dependency)
        self._hold()

    @property
    def is_fine(self) -> bool:
        """
        True unless a worker hangs although it was killed.
        """
        return all(worker.silent_s < 2 * HANGS_S for worker in self.all if worker.admin)

    def start(self) -> None:
        """
        Start all of them.
        """
        for worker in self.all:
            worker.start()
        self._looking.start(_LOOK_S, now=False)

    def stop(self) -> Deferred[Any]:
        """
        Stop all of them.

        @return: fires when none is left.
        """
        self._lead_until_s = self._clock.seconds() + self._lead_s()
        stopped: Deferred[Any] = gatherResults([worker.stop() for worker in self.all])
        return stopped.addBoth(self._stopped)

    def _stopped(self, _: object) -> None:
        if self._looking.running:
            self._looking.stop()

    def reload(self) -> Deferred[None]:
        """
        Have one worker after another read the settings again.
        """
        return self._turns.run(lambda: Deferred.fromCoroutine(self._reload()))

    def rotate(self) -> None:
        """
        Have all of them begin new log files.
        """
        for worker in self.all:
            worker.order(Order.ROTATE)

    def cut(self) -> bool:
        """
        End their lead time.  A signal function may call this.

        @return: whether it was under way.
        """
        until_s, self._lead_until_s = self._lead_until_s, None
        if until_s is None or self._clock.seconds() >= until_s:
            return False
        self._clock.callFromThread(self._stop_again)
        return True

    def kill(self) -> None:
        """
        End all of them at once.
        """
        for worker in self.all:
            worker.kill()

    async def _reload(self) -> None:
        failed = []
        for worker in self.all:
            reloaded = worker.reload()
            reloaded.addTimeout(_RELOAD_S, self._clock, lambda *_: False)
            if not await reloaded:
                failed.append(worker.number)
        if failed:
            self._log.error("workers that did not reload: {failed}", failed=failed)
        else:
            n = counted(len(self.all), "worker")
            self._log.info("{n} reloaded, one after another", n=n)

    def _stop_again(self) -> None:
        for worker in self.all:
            worker.order(Order.STOP)

    def _look(self) -> None:
        for worker in self.all:
            worker.look()

    def _changed(self, dependency: Dependency) -> None:
        if dependency.up and dependency in self._waiting:
            self._waiting.discard(dependency)
            self._hold()

    def _hold(self) -> None:
        names = [w.dependency.name for w in self.all if w.dependency in self._waiting]
        reason = f"waiting for {', '.join(names)}" if names else ""
        self._health.hold(_HOLD, reason)
