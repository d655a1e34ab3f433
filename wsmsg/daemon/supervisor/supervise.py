"""
The composition of a supervisor.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.protocol import ProcessProtocol

from wsmsg.auth.local_key import ADMIN_KEY, local_key
from wsmsg.daemon.app import Daemon
from wsmsg.daemon.lifecycle import Part, RootService, part
from wsmsg.daemon.options import DaemonOptions
from wsmsg.daemon.preflight import Probe
from wsmsg.daemon.supervisor.asking import AskedWorkers
from wsmsg.daemon.supervisor.command import WorkerCommand
from wsmsg.daemon.supervisor.totals import WorkerTotals
from wsmsg.daemon.supervisor.worker import SupervisedWorker
from wsmsg.daemon.supervisor.workers import Workers
from wsmsg.daemon.worker.facts import FACTS_FD, ORDERS_FD, STDERR_FD
from wsmsg.daemon.worker.ports import shared_socket
from wsmsg.daemon.worker.share import WorkerNumber, shared_listeners
from wsmsg.http.routes import Route
from wsmsg.monitoring.health import Health, any_up
from wsmsg.settings.urls.address import parse_address

#: Descriptors of a worker: its standard streams, of which the last one is logged, and
#: the pipes.
_DESCRIPTORS = {0: 0, 1: 1, STDERR_FD: "r", ORDERS_FD: "w", FACTS_FD: "r"}


class WorkerKind(Protocol):
    """
    The further calls and status of the workers of one kind of daemon.
    """

    def routes(self) -> Sequence[Route]:
        """
        Return the routes of the supervisor's admin listener.
        """

    def status(self) -> Mapping[str, object]:
        """
        Return the section of the daemon in C{/status}.
        """

    def told_admin(self, worker: SupervisedWorker) -> object:
        """
        Note that a process of a worker can be asked, before it serves anybody.
        """


MakeKind = Callable[[AskedWorkers, WorkerTotals, Health], WorkerKind]


def supervise(
    options: DaemonOptions,
    reactor: Any,
    make_kind: MakeKind,
    probes: Iterable[tuple[str, Probe]] = (),
) -> RootService:
    """
    Make the service of a supervisor, in place of that of the daemon.

    @param probes: what the daemon checks before twistd forks, so that each mistake has
        one line on the terminal, and not one in the log of each worker.
    """
    daemon = Daemon(options, reactor, rule=any_up, probes=probes)
    crew = _Crew(options, reactor, daemon, make_kind)
    name = options.daemon
    daemon.health.add_section(name, crew.kind.status)
    daemon.health.add_section("workers", crew.totals.document)
    parts = [
        Part("ports", crew.ports.take, crew.ports.leave),
        part("workers", crew.workers),
        part("totals", crew.totals),
    ]
    return daemon.service(
        parts, ["workers", "totals", "ports"], admin=crew.kind.routes(), crew=crew
    )


class _Ports:
    """
    The ports that workers share, held while none of them listens: nobody else gets
    them, and a port that the system chose stays.
    """

    def __init__(self, settings: Any) -> None:
        self._settings = settings
        self._held: dict[str, socket.socket] = {}

    def take(self) -> None:
        for key in shared_listeners(self._settings):
            listen = getattr(self._settings, key)
            if listen:
                self._held[key] = shared_socket(parse_address(listen))

    def leave(self) -> None:
        for held in self._held.values():
            held.close()

    def options(self) -> list[str]:
        """
        Return the options by which workers listen there.
        """
        found = []
        for key, held in self._held.items():
            address = parse_address(getattr(self._settings, key))
            address = address._replace(port=held.getsockname()[1])
            found.append(f"--set={key}={address}")
        return found


class _Crew:
    """
    The workers, as L{Daemon} wants them.
    """

    def __init__(
        self, options: DaemonOptions, reactor: Any, daemon: Daemon, make_kind: MakeKind
    ) -> None:
        self.ports = _Ports(daemon.settings)
        self._reactor = reactor
        self._options = options
        self._node = daemon.node
        count = daemon.settings.workers
        members = [
            SupervisedWorker(
                number,
                reactor,
                spawn=partial(self._spawn, WorkerNumber(number, count)),
                retry=daemon.retry,
                told_admin=self._told_admin,
            )
            for number in range(1, count + 1)
        ]
        read_key = partial(local_key, daemon.data_dir, name=ADMIN_KEY)
        asked = AskedWorkers(members, reactor, read_key)
        self.totals = WorkerTotals(options.daemon, members, asked, reactor)
        self.kind = make_kind(asked, self.totals, daemon.health)
        self.workers = Workers(
            members, reactor, daemon.health, lambda: float(daemon.current.drain.lead_s)
        )
        self.values = self.totals
        self.ask = self.totals.ask
        self.with_metrics = self.totals.with_metrics
        self.rotate = self.workers.rotate
        self.cut = self.workers.cut
        self.kill = self.workers.kill

    @property
    def is_fine(self) -> bool:
        return self.workers.is_fine

    def reload(self) -> Deferred[None]:
        return self.workers.reload()

    def _told_admin(self, worker: SupervisedWorker) -> None:
        self.kind.told_admin(worker)

    def _spawn(self, worker: WorkerNumber, protocol: ProcessProtocol) -> Any:
        options = self._options
        command = WorkerCommand(
            options.parent or {},
            options.daemon,
            [
                *options.arguments(),
                *self.ports.options(),
                f"--set=data_dir={options.data_dir}",
                f"--set=node={self._node}",
            ],
            os.environ,
        )
        line = command.line(worker)
        return self._reactor.spawnProcess(
            protocol,
            line[0],
            line,
            env=command.variables(worker),
            childFDs=_DESCRIPTORS,
        )
