"""
The protocol of one stream to one Message, from its welcome to its loss, without gRPC.

Connect writes, in this order: a snapshot of its users, in parts (once it is sure who is
still there, if its process stood still: L{IEdge.is_unsure}); the sends that an
earlier stream left unanswered; then, frame by frame, what was queued meanwhile.  Each
presence delta has a number, and Message answers when it has applied the delta.  An
empty delta is the heartbeat: Connect sends one to a silent Message, and drops a Message
that stays silent, though its TCP connection may be alive.

Message writes push batches, numbered without a gap in one life of Message.  Connect
acknowledges a batch when all of it is in the outboxes of the sessions.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Sequence
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure

from wsmsg.connect.upstream import convert
from wsmsg.connect.upstream.context import (
    PeerLife,
    StreamOwner,
    Transport,
    UpstreamContext,
)
from wsmsg.connect.upstream.interface import SendAnswer
from wsmsg.connect.upstream.joins import JoinBarrier, PresenceAcks
from wsmsg.connect.upstream.outgoing import NetChange, UserListing, WatchChange
from wsmsg.connect.upstream.send_route import PendingSend, move_sends
from wsmsg.errors import Unavailable
from wsmsg.rpc import rest_pb2
from wsmsg.stream.contract import NAME_CHARACTERS, QUERY, REACHES
from wsmsg.stream.convert import life_answer_of, message_of

#: The most users in one part of a snapshot.
SNAPSHOT_USERS = 10_000
#: Within this time a Message says if it reaches another one.
_REACH_S = 1.2
#: A Message that is silent for so long is asked for a sign of life.
_PROBE_S = 0.5
#: A Message that is silent for so many heartbeats is lost.
_SILENT_BEATS = 3
#: A Message that is silent for so many may be lost.  Another must become the primary
#: before its lease on the users of this node runs out.
_SUSPECT_BEATS = 2
#: The longest heartbeat interval, so that a dead Message is found in 5 s.
_LONGEST_BEAT_S = 1.5
#: A session records its opening a moment before it reports its user.
_SLACK_S = 1.0


class UpstreamStream:
    """
    The protocol over a L{Transport} (L{wsmsg.connect.upstream.context.Stream}).

    @ivar transport: L{None} before L{makeConnection}.
    """

    _log = Logger()
    kind = "wsmsg"
    unnumbered = False

    def __init__(
        self, name: str, owner: StreamOwner, shared: UpstreamContext, life: PeerLife
    ) -> None:
        self.name, self.status_page = name, ""
        self.unanswered = 0
        self.transport: Transport | None = None
        self._owner = owner
        self._shared = shared
        self._life = life
        self._up = False
        self._listing = UserListing()
        self._users = NetChange()
        self._watched = WatchChange(shared.watching.__contains__)
        self._logins: list[rest_pb2.Login] = []
        self._applied = PresenceAcks()
        self._unsent: deque[PendingSend] = deque()
        self._acknowledge = self._probe = False
        self._number = 0
        self._heartbeat_s = self._heard_s = 0.0
        self._flush_soon: Callable[[], None] = lambda: None
        self._flush_later: Callable[[], None] = lambda: None
        self._news = rest_pb2.ConnectBatch()
        self._resync: tuple[str, float] | None = None

    @property
    def is_synced(self) -> bool:
        return self._up and self._listing.is_applied

    # -- called by Upstream

    def lead(self, primary: bool) -> None:
        self._news.MergeFrom(rest_pb2.ConnectBatch(primary=primary))
        self._flush_soon()

    def enqueue(self, send: PendingSend) -> None:
        self.unanswered += 1
        self._unsent.append(send)
        self._flush_soon()

    def send_finished(self) -> None:
        self.unanswered -= 1

    def unwritten(self) -> Collection[PendingSend]:
        return self._unsent

    def user_joined(self, user: int) -> None:
        self._users.add(user)
        self._applied.users_changed(self._shared.clock.seconds())
        self._flush_soon()

    def logged_in(self, logins: Sequence[rest_pb2.Login]) -> None:
        self._logins.extend(logins)
        self._flush_soon()

    def join(self, barrier: JoinBarrier) -> None:
        self._applied.join(barrier)

    def user_left(self, user: int) -> None:
        self._users.remove(user)
        self._applied.users_changed(self._shared.clock.seconds())
        self._flush_soon()

    def watch(self, users: Iterable[int]) -> None:
        self._watched.changes.update(dict.fromkeys(users, True))
        self._flush_soon()

    def unwatch(self, users: Iterable[int]) -> None:
        self._watched.changes.update(dict.fromkeys(users, False))
        self._flush_soon()

    def unreached(self, addresses: Sequence[str]) -> None:
        self._news.unreached.CopyFrom(rest_pb2.MessageList(addresses=addresses))
        self._flush_later()

    def load(self, load: rest_pb2.ConnectLoad) -> None:
        self._news.load.CopyFrom(load)
        self._flush_later()

    def pool_changed(self) -> None:
        self._flush_later()

    def query(self, request: rest_pb2.QueryRequest) -> Deferred[rest_pb2.QueryResponse]:
        if self.transport is None:
            return fail(Unavailable("the stream is closed", 500))
        return self.transport.query(
            QUERY, request, rest_pb2.QueryResponse, self._shared.query_timeout_s
        )

    def reaches(self, address: str) -> Deferred[bool]:
        if self.transport is None:
            return succeed(False)
        asked = self.transport.query(
            REACHES,
            rest_pb2.ReachRequest(address=address),
            rest_pb2.ReachResponse,
            _REACH_S,
        )
        return asked.addCallbacks(lambda it: bool(it.reached), lambda _: False)

    def silence_s(self, now_s: float) -> float:
        return now_s - self._heard_s if self._heartbeat_s else 0.0

    def drop(self, reason: str) -> None:
        if self.transport is not None:
            self.transport.abortConnection(reason)

    def is_silent(self, now_s: float) -> bool:
        if not self._heartbeat_s:
            return False
        return now_s - self._heard_s >= _SUSPECT_BEATS * self._heartbeat_s

    def check_liveness(self, now_s: float, *, was_stalled: bool) -> None:
        if not self._heartbeat_s:
            return
        if was_stalled or self._listing.waits:
            self._heard_s = now_s
            self._flush_soon()
        silence_s = now_s - self._heard_s
        if silence_s >= _SILENT_BEATS * self._heartbeat_s:
            self.drop(f"the peer was silent for {silence_s:.1f} s")
        elif silence_s >= min(_PROBE_S, self._heartbeat_s) and not self._probe:
            self._probe = True
            self._flush_soon()

    # -- called by the transport

    def makeConnection(self, transport: Transport) -> None:
        self.transport = transport
        self._flush_soon = transport.flush_soon
        self._flush_later = transport.flush_later

    def messageReceived(self, message: rest_pb2.MessageStreamResponse | None) -> None:
        """
        Read a message; the first is the welcome.

        @param message: L{None} for bytes that could not be decoded.
        """
        self._heard_s = self._shared.clock.seconds()
        self._shared.counters.frames_read += 1
        if message is None:
            self._protocol_error("a frame that is not a MessageStreamResponse")
            return
        match message.WhichOneof("response_type"):
            case "batch" if self._up:
                self._batch(message.batch)
            case "welcome" if not self._up:
                self._welcome(message.welcome)
            case None:
                pass  # a type of message that only a newer Message has
            case other:
                self._protocol_error(f"{other} was not expected")

    def connectionLost(self, reason: Failure) -> None:
        self._flush_soon = self._flush_later = lambda: None
        if self._up:
            self._up = False
            since_s = self._applied.stream_lost(self._shared.clock.seconds())
            if self._resync is not None:
                # The sessions were to resync, and did not: the next stream has to
                # tell them.
                since_s = min(since_s, self._resync[1])
            self._life.stream_lost(self._number, since_s - _SLACK_S)
        self._owner.stream_lost(self, reason.getErrorMessage())

    def drain(self) -> rest_pb2.MessageStreamRequest | None:
        """
        Return the next frame; L{None} when there is nothing to write.
        """
        listing, edge = self._listing, self._shared.edge
        if listing.waits and self._up and not edge.is_unsure():
            listing.make(edge.users(), SNAPSHOT_USERS, self._shared.logins.last)
        if not self._up or listing.waits or not (listing.parts or self._has_output()):
            return None
        request = rest_pb2.MessageStreamRequest()
        if listing.parts:
            self._fill_news(request.batch)
            listing.move_into(request.batch.presence, next(self._life.deltas))
        else:
            self._fill(request.batch)
        self._shared.counters.frames_written += 1
        return request

    # -- frames out

    def _has_output(self) -> bool:
        return bool(
            self._unsent
            or self._acknowledge
            or self._users.changes
            or self._logins
            or self._probe
            or self._shared.cursors.cursors
            or self._watched.changes
            or self._watched.listed
            or self._shared.typing.typing
            or self._applied.waiting
            or self._news.ByteSize()
        )

    def _fill_news(self, batch: rest_pb2.ConnectBatch) -> None:
        if self._news.ByteSize():
            batch.CopyFrom(self._news)
            self._news.Clear()

    def _fill(self, batch: rest_pb2.ConnectBatch) -> None:
        self._fill_news(batch)
        acks = self._applied.waiting or self._probe
        if acks or self._users.changes or self._logins:
            self._fill_presence(batch.presence)
        if self._watched.changes or self._watched.listed:
            self._watched.move_into(batch.watch)
        if self._unsent:
            move_sends(self._unsent, batch)
        if self._acknowledge:
            batch.pushed = self._number
            self._acknowledge = False
        if self._shared.cursors.cursors:
            self._shared.cursors.move_into(batch, self._shared.edge.is_alone)
        if self._shared.typing.typing:
            self._shared.typing.move_into(batch)

    def _fill_presence(self, delta: rest_pb2.PresenceDelta) -> None:
        added, removed = self._users.pop()
        delta.online.extend(added)
        delta.offline.extend(removed)
        delta.logins.extend(self._logins)
        delta.last_login = self._shared.logins.last
        self._logins.clear()
        delta.number = next(self._life.deltas)
        self._applied.delta_written(delta.number, self._shared.clock.seconds())
        self._probe = False

    # -- frames in

    def _welcome(self, welcome: rest_pb2.LinkWelcome) -> None:
        life = self._life
        if welcome.resumed and welcome.incarnation != life.incarnation:
            self._protocol_error("a welcome resumes a stream of another incarnation")
            return
        if not 0 < len(welcome.incarnation) <= NAME_CHARACTERS:
            self._protocol_error("a welcome whose incarnation is empty or too long")
            return
        first = not life.incarnation
        if welcome.resumed:
            reason = "the stream to Message was interrupted"
            since_s = life.unknown_since_s
        else:
            reason = "Message is new to this node" if first else "Message restarted"
            since_s = 0.0
            life.begin(welcome.incarnation)
        if self._shared.edge.users():
            self._resync = (reason, since_s)
        self._listing.begin()
        self._watched.begin(self._shared.edge.watched())
        self._heartbeat_s = min(_LONGEST_BEAT_S, welcome.heartbeat_ms / 1000)
        self._number = life.number
        self._up = True
        self._shared.clocks.note(self, self.name, welcome.unix_ms, life.asked_s)
        life.set_address(welcome.address)
        self.status_page = welcome.status_page
        self._shared.reach.welcomed(self, welcome.address)
        self._shared.reach.listed(self, welcome.messages.addresses)
        convert.apply_revocations(welcome.revocations, self._shared.edge)
        self._owner.stream_up(self)
        self._flush_soon()

    def _batch(self, batch: rest_pb2.PushBatch) -> None:
        shared, number, last = self._shared, batch.number, self._number
        if number and number != last + 1:
            self._protocol_error(f"push batch {number} came after {last}")
            return
        if batch.presence_applied:
            shared.logins.heard(batch.last_login)
            self._presence_applied(batch.presence_applied)
        self._results(batch.results)
        if batch.pushes:
            self._push(batch.pushes)
        if batch.HasField("messages"):
            shared.reach.listed(self, batch.messages.addresses)
        if batch.HasField("whole"):
            shared.reach.set_whole(batch.whole)
        if batch.receipts or batch.typing or batch.presence or batch.blocks:
            convert.apply_ephemeral(batch, shared.edge, shared.watching, self)
        if batch.life:
            ring = shared.edge.life
            self._news.life.extend(life_answer_of(query, ring) for query in batch.life)
            self._flush_soon()
        if batch.kicks or batch.HasField("revocations"):
            self.logged_in(convert.apply_kicks(batch, shared.edge, shared.logins))
        if number:
            self._number = number
            self._acknowledge = True
            self._flush_later()

    def _presence_applied(self, number: int) -> None:
        self._applied.applied(number)
        if self._listing.applied(number):
            if self._resync is not None:
                # Not earlier: a message stored between a sync and the moment when
                # Message knows the user would be neither synced nor pushed.
                (reason, since_s), self._resync = self._resync, None
                self._shared.counters.resyncs += 1
                self._shared.edge.resync(reason, since_s)
            self._owner.stream_synced(self)

    def _results(self, results: Any) -> None:
        answer, now_s = self._shared.sends.answer, self._heard_s
        for r in results:
            said = SendAnswer(r.time_ms) if r.time_ms > 0 else convert.rejection_of(r)
            answer(self, r.id, said, now_s)

    def _push(self, pushes: Sequence[rest_pb2.Push]) -> None:
        edge, taken_ms = self._shared.edge, []
        messages = [message_of(push.message) for push in pushes]
        for message, push in zip(messages, pushes, strict=True):
            waited = edge.waited
            if edge.push(message, tuple(push.targets)) > edge.waited - waited:
                taken_ms.append(message.time_ms)
        self._shared.counters.pushes += len(messages)
        if taken_ms:
            self._shared.soon(partial(self._written, taken_ms, self._heard_s))

    def _written(self, taken_ms: Sequence[int], read_s: float) -> None:
        shared, n = self._shared, len(taken_ms)
        shared.counters.written.observe(shared.clock.seconds() - read_s, n)
        now_ms = int(shared.unix_s() * 1000)
        shared.counters.all_the_way.observe_since(now_ms, taken_ms)

    def _protocol_error(self, reason: str) -> None:
        self._shared.counters.protocol_errors += 1
        self.drop(f"protocol error: {reason}")
