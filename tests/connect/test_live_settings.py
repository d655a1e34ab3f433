"""
Live settings of Connect, changed by a reload.
"""

from __future__ import annotations

from typing import Any, ClassVar

from tests.daemon import live_settings
from tests.daemon.live_keys import (
    allowed,
    log_keys,
    proof,
    retry_keys,
    secrets,
    token_keys,
    trusted,
)
from tests.daemon.live_settings import (
    LiveKey,
    RunningTree,
    read,
    used,
)
from wsmsg.daemon.lifecycle import RootService
from wsmsg.rpc import rest_pb2

_SESSION = "wsmsg.connect.session"
_LEGACY = "wsmsg.connect.legacy.clients"


class ConnectTree(RunningTree):
    """
    The parts of a running Connect.
    """

    def __init__(self, root: RootService) -> None:
        super().__init__(root)
        self.node = self.owner("sweeps")
        self.upstream = self.node.upstream
        self.peers = self.upstream._peers
        # The first legacy client loads the plug-in.
        legacy = self.node.connections._subprotocols[""].open.__closure__
        self.legacy = next(c.cell_contents for c in legacy)()

    def endpoint(self, *, welcoming: bool) -> Any:
        """
        Return the endpoint of the next attempt to reach a Message.
        """
        return self.peers.endpoint(
            "127.0.0.1:1", rest_pb2.MessageStreamRequest, welcoming=welcoming
        )

    def auth(self) -> Any:
        return self.node.authenticator._rules


def settings(tree: ConnectTree) -> Any:
    """
    The settings that sessions read.
    """
    return tree.legacy.context.settings


def session(value: Any, key: str, *modules: str) -> LiveKey:
    """
    A key that sessions read whenever they need it.
    """
    return read(value, settings, key, *modules)


def limit(value: Any, name: str, *modules: str) -> LiveKey:
    """
    A limit that sessions read whenever they need it.
    """
    names = [f"{_SESSION}.{module}" for module in modules]
    return session(value, f"limits.{name}", *names)


def admission(value: Any, name: str) -> LiveKey:
    """
    A limit of new connections.
    """
    return read(
        value, lambda t: t.node.admission._limits, name, "wsmsg.connect.edge.admission"
    )


def closing_s(tree: ConnectTree) -> float:
    """
    Return 9 if the ticks of a closing handshake are those of 9 s.
    """
    node = tree.node
    return 9.0 if node.connections.closing_ticks == node.heartbeat.ticks(9.0) else 0.0


def discovery_url(tree: ConnectTree) -> str:
    """
    Return the URL of a discovery by Redis; empty for another kind.
    """
    redis = getattr(tree.peers._discovery, "_redis", None)
    return f"redis://{redis.url.user}@{redis.url.place}" if redis else ""


def discovery_password(tree: ConnectTree) -> str:
    redis = getattr(tree.peers._discovery, "_redis", None)
    return redis.url.password if redis else ""


def peer_kind(tree: ConnectTree) -> str:
    """
    Return C{legacy} if the next attempt waits for silence, not for a welcome.
    """
    endpoint = tree.endpoint(welcoming=False)
    return "legacy" if getattr(endpoint, "_quiet_s", 0.0) else "auto"


class ConnectSettingsTests(live_settings.LiveSettingsCase):
    """
    Connect without a Message.
    """

    first: ClassVar[dict[str, Any]] = {
        "discovery": "static:127.0.0.1:1",
        "traces.endpoint": "http://127.0.0.1:1/v1/traces",
    }
    keys: ClassVar[dict[str, LiveKey]] = {
        "stop_s": used(
            9.0,
            lambda t: t.root._stop_s(),
            lambda t: t.node.settings.stop_s,
            lambda t: t.upstream._settings.stop_s,
        ),
        "drain.lead_s": used(9.0, lambda t: t.root._lead._lead_s()),
        **log_keys(),
        **retry_keys(lambda t: t.daemon.retry, lambda t: t.peers.retry_policy()),
        "discovery": used("redis://user@127.0.0.1:1/0", discovery_url),
        "discovery_password": used("password", discovery_password),
        "welcome_timeout_s": used(
            9.0, lambda t: t.endpoint(welcoming=True)._welcome_timeout_s
        ),
        "send_timeout_s": read(
            9.0,
            lambda t: t.upstream._settings,
            "send_timeout_s",
            "wsmsg.connect.upstream.upstream",
        ),
        "query_timeout_s": used(
            9.0,
            lambda t: t.upstream._shared.query_timeout_s,
            lambda t: t.node.registry.settings.query_timeout_s,
        ),
        "hello_timeout_s": session(9.0, "hello_timeout_s", f"{_SESSION}.registry"),
        "heartbeat_s": used(
            9.0,
            lambda t: t.node.heartbeat.heartbeat_s,
            lambda t: settings(t).heartbeat_s,
        ),
        "close_timeout_s": used(9.0, closing_s),
        "resync_spread_s": session(
            9.0, "resync_spread_s", f"{_SESSION}.registry", f"{_SESSION}.login"
        ),
        "drain.per_s": used(9.0, lambda t: t.node.moves._settings.drain.per_s),
        "public_url": used("wss://new.example/", lambda t: t.node._own_load().url),
        "origins": used(
            ["https://new.example"],
            lambda t: allowed(t.node.connections.origins),
            lambda t: allowed(t.node.edge_access._pages._origins),
        ),
        "limits.http_per_s": used(9, lambda t: t.node.edge_access.requests_per_s),
        "api_keys": read(
            "/x/api.keys", lambda t: t.daemon.current, "api_keys", "wsmsg.daemon.app"
        ),
        "hosts": used(
            ["new.example"],
            lambda t: sorted(t.node.edge_access._pages._hosts),
            lambda t: sorted(t.node.connections.hosts._hosts),
        ),
        "alternatives": used(
            ["other.example:1"], lambda t: list(t.node.registry.settings.alternatives)
        ),
        "proxies": used(
            ["10.0.0.0/8"],
            lambda t: trusted(t.node.admission.proxies),
            lambda t: trusted(t.node.edge_access._proxies),
        ),
        **token_keys("token", ConnectTree.auth),
        "limits.frame_bytes": used(
            9_000_000,
            lambda t: t.node.connections.frame_bytes,
            lambda t: settings(t).limits.frame_bytes,
        ),
        "limits.content_bytes": limit(8_000_000, "content_bytes", "sends", "login"),
        "limits.window": limit(9, "window", "session", "login"),
        "limits.sends_per_s": limit(9, "sends_per_s", "session", "login"),
        "limits.sends_burst": limit(9, "sends_burst", "session", "context"),
        "limits.frames_per_s": limit(9, "frames_per_s", "input", "session"),
        "limits.frames_burst": limit(9, "frames_burst", "input"),
        "limits.requests_per_s": limit(9, "requests_per_s", "session", "context"),
        "limits.requests_burst": limit(9, "requests_burst", "session", "context"),
        "limits.connections": admission(9, "connections"),
        "limits.connections_per_user": limit(9, "connections_per_user", "registry"),
        "limits.connections_per_address": admission(9, "connections_per_address"),
        "limits.handshakes_per_s": admission(9, "handshakes_per_s"),
        "limits.address_handshakes_per_s": admission(9, "address_handshakes_per_s"),
        "limits.page": limit(9, "page", "login", "requests"),
        "limits.watch": limit(9, "watch", "login", "requests"),
        "limits.outbox_soft_bytes": limit(9, "outbox_soft_bytes", "outbox", "output"),
        "limits.outbox_hard_bytes": limit(99, "outbox_hard_bytes", "outbox"),
        "ready.turn_s": used(9.0, lambda t: t.node.turn_watch.turn_s),
        "limits.outbox_drain_s": limit(9.0, "outbox_drain_s", "session"),
        "limits.waiting_sends": used(9, lambda t: t.upstream.sends.limit),
        "peer.proof": used("none", lambda t: proof(t.node.peers)),
        "peer.secrets": used(["s" * 32], lambda t: secrets(t.node.peers)),
        "legacy.callers": used(["10.0.0.0/8"], lambda t: list(t.node.peers._callers)),
        "legacy.token_secret": used(
            "s" * 11, lambda t: settings(t).legacy.token_secret.get_secret_value()
        ),
        "legacy.heartbeat_s": used(9.0, lambda t: t.legacy._heartbeat_s()),
        "legacy.presence": session(True, "legacy.presence", f"{_LEGACY}.partners"),
        "legacy.redeliver": session(True, "legacy.redeliver", f"{_LEGACY}.session"),
        "legacy.send_keep_s": session(9.0, "legacy.send_keep_s", f"{_LEGACY}.sends"),
        "legacy.user_sends": session(9, "legacy.user_sends", f"{_LEGACY}.sends"),
        "legacy.held_bytes": session(9, "legacy.held_bytes", f"{_LEGACY}.sends"),
        "upstream.peer": used("legacy", peer_kind),
        "upstream.quiet_s": used(
            9.0, lambda t: getattr(t.endpoint(welcoming=False), "_quiet_s", 0.0)
        ),
        "traces.ratio": used(0.9, lambda t: t.node.registry.traces._ratio),
        "traces.clients_per_s": used(9.0, lambda t: t.node.registry.traces._per_s),
        "upstream.partial_s": used(
            9.0, lambda t: t.upstream._settings.upstream.partial_s
        ),
        "upstream.stalled_s": used(
            9.0, lambda t: t.peers.open_unnumbered("a", t.upstream)._stalled_s
        ),
    }

    def tap(self) -> Any:
        from wsmsg.connect import tap

        return tap

    def tree_of(self, root: RootService) -> RunningTree:
        return ConnectTree(root)
