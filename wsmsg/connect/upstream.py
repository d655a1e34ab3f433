"""
Message, as the sessions see it: one thing, however many streams there are.

::

    sessions --> Upstream --+--> UpstreamPeer --> UpstreamStream --> a Message
                  |   |     `--> UpstreamPeer --> UpstreamStream --> another
                  |   `--> Queries   (reads, on the streams' channels)
                  `--> PendingSends  (which stream has which send)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, gatherResults, succeed
from twisted.internet.interfaces import (
    IDelayedCall,
    IReactorTime,
    IStreamClientEndpoint,
)
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from zope.interface import implementer

from wsmsg.connect.arrivals import Arrival
from wsmsg.connect.deltas import CursorPool, TypingPool
from wsmsg.connect.discovery import IDiscovery, discovery_of
from wsmsg.connect.interfaces import IEdge, IUpstream, NewSend, OnAnswer
from wsmsg.connect.pending import PendingSends
from wsmsg.connect.queries import Ask, Queries
from wsmsg.connect.upstream_context import Shared
from wsmsg.connect.upstream_peer import Hello, UpstreamPeer, grpc_endpoint
from wsmsg.connect.upstream_reads import UpstreamReads
from wsmsg.connect.upstream_stream import UpstreamStream
from wsmsg.dependency import Dependency
from wsmsg.errors import WsmsgError
from wsmsg.model import Presence
from wsmsg.retry import RetryPolicy, retry_policy
from wsmsg.rpc import rest_pb2
from wsmsg.settings.values import ConnectSettings

_SWEEP_S = 0.25
#: Who was not run for so long cannot say that others were silent.
_DEAF_S = 1.0
_CURSORS = 100_000
_TYPING = 1000
_WATCH_QUERY = 1000

EndpointOf = Callable[[str, Hello, ConnectSettings], IStreamClientEndpoint]
DiscoveryOf = Callable[[ConnectSettings, Any], IDiscovery]


@implementer(IUpstream)
class Upstream(UpstreamReads, Service):
    """
    All Messages.

    @param edge: the sessions.
    @param node: our name.
    @param incarnation: the name of this life of this node.
    @param give_up: called once, with a reason, when the retry policy allows no
        further attempt and no stream is up: the daemon should end.
    """

    _log = Logger()

    def __init__(
        self,
        settings: ConnectSettings,
        clock: IReactorTime,
        edge: IEdge,
        *,
        node: str,
        incarnation: str,
        give_up: Callable[[str], object],
        endpoint: EndpointOf = grpc_endpoint,
        discovery: DiscoveryOf = discovery_of,
    ) -> None:
        self.sends = PendingSends(settings.limits.waiting_sends)
        self.queries = Queries(self._asks)
        self._settings = settings
        self._clock = clock
        self._node = node
        self._incarnation = incarnation
        self._give_up: Callable[[str], object] | None = give_up
        self._endpoint = endpoint
        self._discovery_of = discovery
        self._discovery = discovery(settings, clock)
        self._policy = retry_policy(settings.retry)
        self._shared = Shared(
            edge=edge,
            clock=clock,
            sends=self.sends,
            cursors=CursorPool(_CURSORS),
            typing=TypingPool(_TYPING),
            query_timeout_s=settings.query_timeout_s,
        )
        self.counters = self._shared.counters
        self._peers: dict[str, UpstreamPeer] = {}
        self._leaving: list[Deferred[None]] = []
        self._up: list[UpstreamStream] = []
        self._leading: UpstreamStream | None = None
        self._arrival: Arrival | None = None
        self._turn = 0
        self._swept_s = 0.0
        self._sweeping = LoopingCall(self._sweep)
        self._sweeping.clock = clock
        self._beginning: IDelayedCall | None = None
        self._added: Callable[[Dependency], object] = _ignore
        self._removed: Callable[[Dependency], object] = _ignore

    def on_peers(
        self,
        added: Callable[[Dependency], object],
        removed: Callable[[Dependency], object],
    ) -> None:
        """
        Call these with the dependency of each Message that is found, and of each
        that is no longer there.
        """
        self._added, self._removed = added, removed

    # -- life

    def startService(self) -> None:
        super().startService()  # type: ignore[no-untyped-call]
        # In a turn of the reactor: gRPC wants the loop to run.
        self._beginning = self._clock.callLater(0, self._begin)

    def _begin(self) -> None:
        self._beginning = None
        self._swept_s = self._clock.seconds()
        self._sweeping.start(_SWEEP_S, now=False)
        self._discover()

    def _discover(self) -> None:
        if self._discovery.dependency is not None:
            self._added(self._discovery.dependency)
        self._discovery.start(self._found)

    def drain(self, limit_s: float) -> Deferred[None]:
        """
        Take no new sends and wait for the answers to those there are.

        @return: a Deferred that fires when each has its answer, at the limit
            C{unavailable}; never fails.
        """
        self.sends.closed = True
        idle = self.sends.when_idle()
        if not idle.called:
            due_s = self._clock.seconds() + limit_s
            limit = self._clock.callLater(
                limit_s, self.sends.give_up, due_s, "this node is stopping"
            )
            idle.addCallback(lambda _: _cancel(limit))
        return idle

    def stopService(self) -> Deferred[None]:
        """
        L{drain}, if that was not done, then write what is left and close.
        """
        super().stopService()  # type: ignore[no-untyped-call]
        drained = self.drain(self._settings.stop_s / 4)
        return drained.addCallback(lambda _: self._close())

    def _close(self) -> Deferred[None]:
        if self._beginning is not None:
            _cancel(self._beginning)
            return succeed(None)
        stopping = [self._discovery.stop()]
        stopping += [peer.stop() for peer in self._peers.values()]
        stopping += self._leaving
        stopped = gatherResults(stopping)
        return stopped.addBoth(self._closed)

    def _closed(self, _: object) -> None:
        if self._sweeping.running:
            self._sweeping.stop()

    def reload(self, settings: ConnectSettings) -> None:
        """
        Go on with other settings; what did not change is not touched.
        """
        before, self._settings = self._settings, settings
        self._policy = retry_policy(settings.retry)
        self.sends.limit = settings.limits.waiting_sends
        self._shared.query_timeout_s = settings.query_timeout_s
        if settings.discovery != before.discovery:
            self._leaving.append(self._discovery.stop())
            if self._discovery.dependency is not None:
                self._removed(self._discovery.dependency)
            self._discovery = self._discovery_of(settings, self._clock)
            self._discover()

    # -- state

    @property
    def up(self) -> bool:
        """
        Whether at least one stream is up.
        """
        return bool(self._up)

    def dependencies(self) -> list[Dependency]:
        """
        One for each Message, by address.
        """
        return [peer.dependency for _, peer in sorted(self._peers.items())]

    def stats(self) -> dict[str, int]:
        """
        What was counted since the start, and what is there now, by name.
        """
        sends, counters, shared = self.sends, self.counters, self._shared
        return {
            "streams_up": len(self._up),
            "sends_unanswered": len(sends),
            "sends": sends.sent,
            "sends_accepted": sends.accepted,
            "sends_rejected": sends.rejected,
            "sends_expired": sends.expired,
            "sends_overloaded": sends.overloaded,
            "sends_moved": sends.moved,
            "frames_written": counters.frames_written,
            "frames_read": counters.frames_read,
            "pushes": counters.pushes,
            "resyncs": counters.resyncs,
            "protocol_errors": counters.protocol_errors,
            "cursors_shed": shared.cursors.shed,
            "typing_shed": shared.typing.shed,
            "reads": self.queries.asked,
            "reads_failed": self.queries.failed,
        }

    # -- IUpstream

    def send(self, new: NewSend, on_answer: OnAnswer) -> None:
        self.sends.send(new, on_answer, self._clock.seconds())

    def came(self, user: int) -> Deferred[bool]:
        if not self._up:
            return succeed(False)
        arrival = self._arrival
        joining = arrival is None or arrival.closed
        if arrival is None or joining:
            arrival = self._arrival = Arrival(len(self._up))
        for stream in self._up:
            stream.came(user)
            if joining:
                stream.join(arrival)
        return arrival.wait()

    def left(self, user: int) -> None:
        for stream in self._up:
            stream.left(user)

    def cursor(self, conversation: str, user: int, delivered: int, read: int) -> None:
        self._shared.cursors.put(conversation, user, delivered, read)
        if self._leading is not None:
            self._leading.pooled()

    def typing(self, conversation: str, user: int) -> None:
        if self._leading is not None:
            self._shared.typing.put(conversation, user)
            self._leading.pooled()

    def watch(self, users: Sequence[int]) -> None:
        # One Message tells; each of them knows all users.
        if self._leading is not None:
            self._leading.watch(users)

    def unwatch(self, users: Sequence[int]) -> None:
        if self._leading is not None:
            self._leading.unwatch(users)

    # -- what the peers call

    def retry_policy(self) -> RetryPolicy:
        return self._policy

    def endpoint(self, address: str, hello: Hello) -> IStreamClientEndpoint:
        return self._endpoint(address, hello, self._settings)

    def subscribe(self, address: str) -> rest_pb2.SubscribeRequest:
        return rest_pb2.SubscribeRequest(
            connect_service_id=self._node,
            incarnation=self._incarnation,
            # Fixed by address for now; to move it when its stream is lost, subscribe
            # again from here.
            primary=address == min(self._peers, default=""),
        )

    def stream_up(self, stream: UpstreamStream) -> None:
        self._up.append(stream)
        self._arrival = None  # who comes now waits for this stream as well
        if self._leading is None:
            self._lead(stream)
        self.sends.came_up(stream)

    def stream_knows(self, stream: UpstreamStream) -> None:
        """
        What changed while nobody told us is asked for.
        """
        if stream is not self._leading:
            return
        watched = list(self._shared.edge.watched())
        for at in range(0, len(watched), _WATCH_QUERY):
            asked = self.queries.presence(watched[at : at + _WATCH_QUERY])
            asked.addCallbacks(self._tell_presence, self._presence_unknown)

    def stream_lost(self, stream: UpstreamStream, reason: str) -> None:
        if stream in self._up:
            self._up.remove(stream)
        self._arrival = None
        if self._leading is stream:
            self._leading = None
            if self._up:
                self._lead(self._up[0])
                self.stream_knows(self._up[0])
            else:
                self._shared.typing.clear()
        self.sends.lost(stream)

    def limit_reached(self, reason: str) -> None:
        give_up, self._give_up = self._give_up, None
        if give_up is not None:
            # Not from inside ClientService's machine, which then could not stop.
            self._clock.callLater(0, give_up, f"no attempt is left, {reason}")

    def _lead(self, stream: UpstreamStream) -> None:
        self._leading = stream
        stream.watch(self._shared.edge.watched())
        if self._shared.cursors:
            stream.pooled()

    def _tell_presence(self, presence: list[Presence]) -> None:
        for one in presence:
            self._shared.edge.presence(one)

    def _presence_unknown(self, failure: Any) -> None:
        failure.trap(WsmsgError)
        self._log.debug("presence not known: {reason}", reason=failure.value)

    def _asks(self) -> Sequence[Ask]:
        up = self._up
        if len(up) > 1:
            self._turn = (self._turn + 1) % len(up)
            up = up[self._turn :] + up[: self._turn]
        return [stream.ask for stream in up]

    # -- discovery and time

    def _found(self, addresses: frozenset[str]) -> None:
        for address in self._peers.keys() - addresses:
            peer = self._peers.pop(address)
            if peer.stream is not None:
                self._up.remove(peer.stream)
                self.sends.retire(peer.stream)
            self._leaving.append(peer.stop())
            self._removed(peer.dependency)
        added = sorted(addresses - self._peers.keys())
        for address in added:
            self._peers[address] = UpstreamPeer(address, self, self._shared)
        for peer in self._peers.values():
            # Of several each is dispensable; see C{up}.
            peer.dependency.required = len(self._peers) == 1
        for address in added:
            self._added(self._peers[address].dependency)
            self._peers[address].start()
        self._leaving = [d for d in self._leaving if not d.called]

    def _sweep(self) -> None:
        now_s = self._clock.seconds()
        was_deaf = now_s - self._swept_s > _DEAF_S
        self._swept_s = now_s
        self.sends.expire(now_s - self._settings.send_timeout_s, now_s)
        for stream in list(self._up):
            stream.listen_for(now_s, was_deaf=was_deaf)


def _ignore(_: Dependency) -> None:
    """
    What nobody asked for.
    """


def _cancel(call: IDelayedCall) -> None:
    if call.active():
        call.cancel()
