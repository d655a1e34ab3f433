"""
C{twistd message}: the composition of a Message.

Backends and gRPC are imported once the options are valid: C{twistd --help} and a
mistake in the settings need neither.
"""

from __future__ import annotations

import time
from functools import cache, cached_property, partial
from typing import TYPE_CHECKING

from twisted.application.service import IService
from twisted.internet.interfaces import IReactorTime

from wsmsg.message.options import Options
from wsmsg.model import unix_ms
from wsmsg.settings.values import MessageSettings

if TYPE_CHECKING:
    from wsmsg.daemon.app import Daemon
    from wsmsg.daemon.lifecycle import Part
    from wsmsg.http.routes import MoreRoutes
    from wsmsg.message.backends import Backends
    from wsmsg.message.delivery.numbering import Numbering
    from wsmsg.message.http.api import PublicHttp
    from wsmsg.message.ingress.gate import IntakeGate
    from wsmsg.message.ingress.ingress import Ingress
    from wsmsg.message.ingress.interface import ISubmit
    from wsmsg.message.ingress.watches import IntakeWatches
    from wsmsg.message.legacy.plugin import LegacyPlugin
    from wsmsg.message.life.lives import Lives
    from wsmsg.message.limits.parts import LimitParts
    from wsmsg.message.links.links import Links
    from wsmsg.message.links.stream import StreamContext
    from wsmsg.message.log.interface import IMessageLog
    from wsmsg.message.node import MessageNode
    from wsmsg.message.queries.marks import Marks
    from wsmsg.message.queries.queries import Queries
    from wsmsg.message.revoked_tokens import RevokedTokens
    from wsmsg.message.user_tokens import UserTokens
    from wsmsg.peers.parts import PeerParts


def makeService(options: Options) -> IService:
    """
    Check what can be checked while C{stderr} is a terminal, then build the tree.
    """
    from twisted.internet import reactor

    if options.supervises:
        from wsmsg.message.supervisor import supervisor

        return supervisor(options, reactor)
    return build(options, reactor)


def build(options: Options, reactor: IReactorTime) -> IService:
    """
    Build the services of a Message, without starting any.
    """
    from wsmsg.daemon.app import Daemon
    from wsmsg.message.backends import Backends, probes, switch_threads_quickly
    from wsmsg.message.http.api import admin_routes
    from wsmsg.monitoring.grpc_health import follow_readiness
    from wsmsg.monitoring.health import required_up
    from wsmsg.peers.parts import PeerParts

    switch_threads_quickly()
    settings: MessageSettings = options.settings
    checks = probes(settings, options.data_dir)
    daemon = Daemon(options, reactor, rule=required_up, probes=checks)
    backends = Backends(
        settings,
        options.data_dir,
        reactor,
        retry=daemon.retry,
        backoff=daemon.backoff,
        alarms=daemon.health.alarms,
    )
    peers = PeerParts(settings, daemon.data_dir, reactor, daemon.health.alarms)
    assembly = Assembly(daemon, reactor, settings, backends, peers)
    daemon.on_files(lambda: peers.reload(daemon.current))
    peers.register_metrics(daemon.metrics)
    node, lives = assembly.node, assembly.lives
    daemon.health.add_section("message", node.status)
    daemon.on_reload(node.apply_settings)
    node.register_metrics(daemon.metrics)
    follow_readiness(daemon.health, node.rpc.health, node.rpc.services)
    return daemon.service(*assembly.parts(), admin=admin_routes(node.log, lives))


class Assembly:
    """
    The parts of one Message; each is made when another one first needs it.
    """

    def __init__(
        self,
        daemon: Daemon,
        reactor: IReactorTime,
        settings: MessageSettings,
        backends: Backends,
        peers: PeerParts,
    ) -> None:
        from wsmsg.message.consent.hook import ConsentHook

        self._daemon = daemon
        self._reactor = reactor
        self._settings = settings
        self._peers = peers
        self._hook = ConsentHook(reactor)
        self._now_ms = unix_ms(time.time)
        self._store = backends.store()
        self._journal = backends.journal(self._store.topics)
        self._remove_old_journal = backends.remove_old_journal
        self._presence = backends.presence()
        self._ids = backends.message_ids(self._now_ms)
        close = partial(self._gate.set_without_alarm, "message_ids")
        self._reservation = backends.reservation(self._ids, self._store, close)
        self._registry = backends.registry(self._reservation)
        for backend in (self._journal, self._store, self._presence, self._registry):
            if backend is not None:
                daemon.health.add(backend.dependency)

    def parts(self) -> tuple[list[Part], list[str]]:
        """
        Return the parts in the order of starting, and the names of those that stop, in
        the order of stopping.
        """
        from wsmsg.daemon.lifecycle import Part, part

        node = self.node
        parts = [
            part("presence", self._presence),
            Part("files", node.open_files, node.close_files),
            part("ids", self._reservation),
            Part("leases", node.start_leases, node.stop_leases),
            part("revoked tokens", self._revoked),
            part("limits", self._limits),
            Part("rpc", node.start_rpc, node.stop_rpc),
            Part("plugins", stop=node.stop_plugins),
            Part("intake", stop=node.drain),
            part("watches", self._watches),
        ]
        stop_order = ["intake", "plugins", "rpc", "watches", "ids"]
        stop_order += ["limits", "revoked tokens", "files", "leases", "presence"]
        if self._settings.listen:
            http = self._http()
            listener = self._daemon.listener(http.site, front=http.front)
            parts += [part("http", listener), Part("calls", stop=http.drain)]
            parts.append(part("user tokens", self._user_tokens))
            stop_order[:0] = ["http", "calls", "user tokens"]
        if (registry := self._registry) is not None:
            registry.on_others(partial(self._links.set_list, registry.address))
            parts.append(part("registry", registry))
            stop_order.insert(0, "registry")
        return parts, stop_order

    @cached_property
    def node(self) -> MessageNode:
        """
        The parts that start, stop and are reloaded together.
        """
        from wsmsg.message.links.stream import ConnectStreams
        from wsmsg.message.node import MessageNode
        from wsmsg.message.query_rpc import QueryAdapter
        from wsmsg.message.rpc import MessageRpc
        from wsmsg.stream.forward import StreamForwarder

        streams = ConnectStreams(self._core)
        if self._journal is not None:
            witnessed = self._queries.history.witnessed
            self._journal.keep_witness(self._store.witness, witnessed)
        return MessageNode(
            settings=self._settings,
            clock=self._reactor,
            log=self._log,
            numbering=self._numbering,
            store=self._store,
            alarms=self._daemon.health.alarms,
            core=self._core,
            marks=self._marks,
            queries=self._queries,
            streams=streams,
            rpc=MessageRpc(
                streams,
                QueryAdapter(self._queries, self._links.connects, self.lives.answer),
                lambda: self._legacy,
                StreamForwarder(
                    self._peers.dialling.open,
                    lambda: self._links.reach.listed,
                    keepalive_s=self._settings.keepalive_s,
                ),
                self._peers.guard,
            ),
            peers=self._peers,
        )

    @cached_property
    def _legacy(self) -> LegacyPlugin:
        # Made for the first legacy peer or request; other Messages do not import it.
        from wsmsg.message.legacy.plugin import LegacyPlugin

        plugin = LegacyPlugin(
            self._core,
            self._store,
            self._marks.mark,
            self._queries,
            self._reactor,
            self.node.settings,
            backoff=self._daemon.backoff,
            open_channel=self._peers.dialling.open,
            messages=self._registry,
        )
        plugin.register_metrics(self._daemon.metrics)
        self.node.plugins.append(plugin)
        return plugin

    @cached_property
    def _links(self) -> Links:
        from wsmsg.message.intake import make_links

        return make_links(self._settings, self._presence, self._reactor)

    @cached_property
    def lives(self) -> Lives:
        """
        The lives of messages.
        """
        from wsmsg.message.intake import make_lives

        parts = (self._log, self._core, self._peers, self._reactor)
        return make_lives(self._store, *parts)

    @cached_property
    def _gate(self) -> IntakeGate:
        from wsmsg.message.ingress.gate import IntakeGate

        return IntakeGate(self._daemon.health.alarms)

    @cached_property
    def _watches(self) -> IntakeWatches:
        from wsmsg.message.backends import files
        from wsmsg.message.ingress.watches import IntakeWatches

        watches = IntakeWatches(
            self._gate,
            self._reactor,
            self._settings,
            files=files(self._settings, self._daemon.data_dir),
            log=self._log,
            keep=self._ingress.keep_unstored,
        )
        watches.register_metrics(self._daemon.metrics)
        self._daemon.on_reload(watches.apply_settings)
        return watches

    @cached_property
    def _limits(self) -> LimitParts:
        from wsmsg.message.limits.parts import LimitParts

        limits = LimitParts(self._settings, self._store, self._reactor)
        limits.register_metrics(self._daemon.metrics)
        self._daemon.on_reload(limits.apply_settings)
        return limits

    @cached_property
    def _ingress(self) -> Ingress:
        from wsmsg.message.intake import make_ingress

        return make_ingress(
            self._settings,
            self._log,
            self._store,
            self._reactor,
            ids=self._ids,
            now_ms=self._now_ms,
            gate=self._gate,
            limits=self._limits,
            hook=self._hook,
            traces=self._numbering.traces,
        )

    @cached_property
    def _log(self) -> IMessageLog:
        from wsmsg.message.intake import make_log

        return make_log(
            self._settings,
            self._journal,
            self._store,
            self._reactor,
            numbering=self._numbering,
            links=self._links,
            backoff=self._daemon.backoff,
            on_stored=self._marks.pushed,
            on_read=self._links.lives.ring.fetched,
            close=partial(self._gate.set_without_alarm, "journal"),
            remove_old=self._remove_old_journal,
        )

    @cached_property
    def _numbering(self) -> Numbering:
        from wsmsg.message.intake import make_numbering

        parts = (self._store, self._links, self._now_ms, self._daemon.spans)
        return make_numbering(self._settings, *parts)

    @cached_property
    def _marks(self) -> Marks:
        from wsmsg.message.queries.marks import Marks

        return Marks(self._store, self._links.receipt, self._reactor)

    @cached_property
    def _queries(self) -> Queries:
        from wsmsg.message.intake import make_queries

        return make_queries(
            self._settings,
            self._store,
            self._presence,
            self._links.routes,
            self._reactor,
            now_ms=self._now_ms,
            mark=self._marks.mark,
            may_be_unstored=self._ingress.may_be_unstored,
            cursors_stored=self._core.cursors.stored,
            hook=self._hook,
        )

    @cached_property
    def _core(self) -> StreamContext:
        from wsmsg.message.intake import make_stream_context

        return make_stream_context(
            self._daemon.node,
            self._settings,
            self._store,
            self._reactor,
            links=self._links,
            ingress=self._ingress,
            members=self._numbering.members,
            revoked=self._revoked.known,
            rates=self._limits.rates,
        )

    def _http(self) -> PublicHttp:
        from wsmsg.message.http.api import ApiServices, PublicHttp
        from wsmsg.message.ingress.submit import SubmitAndWait

        daemon, settings = self._daemon, self._settings
        submit = SubmitAndWait(self._ingress, self._store, self._reactor)
        parts = (self._queries, self._links, self._revoked.revoke, self.lives)
        http = PublicHttp(
            ApiServices(self._store, submit, *parts),
            daemon.health,
            self._reactor,
            settings,
            self._user_tokens.authenticator,
            self._legacy_http(submit) if settings.legacy.http else tuple,
            keys=daemon.keys.current,
            audit=daemon.audit,
            room=daemon.room,
        )
        daemon.on_reload(http.apply_settings)
        daemon.on_files(self._user_tokens.read_key)
        daemon.on_files(http.read_keys)
        http.register_metrics(daemon.metrics)
        return http

    @cached_property
    def _revoked(self) -> RevokedTokens:
        from wsmsg.message.revoked_tokens import RevokedTokens

        tell, token = self._links.revoke, lambda: self._daemon.current.http.token
        return RevokedTokens(self._store, self._reactor, tell=tell, settings=token)

    @cached_property
    def _user_tokens(self) -> UserTokens:
        from wsmsg.message.user_tokens import UserTokens

        jwks, check = self._settings.http.token.jwks, self._revoked.check
        names = self._store.names if self._settings.users.names else None
        return UserTokens(jwks, self._daemon, self._reactor, check=check, names=names)

    def _legacy_http(self, submit: ISubmit) -> MoreRoutes:
        def unread() -> int:
            return int(self._daemon.current.http.unread)

        return cache(lambda: self._legacy.http_routes(submit, unread))
