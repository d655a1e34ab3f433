"""
Live settings of Message, changed by a reload.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from twisted.internet.defer import Deferred

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
from wsmsg.errors import WsmsgError
from wsmsg.message.journal.sqlite.file import JournalFile

_LEGACY = "wsmsg.message.legacy"


class MessageTree(RunningTree):
    """
    The parts of a running Message.
    """

    def __init__(self, root: RootService) -> None:
        super().__init__(root)
        self.node = self.owner("files")
        self.core = self.node.core
        self.access = self.owner("calls")._access
        # The plug-in is made for the first legacy peer.
        self.legacy = self.node.rpc._unversioned()

    def token_rules(self) -> Any:
        """
        Return the rules for users' tokens.
        """
        # The authenticator is made for the first token.
        asked = Deferred.fromCoroutine(self.access._check_token("no token", 1))
        asked.addErrback(lambda failure: failure.trap(WsmsgError))
        return self.access._authenticate.__self__.verifier._rules


def http(value: Any, key: str, *modules: str) -> LiveKey:
    """
    A key that the HTTP server reads whenever it needs it.
    """
    return read(value, lambda t: t.access.settings, key, *modules)


def site(value: Any, name: str, module: str = "site") -> LiveKey:
    """
    A limit of connections and requests.
    """
    return read(
        value,
        lambda t: t.owner("http")._factory.limits(),
        name,
        f"wsmsg.http.server.{module}",
    )


def legacy(value: Any, name: str, module: str) -> LiveKey:
    """
    A limit of the streams of legacy Connects.
    """
    return read(
        value, lambda t: t.legacy.connects.settings, name, f"{_LEGACY}.{module}"
    )


def quota(value: Any, name: str) -> LiveKey:
    """
    A limit of users that the store must judge.
    """
    return read(
        value,
        lambda t: t.owner("limits")._limits.settings,
        name,
        "wsmsg.message.limits.quotas",
    )


def contact(value: Any, name: str, module: str = "hook") -> LiveKey:
    """
    A key of the rule about whom users may begin to reach.
    """
    return read(
        value,
        lambda t: t.core.ingress.contacts._settings,
        name,
        f"wsmsg.message.consent.{module}",
    )


class MessageSettingsTests(live_settings.LiveSettingsCase):
    """
    Message with embedded backends, and a journal of an earlier version.
    """

    keys: ClassVar[dict[str, LiveKey]] = {
        "stop_s": used(
            9.0, lambda t: t.root._stop_s(), lambda t: t.node.settings.stop_s
        ),
        "drain.lead_s": used(9.0, lambda t: t.root._lead._lead_s()),
        **log_keys(),
        **retry_keys(lambda t: t.daemon.retry),
        "appends_in_flight": used(9, lambda t: t.core.ingress.limit),
        "backlog_records": used(9, lambda t: t.owner("watches").backlog.bounds.records),
        "backlog_bytes": used(9, lambda t: t.owner("watches").backlog.bounds.n_bytes),
        "backlog_s": used(9.0, lambda t: t.owner("watches").backlog.bounds.age_s),
        "disk_reserve_bytes": used(9, lambda t: t.owner("watches").disk.reserve_bytes),
        "read_batch": used(
            9, lambda t: t.node.log.batch, lambda t: t.node.log._old.reader.batch
        ),
        "unsettled_records": used(
            90_000, lambda t: t.node.log._old.reader.limit_unsettled
        ),
        "link_records": used(9, lambda t: t.core.links.limit_records),
        "link_bytes": used(9, lambda t: t.core.links.limit_bytes),
        "link_ack_s": used(9.0, lambda t: t.core.links._slow.ack_s),
        "stalled_s": used(
            9.0,
            lambda t: t.node.log.stalled_s,
            lambda t: t.node.log._old.reader.stalled_s,
        ),
        "link_grace_s": used(9.0, lambda t: t.core.links.grace_s),
        "page": used(9, lambda t: t.node.queries.page_limit),
        "group_members": used(9, lambda t: t.core.ingress.rules.group_members),
        "limits.sends_per_s": used(9, lambda t: t.owner("limits").meters.rate),
        "limits.sends_burst": used(9, lambda t: t.owner("limits").meters.burst),
        "limits.stored_bytes_per_day": used(
            9, lambda t: t.owner("limits").meters.amount
        ),
        "limits.strangers_per_h": quota(9, "strangers_per_h"),
        "limits.groups_owned": quota(9, "groups_owned"),
        "limits.groups_joined": quota(9, "groups_joined"),
        "consent.contact": contact("shared", "contact", "contacts"),
        "consent.presence": read(
            "shared",
            lambda t: t.node.queries._sight._settings,
            "presence",
            "wsmsg.message.consent.sight",
        ),
        "consent.hook_url": contact("http://new.example", "hook_url"),
        "consent.hook_secret": used(
            "new",
            lambda t: t.core.ingress.contacts._settings.hook_secret.get_secret_value(),
        ),
        "consent.hook_timeout_s": contact(1.0, "hook_timeout_s"),
        "consent.hook_fail": contact("open", "hook_fail", "contacts"),
        "consent.groups": used("invite", lambda t: t.core.ingress.rules.consent.groups),
        "consent.blocks": used(9, lambda t: t.core.ingress.rules.consent.blocks),
        "consent.invitations": used(
            9, lambda t: t.core.ingress.rules.consent.invitations
        ),
        "consent.invitation_s": used(
            9.0,
            lambda t: t.core.ingress.rules.consent.invitation_s,
            lambda t: t.node.queries._consent._settings.invitation_s,
        ),
        "peer.proof": used("none", lambda t: proof(t.node.peers)),
        "peer.secrets": used(["s" * 32], lambda t: secrets(t.node.peers)),
        "legacy.callers": used(["10.0.0.0/8"], lambda t: list(t.node.peers._callers)),
        "recall_s": used(9.0, lambda t: t.core.ingress.rules.recall_s),
        "api_keys": read(
            "/x/api.keys", lambda t: t.daemon.current, "api_keys", "wsmsg.daemon.app"
        ),
        "proxies": used(["10.0.0.0/8"], lambda t: trusted(t.access.proxies)),
        "http.origins": used(
            ["https://new.example"], lambda t: allowed(t.access._pages._origins)
        ),
        "hosts": used(
            ["new.example"],
            lambda t: sorted(t.access._pages._hosts),
            lambda t: sorted(t.owner("admin")._factory.resource._gate._pages._hosts),
        ),
        "http.requests_per_s": http(9, "requests_per_s", "wsmsg.http.access"),
        "http.requests_burst": http(9, "requests_burst", "wsmsg.http.access"),
        "http.requests_in_flight": http(9, "requests_in_flight", "wsmsg.http.access"),
        "http.connections": site(9, "connections"),
        "http.body_bytes": site(9999, "body_bytes", "request"),
        "http.receive_s": site(9.0, "receive_s", "channel"),
        "http.unread": read(
            9, lambda t: t.daemon.current, "http.unread", "wsmsg.message.tap"
        ),
        **token_keys("http.token", MessageTree.token_rules),
        "legacy.records": legacy(9, "records", "outbox"),
        "legacy.record_bytes": legacy(9, "record_bytes", "outbox"),
        "legacy.unsettled": legacy(9, "unsettled", "outbox"),
        "legacy.unsettled_s": legacy(9.0, "unsettled_s", "outbox"),
        "legacy.sends": legacy(9, "sends", "sends"),
        "legacy.send_bytes": legacy(9, "send_bytes", "sends"),
        "legacy.send_s": legacy(9.0, "send_s", "sends"),
        "legacy.acks": legacy(9, "acks", "acks"),
        "legacy.history": legacy(9, "history", "plugin"),
        "legacy.history_depth": used(9, lambda t: t.legacy._history.depth),
    }

    def prepare(self, data_dir: Path) -> None:
        journal = JournalFile(str(data_dir / "journal.db"))
        journal.open()
        journal.close()

    def tap(self) -> Any:
        from wsmsg.message import tap

        return tap

    def tree_of(self, root: RootService) -> RunningTree:
        return MessageTree(root)
