"""
The calls on the admin listener of a Message that consists of workers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from wsmsg.daemon.supervisor.asking import AskedWorkers
from wsmsg.daemon.supervisor.forward import forwarded
from wsmsg.daemon.supervisor.totals import WorkerTotals
from wsmsg.daemon.supervisor.worker import SupervisedWorker
from wsmsg.http.routes import Route
from wsmsg.message.http.api import admin_routes
from wsmsg.message.journal.interface import IDeadLetters
from wsmsg.message.life.interface import ILives
from wsmsg.monitoring.health import Health


class MessageWorkers:
    """
    The calls and the status of a Message that consists of workers, which share one
    store: any of them knows the dead letters, and asks the others for the life of a
    message.
    """

    def __init__(
        self, asked: AskedWorkers, totals: WorkerTotals, health: Health
    ) -> None:
        self._asked = asked

    def routes(self) -> Sequence[Route]:
        """
        Return the routes, which are those of one process.
        """
        nobody = cast(IDeadLetters, None), cast(ILives, None)
        return forwarded(admin_routes(*nobody), self._asked)

    def status(self) -> Mapping[str, object]:
        """
        Return the part C{message} of C{/status}: each worker has one of its own.
        """
        return {}

    def told_admin(self, worker: SupervisedWorker) -> None:
        """
        Do nothing: a new process is told nothing.
        """
