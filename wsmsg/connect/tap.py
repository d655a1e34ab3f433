"""
C{twistd connect}: its options, and the composition of a Connect.

L{build} makes the tree from top to bottom: sessions, upstream, port, node, plug-ins.
Imports stand in the functions: C{twistd --help} and a mistake in the settings load
neither Autobahn nor gRPC, and a Connect without legacy peers no module for them.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import TYPE_CHECKING, ClassVar, cast

from twisted.application.service import IService
from twisted.internet.interfaces import IReactorTime

from wsmsg.daemon.options import DaemonOptions
from wsmsg.settings.values import ConnectSettings

if TYPE_CHECKING:
    from wsmsg.auth.identity import Authenticate, Identity
    from wsmsg.auth.issuer import IssuerKeys
    from wsmsg.auth.jwt import Authenticator
    from wsmsg.connect.edge.admission import Admission
    from wsmsg.connect.edge.heartbeat import HeartbeatSweep
    from wsmsg.connect.edge.http import EdgeAccess
    from wsmsg.connect.edge.online_status import OnlineStatus
    from wsmsg.connect.legacy.clients.clients import LegacyClients
    from wsmsg.connect.names.user_names import UserNames
    from wsmsg.connect.node import ConnectNode
    from wsmsg.connect.plugins import Plugins
    from wsmsg.connect.session.context import SessionContext
    from wsmsg.connect.session.interface import Subprotocol
    from wsmsg.connect.session.registry import Registry
    from wsmsg.connect.upstream.context import UnnumberedMode, UpstreamContext
    from wsmsg.connect.upstream.interface import IEdge
    from wsmsg.connect.upstream.upstream import Upstream
    from wsmsg.connect.websocket.factory import WebSocketConnections
    from wsmsg.daemon.app import Daemon
    from wsmsg.daemon.preflight import Probe
    from wsmsg.http.server.site import QuietSite
    from wsmsg.peers.parts import PeerParts
    from wsmsg.protocol.codec import ICodec


class Options(DaemonOptions):
    """
    The command line of C{twistd connect}.
    """

    settings_type = ConnectSettings
    optParameters: ClassVar[list[list[str | None]]] = [
        ["discovery", None, None, "where Message is: static:host:port, dns:, redis:"],
    ]


def makeService(options: Options) -> IService:
    """
    Check what can be checked before twistd daemonizes, then build the tree.
    """
    from twisted.internet import reactor

    make = supervisor if options.supervises else build
    return make(options, cast(IReactorTime, reactor))


def supervisor(options: Options, reactor: IReactorTime) -> IService:
    """
    Build the process that runs the workers of a Connect.
    """
    from wsmsg.connect.session.moves.workers import ConnectWorkers
    from wsmsg.daemon.supervisor.supervise import supervise

    return supervise(options, reactor, ConnectWorkers, _probes(options))


def _probes(options: Options) -> list[tuple[str, Probe]]:
    """
    Return the checks before twistd forks.
    """
    from wsmsg.auth.issuer import check_file
    from wsmsg.auth.jwt import Authenticator
    from wsmsg.auth.local_key import local_key_bytes
    from wsmsg.peers.identity import peer_probe

    def authenticator() -> Authenticator:
        local = local_key_bytes(options.data_dir)
        check_file(options.settings.token.jwks)
        return Authenticator(options.settings.token, local)

    keys = ("cannot check tokens", authenticator)
    return [keys, peer_probe(options.settings, options.data_dir)]


def build(options: Options, reactor: IReactorTime) -> IService:
    """
    Build the tree of services of a Connect; none of them is started.
    """
    from wsmsg.connect.edge.port import Port
    from wsmsg.daemon.app import Daemon
    from wsmsg.daemon.lifecycle import Part, part
    from wsmsg.monitoring.grpc_health import follow_readiness
    from wsmsg.monitoring.health import any_up
    from wsmsg.peers.parts import PeerParts

    daemon = Daemon(options, reactor, rule=any_up, probes=_probes(options))
    peers = PeerParts(options.settings, options.data_dir, reactor, daemon.health.alarms)
    node = _node(daemon, reactor, peers)
    daemon.health.add_section("connect", node.status)
    daemon.on_reload(node.apply_settings)
    daemon.on_files(node.read_keys)
    daemon.on_files(lambda: peers.reload(daemon.current))
    node.register_metrics(daemon.metrics)
    follow_readiness(daemon.health, node.rpc.health, node.rpc.services)
    port = Port(
        node.admission,
        node.heartbeat,
        build_websocket=node.connections.build,
        build_http=node.site.build,
    )
    parts = [
        Part("keys", node.start_keys, node.stop_keys),
        Part("sweeps", node.start_sweeps, node.stop_sweeps),
        part("upstream", node.upstream),
        part("plugins", node.plugins),
        Part("rpc", node.start_rpc, node.stop_rpc),
        Part("clients", stop=node.drain),
        part("port", daemon.listener(port, front=node.front)),
    ]
    stop_order = ["port", "clients", "plugins", "rpc", "upstream", "sweeps", "keys"]
    return daemon.service(parts, stop_order, admin=node.routes())


def _node(daemon: Daemon, reactor: IReactorTime, peers: PeerParts) -> ConnectNode:
    """
    Build everything but the listeners.
    """
    from wsmsg.auth.jwt import Authenticator
    from wsmsg.auth.local_key import local_key_bytes
    from wsmsg.connect.edge.admission import Admission
    from wsmsg.connect.edge.heartbeat import HeartbeatSweep
    from wsmsg.connect.edge.online_status import OnlineStatus
    from wsmsg.connect.edge.rpc import ConnectRpc
    from wsmsg.connect.node import ConnectNode
    from wsmsg.connect.plugins import Plugins
    from wsmsg.connect.session.registry import Registry
    from wsmsg.connect.traces.edge import edge_traces

    settings: ConnectSettings = daemon.settings
    issuer = _issuer(daemon, reactor)
    own_key = partial(local_key_bytes, daemon.data_dir)
    named = settings.users.names
    authenticator = Authenticator(settings.token, own_key(), issuer=issuer, names=named)
    heartbeat = HeartbeatSweep(settings.heartbeat_s, reactor)
    traces = edge_traces(daemon, reactor)
    registry = Registry(settings, reactor, unsure=heartbeat.is_unsure, traces=traces)
    context, upstream = _sessions(daemon, reactor, registry, authenticator, peers)
    plugins = Plugins(daemon.metrics)
    _add_legacy_redis(daemon, reactor, registry, upstream, plugins)
    admission = Admission(settings.limits, reactor, settings.proxies, daemon.room)
    online = OnlineStatus(registry, upstream)
    connections = _connections(context, admission, heartbeat, plugins)
    site, edge = _site(daemon, reactor, online, admission, connections.callers)
    return ConnectNode(
        settings=settings,
        clock=reactor,
        registry=registry,
        upstream=upstream,
        heartbeat=heartbeat,
        admission=admission,
        authenticator=authenticator,
        connections=connections,
        edge_access=edge,
        site=site,
        rpc=ConnectRpc(online, peers.guard, shared=settings.workers > 1),
        peers=peers,
        session_lines=context.lines,
        plugins=plugins,
        local_key=own_key,
        issuer=issuer,
        health=daemon.health,
        name=daemon.node,
    )


def _site(
    daemon: Daemon,
    reactor: IReactorTime,
    online: OnlineStatus,
    admission: Admission,
    callers: Authenticate,
) -> tuple[QuietSite, EdgeAccess]:
    """
    Build the HTTP side of the public port, and its access control.
    """
    from wsmsg.connect.edge.http import edge_access, edge_site
    from wsmsg.connect.pages.chat_page import chat_routes

    pages, settings = chat_routes(daemon.settings), daemon.settings
    access = edge_access(settings, callers, daemon.keys.current)
    parts = (online, daemon.health, admission, reactor)
    return edge_site(*parts, access=access, pages=pages), access


def _issuer(daemon: Daemon, reactor: IReactorTime) -> IssuerKeys | None:
    """
    Build the keys of the issuer, if the settings name one.
    """
    from wsmsg.auth.issuer import issuer_keys

    issuer = issuer_keys(daemon.settings.token.jwks, reactor, daemon.backoff)
    if issuer is not None:
        daemon.health.add(issuer.dependency)
    return issuer


def _sessions(
    daemon: Daemon,
    reactor: IReactorTime,
    registry: Registry,
    authenticator: Authenticator,
    peers: PeerParts,
) -> tuple[SessionContext, Upstream]:
    """
    Build what sessions use: the streams to Message, and the context that they share.
    """
    from wsmsg.connect.session.context import SessionContext
    from wsmsg.connect.session.input import FrameDecoder
    from wsmsg.connect.upstream.endpoint import grpc_endpoints
    from wsmsg.connect.upstream.upstream import Upstream

    def authenticate(token: str, claimed_user: int | None) -> Identity:
        identity = authenticator.authenticate(token, claimed_user)
        return registry.revocations.check(identity)

    incarnation = uuid.uuid4().hex
    names, edge = None, cast("IEdge", registry)
    if daemon.settings.users.names:
        names, edge = _names(daemon, reactor, registry, lambda: upstream)
    upstream = Upstream(
        daemon.settings,
        reactor,
        edge,
        node=daemon.node,
        incarnation=incarnation,
        give_up=lambda reason: daemon.exits.exit_with(1, reason),
        endpoints=grpc_endpoints(peers.dialling.open),
        unnumbered_mode=_legacy_upstream,
        alarms=daemon.health.alarms,
        soon=asyncio.get_event_loop().call_soon,
    )
    upstream.on_peers(daemon.health.add, daemon.health.remove)
    context = SessionContext(
        decoder=FrameDecoder(),
        name=daemon.node,
        incarnation=incarnation,
        registry=registry,
        upstream=upstream,
        authenticate=authenticate,
        clock=reactor,
        names=names,
    )
    return context, upstream


def _names(
    daemon: Daemon,
    reactor: IReactorTime,
    registry: Registry,
    upstream_of: Callable[[], Upstream],
) -> tuple[UserNames, IEdge]:
    """
    Build the names of users, and the sessions as streams see them then.
    """
    from twisted.internet.defer import Deferred, fail

    from wsmsg.connect.names.edge import NamedEdge
    from wsmsg.connect.names.user_names import UserNames
    from wsmsg.errors import Unsupported

    def query(
        names: Sequence[str], users: Sequence[int], claim: bool
    ) -> Deferred[dict[str, int]]:
        upstream = upstream_of()
        if upstream.unnumbered:
            reason = "the Message behind this server does not support names of users"
            return fail(Unsupported(reason))
        return upstream.queries.names(names, users, claim)

    names = UserNames(query, reactor)
    names.register_metrics(daemon.metrics)
    edge = NamedEdge(registry, names)
    edge.register_metrics(daemon.metrics)
    return names, edge


def _legacy_upstream(
    context: UpstreamContext, pool_changed: Callable[[], None]
) -> UnnumberedMode:
    """
    Load the plug-in for legacy Messages.
    """
    from wsmsg.connect.legacy.upstream.plugin import LegacyUpstream

    return LegacyUpstream(context, pool_changed)


def _connections(
    context: SessionContext,
    admission: Admission,
    heartbeat: HeartbeatSweep,
    plugins: Plugins,
) -> WebSocketConnections:
    """
    Build the factory of WebSockets, with the subprotocols that clients may choose.
    """
    from wsmsg.connect.session.session import subprotocol
    from wsmsg.connect.websocket.factory import WebSocketConnections
    from wsmsg.protocol import json, protobuf

    codecs: Sequence[ICodec] = (protobuf.CODEC, json.CODEC)
    if context.names is not None:
        from wsmsg.connect.names.codec import NamedCodec

        codecs = [NamedCodec(c, context.names) for c in (protobuf.CODEC, json.CODEC)]
    return WebSocketConnections(
        context.settings,
        context.clock,
        admission=admission,
        sweep=heartbeat,
        subprotocols=[
            *(subprotocol(codec, context) for codec in codecs),
            _legacy_subprotocol(context, heartbeat, plugins),
        ],
        authenticate=context.authenticate,
        soon=asyncio.get_event_loop().call_soon,
    )


def _legacy_subprotocol(
    context: SessionContext, heartbeat: HeartbeatSweep, plugins: Plugins
) -> Subprotocol:
    """
    Serve clients that offer no subprotocol.  The first of them loads the plug-in.
    """
    from wsmsg.connect.session.interface import Subprotocol

    @cache
    def clients() -> LegacyClients:
        from wsmsg.connect.legacy.clients.clients import LegacyClients

        loaded = LegacyClients(context, heartbeat)
        plugins.add(loaded)
        return loaded

    def authenticate(token: str, claimed_user: int | None) -> Identity:
        return clients().authenticate(token, claimed_user)

    return Subprotocol(
        "",
        is_binary=True,
        open=lambda peer, identity, _: clients().open(peer, identity),
        check_headers=lambda headers: clients().check_headers(headers),
        authenticate=authenticate,
    )


def _add_legacy_redis(
    daemon: Daemon,
    reactor: IReactorTime,
    registry: Registry,
    upstream: Upstream,
    plugins: Plugins,
) -> None:
    """
    Connect to the Redis through which legacy Connects find users (C{legacy.redis}), if
    it is set.
    """
    if not daemon.settings.legacy.redis:
        return
    from wsmsg.connect.legacy.redis.setup import legacy_redis_bridge

    bridge = legacy_redis_bridge(
        daemon.settings.legacy,
        reactor,
        registry=registry,
        node=daemon.node,
        retry=daemon.retry,
        unnumbered=lambda: upstream.unnumbered,
    )
    for dependency in bridge.dependencies():
        daemon.health.add(dependency)
    plugins.add(bridge)
