"""
The Messages that discovery finds: dialled when they appear, and dropped some time after
they disappear.

An address that discovery no longer names gets no new conversation and is not dialled
again.  But its stream, while it lives, has pushes that come no other way, and an
address may be missing for a moment only.  So the stream stays for a while; then it
ends when all its sends are answered, or soon after::

    found --gone--> leaving --LINGER_S--> draining --answered, DRAIN_S--> ended
      ^                |                     |
      `--found again---+---------------------'

Two addresses may be those of one Message: an IPv4 and an IPv6 address, or a name beside
a number.  Connect numbers its streams and names the open ones in each subscribe, so a
Message that has one of them refuses a second one.  The second address is dialled again
every few seconds, and at once when a stream is lost.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.interfaces import IReactorTime, IStreamClientEndpoint

from wsmsg.connect.discovery.interface import DOUBT_S, IDiscovery
from wsmsg.connect.upstream.context import (
    Stream,
    StreamOwner,
    UnnumberedMode,
    UpstreamContext,
)
from wsmsg.connect.upstream.endpoint import (
    Answers,
    EndpointOf,
    Hello,
    RelayedEndpointOf,
)
from wsmsg.connect.upstream.peer import UpstreamPeer, UpstreamPeerOwner
from wsmsg.dependency.retry import RetryPolicy, retry_policy
from wsmsg.dependency.state import Dependency
from wsmsg.rpc import rest_pb2
from wsmsg.settings.values import ConnectSettings

#: How long a stream stays after discovery no longer finds its address; not after a
#: reload that changed the discovery.
LINGER_S = 30.0
#: How long after that a stream stays for answers to its sends.
DRAIN_S = 2.0
# Within this time a Message answers that can be reached directly.
_ANSWER_S = 1.0
# The highest rate that Connect tells a Message; nobody sends so fast.
_MOST_RATE = 2**31

DiscoveryOf = Callable[[ConnectSettings, Any, RetryPolicy], IDiscovery]
Listener = Callable[[Dependency], object]


class Peers:
    """
    All Messages by their addresses, and the way to dial them (L{PeerDialling}).

    @param node: the name of this Connect.
    @param incarnation: the name of this life of it.
    @param mode: loads the plug-in for Messages that number no messages; L{None} where
        there is none.
    @param relayed: makes the endpoint of a Message that another one passes on to.
    @param answers: asks a Message at its own address.
    @param changed: called when Messages appeared or disappeared.
    """

    def __init__(
        self,
        owner: UpstreamPeerOwner,
        shared: UpstreamContext,
        settings: ConnectSettings,
        *,
        node: str,
        incarnation: str,
        endpoint: EndpointOf,
        discovery: DiscoveryOf,
        mode: Callable[[], UnnumberedMode] | None,
        relayed: RelayedEndpointOf,
        answers: Answers,
        changed: Callable[[], object],
    ) -> None:
        self._owner = owner
        self._shared = shared
        self._settings = settings
        self._policy = retry_policy(settings.retry)
        self._node = node
        self._incarnation = incarnation
        self._endpoint = endpoint
        self._mode = mode
        self._relayed = relayed
        self._answers = answers
        self._clock: IReactorTime = shared.clock
        self._discovery_of = discovery
        self._discovery = discovery(settings, shared.clock, self._retry)
        self._changed = changed
        self._peers: dict[str, UpstreamPeer] = {}
        self._leaving: dict[UpstreamPeer, float] = {}
        self._ending: list[Deferred[None]] = []
        self._linger_s = LINGER_S
        self._stream_numbers = count(1)
        self._added: Listener = _ignore
        self._removed: Listener = _ignore
        self._started = False

    def on_peers(self, added: Listener, removed: Listener) -> None:
        """
        Call C{added} with the dependency of each Message that discovery finds, and
        C{removed} when it disappears; also with the dependency of discovery itself.
        """
        self._added, self._removed = added, removed

    def start(self) -> None:
        self._started = True
        if self._discovery.dependency is not None:
            self._added(self._discovery.dependency)
        self._discovery.start(self._found)

    def apply_settings(self, settings: ConnectSettings) -> None:
        """
        Dial by other settings, and look for the Messages where they say.
        """
        before, self._settings = self._settings, settings
        self._policy = retry_policy(settings.retry)
        if _place(settings) != _place(before):
            self._rediscover(settings)
        if _send_rate(settings) != _send_rate(before):
            self._subscribe_again("the rate of sends of users changed")

    def _subscribe_again(self, reason: str) -> None:
        """
        Tell the Messages what only a new stream tells; it resumes, and loses nothing.
        """
        for peer in self._peers.values():
            if peer.stream is not None and not peer.stream.unnumbered:
                peer.stream.drop(reason)

    def _rediscover(self, settings: ConnectSettings) -> None:
        before = self._discovery
        self._discovery = self._discovery_of(settings, self._clock, self._retry)
        if self._started:
            self._ending.append(before.stop())
            if before.dependency is not None:
                self._removed(before.dependency)
            self._linger_s = 0.0
            self.start()

    def stop(self) -> Deferred[Any]:
        """
        Stop discovery, write what is left on all streams, and close them.
        """
        stopping = [self._discovery.stop()]
        stopping += [peer.stop() for peer in (*self._peers.values(), *self._leaving)]
        return gatherResults(stopping + self._ending)

    def dependencies(self) -> list[Dependency]:
        """
        Return the dependency of each Message that discovery finds, by address.
        """
        return [peer.dependency for _, peer in sorted(self._peers.items())]

    def is_leaving(self, stream: Stream) -> bool:
        """
        Return whether discovery does not find the stream's Message any more.
        """
        return any(peer.stream is stream for peer in self._leaving)

    # -- dialling

    def retry_policy(self) -> RetryPolicy:
        return self._policy

    def _retry(self, failures: int) -> float | None:
        # The policy of the current settings, for an object that outlives a reload.
        return self._policy(failures)

    def endpoint(
        self, address: str, hello: Hello, *, welcoming: bool
    ) -> IStreamClientEndpoint:
        settings, mode = self._settings, self._mode
        if welcoming or mode is None:
            return self._endpoint(address, hello, settings, None)

        def unnumbered() -> IStreamClientEndpoint:
            return mode().endpoint(address, hello, settings)

        return self._endpoint(address, hello, settings, unnumbered)

    def relayed(
        self, through: str, address: str, hello: Hello
    ) -> IStreamClientEndpoint:
        return self._relayed(through, address, hello, self._settings)

    def relays_for(self, address: str) -> list[str]:
        now_s, asking = self._clock.seconds(), self._peers.get(address)
        if asking is None or asking.dependency.up:
            return []  # it has a stream by another address
        return [
            peer.address
            for peer in self._peers.values()
            if peer.address != address and _passes_on(peer, now_s)
        ]

    def indirect(self) -> list[str]:
        """
        Return the addresses of the Messages without a direct stream, if any has one.
        """
        if not any(_is_direct(peer) for peer in self._peers.values()):
            return []
        return [
            peer.address
            for peer in self._peers.values()
            if peer.way.through or not peer.dependency.up
        ]

    def check_ways(self, now_s: float) -> None:
        """
        Find out which Messages can be reached through another one alone, and which can
        be reached directly again; called several times a second.
        """
        for peer in self._peers.values():
            stream = peer.stream
            if peer.unnumbered:
                continue
            if stream is None:
                if not peer.dependency.up and peer.way.is_missing():
                    self._ask_another(peer, stream, now_s)
            elif peer.way.is_direct_due():
                answered = self._answers(peer.address, _ANSWER_S)
                answered.addCallback(self._straight, peer, stream)
            elif peer.way.is_doubtful(stream.silence_s(now_s)):
                self._ask_another(peer, stream, now_s)

    def _ask_another(
        self, peer: UpstreamPeer, stream: Stream | None, now_s: float
    ) -> None:
        for other in self._peers.values():
            if other is not peer and _passes_on(other, now_s):
                assert other.stream is not None
                asked = other.stream.reaches(peer.listed_address)
                asked.addCallback(self._around, peer, stream)
                return

    def _straight(self, answers: bool, peer: UpstreamPeer, stream: Stream) -> None:
        if answers and peer.stream is stream:
            peer.way.go_straight()
            stream.drop("the direct way to the Message is there again")

    def _around(self, reached: bool, peer: UpstreamPeer, stream: Stream | None) -> None:
        if not reached or peer.stream is not stream:
            return
        if stream is None:
            if not peer.dependency.up:
                peer.reached()
            return
        silence_s = stream.silence_s(self._clock.seconds())
        if silence_s >= DOUBT_S:
            peer.way.go_around()
            stream.drop(
                f"the Message was silent for {silence_s:.1f} s, and answers another one"
            )

    def subscribe(self) -> rest_pb2.SubscribeRequest:
        others = (*self._peers.values(), *self._leaving)
        sends_per_s, sends_burst = _send_rate(self._settings)
        return rest_pb2.SubscribeRequest(
            connect_service_id=self._node,
            incarnation=self._incarnation,
            stream=next(self._stream_numbers),
            other_streams=[p.number for p in others if p.engaged and p.number],
            sends_per_s=sends_per_s,
            sends_burst=sends_burst,
        )

    def stream_lost(self) -> None:
        is_lost = not self._owner.up
        for peer in self._peers.values():
            peer.redial(is_lost=is_lost)

    def accepts(self, address: str, *, unnumbered: bool) -> bool:
        return not unnumbered or not any(
            peer.unnumbered is False
            for peer in self._peers.values()
            if peer.address != address
        )

    def open_unnumbered(self, name: str, owner: StreamOwner) -> Stream:
        assert self._mode is not None, "a Message without a welcome was dialled"
        return self._mode().open_stream(name, owner, self._settings)

    # -- discovery

    def sweep(self, now_s: float) -> None:
        """
        Close the streams whose time is over; called several times a second.
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
            self._take_back(address)
            or UpstreamPeer(address, self, self._owner, self._shared)
            for address in sorted(addresses - self._peers.keys())
        ]
        self._peers.update((peer.address, peer) for peer in added)
        for peer in self._peers.values():
            # One of several may be missing; see Upstream.up.
            peer.dependency.one_of(len(self._peers))
        for peer in added:
            self._added(peer.dependency)
            peer.start()
        self.sweep(self._clock.seconds())
        self._changed()

    def _take_back(self, address: str) -> UpstreamPeer | None:
        """
        Take back a Message that was leaving, if its stream is up.
        """
        for peer in self._leaving:
            if peer.address == address and peer.stream is not None:
                del self._leaving[peer]
                return peer
        return None


def _send_rate(settings: ConnectSettings) -> tuple[int, int]:
    limits = settings.limits
    return min(limits.sends_per_s, _MOST_RATE), min(limits.sends_burst, _MOST_RATE)


def _place(settings: ConnectSettings) -> tuple[object, ...]:
    return settings.discovery, settings.discovery_password


def _is_direct(peer: UpstreamPeer) -> bool:
    return peer.stream is not None and not peer.way.through


def _passes_on(peer: UpstreamPeer, now_s: float) -> bool:
    """
    Return whether the Message is fit to pass on streams to others.
    """
    stream = peer.stream
    return (
        _is_direct(peer)
        and stream is not None
        and not stream.unnumbered
        and stream.silence_s(now_s) < DOUBT_S
    )


def _ignore(_: Dependency) -> None:
    """
    Do nothing: there is no listener.
    """
