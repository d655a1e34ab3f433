"""
Message, as the sessions see it: one thing, however many streams there are.

::

    sessions --> Upstream --> Peers --+--> UpstreamPeer --> UpstreamStream --> a Message
                  | | |               `--> UpstreamPeer --> UpstreamStream --> another
                  | | |                     (DeployedStream, if they are deployed)
                  | | `--> Queries   (reads, on the streams' channels)
                  | `--> PendingSends  (which stream has which send)
                  `--> Lead, Watching  (the primary; who is online, by the words of all)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from wsmsg.connect.discovery.interface import discovery_of
from wsmsg.connect.legacy.upstream.repeats import Repeats
from wsmsg.connect.upstream.context import Stream, UpstreamContext
from wsmsg.connect.upstream.dialling import EndpointOf, UpstreamDialling
from wsmsg.connect.upstream.endpoint import grpc_endpoint
from wsmsg.connect.upstream.interface import IEdge, IUpstream, NewSend, OnAnswer
from wsmsg.connect.upstream.joins import JoinBarrier
from wsmsg.connect.upstream.outgoing import CursorPool, TypingPool
from wsmsg.connect.upstream.peer import MIXED
from wsmsg.connect.upstream.peers import DiscoveryOf, Listener, Peers
from wsmsg.connect.upstream.pending_sends import PendingSends
from wsmsg.connect.upstream.presence import WatchedPresence
from wsmsg.connect.upstream.primary import PrimaryChoice
from wsmsg.connect.upstream.queries import Ask, UpstreamQueries
from wsmsg.connect.upstream.reads import UpstreamReads
from wsmsg.connect.upstream.stats import stats
from wsmsg.dependency.retry import retry_policy
from wsmsg.errors import WsmsgError
from wsmsg.model import UserPresence
from wsmsg.settings.values import ConnectSettings

_SWEEP_S = 0.25
#: Who was not run for so long cannot say that others were silent.
_DEAF_S = 1.0
_CURSORS = 100_000
_TYPING = 1000
_WATCH_QUERY = 1000
#: Users whom no stream tells of are asked for so often.
_ASK_S = 1.0


@implementer(IUpstream)
class Upstream(UpstreamReads, UpstreamDialling, Service):
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
        self.queries = UpstreamQueries(self._asks)
        self._settings = settings
        self._clock = clock
        self._node = node
        self._incarnation = incarnation
        self._give_up: Callable[[str], object] | None = give_up
        self._endpoint = endpoint
        self._policy = retry_policy(settings.retry)
        self._shared = UpstreamContext(
            edge=edge,
            clock=clock,
            sends=self.sends,
            cursors=CursorPool(_CURSORS),
            typing=TypingPool(_TYPING),
            watching=WatchedPresence(edge),
            query_timeout_s=settings.query_timeout_s,
        )
        self.counters = self._shared.counters
        self.unnumbered = self.only_deployed
        self._repeats = Repeats(self._send)
        self._watching = self._shared.watching
        self._peers = Peers(self, self._shared, settings, discovery, self._look_around)
        self._up: list[Stream] = []
        self._lead = PrimaryChoice(node)
        self._arrival: JoinBarrier | None = None
        self._untold = True
        self._turn = 0
        self._swept_s = self._asked_s = 0.0
        self._sweeping = LoopingCall(self._sweep)
        self._sweeping.clock = clock
        self._beginning: IDelayedCall | None = None

    def on_peers(self, added: Listener, removed: Listener) -> None:
        """
        As L{Peers.on_peers}.
        """
        self._peers.on_peers(added, removed)

    # -- life

    def startService(self) -> None:
        super().startService()  # type: ignore[no-untyped-call]
        # In a turn of the reactor: gRPC wants the loop to run.
        self._beginning = self._clock.callLater(0, self._begin)

    def _begin(self) -> None:
        self._beginning = None
        self._swept_s = self._clock.seconds()
        self._sweeping.start(_SWEEP_S, now=False)
        self._peers.start()

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
        return self._peers.stop().addBoth(self._closed)

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
        if _place(settings) != _place(before):
            self._peers.rediscover(settings)

    # -- state

    @property
    def up(self) -> bool:
        """
        Whether at least one stream is up.
        """
        return bool(self._up)

    def stats(self) -> dict[str, int]:
        """
        What was counted since the start, and what is there now, by name.
        """
        return {
            "streams_up": len(self._up),
            **stats(self._shared, self.queries),
            "sends_repeated": self._repeats.met,
        }

    # -- IUpstream

    def send(self, new: NewSend, on_answer: OnAnswer) -> None:
        if self.unnumbered:
            self._repeats.send(new, on_answer)
        else:
            self._send(new, on_answer)

    def _send(self, new: NewSend, on_answer: OnAnswer) -> None:
        self.sends.send(new, on_answer, self._clock.seconds())

    def came(self, user: int) -> Deferred[bool]:
        if self.unnumbered:
            self._shared.edge.presence(UserPresence(user, True))
            return succeed(self.up)
        if not self._up:
            return succeed(False)
        arrival = self._arrival
        joining = arrival is None or arrival.closed
        if arrival is None or joining:
            arrival = self._arrival = JoinBarrier(len(self._up))
        for stream in self._up:
            stream.came(user)
            if joining:
                stream.join(arrival)
        return arrival.wait()

    def left(self, user: int) -> None:
        if self.unnumbered:
            seen_ms = int(self._clock.seconds() * 1000)
            self._shared.edge.presence(UserPresence(user, False, seen_ms))
        for stream in self._up:
            stream.left(user)

    def cursor(self, conversation: str, user: int, delivered: int, read: int) -> None:
        if self.unnumbered:
            return
        self._shared.cursors.put(conversation, user, delivered, read)
        if self._lead.stream is not None:
            self._lead.stream.pooled()

    def acknowledge(self, user: int, message_id: int) -> bool:
        if message_id > 0:
            self._shared.acks.add(user, message_id)
            if self._lead.stream is not None:
                self._lead.stream.pooled()
        return message_id > 0

    def typing(self, conversation: str, user: int) -> None:
        if self._lead.stream is not None and not self.unnumbered:
            self._shared.typing.put(conversation, user)
            self._lead.stream.pooled()

    def watch(self, users: Sequence[int]) -> None:
        self._watching.watch(users)
        for stream in self._up:
            stream.watch(users)

    def unwatch(self, users: Sequence[int]) -> None:
        self._watching.unwatch(users)
        for stream in self._up:
            stream.unwatch(users)

    def presence(self, users: Sequence[int]) -> Deferred[list[UserPresence]]:
        if self.unnumbered:
            here = self._shared.edge.here
            return succeed([UserPresence(user, here(user)) for user in users])
        found = self.queries.presence(users)
        return found.addCallbacks(
            self._watching.answered, self._unanswered, errbackArgs=(users,)
        )

    def _unanswered(self, failure: Failure, users: Sequence[int]) -> Failure:
        self._watching.unanswered(users)
        return failure

    # -- what the peers call

    def stream_up(self, stream: Stream) -> None:
        self._turn_to(stream.deployed)
        self._up.append(stream)
        self._arrival = None  # who comes now waits for this stream as well
        watched = self._shared.edge.watched()
        self._watching.watch(watched)
        stream.watch(watched)
        self._look_around()

    def _turn_to(self, deployed: bool) -> None:
        """
        What is found is of this kind from now on.
        """
        if not deployed:
            for other in [s for s in self._up if s.deployed]:
                other.drop(MIXED)
        if deployed is self.unnumbered:
            return
        self.unnumbered = deployed
        kind = "a deployed Message" if deployed else "wsmsg"
        self._log.info("{kind} is behind this node", kind=kind)
        self._shared.edge.renew(f"{kind} is behind this node now")

    def stream_knows(self, stream: Stream) -> None:
        """
        What changed while nobody told us is asked for.
        """
        if self._untold:
            self._untold = False
            self._ask(self._shared.edge.watched())

    def stream_lost(self, stream: Stream, reason: str) -> None:
        if stream in self._up:
            self._up.remove(stream)
        self._arrival = None
        alone = self._watching.lost(stream)
        if self._up:
            self._ask(alone)
        else:
            self._untold = True
            self._watching.all_lost()
            self._shared.typing.clear()
        self.sends.lost(stream, self._clock.seconds())
        self._look_around()

    def limit_reached(self, reason: str) -> None:
        give_up, self._give_up = self._give_up, None
        if give_up is not None:
            # Not from inside ClientService's machine, which then could not stop.
            self._clock.callLater(0, give_up, f"no attempt is left, {reason}")

    # -- what comes and goes

    def _look_around(self) -> None:
        """
        Something came, went, or may not be what it was.
        """
        now_s = self._clock.seconds()
        fit = [
            stream
            for stream in self._up
            if not self._peers.is_leaving(stream) and not stream.is_silent(now_s)
        ]
        self._lead.review(self._up, fit)
        self._place_sends(now_s)

    def _place_sends(self, now_s: float) -> None:
        """
        New conversations go to those that stay, if there are any.
        """
        leaving = [s for s in self._up if self._peers.is_leaving(s)]
        for stream in self._up:
            taken = stream in self.sends.carriers
            wanted = stream not in leaving or len(leaving) == len(self._up)
            if taken and not wanted:
                self.sends.retire(stream)
            elif wanted and not taken:
                self.sends.came_up(stream, now_s)

    # -- who is online

    def _ask(self, users: Sequence[int]) -> None:
        for at in range(0, len(users), _WATCH_QUERY):
            asked = self.queries.presence(users[at : at + _WATCH_QUERY])
            asked.addCallbacks(self._watching.tell, self._presence_unknown)

    def _presence_unknown(self, failure: Any) -> None:
        failure.trap(WsmsgError)
        self._log.debug("presence not known: {reason}", reason=failure.value)

    def _asks(self) -> Sequence[Ask]:
        up = self._up
        if len(up) > 1:
            self._turn = (self._turn + 1) % len(up)
            up = up[self._turn :] + up[: self._turn]
        return [stream.ask for stream in up if not stream.deployed]

    # -- time

    def _sweep(self) -> None:
        now_s = self._clock.seconds()
        was_deaf = now_s - self._swept_s > _DEAF_S
        self._swept_s = now_s
        self.sends.expire(now_s - self._settings.send_timeout_s, now_s)
        for stream in list(self._up):
            stream.listen_for(now_s, was_deaf=was_deaf)
        self._peers.sweep(now_s)
        self._look_around()
        can_ask = self._up and not self.unnumbered and now_s >= self._asked_s + _ASK_S
        if can_ask and self._watching.unbacked:
            self._asked_s = now_s
            self._ask(list(self._watching.unbacked))


def _cancel(call: IDelayedCall) -> None:
    if call.active():
        call.cancel()


def _place(settings: ConnectSettings) -> tuple[object, ...]:
    return settings.discovery, settings.discovery_password
