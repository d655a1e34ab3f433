"""
What a Connect does as a whole: stop in order, take new settings, tell of itself.

It keeps nothing that is not kept elsewhere, so stopping is about the clients::

    take no more connections -> ask all to move, spread over some seconds; each
    session ends once what it asked for is answered -> what is left is closed
    -> cursors and acknowledgements are written, the streams end
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import attrs
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from wsmsg.auth.jwt import Authenticator, BadTokenSettings
from wsmsg.connect.edge.admission import Admission
from wsmsg.connect.edge.heartbeat import Sweep
from wsmsg.connect.edge.http import Site
from wsmsg.connect.edge.rpc import ConnectRpc
from wsmsg.connect.legacy.clients.shared import LegacyClients
from wsmsg.connect.session.registry import Registry
from wsmsg.connect.upstream.upstream import Upstream
from wsmsg.connect.websocket.factory import WebSocketConnections
from wsmsg.monitoring.metrics import Metrics
from wsmsg.settings.values import ConnectSettings
from wsmsg.stream.server import on_loop

if TYPE_CHECKING:  # it is imported where the settings ask for it
    from wsmsg.connect.legacy.redis.setup import LegacyRedisBridge

_SWEEP_S = 0.1


@attrs.define
class ConnectNode:
    """
    The parts of one Connect that its life is about.
    """

    _log = Logger()

    settings: ConnectSettings
    clock: IReactorTime
    registry: Registry
    upstream: Upstream
    heartbeat: Sweep
    admission: Admission
    authenticator: Authenticator
    connections: WebSocketConnections
    site: Site
    rpc: ConnectRpc
    legacy: LegacyClients
    beside: LegacyRedisBridge | None = None
    _due: LoopingCall | None = None

    # -- parts that begin and end

    def start_sweeps(self) -> None:
        """
        Look after what is due, and at who fell silent.
        """
        self.heartbeat.start()
        self._due = LoopingCall(self._sweep)
        self._due.clock = self.clock
        self._due.start(_SWEEP_S, now=False)

    def stop_sweeps(self) -> None:
        """
        Look no more; nobody is left.
        """
        self.heartbeat.stop()
        if self._due is not None and self._due.running:
            self._due.stop()

    async def drain(self) -> None:
        """
        Have all clients move, within half of the time that stopping may take; end
        the connections of those that did not.
        """
        until_s = self.clock.seconds() + self.settings.stop_s / 2
        emptied = self.registry.drain("this node is stopping")
        emptied.addTimeout(self.settings.stop_s / 2, self.clock, lambda *_: None)
        await emptied
        left = self.connections.abort_all("this node stopped")
        if left:
            self._log.warn("{n} connections did not end by themselves", n=left)
        self.site.close_all()
        await self.legacy.drain(until_s - self.clock.seconds())

    async def start_rpc(self) -> None:
        """
        Serve gRPC, if the settings say where.
        """
        if self.settings.rpc_listen:
            await on_loop(self.rpc.start(self.settings.rpc_listen))

    async def stop_rpc(self) -> None:
        """
        Serve gRPC no more.
        """
        await on_loop(self.rpc.stop(1.0))

    def _sweep(self) -> None:
        with self._log.failuresHandled("looking after what is due"):
            self.registry.due.sweep()
            self.legacy.sweep()

    # -- settings

    def adopt(self, settings: ConnectSettings) -> None:
        """
        Go by these settings from now on, in all that can change live.
        """
        self.settings = settings
        self.registry.settings = settings
        self.admission.replace(settings.limits)
        self.heartbeat.replace(settings.heartbeat_s)
        self.connections.replace(settings)
        self.upstream.reload(settings)
        try:
            self.authenticator.replace(settings.token)
        except BadTokenSettings as e:
            self._log.error("settings: token stays as it was: {reason}", reason=str(e))

    # -- what it tells of itself

    def status(self) -> dict[str, object]:
        """
        The part C{connect} of C{/status}.
        """
        return {
            "connections": self.admission.connections,
            "users": len(self.registry.users()),
            "upstream": self.upstream.stats(),
            "legacy": self.legacy.stats(),
            **({"beside": self.beside.stats()} if self.beside else {}),
        }

    def measure(self, metrics: Metrics) -> None:
        """
        Have the counts of all parts read where they are.
        """
        counts, admission = self.registry.counts, self.admission
        for name, text in (
            ("frames", "Frames that clients sent"),
            ("bad_frames", "Frames that could not be understood"),
            ("sends", "Sends that clients made"),
            ("accepted", "Sends accepted"),
            ("pushed", "Messages given to sessions"),
            ("repeats", "Pushes that a session had had"),
            ("absent", "Pushes for users who are not here"),
            ("shed", "Ephemeral frames that slow clients did not get"),
            ("demoted", "Clients too slow for pushes"),
            ("resyncs", "Clients told to ask again"),
            ("limited", "Clients not read because of their rate"),
            ("welcomed", "Sessions welcomed"),
            ("legacy_skipped", "What deployed clients sent and was skipped"),
            ("legacy_again", "Times that sends of deployed clients are given again"),
            ("legacy_given_up", "Messages of deployed clients given up"),
            ("legacy_missed", "Messages that deployed clients could not be given"),
        ):
            metrics.counter(f"wsmsg_connect_{name}", text, _reader(counts, name))
        marks = self.legacy.marks
        metrics.counter(
            "wsmsg_connect_marks_dropped",
            "Marks as seen that were not kept",
            lambda: marks.dropped,
        )
        labelled: list[tuple[str, str, str, Callable[[], Mapping[str, int]]]] = [
            ("rejected", "Sends rejected", "code", lambda: counts.rejected),
            ("closes", "Connections that we closed", "reason", lambda: counts.closes),
            (
                "refused",
                "Connections refused",
                "reason",
                lambda: admission.refused,
            ),
        ]
        for name, text, label, read in labelled:
            metrics.counters(f"wsmsg_connect_{name}", text, label=label, read=read)
        metrics.gauge(
            "wsmsg_connect_connections",
            "Connections, HTTP too",
            lambda: self.admission.connections,
        )
        metrics.gauges(
            "wsmsg_connect_upstream",
            "What goes to and comes from Message; see docs/operations.md",
            self.upstream.stats,
            label="what",
        )
        metrics.gauges(
            "wsmsg_connect_legacy",
            "What is kept for deployed clients; see docs/operations.md",
            self.legacy.stats,
            label="what",
        )
        if self.beside is not None:
            metrics.gauges(
                "wsmsg_connect_beside",
                "What deployed Connects are told and hand to us; see "
                "docs/operations.md",
                self.beside.stats,
                label="what",
            )


def _reader(counts: Any, name: str) -> Callable[[], int]:
    return lambda: int(getattr(counts, name))
