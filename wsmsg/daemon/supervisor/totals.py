"""
The status and the metrics of several workers as those of one daemon.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from wsmsg.daemon.supervisor.asking import AskedWorkers
from wsmsg.daemon.supervisor.worker import SupervisedWorker
from wsmsg.monitoring.measures.merged import Families, families_in, merged, summed
from wsmsg.monitoring.metrics import Number

#: Seconds between two looks at all workers, for the charts of the status page.
LOOK_S = 5.0
#: Fields of a worker's status that are shown with it.
_SHOWN = ("node", "ready", "in_words", "uptime_s", "alarms", "dependencies")


class WorkerTotals:
    """
    The status and the metrics of all workers, as they told last.

    @param daemon: C{connect} or C{message}.
    @param clock: the reactor.
    """

    _log = Logger()

    def __init__(
        self,
        daemon: str,
        workers: Sequence[SupervisedWorker],
        asked: AskedWorkers,
        clock: Any,
    ) -> None:
        self._daemon = daemon
        self._workers = workers
        self._asked = asked
        self._documents: Mapping[int, dict[str, Any]] = {}
        self._families: Mapping[int, Families] = {}
        self._looking = LoopingCall(self._look)
        self._looking.clock = clock

    def start(self) -> None:
        """
        Ask all workers again and again.
        """
        self._looking.start(LOOK_S, now=False)

    def stop(self) -> Deferred[Any]:
        """
        Ask no more.
        """
        if self._looking.running:
            self._looking.stop()
        return self._asked.close()

    async def ask(self) -> None:
        """
        Ask all workers.
        """
        documents = await self._asked.all("GET", "/status")
        pages = await self._asked.all("GET", "/metrics")
        self._documents = {n: json.loads(text) for n, text in documents.items()}
        self._families = {n: families_in(text.decode()) for n, text in pages.items()}

    @property
    def sections(self) -> Mapping[int, Mapping[str, Any]]:
        """
        The section of the daemon in the status of each worker that answers.
        """
        alive = {worker.number for worker in self._workers if worker.admin}
        return {
            number: document.get(self._daemon, {})
            for number, document in self._documents.items()
            if number in alive
        }

    def document(self) -> Sequence[Mapping[str, object]]:
        """
        Return the section C{workers} of C{/status}.
        """
        return [self._of(worker) for worker in self._workers]

    def with_metrics(self, own: bytes) -> bytes:
        """
        Return a page of metrics with those of all workers.
        """
        return merged(families_in(own.decode()), self._families).encode()

    def has(self, name: str) -> bool:
        """
        Return whether workers have a metric of this name, as far as is known before
        they run.
        """
        return name.startswith(f"wsmsg_{self._daemon}_")

    def read(self, name: str) -> Mapping[str, Number]:
        """
        Return the values of a metric over all workers.
        """
        return summed(name, list(self._families.values()))

    def _of(self, worker: SupervisedWorker) -> Mapping[str, object]:
        snapshot = worker.dependency.snapshot()
        about = {
            "worker": worker.number,
            "process": worker.pid,
            "state": snapshot.state.value,
            "losses": snapshot.losses,
        }
        document = self._documents.get(worker.number, {}) if worker.admin else {}
        about |= {key: document[key] for key in _SHOWN if key in document}
        return {**about, self._daemon: document.get(self._daemon, {})}

    def _look(self) -> Deferred[None]:
        return Deferred.fromCoroutine(self._looked())

    async def _looked(self) -> None:
        with self._log.failuresHandled("asking the workers"):
            await self.ask()
