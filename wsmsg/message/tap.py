"""
C{twistd message}: the options, and the one place where a Message is put together.

Backends and gRPC are imported once the options are good: C{twistd --help} and a
mistake in the settings need none of them.
"""

from __future__ import annotations

import sys
import uuid
from typing import Any, ClassVar

from twisted.application.service import IService

from wsmsg.daemon.options import DaemonOptions
from wsmsg.settings.tokens import TokenSettings
from wsmsg.settings.values import MessageSettings

_SWITCH_S = 0.0005


class Options(DaemonOptions):
    """
    The command line of C{twistd message}.
    """

    settings_type = MessageSettings
    optParameters: ClassVar[list[list[str | None]]] = [
        ["journal", None, None, "URL of the durable log: sqlite:, kafka://host:9092"],
        ["store", None, None, "URL of the message store: sqlite:, mongodb://host/db"],
        ["presence", None, None, "URL of the user state: memory:, redis://host/0"],
    ]


def makeService(options: Options) -> IService:
    """
    Check what can be checked while somebody reads C{stderr}, then build the tree.
    """
    from twisted.internet import reactor

    return build(options, reactor)


def build(options: Options, reactor: Any) -> IService:
    """
    The tree of services of a Message; nothing of it has begun.
    """
    from wsmsg.daemon.app import Daemon
    from wsmsg.daemon.lifecycle import Part, part
    from wsmsg.daemon.listener import Listener
    from wsmsg.message.backends import Backends, probes
    from wsmsg.message.http.dead_letters import DeadLettersResource
    from wsmsg.monitoring.grpc_health import follow_readiness
    from wsmsg.monitoring.health import required_up

    # A thread that comes back from SQLite asks for the interpreter, and the reactor's
    # thread gives it up after this: with Python's 5 ms each step of a commit would
    # wait so long behind a busy reactor.
    sys.setswitchinterval(_SWITCH_S)
    settings: MessageSettings = options.settings
    daemon = Daemon(
        options,
        reactor,
        rule=required_up,
        probes=probes(settings, options.data_dir),
    )
    backends = Backends(settings, options.data_dir, reactor, daemon.retry)
    node, presence, ids = _node(daemon, reactor, backends)
    registry = backends.registry(ids)
    for backend in (node.journal, node.store, presence):
        daemon.health.add(backend.dependency)
    daemon.health.describe("message", node.status)
    daemon.on_reload(node.adopt)
    node.measure(daemon.metrics)
    follow_readiness(daemon.health, node.rpc.health, node.rpc.services)
    parts = [
        part("presence", presence),
        Part("files", node.open_files, node.close_files),
        Part("leases", node.start_leases, node.stop_leases),
        Part("rpc", node.start_rpc, node.stop_rpc),
        Part("intake", stop=node.drain),
    ]
    if settings.listen:
        http = _http(daemon, reactor, node)
        parts.append(part("http", Listener(reactor, settings.listen, http.site)))
        parts.append(Part("calls", stop=http.drain))
    stop_order = ["intake", "rpc", "files", "leases", "presence"]
    if settings.listen:
        stop_order[:0] = ["http", "calls"]
    if registry is not None:
        daemon.health.add(registry.dependency)
        parts.append(part("registry", registry))
        stop_order.insert(0, "registry")
        relay = _relay(daemon, reactor, node, registry)
        parts.append(Part("relay", stop=relay.stop))
        stop_order.insert(stop_order.index("rpc"), "relay")
    dead_letters = DeadLettersResource(node.journal)
    return daemon.service(parts, stop_order, admin={"dead-letters": dead_letters})


def _relay(daemon: Any, reactor: Any, node: Any, registry: Any) -> Any:
    """
    The streams to other Messages, for deployed Connects.
    """
    from wsmsg.message.legacy.relay import LegacyRelay, grpc_endpoint

    keepalive_s = daemon.settings.keepalive_s
    relay = LegacyRelay(
        node.deployed,
        reactor,
        lambda address, hello: grpc_endpoint(address, hello, keepalive_s),
        node=daemon.node,
        retry=daemon.retry,
    )
    registry.on_listed = relay.listed
    daemon.health.describe("legacy_relay", relay.status)
    return relay


def _http(daemon: Any, reactor: Any, node: Any) -> Any:
    """
    What is served at C{listen}.
    """
    from wsmsg.message.http.api import ApiServices, PublicHttp
    from wsmsg.message.ingress.submit import SubmitAndWait
    from wsmsg.message.legacy.history import History
    from wsmsg.message.legacy.http import LegacyHttpCalls

    settings: MessageSettings = daemon.settings

    def authenticate(token: TokenSettings) -> Any:
        from wsmsg.auth.jwt import Authenticator
        from wsmsg.auth.local_key import TokenKeyUnusable, local_key

        try:
            key = local_key(daemon.data_dir, make=False)
        except TokenKeyUnusable:
            key = ""  # Connect, which makes it, is elsewhere
        return Authenticator(token, key.encode("ascii")).authenticate

    behind = ApiServices(
        node.store,
        SubmitAndWait(node.core.ingress, node.store, reactor),
        node.queries,
        node.core.links,
    )
    legacy = LegacyHttpCalls(
        node.store,
        behind.submit,
        History(node.store, depth=settings.legacy.history_depth),
        node.marks.mark,
        reactor,
        most_unread=lambda: daemon.current.http.unread,
    )
    http = PublicHttp(
        behind, daemon.health, reactor, settings, authenticate, legacy.routes()
    )
    daemon.on_reload(http.adopt)
    http.measure(daemon.metrics)
    return http


def _node(daemon: Any, reactor: Any, backends: Any) -> Any:
    """
    The parts that make a Message what it is, its presence, and its ids.
    """
    from wsmsg.message.delivery.numbering import Numbering
    from wsmsg.message.delivery.reader import JournalReader
    from wsmsg.message.ingress.appends import Appends
    from wsmsg.message.ingress.group_rules import GroupRules
    from wsmsg.message.ingress.ingress import Ingress
    from wsmsg.message.legacy.calls import LegacyCalls
    from wsmsg.message.legacy.history import History
    from wsmsg.message.legacy.peers import LegacyConnects
    from wsmsg.message.links.cursors import CursorWriter
    from wsmsg.message.links.links import Links
    from wsmsg.message.links.stream import StreamContext
    from wsmsg.message.links.typing import GroupTyping
    from wsmsg.message.node import MessageNode
    from wsmsg.message.queries.marks import Marks
    from wsmsg.message.queries.queries import Queries
    from wsmsg.message.rpc import MessageRpc

    settings: MessageSettings = daemon.settings

    def now_ms() -> int:
        return int(reactor.seconds() * 1000)

    journal, store = backends.journal(), backends.store()
    presence, ids = backends.presence(), backends.message_ids(now_ms)
    links = Links(
        presence,
        reactor,
        grace_s=settings.link_grace_s,
        limit_records=settings.link_records,
        limit_bytes=settings.link_bytes,
    )
    ingress = Ingress(
        Appends(journal, store, reactor),
        store,
        ids,
        now_ms,
        rules=GroupRules(
            store,
            now_ms,
            group_members=settings.group_members,
            recall_s=settings.recall_s,
        ),
        limit=settings.appends_in_flight,
        content_bytes=settings.content_bytes,
    )
    delivery = Numbering(
        store,
        now_ms,
        heads_cached=settings.heads_cached,
        members_cached=settings.members_cached,
    )
    marks = Marks(store, links.receipt, reactor)
    core = StreamContext(
        node=daemon.node,
        incarnation=uuid.uuid4().hex,
        links=links,
        ingress=ingress,
        cursors=CursorWriter(store, links, reactor),
        group_typing=GroupTyping(store, delivery.members, links, reactor),
        keepalive_s=settings.keepalive_s,
        content_bytes=settings.content_bytes,
    )
    deployed = LegacyConnects(
        ingress,
        marks.mark,
        reactor,
        settings.legacy,
        incarnation=core.incarnation,
    )
    links.push_listeners.append(deployed.push)
    calls = LegacyCalls(
        ingress,
        History(store, depth=settings.legacy.history_depth),
        lambda: deployed.settings,
        incarnation=core.incarnation,
    )
    queries = Queries(
        store, presence, links.routes, page=settings.page, mark=marks.mark
    )
    reading = JournalReader(
        journal,
        delivery,
        links,
        reactor,
        daemon.retry,
        batch=settings.read_batch,
        limit_unsettled=settings.unsettled_records,
        stored=marks.pushed,
    )
    node = MessageNode(
        settings=settings,
        clock=reactor,
        journal=journal,
        store=store,
        core=core,
        marks=marks,
        queries=queries,
        reading=reading,
        rpc=MessageRpc(core, queries, deployed, calls),
        deployed=deployed,
    )
    return node, presence, ids
