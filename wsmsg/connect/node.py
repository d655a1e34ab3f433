"""
A Connect as one unit: ordered shutdown, new settings, status and metrics.

Connect stores nothing, so shutdown is about its clients::

    the port closes -> clients are asked to move, drain.per_s in a second; each session
    ends when its requests are answered -> the remaining connections are closed ->
    plug-ins finish -> cursors and acknowledgements are written, the streams end
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import attrs
from twisted.internet.interfaces import IProtocolFactory, IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from wsmsg.auth.issuer import IssuerKeys
from wsmsg.auth.jwt import Authenticator, BadTokenSettings
from wsmsg.auth.local_key import FILE_NAME, TokenKeyUnusable
from wsmsg.auth.reread import NOTHING_READ, FileRead
from wsmsg.connect.edge.admission import Admission
from wsmsg.connect.edge.heartbeat import HeartbeatSweep
from wsmsg.connect.edge.http import EdgeAccess
from wsmsg.connect.edge.rpc import ConnectRpc
from wsmsg.connect.edge.turn_watch import TurnWatch
from wsmsg.connect.metrics import ConnectMetrics
from wsmsg.connect.nodes import OtherNodes
from wsmsg.connect.plugins import Plugins
from wsmsg.connect.session.checks.presence import PresenceChecks
from wsmsg.connect.session.head_check import HeadCheck
from wsmsg.connect.session.moves.alternatives import OtherConnect
from wsmsg.connect.session.moves.http import MoveCalls
from wsmsg.connect.session.moves.load import LoadReport, connect_of, load_of
from wsmsg.connect.session.moves.moves import Moves
from wsmsg.connect.session.registry import Registry
from wsmsg.connect.upstream.stream import UpstreamStream
from wsmsg.connect.upstream.upstream import Upstream
from wsmsg.connect.websocket.factory import WebSocketConnections
from wsmsg.daemon.reactor import turns_of
from wsmsg.daemon.worker.share import siblings_of
from wsmsg.http.routes import Route
from wsmsg.http.server.proxied import ProxiedFactory
from wsmsg.http.server.site import QuietSite
from wsmsg.monitoring.health import Health
from wsmsg.monitoring.metrics import Metrics
from wsmsg.monitoring.repeats import Repeats
from wsmsg.peers.parts import PeerParts
from wsmsg.settings.listeners import status_page
from wsmsg.settings.values import ConnectSettings
from wsmsg.stream.server import on_loop
from wsmsg.text.counted import plural

_SWEEP_S = 0.1
_RPC_GRACE_S = 1.0


@attrs.define
class ConnectNode:
    """
    The parts of one Connect that start, stop or change together.
    """

    _log = Logger()

    settings: ConnectSettings
    clock: IReactorTime
    registry: Registry
    upstream: Upstream
    heartbeat: HeartbeatSweep
    admission: Admission
    authenticator: Authenticator
    connections: WebSocketConnections
    edge_access: EdgeAccess
    site: QuietSite
    rpc: ConnectRpc
    plugins: Plugins
    local_key: Callable[[], bytes]
    issuer: IssuerKeys | None
    peers: PeerParts
    session_lines: Repeats
    health: Health
    name: str
    moves: Moves = attrs.field()
    presence_checks: PresenceChecks = attrs.field()
    head_check: HeadCheck = attrs.field()
    turn_watch: TurnWatch = attrs.field()
    nodes: OtherNodes = attrs.field()
    _load: LoadReport = attrs.field()
    _sweeping: LoopingCall | None = None

    @moves.default
    def _moves_of_all(self) -> Moves:
        return Moves(
            self.registry,
            self.admission,
            self.health,
            self.clock,
            own=self._own_load,
            read_others=self._read_others,
        )

    @head_check.default
    def _check_of_all(self) -> HeadCheck:
        alarms = self.health.alarms
        return HeadCheck(self.registry, self.upstream, self.clock, alarms)

    @turn_watch.default
    def _watch_of_turns(self) -> TurnWatch:
        turns, turn_s = turns_of(self.clock), self.settings.ready.turn_s
        return TurnWatch(turns, self.health, self.clock, turn_s)

    @nodes.default
    def _all_nodes(self) -> OtherNodes:
        return OtherNodes(
            self.upstream, self._read_others, self.clock, UpstreamStream.kind
        )

    @_load.default
    def _own_report(self) -> LoadReport:
        return LoadReport(lambda: load_of(self._own_load()), self.clock.seconds)

    @presence_checks.default
    def _checks_of_all(self) -> PresenceChecks:
        return PresenceChecks(self.registry, self.upstream, self.clock.seconds)

    def front(self, factory: IProtocolFactory) -> IProtocolFactory:
        """
        Return the factory of the public port behind proxies, as the settings have it.

        @param factory: that of the port, with its TLS.
        """
        if not self.settings.proxy_protocol:
            return factory
        admission = self.admission
        return ProxiedFactory(
            factory,
            self.clock,
            proxies=lambda: admission.proxies,
            refused=lambda peer, why: admission.refusals.note(peer, "proxy", why),
            room=lambda: admission.room,
        )

    # ------------------------------------------------------------ start and stop

    def start_sweeps(self) -> None:
        """
        Start the timers that all connections share: heartbeat, head check, the watch
        over the turns, and sweep.
        """
        self.heartbeat.start()
        self.head_check.start()
        self.turn_watch.start()
        self._sweeping = LoopingCall(self._sweep)
        self._sweeping.clock = self.clock
        self._sweeping.start(_SWEEP_S, now=False)

    def stop_sweeps(self) -> None:
        """
        Stop these timers.
        """
        self.heartbeat.stop()
        self.head_check.stop()
        self.turn_watch.stop()
        self.admission.refusals.stop()
        self.session_lines.stop()
        if self._sweeping is not None and self._sweeping.running:
            self._sweeping.stop()

    def start_keys(self) -> None:
        """
        Begin to fetch the keys of the issuer.
        """
        if self.issuer is not None:
            self.issuer.start()

    def stop_keys(self) -> None:
        """
        Fetch no more.
        """
        if self.issuer is not None:
            self.issuer.stop()

    async def drain(self) -> None:
        """
        Ask all clients to move, within half of C{stop_s}; then close the connections
        that are left, and let the plug-ins finish.
        """
        until_s = self.clock.seconds() + self.settings.stop_s / 2
        emptied = self.moves.stop(self.settings.stop_s / 2)
        emptied.addTimeout(self.settings.stop_s / 2, self.clock, lambda *_: None)
        await emptied
        left = self.connections.abort_all("this node stopped")
        if left:
            self._log.warn(
                "closed {n} {noun} that did not end in time",
                n=left,
                noun=plural(left, "connection"),
            )
        self.site.close_all()
        await self.plugins.drain(until_s - self.clock.seconds())

    async def start_rpc(self) -> None:
        """
        Serve gRPC, if C{rpc_listen} is set.
        """
        if self.settings.rpc_listen:
            credentials = self.peers.credentials()
            await on_loop(self.rpc.start(self.settings.rpc_listen, credentials))

    async def stop_rpc(self) -> None:
        """
        Stop the gRPC server; running calls have a second to finish.
        """
        await on_loop(self.rpc.stop(_RPC_GRACE_S))

    def _sweep(self) -> None:
        with self._log.failuresHandled("sweeping sessions"):
            self.moves.sweep()  # it may hold back what is due
            self.registry.timers.sweep()
            self.registry.expiry.sweep()
            self.admission.sweep()
            self.presence_checks.sweep()
            self._load.look(self.upstream.streams)
            self.nodes.look()
        self.plugins.sweep()
        self.peers.look()

    # ---------------------------------------------------------------------- load

    def _own_load(self) -> OtherConnect:
        return OtherConnect(
            self.name,
            self.settings.public_url,
            self.registry.count,
            self.admission.most_connections,
            self.health.ready,
            status_page(self.settings),
        )

    async def _read_others(self) -> list[OtherConnect]:
        # The workers of this Connect are at the same address.
        own = siblings_of(self.name, self.settings.workers)
        found = await self.upstream.queries.connects()
        return [connect_of(load) for load in found if load.node not in own]

    # ------------------------------------------------------------------ settings

    def apply_settings(self, settings: ConnectSettings) -> None:
        """
        Apply new settings to every part, as far as a reload may change them.
        """
        self.settings = settings
        self.registry.apply_settings(settings)
        self.admission.apply_settings(settings.limits, settings.proxies)
        self.heartbeat.apply_settings(settings.heartbeat_s)
        self.connections.apply_settings(settings)
        self.edge_access.apply_settings(settings)
        self.turn_watch.apply_settings(settings)
        self.upstream.apply_settings(settings)
        try:
            self.authenticator.apply_settings(settings.token)
        except BadTokenSettings as e:
            self._log.error(
                "settings: the token settings are unchanged: {reason}", reason=str(e)
            )

    def read_keys(self) -> Sequence[FileRead]:
        """
        Read the key in the data directory again, and fetch the issuer's.
        """
        read = NOTHING_READ
        try:
            changed = self.authenticator.replace_local_key(self.local_key())
            read = [FileRead(FILE_NAME, changed)]
        except TokenKeyUnusable as e:
            self._log.error("the old {file} stays in use: {e}", file=FILE_NAME, e=e)
        if self.issuer is not None:
            self.issuer.reload()
        return read

    def routes(self) -> Sequence[Route]:
        """
        Return the routes of the admin listener.
        """
        return MoveCalls(self.moves, self.clock).routes()

    # -------------------------------------------------------- status and metrics

    def status(self) -> dict[str, object]:
        """
        Return the part C{connect} of C{/status}.
        """
        return {
            "connections": self.admission.connections,
            **self._sole_address(),
            "users": len(self.registry.users()),
            "moves": self.moves.status(),
            "upstream": self.upstream.stats(),
            "nodes": self.nodes.document(),
            **self.plugins.status(),
        }

    def _sole_address(self) -> dict[str, object]:
        sole = self.admission.sole_address
        return {"sole_address": sole} if sole else {}

    def register_metrics(self, metrics: Metrics) -> None:
        """
        Have the counts of all parts read by each scrape.
        """
        ConnectMetrics(self).register_metrics(metrics)
        self.registry.counters.register_metrics(metrics)
        self.admission.register_metrics(metrics)
        self.peers.register_metrics(metrics)
