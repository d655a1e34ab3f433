"""
The Messages that discovery finds: dialled when they come, let go when they leave.

An address that is not found any more gets no new conversation and is not dialled
again.  But its stream, while it lives, has pushes that come no other way, and an
address may be missing for a moment only.  So the stream stays for a while; then it
ends, when all that it carries is answered, or soon after::

    found --gone--> leaving --LINGER_S--> draining --answered, DRAIN_S--> ended
      ^                |                     |
      `--found again---+---------------------'
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.interfaces import IReactorTime

from wsmsg.connect.discovery.interface import IDiscovery
from wsmsg.connect.upstream.context import Stream, UpstreamContext
from wsmsg.connect.upstream.peer import UpstreamPeer, UpstreamPeerOwner
from wsmsg.dependency.state import Dependency
from wsmsg.settings.values import ConnectSettings

#: How long a stream stays after its address is gone from discovery; a reload that
#: names others does not wait for it.
LINGER_S = 30.0
#: How long after that its sends may still be answered.
DRAIN_S = 2.0

DiscoveryOf = Callable[[ConnectSettings, Any], IDiscovery]
Listener = Callable[[Dependency], object]


class Peers:
    """
    All Messages by their addresses.

    @param changed: called when some came or are leaving.
    """

    def __init__(
        self,
        owner: UpstreamPeerOwner,
        shared: UpstreamContext,
        settings: ConnectSettings,
        discovery: DiscoveryOf,
        changed: Callable[[], object],
    ) -> None:
        self._owner = owner
        self._shared = shared
        self._clock: IReactorTime = shared.clock
        self._discovery_of = discovery
        self._discovery = discovery(settings, shared.clock)
        self._changed = changed
        self._peers: dict[str, UpstreamPeer] = {}
        self._leaving: dict[UpstreamPeer, float] = {}
        self._ending: list[Deferred[None]] = []
        self._linger_s = LINGER_S
        self._added: Listener = _ignore
        self._removed: Listener = _ignore

    def on_peers(self, added: Listener, removed: Listener) -> None:
        """
        Call these with the dependency of each Message that is found, and of each
        that is no longer there; with that of discovery, too.
        """
        self._added, self._removed = added, removed

    def start(self) -> None:
        if self._discovery.dependency is not None:
            self._added(self._discovery.dependency)
        self._discovery.start(self._found)

    def rediscover(self, settings: ConnectSettings) -> None:
        """
        Find them in another way from now on.
        """
        self._ending.append(self._discovery.stop())
        if self._discovery.dependency is not None:
            self._removed(self._discovery.dependency)
        self._discovery = self._discovery_of(settings, self._clock)
        self._linger_s = 0.0
        self.start()

    def stop(self) -> Deferred[Any]:
        """
        Look no more, write what is left on all streams, and close them.
        """
        stopping = [self._discovery.stop()]
        stopping += [peer.stop() for peer in (*self._peers.values(), *self._leaving)]
        return gatherResults(stopping + self._ending)

    def dependencies(self) -> list[Dependency]:
        """
        One for each Message that is found, by address.
        """
        return [peer.dependency for _, peer in sorted(self._peers.items())]

    def is_leaving(self, stream: Stream) -> bool:
        """
        Whether its address is not found any more.
        """
        return any(peer.stream is stream for peer in self._leaving)

    def is_other_ours(self, address: str) -> bool:
        """
        Whether another one that is found was one of ours when it was last met.
        """
        return any(
            peer.deployed is False
            for peer in self._peers.values()
            if peer.address != address
        )

    def sweep(self, now_s: float) -> None:
        """
        Called some times a second: end what has left.
        """
        for peer, due_s in list(self._leaving.items()):
            stream = peer.stream
            if stream is None or (
                now_s >= due_s and (not stream.unanswered or now_s >= due_s + DRAIN_S)
            ):
                del self._leaving[peer]
                self._ending.append(peer.stop())
        if self._ending:
            self._ending = [d for d in self._ending if not d.called]

    def _found(self, addresses: frozenset[str]) -> None:
        due_s = self._clock.seconds() + self._linger_s
        self._linger_s = LINGER_S
        for address in sorted(self._peers.keys() - addresses):
            peer = self._peers.pop(address)
            peer.leave()
            self._leaving[peer] = due_s
            self._removed(peer.dependency)
        added = [
            self._again(address) or UpstreamPeer(address, self._owner, self._shared)
            for address in sorted(addresses - self._peers.keys())
        ]
        self._peers.update((peer.address, peer) for peer in added)
        for peer in self._peers.values():
            # Of several each is dispensable; see C{up}.
            peer.dependency.required = len(self._peers) == 1
        for peer in added:
            self._added(peer.dependency)
            peer.start()
        self.sweep(self._clock.seconds())
        self._changed()

    def _again(self, address: str) -> UpstreamPeer | None:
        """
        The one that was leaving, if its stream lives.
        """
        for peer in self._leaving:
            if peer.address == address and peer.stream is not None:
                del self._leaving[peer]
                return peer
        return None


def _ignore(_: Dependency) -> None:
    """
    What nobody asked for.
    """
