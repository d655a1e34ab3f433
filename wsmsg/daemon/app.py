"""
The parts that both daemons have around their own, composed once::

    def makeService(options):
        from twisted.internet import reactor

        daemon = Daemon(options, reactor, rule=required_up)
        ...  # makes its parts, with daemon.settings, .health, .metrics, .retry
        return daemon.service(parts, stop_order=["http", "links", "journal"])
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import attrs
from twisted.internet.defer import succeed
from twisted.logger import Logger

from wsmsg.auth.key_file import ApiKeys, keys_probe
from wsmsg.auth.local_key import ADMIN_KEY, local_key
from wsmsg.auth.reread import FileRead
from wsmsg.daemon.exits import Exit
from wsmsg.daemon.first_lines import few_files, first_lines
from wsmsg.daemon.lead import LeadTime
from wsmsg.daemon.lifecycle import Part, RootService, part
from wsmsg.daemon.listener import Listener
from wsmsg.daemon.options import DaemonOptions
from wsmsg.daemon.preflight import (
    Probe,
    preflight,
    raise_file_limit,
    room_for_clients,
)
from wsmsg.daemon.reactor import turns_of
from wsmsg.daemon.reload import Reload
from wsmsg.daemon.signals import Signals
from wsmsg.daemon.systemd import Notify
from wsmsg.daemon.tls import FailedHandshakes, ServerTls
from wsmsg.daemon.worker.crew import Crew
from wsmsg.daemon.worker.ends import WorkerEnds
from wsmsg.daemon.worker.share import shared_listeners
from wsmsg.dependency.retry import backoff, retry_policy
from wsmsg.http.operators import OperatorAccess
from wsmsg.http.routes import Route
from wsmsg.monitoring.admin import admin_site
from wsmsg.monitoring.audit import AuditLog
from wsmsg.monitoring.certificates import (
    CertificateWatch,
    authority_files,
    certificate_files,
)
from wsmsg.monitoring.health import Health, Rule
from wsmsg.monitoring.logs import twistd_logs
from wsmsg.monitoring.metrics import Metrics
from wsmsg.monitoring.status.service import StatusPage
from wsmsg.monitoring.stdlib_logs import forward_stdlib
from wsmsg.monitoring.vitals import Vitals
from wsmsg.settings.listeners import ListenerTls
from wsmsg.settings.notes import in_clear
from wsmsg.tracing.export import span_export

#: Makes of a listener's factory one whose connections begin with something else.
Front = Callable[[Any], Any]
#: Seconds that the workers of a daemon may take longer to stop than one process.
_WORKERS_S = 5.0


class Daemon:
    """
    One daemon, before and while it runs.  The constructor checks everything that can be
    checked before twistd forks; see L{preflight}.

    @param probes: as for L{preflight}.
    @ivar settings: the settings at the start.
    @ivar node: the name of this daemon.
    @ivar room: the most connections of clients that there are files for.
    @ivar keys: the API keys.
    @ivar audit: records the calls of HTTP that change something.
    @ivar spans: exports the spans of traces; L{None}: there are none.
    @ivar admin: the admin listener; L{None} if C{admin_listen} is empty.
    """

    _log = Logger()

    def __init__(
        self,
        options: DaemonOptions,
        reactor: Any,
        *,
        rule: Rule,
        probes: Iterable[tuple[str, Probe]] = (),
    ) -> None:
        self.settings = settings = options.settings
        self.data_dir = options.data_dir
        keys = keys_probe(settings.api_keys, self.data_dir)
        if settings.admin_listen:
            make_key = partial(local_key, self.data_dir, name=ADMIN_KEY)
            probes = [*probes, ("cannot make the key of operators", make_key)]
        self._shared = shared_listeners(settings) if options.worker else ()
        preflight(
            options.daemon,
            settings,
            self.data_dir,
            probes=[*probes, keys],
            shared=self._shared,
        )
        self.room = room_for_clients(raise_file_limit())
        self.keys = ApiKeys(settings.api_keys, self.data_dir)
        self.node: str = settings.node or f"{options.daemon}-{time.time_ns()}"
        self.exits = Exit(reactor, pidfile=options.pidfile)
        self.health = Health(
            reactor, rule, about={"daemon": options.daemon, "node": self.node}
        )
        self.health.on_give_up(lambda reason: self.exits.exit_with(1, reason))
        self.metrics = Metrics()
        vitals = Vitals(
            options.daemon,
            self.node,
            lambda: self.health.ready,
            turns_of(reactor),
        )
        vitals.register_metrics(self.metrics)
        self.metrics.dependencies(lambda: self.health.dependencies)
        self.metrics.alarms(self.health.alarms)
        self.audit = AuditLog(reactor)
        self.spans = span_export(options.daemon, settings.traces, self.node, reactor)
        if self.spans is not None:
            self.spans.register_metrics(self.metrics)
        self.admin: Listener | None = None
        self._failed_handshakes = FailedHandshakes(reactor)
        self._failed_handshakes.register_metrics(self.metrics)
        self._reactor = reactor
        self._options = options
        self._reload: Reload[Any] = Reload(settings, options.load)
        self._crew: Crew | None = None
        self._notify = Notify(
            reactor,
            self.health,
            is_fine=lambda: self._crew is None or self._crew.is_fine,
        )
        self.on_files(self._read_keys)

    @property
    def current(self) -> Any:
        """
        The settings after the last reload.
        """
        return self._reload.settings

    def on_reload(self, apply_settings: Callable[[Any], object]) -> None:
        """
        Register a part.  A reload that changes settings calls its C{apply_settings},
        with all settings of the daemon.
        """
        self._reload.add(apply_settings)

    def on_files(self, read: Callable[[], Sequence[FileRead]]) -> None:
        """
        Register a part that reads files of its own: every reload calls C{read}, and
        logs what that returns.
        """
        self._reload.add_files(read)

    def listener(
        self, factory: Any, key: str = "listen", *, front: Front | None = None
    ) -> Listener:
        """
        Make the listener that the settings name by this key, with its TLS.

        @param front: puts before TLS what comes before it on a connection.
        """
        tls = self._tls(key)
        if tls is not None:
            factory = tls.wrap(factory)
        if front is not None:
            factory = front(factory)
        listen, shared = getattr(self.settings, key), key in self._shared
        return Listener(self._reactor, listen, factory, shared=shared)

    def _tls(self, key: str) -> ServerTls | None:
        settings: ListenerTls = getattr(self.settings.tls, key)
        if not settings.cert:
            return None
        tls = ServerTls(settings, partial(self._failed_handshakes.note, key))
        self.on_files(tls.read)
        return tls

    def retry(self, failures: int) -> float | None:
        """
        Return the delay before the next attempt, in seconds, by the current retry
        settings; see L{wsmsg.dependency.retry.RetryPolicy}.
        """
        return retry_policy(self.current.retry)(failures)

    def backoff(self, failures: int) -> float:
        """
        The L{wsmsg.dependency.retry.Backoff} of the settings as they are now.
        """
        return backoff(self.current.retry)(failures)

    def service(
        self,
        parts: Sequence[Part],
        stop_order: Sequence[str],
        *,
        admin: Sequence[Route] = (),
        crew: Crew | None = None,
    ) -> RootService:
        """
        Make the service that twistd runs.

        @param admin: further routes of the admin listener.
        @param crew: the workers, if this process is their supervisor.
        """
        self._crew = crew
        worker = 0 if self._options.worker is None else self._options.worker.number
        logs = twistd_logs(self._options.parent or {}, self.settings.log, worker)
        self.on_reload(lambda new: logs.apply_settings(new.log))
        self.exits.on_abort(logs.flush)
        logs.register_metrics(self.metrics)
        forward_stdlib()
        # A supervisor has no clients: each worker lets its own lead time pass.
        lead = LeadTime(self._reactor, lambda: 0.0 if crew else self._lead_s())
        signals = Signals(
            self._reactor,
            self.exits,
            reload=self._reload_settings,
            rotate=partial(self._rotate, logs.rotate),
            cut_lead=lead.cut if crew is None else crew.cut,
        )
        if crew is not None:
            self.exits.on_abort(crew.kill)
        first = [
            Part("log", logs.start),
            part("signals", signals),
            Part("first lines", self._log_first_lines),
            part("systemd", self._notify),
            Part("handshakes", stop=self._failed_handshakes.stop),
            *self._certificates_part(),
            Part("audit", stop=self.audit.stop),
            *([] if self.spans is None else [part("traces", self.spans)]),
            *self._admin_part(admin),
            *self._worker_part(signals, logs.rotate),
        ]
        last = [p.name for p in reversed(first) if p.stop]
        return RootService(
            self._reactor,
            [*first, *parts, Part("heap", freeze_heap)],
            [*stop_order, *last],
            exits=self.exits,
            health=self.health,
            stop_s=self._stop_s,
            lead=lead,
            stopping=self._notify_stopping,
            observer=logs,
        )

    def _lead_s(self) -> float:
        return float(self.current.drain.lead_s)

    def _stop_s(self) -> float:
        more_s = 0.0 if self._crew is None else self._lead_s() + _WORKERS_S
        return float(self.current.stop_s) + more_s

    def _notify_stopping(self) -> None:
        self._notify.stopping(self.current.drain.lead_s + self.current.stop_s)

    def _worker_part(
        self, signals: Signals, rotate: Callable[[], object]
    ) -> list[Part]:
        if self._options.worker is None:
            return []
        obeys = _Obeys(self.exits, signals, self._reload_settings, rotate)
        ends = WorkerEnds(self._reactor, self.health, obeys, self._admin_port)
        return [part("supervisor", ends)]

    def _admin_port(self) -> int:
        address = None if self.admin is None else self.admin.address
        return 0 if address is None else address.port

    def _log_first_lines(self) -> None:
        daemon = self._options.daemon
        for line in first_lines(daemon, self.settings, self.node, self.data_dir):
            self._log.info("{line}", line=line)
        for note in (*in_clear(self.settings), few_files(self.settings, self.room)):
            if note:
                self._log.warn("{note}", note=note)

    def _certificates_part(self) -> list[Part]:
        tls, peer = self.settings.tls, self.settings.peer
        files, authorities = certificate_files(tls, peer), authority_files(tls, peer)
        if not files and not authorities:
            return []
        watch = CertificateWatch(
            files, self._reactor, self.health.alarms, authorities=authorities
        )
        watch.register_metrics(self.metrics)
        self.on_files(watch.read)
        return [part("certificates", watch)]

    def _admin_part(self, more: Sequence[Route]) -> list[Part]:
        listen = self.settings.admin_listen
        if not listen:
            return []
        access = OperatorAccess(self.settings, self.data_dir)
        self.on_reload(access.apply_settings)
        self.on_files(access.read_key)
        values = self.metrics if self._crew is None else self._crew.values
        status = StatusPage(self.health, values, self._reactor)
        site = admin_site(
            self.health,
            self.metrics,
            self._reactor,
            [*more, *status.routes()],
            access=access,
            audit=self.audit,
            others=self._crew,
        )
        self.admin = self.listener(site, "admin_listen")
        return [part("admin", self.admin), part("status page", status)]

    def _read_keys(self) -> Sequence[FileRead]:
        return self.keys.reload(self.current.api_keys, self.health.alarms)

    def _reload_settings(self) -> bool:
        self._notify.reloading()
        valid = self._reload()
        crew = self._crew
        others = succeed(None) if crew is None or not valid else crew.reload()
        others.addBoth(lambda _: self._notify.reloaded())
        return valid

    def _rotate(self, rotate: Callable[[], object]) -> None:
        rotate()
        if self._crew is not None:
            self._crew.rotate()


@attrs.frozen
class _Obeys:
    """
    The orders of a supervisor, as a worker obeys them.
    """

    _exits: Exit
    _signals: Signals
    reload: Callable[[], bool]
    rotate: Callable[[], object]

    def stop(self, status: int, reason: str) -> None:
        self._exits.exit_with(status, reason)

    def stop_now(self, reason: str) -> None:
        self._signals.stop_now(reason)


def freeze_heap() -> None:
    """
    Exclude the objects that the start made (modules, classes, settings: some hundred
    thousand that live as long as the process) from further garbage collections, each of
    which would block the reactor for 60 ms.
    """
    gc.collect()
    gc.freeze()
