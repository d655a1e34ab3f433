"""
C{twistd connect}: the options, and the one place where a Connect is put together.

Autobahn and gRPC are imported once the options are good: C{twistd --help} and a
mistake in the settings need neither.
"""

from __future__ import annotations

import asyncio
import uuid
from typing import Any, ClassVar

from twisted.application.service import IService

from wsmsg.daemon.options import DaemonOptions
from wsmsg.settings.values import ConnectSettings


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
    Check what can be checked while somebody reads C{stderr}, then build the tree.
    """
    from twisted.internet import reactor

    return build(options, reactor)


def build(options: Options, reactor: Any) -> IService:
    """
    The tree of services of a Connect; nothing of it has begun.
    """
    from wsmsg.connect.edge.port import Port
    from wsmsg.daemon.app import Daemon
    from wsmsg.daemon.lifecycle import Part, part
    from wsmsg.daemon.listener import Listener
    from wsmsg.monitoring.grpc_health import follow_readiness
    from wsmsg.monitoring.health import any_up

    settings: ConnectSettings = options.settings
    daemon = Daemon(options, reactor, rule=any_up)
    node = _node(daemon, reactor)
    daemon.health.describe("connect", node.status)
    daemon.on_reload(node.adopt)
    node.measure(daemon.metrics)
    follow_readiness(daemon.health, node.rpc.health, node.rpc.services)
    port = Port(
        node.admission,
        node.heartbeat,
        build_websocket=node.connections.build,
        build_http=node.site.build,
    )
    beside = [part("beside", node.beside)] if node.beside else []
    parts = [
        Part("sweeps", node.start_sweeps, node.stop_sweeps),
        part("upstream", node.upstream),
        *beside,
        Part("rpc", node.start_rpc, node.stop_rpc),
        Part("clients", stop=node.drain),
        part("port", Listener(reactor, settings.listen, port)),
    ]
    names = [p.name for p in beside]
    stop_order = ["port", "clients", *names, "rpc", "upstream", "sweeps"]
    return daemon.service(parts, stop_order)


def _node(daemon: Any, reactor: Any) -> Any:
    """
    The parts that make a Connect what it is.
    """
    from wsmsg.auth.jwt import Authenticator
    from wsmsg.auth.local_key import local_key
    from wsmsg.connect.edge.admission import Admission
    from wsmsg.connect.edge.heartbeat import Sweep
    from wsmsg.connect.edge.http import Pages, Site
    from wsmsg.connect.edge.online_status import OnlineStatus
    from wsmsg.connect.edge.rpc import ConnectRpc
    from wsmsg.connect.legacy.clients.shared import LegacyClients
    from wsmsg.connect.node import ConnectNode
    from wsmsg.connect.session.context import SessionContext
    from wsmsg.connect.session.registry import Registry
    from wsmsg.connect.session.session import Session
    from wsmsg.connect.upstream.upstream import Upstream
    from wsmsg.connect.websocket.factory import WebSocketConnections
    from wsmsg.protocol import json as codec_json
    from wsmsg.protocol import legacy as codec_legacy
    from wsmsg.protocol import protobuf as codec_protobuf
    from wsmsg.settings.urls.address import is_loopback, parse_address

    settings: ConnectSettings = daemon.settings
    registry = Registry(settings, reactor)
    incarnation = uuid.uuid4().hex
    upstream = Upstream(
        settings,
        reactor,
        registry,
        node=daemon.node,
        incarnation=incarnation,
        give_up=lambda reason: daemon.exits.exit_with(1, reason),
    )
    upstream.on_peers(daemon.health.add, daemon.health.remove)
    authenticator = Authenticator(
        settings.token, local_key(daemon.data_dir).encode("ascii")
    )
    authenticate = authenticator.authenticate
    node = SessionContext(
        name=daemon.node,
        registry=registry,
        upstream=upstream,
        authenticate=authenticate,
        clock=reactor,
    )
    admission = Admission(settings.limits, reactor)
    heartbeat = Sweep(settings.heartbeat_s, reactor)
    legacy = LegacyClients(node, incarnation)
    codecs = (codec_protobuf.CODEC, codec_json.CODEC, codec_legacy.CODEC)
    connections = WebSocketConnections(
        settings,
        reactor,
        admission=admission,
        sweep=heartbeat,
        codecs={codec.subprotocol: codec for codec in codecs},
        authenticate=authenticate,
        soon=asyncio.get_event_loop().call_soon,
        make_session=lambda peer, codec, identity, user: (
            Session(peer, codec, node, identity=identity, claimed_user=user)
            if codec.subprotocol
            else legacy.open(peer, identity)
        ),
    )
    online = OnlineStatus(registry, upstream)
    only_here = not settings.listen.startswith("systemd:") and is_loopback(
        parse_address(settings.listen).host
    )
    pages = Pages(
        online,
        reactor,
        authenticate=authenticate,
        must_prove=not only_here,
    )
    return ConnectNode(
        settings=settings,
        clock=reactor,
        registry=registry,
        upstream=upstream,
        heartbeat=heartbeat,
        admission=admission,
        authenticator=authenticator,
        connections=connections,
        site=Site(pages, admission, reactor),
        rpc=ConnectRpc(online),
        legacy=legacy,
        beside=_beside(daemon, reactor, registry, upstream),
    )


def _beside(daemon: Any, reactor: Any, registry: Any, upstream: Any) -> Any:
    """
    What the Connects of another system are told; L{None}: there are none.
    """
    if not daemon.settings.legacy.redis:
        return None
    from wsmsg.connect.legacy.redis.setup import beside

    made = beside(
        daemon.settings.legacy,
        reactor,
        registry=registry,
        node=daemon.node,
        retry=daemon.retry,
        unnumbered=lambda: upstream.unnumbered,
    )
    for dependency in made.dependencies():
        daemon.health.add(dependency)
    return made
