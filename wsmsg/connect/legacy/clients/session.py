"""
A session of a deployed client, which knows nothing of sessions.

It is a small client of our own kind inside of Connect, and does for its user what
such a client does::

    legacy_sends   makes its messages known by an id, and gives them until accepted
    legacy_feed    keeps the numbers, and reads what is missing
    legacy_watch   asks who is online
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from zope.interface import implementer

from wsmsg import model
from wsmsg.auth.identity import Identity
from wsmsg.connect.legacy.clients.feed import LegacyFeed
from wsmsg.connect.legacy.clients.outbox import LegacyOutbox
from wsmsg.connect.legacy.clients.partners import Partners
from wsmsg.connect.session.inbox import RATE, SLOW, WINDOW
from wsmsg.connect.session.interface import ISession, ISessionPeer
from wsmsg.connect.session.sends import problem_with
from wsmsg.connect.session.session import Session
from wsmsg.connect.upstream.interface import NewSend
from wsmsg.errors import BadFrame, Close, Overloaded, WsmsgError
from wsmsg.flow.token_bucket import TokenBucket
from wsmsg.model import Mark, conversation_of, group_conversation
from wsmsg.protocol.frames import Hello, Send, ServerFrame, Welcome
from wsmsg.protocol.legacy import (
    CODEC,
    ONLINE,
    LegacyAcknowledgement,
    LegacyFrame,
    understood,
)
from wsmsg.rpc.rest_pb2 import WSMessage

if TYPE_CHECKING:
    from wsmsg.connect.legacy.clients.shared import LegacyClients

#: A message of presence is short.
_HEADER = 2


@implementer(ISession)
class LegacySession(Session):
    """
    A connection of a user's deployed client.  Each is a device of its own.

    @ivar feed: what it is given.
    @ivar partners: whom it is told of.
    """

    __slots__ = ("_legacy", "feed", "partners")

    reads_to_end = True
    outbox: LegacyOutbox

    def __init__(
        self, peer: ISessionPeer, legacy: LegacyClients, identity: Identity
    ) -> None:
        node = legacy.node
        super().__init__(peer, CODEC, node, identity=identity)
        self._legacy = legacy
        self.outbox = LegacyOutbox(self, peer)
        redeliver = node.settings.legacy.redeliver
        self.feed = LegacyFeed(self, legacy.counters, redeliver=redeliver)
        self.partners = Partners(self)

    def begin(self) -> None:
        """
        The client was known when it came: there is no hello to wait for.
        """
        now_ms = int(self.node.clock.seconds() * 1000)
        self._life.greeted(Hello(device=f"legacy-{self.number}", since=now_ms))

    # ------------------------------------------------------------- it speaks

    def received(self, data: bytes, binary: bool) -> None:
        if self.closed:
            self._late(data)
        else:
            super().received(data, True)

    def _take(self, data: bytes) -> None:
        registry = self.node.registry
        registry.counts.frames += 1
        limits, now = self.limits, self.node.clock.seconds()
        if self._frames is None:
            self._frames = TokenBucket(now, limits.frames_burst)
        if not self._frames.take(now, limits.frames_per_s, limits.frames_burst):
            self._slow_down()
        try:
            self._do(understood(data), data)
        except WsmsgError as e:
            if isinstance(e, BadFrame):
                registry.counts.bad_frames += 1
            self._legacy.skipped(self.user, e)

    def _do(self, frame: LegacyFrame, data: bytes) -> None:
        match frame:
            case Send() if self._may_send():
                self._send(frame)
            case Send():
                self._slow_down()
                self.intake.put_back(data)
            case LegacyAcknowledgement():
                self._acknowledged(frame.message_id)
            case _:
                pass  # that it spoke is all

    def _acknowledged(self, message_id: int) -> None:
        name, seq = self.feed.place_of(message_id) or ("", 0)
        if seq >= 0:
            self._legacy.mark(Mark(self.user, message_id, name, seq))

    def _send(self, frame: Send) -> None:
        problem = problem_with(frame, self.limits.content_bytes)
        if problem is not None:
            raise problem
        to = frame.to
        conversation = (
            conversation_of(self.user, to) if to else group_conversation(frame.group)
        )
        client_id = self._legacy.client_id()
        held = self._legacy.held
        held.put(NewSend(self.user, client_id, conversation, frame.content, model.TEXT))
        if held.is_full(self.user) and not self.closed:
            self.intake.block(WINDOW)
            held.when_room(self)
        self.partners.met(conversation)

    def _may_send(self) -> bool:
        """
        Take one of the tokens that all sessions of the user share.
        """
        limits, now = self.limits, self.node.clock.seconds()
        bucket = self.sends
        if bucket is None:
            bucket = self.sends = self.node.registry.bucket(self.user, now)
        return bucket.take(now, limits.sends_per_s, limits.sends_burst)

    def _slow_down(self) -> None:
        registry = self.node.registry
        registry.counts.limited += 1
        if not self.closed:
            registry.due.limited(self)
            self.intake.block(RATE)

    def refill(self, now: float) -> bool:
        sends = self.sends
        if sends is not None and sends.wait_s(now, self.limits.sends_per_s):
            return False
        return super().refill(now)

    def room(self) -> None:
        """
        There is room for what it sends again.
        """
        self.intake.unblock(WINDOW)

    def _late(self, data: bytes) -> None:
        """
        A message that was on its way when we closed: the client will not know that
        it must give it again.
        """
        try:
            frame = understood(data)
            if not isinstance(frame, Send) or not self.user:
                return
            # It stops by itself once it hears of the end, so only memory counts.
            if self._legacy.held.is_full_of_bytes:
                raise Overloaded("too much waits to be accepted")
            self._send(frame)
        except WsmsgError as e:
            self._legacy.skipped(self.user, e)
        except Exception:  # noqa: BLE001 - a guard
            self._broken(Failure())

    # -------------------------------------------------------------- it hears

    def push(self, conversation: str, seq: int, data: bytes) -> bool:
        self.partners.met(conversation)
        if not seq:  # of a deployed Message, where there is nothing to read
            return len(data) > _HEADER and super().push(conversation, seq, data)
        self.feed.push(conversation, seq, data)
        return True

    def tell(self, data: bytes, shed: bool) -> bool:
        if len(data) <= _HEADER:
            return True  # a receipt, say, which it has no word for
        if not shed:
            return super().tell(data, shed)
        if self.known:
            self._tell_presence(data)
        return True

    def _tell_presence(self, data: bytes) -> None:
        said = WSMessage.FromString(data[_HEADER:])
        online = said.content == ONLINE
        self.partners.changed(model.UserPresence(getattr(said, "from"), online))

    def reply(self, frame: ServerFrame) -> None:
        """
        Nothing: it knows no answers.
        """

    def welcome(self, welcome: Welcome) -> None:
        super().welcome(welcome)
        self._ask()

    def resync(self, reason: str) -> None:
        if not self.known:
            super().resync(reason)
            return
        self.node.registry.counts.resyncs += 1
        self.feed.resync()
        self._ask()

    def _ask(self) -> None:
        self.feed.go_on()
        Deferred.fromCoroutine(self.partners.look()).addErrback(self._broken)

    def drained(self) -> None:
        """
        What it was too slow for is read for it (L{emptied}).
        """
        self.node.registry.due.drained(self)
        self.intake.unblock(SLOW)

    def emptied(self) -> None:
        """
        The client takes more.
        """
        self.feed.go_on()

    def feed_later(self) -> None:
        """
        Go on after the delay of the retry policy.
        """
        self._legacy.later(self.feed)

    def feed_broke(self, failure: Failure) -> None:
        """
        A bug of ours.
        """
        self._broken(failure)

    # ------------------------------------------------------------- it leaves

    def goaway(self, reason: str, after_ms: int, alternatives: tuple[str, ...]) -> None:
        """
        It cannot be asked to move: what it sent is kept, so it is closed.  If only
        what a welcome says has changed there is nothing to do, as it had none.
        """
        if self.node.registry.draining:
            self.close(Close.DRAIN, reason)

    def leave(self) -> None:
        # Nobody would send again what waits here.
        waiting = self.intake.rest()
        super().leave()
        self._legacy.forget(self)
        for data in waiting:
            self._late(data)
