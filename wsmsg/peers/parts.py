"""
All that a daemon needs to prove itself, and to have others prove themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from twisted.internet.interfaces import IReactorTime

from wsmsg.auth.reread import FileRead
from wsmsg.dependency.alarms import Alarms
from wsmsg.monitoring.metrics import Metrics
from wsmsg.peers.channel import ProvenDialling
from wsmsg.peers.guard import PeerGuard
from wsmsg.peers.identity import PeerIdentity
from wsmsg.peers.refusals import Refusals
from wsmsg.peers.tls import RpcTls
from wsmsg.settings.values import ConnectSettings, MessageSettings

# Each series exists from the start, so that its first increase is seen.
_NONE = {"unproven": 0, "secret": 0, "proof": 0}


class PeerParts:
    """
    The identity of a daemon, the guard of its gRPC listener, and its way to dial.

    @ivar dialling: opens channels to peers.
    @ivar guard: checks the calls of peers.
    """

    def __init__(
        self,
        settings: ConnectSettings | MessageSettings,
        data_dir: Path,
        clock: IReactorTime,
        alarms: Alarms,
    ) -> None:
        self._callers: Sequence[str] = settings.legacy.callers
        self._alarms = alarms
        self._identity = PeerIdentity(settings.peer, data_dir)
        tls = settings.tls.rpc_listen
        self._tls = RpcTls(tls) if tls.cert else None
        self._refusals = Refusals(alarms, clock.seconds)
        self.dialling = ProvenDialling(self._identity, settings.peer)
        self.guard = PeerGuard(
            self._identity,
            self._refusals,
            clock.seconds,
            callers=lambda: self._callers,
        )

    def reload(self, settings: ConnectSettings | MessageSettings) -> Sequence[FileRead]:
        """
        Apply the settings, and read the secrets again.
        """
        self._callers = settings.legacy.callers
        read = self._identity.reload(settings.peer, self._alarms)
        self.dialling.apply_settings(settings.peer)
        if self._tls is not None:
            self._tls.read()
        return read

    def credentials(self) -> Any:
        """
        Return the credentials of the gRPC listener; L{None}: it speaks no TLS.
        """
        return None if self._tls is None else self._tls.credentials()

    def look(self) -> None:
        """
        Clear alarms whose time is over; called every few seconds.
        """
        self._refusals.look()

    def register_metrics(self, metrics: Metrics) -> None:
        """
        Have the counts read by each scrape.
        """
        metrics.counters(
            "wsmsg_peer_refused",
            "Calls to the gRPC listener refused for want of a proof",
            label="reason",
            read=lambda: {**_NONE, **self._refusals.counts},
        )
        metrics.counters(
            "wsmsg_peer_unproven",
            "Attempts to reach a peer that did not prove itself",
            label="reason",
            read=lambda: {**_NONE, "certificate": 0, **self.dialling.failures},
        )
