"""
Message as the sessions see it: one object, however many streams there are.

::

    sessions --> Upstream --> Peers --+--> UpstreamPeer --> UpstreamStream --> a Message
                  | | |               `--> UpstreamPeer --> UpstreamStream --> another
                  | | `--> UpstreamReads  (queries, on the streams' channels)
                  | `----> PendingSends   (the stream of each send)
                  `------> PrimaryChoice, WatchedPresence

While Message numbers no messages a plug-in takes the place of the reads and of the
sends (L{wsmsg.connect.upstream.context.UnnumberedMode}).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial

from twisted.application.service import Service
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from zope.interface import implementer

from wsmsg.connect.discovery.interface import discovery_of
from wsmsg.connect.upstream.choice import ReachWatch, StreamChoice
from wsmsg.connect.upstream.context import (
    Soon,
    Stream,
    UnnumberedMode,
    UnnumberedModeOf,
    UpstreamContext,
)
from wsmsg.connect.upstream.endpoint import MessageEndpoints
from wsmsg.connect.upstream.interface import (
    IEdge,
    IUpstream,
    IUpstreamReads,
    Login,
    NewSend,
    OnAnswer,
)
from wsmsg.connect.upstream.joins import JoinBarrier, UserLogin
from wsmsg.connect.upstream.peer import MIXED
from wsmsg.connect.upstream.peers import DiscoveryOf, Listener, Peers
from wsmsg.connect.upstream.pending_sends import PendingSends
from wsmsg.connect.upstream.presence import PresenceRefresh, WatchedPresence
from wsmsg.connect.upstream.reads import UpstreamReads
from wsmsg.dependency.alarms import Alarms
from wsmsg.dependency.state import Dependency
from wsmsg.rpc import rest_pb2
from wsmsg.settings.values import ConnectSettings

_SWEEP_S = 0.25
#: A process that did not run for so long cannot tell whether its peers were silent.
_STALL_S = 1.0


@implementer(IUpstream)
class Upstream(Service):
    """
    All Messages.

    @param edge: the sessions.
    @param node: the name of this Connect.
    @param incarnation: the name of this life of it.
    @param give_up: called once, with a reason, when the retry policy allows no
        further attempt and no stream is up: the daemon should end.
    @param endpoints: the ways to reach a Message.
    @param unnumbered_mode: loads the plug-in for Messages that number no messages;
        L{None}: each Message must send a welcome.
    @param alarms: the alarms of the daemon.
    @param unix_s: returns the unix time.
    @param soon: calls a function at the end of the reactor turn; L{None}: the clock.
    @ivar stages: returns the durations of the stages that the streams know, by name.
    @ivar queries: the reads of Messages that number messages.
    @ivar streams: the streams that are up.
    @ivar reads: the reads of Message.
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
        endpoints: MessageEndpoints,
        discovery: DiscoveryOf = discovery_of,
        unnumbered_mode: UnnumberedModeOf | None = None,
        alarms: Alarms | None = None,
        unix_s: Callable[[], float] = time.time,
        soon: Soon | None = None,
    ) -> None:
        self.sends = PendingSends(settings.limits.waiting_sends, clock)
        self._settings = settings
        self._clock = clock
        self._give_up: Callable[[str], object] | None = give_up
        self._watching = WatchedPresence(edge)
        shared = edge, clock, self.sends, settings.query_timeout_s, self._watching
        soon = soon or partial(clock.callLater, 0)
        self._shared = UpstreamContext(*shared, unix_s, soon)
        self.stages = self._shared.stages
        self._alarms = alarms or Alarms(unix_s)
        self._reach = ReachWatch(self._shared, self._alarms)
        self._choice = StreamChoice(node, self.sends, self._is_leaving)
        self.streams: Sequence[Stream] = self._choice.up
        self.queries = UpstreamReads(
            self._choice.query_methods, self._watching, on_epoch=edge.reconnect_all
        )
        self._refresh = PresenceRefresh(
            self._watching, edge, self.queries.query_presence
        )
        self.reads: IUpstreamReads = self.queries
        # An attribute, not a method: _set_mode replaces it.
        self.send: Callable[[NewSend, OnAnswer], None] = self.sends.send
        self.fences = self.sends.fences
        self.unanswered = self.sends.unanswered
        self._mode: UnnumberedMode | None = None
        self._mode_of = unnumbered_mode
        self._loaded_mode: UnnumberedMode | None = None
        self.unnumbered = False
        self.changed_s = clock.seconds()
        if unnumbered_mode and settings.upstream.peer not in ("auto", "wsmsg"):
            self._set_mode(self._load_mode())
        self._peers = Peers(
            self,
            self._shared,
            settings,
            node=node,
            incarnation=incarnation,
            endpoint=endpoints.endpoint,
            discovery=discovery,
            mode=self._load_mode if unnumbered_mode else None,
            relayed=endpoints.relayed,
            answers=endpoints.answers,
            changed=self._review,
        )
        self._barrier: JoinBarrier | None = None
        self._swept_s = 0.0
        self._sweeping = LoopingCall(self._sweep)
        self._sweeping.clock = clock
        self._beginning: IDelayedCall | None = None

    def on_peers(self, added: Listener, removed: Listener) -> None:
        """
        As L{Peers.on_peers}.
        """
        self._peers.on_peers(added, removed)

    # -- start and stop

    def startService(self) -> None:
        super().startService()  # type: ignore[no-untyped-call]
        # In a turn of the reactor, because gRPC needs a running loop.
        self._beginning = self._clock.callLater(0, self._begin)

    def _begin(self) -> None:
        self._beginning = None
        self._swept_s = self._clock.seconds()
        self._sweeping.start(_SWEEP_S, now=False)
        self._peers.start()

    def drain(self, limit_s: float) -> Deferred[None]:
        """
        Reject new sends, and wait for the answers to the others.

        @return: a Deferred that fires when each send has its answer, after the limit
            C{unavailable}; never fails.
        """
        self.sends.close()
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
        L{drain}, if that was not done, then write what is left and close the streams.
        """
        super().stopService()  # type: ignore[no-untyped-call]
        drained = self.drain(self._settings.stop_s / 4)
        return drained.addCallback(lambda _: self._close())

    def _close(self) -> Deferred[None]:
        if self._beginning is not None:
            _cancel(self._beginning)
            return succeed(None)
        return self._peers.stop().addBoth(self._closed)

    def _closed(self, _: object) -> None:
        if self._sweeping.running:
            self._sweeping.stop()

    def apply_settings(self, settings: ConnectSettings) -> None:
        """
        Apply changed settings; what did not change is not touched.
        """
        self._settings = settings
        self._shared.apply_settings(settings)
        self._peers.apply_settings(settings)

    # -- state

    @property
    def up(self) -> bool:
        """
        True while at least one stream is up.
        """
        return bool(self._choice.up)

    def dependencies(self) -> list[Dependency]:
        """
        Return the dependency of each Message, by address.
        """
        return self._peers.dependencies()

    def stats(self) -> dict[str, int]:
        """
        Return the counters since the start and the present sizes, by name.
        """
        return {
            "streams_up": len(self._choice.up),
            **self._shared.stats(),
            **self.queries.stats(),
            **(self._loaded_mode.stats() if self._loaded_mode else {}),
        }

    # -- IUpstream

    def user_joined(self, user: int, login: Login | None = None) -> Deferred[bool]:
        if self._mode is not None:
            self._mode.user_joined(user)
        streams = self._choice.up
        if self._mode is not None or not streams:
            self._logged_in([(user, login)] if login else ())
            return succeed(self._mode is not None and self.up)
        barrier, opened = self._barrier, False
        if barrier is None or barrier.closed:
            barrier, opened = JoinBarrier(len(streams), self._logged_in), True
            self._barrier = barrier
        for stream in streams:
            stream.user_joined(user)
            if opened:
                stream.join(barrier)
        return barrier.wait(user, login)

    def _logged_in(self, logins: Iterable[UserLogin]) -> None:
        said = [
            rest_pb2.Login(user=user, device=login.device, number=number)
            for user, login in logins
            if login.numbered(number := self._shared.logins.next())
        ]
        if said:
            for stream in self._choice.up:
                stream.logged_in(said)

    def user_left(self, user: int) -> None:
        if self._mode is not None:
            self._mode.user_left(user)
        for stream in self._choice.up:
            stream.user_left(user)

    def cursor(self, conversation: str, user: int, delivered: int, read: int) -> None:
        if self._mode is not None:
            return
        alone = self._shared.edge.is_alone(user)
        self._shared.cursors.add(conversation, user, delivered, read, alone=alone)
        self._pool_changed()

    def typing(self, conversation: str, user: int) -> None:
        if self._choice.lead is not None and self._mode is None:
            self._shared.typing.add(conversation, user)
            self._choice.lead.pool_changed()

    def _pool_changed(self) -> None:
        if self._choice.lead is not None:
            self._choice.lead.pool_changed()

    def watch(self, users: Sequence[int]) -> None:
        self._watching.watch(users)
        for stream in self._choice.up:
            stream.watch(users)

    def unwatch(self, users: Sequence[int]) -> None:
        self._watching.unwatch(users)
        for stream in self._choice.up:
            stream.unwatch(users)

    # -- called by the peers

    def stream_up(self, stream: Stream) -> None:
        self._switch_mode(stream)
        self._choice.added(stream)
        self.changed_s = self._clock.seconds()
        self._barrier = None  # users who join now wait for this stream as well
        self._reach.stream_up(stream)
        self._review()

    def _switch_mode(self, stream: Stream) -> None:
        """
        Switch between Messages that number messages and those that do not, and ask
        clients to reconnect where that changed.
        """
        if not stream.unnumbered:
            for other in [s for s in self._choice.up if s.unnumbered]:
                other.drop(MIXED)
        if stream.unnumbered is self.unnumbered:
            return
        self._set_mode(self._load_mode() if stream.unnumbered else None)
        self._log.info("{kind} is behind this node", kind=stream.kind)
        self._shared.edge.reconnect_all(f"{stream.kind} is behind this node now")

    def _set_mode(self, mode: UnnumberedMode | None) -> None:
        self._mode = mode
        self.send = self.sends.send if mode is None else mode.send
        self.unnumbered = mode is not None
        self.reads = self.queries if mode is None else mode.reads

    def _load_mode(self) -> UnnumberedMode:
        if self._loaded_mode is None:
            assert self._mode_of is not None
            self._loaded_mode = self._mode_of(self._shared, self._pool_changed)
        return self._loaded_mode

    def stream_synced(self, stream: Stream) -> None:
        self._refresh.stream_synced()

    def stream_lost(self, stream: Stream, reason: str) -> None:
        self._choice.removed(stream)
        self.changed_s = self._clock.seconds()
        self._shared.reach.lost(stream)
        self._shared.clocks.forget(stream)
        self._barrier = None
        alone = self._watching.stream_lost(stream)
        if self._choice.up:
            self._refresh.query(alone)
        else:
            self._refresh.all_lost()
            self._shared.typing.clear()
        self.sends.stream_lost(stream, self._clock.seconds())
        self._review()

    def _is_leaving(self, stream: Stream) -> bool:
        return self._peers.is_leaving(stream)

    def limit_reached(self, reason: str) -> None:
        give_up, self._give_up = self._give_up, None
        if give_up is not None:
            # Not from inside ClientService's machine, which then could not stop.
            self._clock.callLater(0, give_up, f"no attempt is left, {reason}")

    # -- the choice of streams

    def _review(self) -> None:
        """
        Review the lead and the routes after a change, and a few times a second.
        """
        self._choice.review(self._clock.seconds())

    # -- time

    def _sweep(self) -> None:
        # LoopingCall makes no further call after one that raises.
        with self._log.failuresHandled("the streams cannot be checked"):
            self._check_streams(self._clock.seconds())

    def _check_streams(self, now_s: float) -> None:
        was_stalled = now_s - self._swept_s > _STALL_S
        self._swept_s = now_s
        self.sends.expire(now_s - self._settings.send_timeout_s, now_s)
        for stream in list(self._choice.up):
            stream.check_liveness(now_s, was_stalled=was_stalled)
        self._peers.sweep(now_s)
        self._alarms.set("clocks_differ", self._shared.clocks.reason())
        self._peers.check_ways(now_s)
        self._review()
        partial_s = self._settings.upstream.partial_s
        self._reach.look(self._choice.up, self._peers.indirect(), partial_s)
        if self._choice.up and self._mode is None:
            self._refresh.sweep(now_s)


def _cancel(call: IDelayedCall) -> None:
    if call.active():
        call.cancel()
