"""
The session of a legacy client, whose protocol has no sessions.

It acts as a client of the current protocol inside Connect, on behalf of its user::

    sends     gives each message an id, and sends it until it is accepted
    feed      tracks seqs, and reads the messages that are missing
    partners  asks for the presence of the people the user talks to
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
from wsmsg.connect.session.inbox import SLOW, WINDOW
from wsmsg.connect.session.interface import ISession, ISessionPeer
from wsmsg.connect.session.output import framed
from wsmsg.connect.session.sends import problem_with
from wsmsg.connect.session.session import Session
from wsmsg.connect.upstream.interface import NewSend
from wsmsg.errors import (
    BadFrame,
    Close,
    Fault,
    Overloaded,
    WsmsgError,
    is_heard_after,
)
from wsmsg.flow.token_bucket import TokenBucket
from wsmsg.legacy.codec import (
    CODEC,
    ONLINE,
    LegacyAcknowledgement,
    LegacyFrame,
    LegacySend,
    decode_message,
    encode_message,
)
from wsmsg.model import Mark, conversation_of, group_conversation
from wsmsg.protocol.frames import Deliver, Hello, ServerFrame, Welcome
from wsmsg.rpc.rest_pb2 import WSMessage

if TYPE_CHECKING:
    from wsmsg.connect.legacy.clients.clients import LegacyClients

#: Bytes of the WebSocket header before a short message, as those of presence are.
_HEADER = 2


@implementer(ISession)
class LegacySession(Session):
    """
    A connection of a user's legacy client.  Each connection is a device of its own.

    @ivar feed: the messages that the client is pushed.
    @ivar opened_ms: the unix time at which the connection opened, in milliseconds.
    @ivar partners: the users whose presence the client receives.
    """

    __slots__ = ("_is_heard", "_legacy", "feed", "opened_ms", "partners")

    names_device = False
    outbox: LegacyOutbox

    def __init__(
        self, peer: ISessionPeer, legacy: LegacyClients, identity: Identity
    ) -> None:
        context = legacy.context
        super().__init__(peer, CODEC, context, identity=identity)
        self._legacy = legacy
        self._is_heard = True
        self.outbox = LegacyOutbox(self, peer)
        redeliver = context.settings.legacy.redeliver
        self.feed = LegacyFeed(self, legacy.counters, redeliver=redeliver)
        self.partners = Partners(self)

    def begin(self) -> None:
        """
        Begin the login.  The headers have authenticated the client, so Connect does
        not wait for a hello.
        """
        self.opened_ms = int(self.context.unix_s() * 1000)
        self.greet(Hello(device=f"legacy-{self.number}", position="now"))

    # -------------------------------------------------------------------- input

    @property
    def reads_to_end(self) -> bool:
        """
        False after a close for what the client did (L{is_heard_after}): messages that
        arrive after any other close are accepted.
        """
        return self._is_heard

    def received(self, data: bytes, binary: bool) -> None:
        if self.closed:
            if self._is_heard:
                self._received_late(data)
        else:
            super().received(data, True)

    def _process(self, data: bytes) -> None:
        registry = self.context.registry
        registry.counters.frames += 1
        limits, now = self.limits, self.context.clock.seconds()
        if self._frames is None:
            self._frames = TokenBucket(now, limits.frames_burst)
        if not self._frames.take(now, limits.frames_per_s, limits.frames_burst):
            self.limit_rate()
        try:
            self._dispatch(decode_message(data), data)
        except WsmsgError as e:
            if isinstance(e, BadFrame):
                registry.counters.bad_frames += 1
            self._legacy.skipped(self.user, e)

    def _dispatch(self, frame: LegacyFrame, data: bytes) -> None:
        match frame:
            case LegacySend() if self._take_send_token():
                self._send(frame)
            case LegacySend():
                self.limit_rate()
                self.inbox.requeue(data)
            case LegacyAcknowledgement():
                self._acknowledge(frame.message_id)
            case _:
                pass  # A heartbeat: that the connection heard something is enough.

    def _acknowledge(self, message_id: int) -> None:
        name, seq = self.feed.pop_place(message_id) or ("", 0)
        if seq >= 0:
            self._legacy.mark(Mark(self.user, message_id, name, seq))

    def _send(self, frame: LegacySend) -> None:
        problem = problem_with(frame, self.limits.content_bytes)
        if problem is not None:
            raise problem
        to = frame.to
        conversation = (
            conversation_of(self.user, to) if to else group_conversation(frame.group)
        )
        client_id = self._legacy.client_id()
        held = self._legacy.held
        content, extra = frame.content, frame.extra
        held.put(
            NewSend(
                self.user, client_id, conversation, content, model.TEXT, extra=extra
            )
        )
        if held.is_full(self.user) and not self.closed:
            self.inbox.block(WINDOW)
            held.when_room(self)
        self.partners.add_from(conversation)

    def _take_send_token(self) -> bool:
        limits, now = self.limits, self.context.clock.seconds()
        bucket = self.shared_rates(now).sends
        return bucket.take(now, limits.sends_per_s, limits.sends_burst)

    def limit_rate(self) -> None:
        if self.closed:
            self.context.registry.counters.limited += 1
        else:
            super().limit_rate()

    def refill(self, now: float) -> bool:
        rates = self.rates
        if rates is not None and rates.sends.wait_s(now, self.limits.sends_per_s):
            return False
        return super().refill(now)

    def has_room(self) -> None:
        """
        Resume reading: there is room for the client's sends again.
        """
        self.inbox.unblock(WINDOW)

    def _received_late(self, data: bytes) -> None:
        """
        Accept a send that was under way when Connect closed the connection: the client
        does not know that it would have to repeat it.
        """
        try:
            frame = decode_message(data)
            if not isinstance(frame, LegacySend) or not self.user:
                return
            # The client stops when it learns of the close, so only memory is limited.
            if self._legacy.held.is_full_of_bytes:
                raise Overloaded("too many messages wait to be accepted")
            self._send(frame)
        except WsmsgError as e:
            self._legacy.skipped(self.user, e)
        except Exception:  # noqa: BLE001 - a guard
            self.failed(Failure())

    # ------------------------------------------------------------------- output

    def encoded(self, frame: ServerFrame, extra: str = "") -> bytes:
        if isinstance(frame, Deliver):
            return framed(CODEC, encode_message(frame, extra))
        return super().encoded(frame)

    def push(self, conversation: str, seq: int, data: bytes, time_ms: int) -> bool:
        self.partners.add_from(conversation)
        if not seq:  # A legacy Message stores nothing that could be read.
            return len(data) > _HEADER and super().push(conversation, 0, data, time_ms)
        self.feed.push(conversation, seq, data)
        return True

    def notify(self, data: bytes, shed: bool) -> bool:
        if len(data) <= _HEADER:
            return True  # The legacy protocol has no word for it (a receipt, say).
        if not shed:
            return super().notify(data, shed)
        if self.welcomed:
            self._notify_presence(data)
        return True

    def _notify_presence(self, data: bytes) -> None:
        message = WSMessage.FromString(data[_HEADER:])
        online = message.content == ONLINE
        user = getattr(message, "from")
        self.partners.presence_changed(model.UserPresence(user, online))

    def reply(self, frame: ServerFrame) -> None:
        """
        Do nothing: the legacy protocol has no replies.
        """

    def welcome(self, welcome: Welcome) -> None:
        super().welcome(welcome)
        self.feed.begin(welcome.position)
        self._look()

    def resync(self, reason: str) -> None:
        if not self.welcomed:
            super().resync(reason)
            return
        self.context.registry.counters.resyncs += 1
        self.feed.resync()
        self._look()

    def pushed_up_to(self, most: int) -> list[tuple[str, int]] | None:
        """
        Return L{None}: the feed reads what is missing.
        """
        return None

    def _look(self) -> None:
        self.feed.resume()
        Deferred.fromCoroutine(self.partners.look()).addErrback(self.failed)

    def drained(self) -> None:
        """
        Resume reading.  The feed reads the messages that were too many (L{emptied}).
        """
        self.context.registry.timers.drained(self)
        self.inbox.unblock(SLOW)

    def emptied(self) -> None:
        """
        Give the client more: its outbox is empty.
        """
        self.feed.resume()

    def feed_later(self) -> None:
        """
        Resume the feed after the delay of the retry policy.
        """
        self._legacy.later(self.feed)

    def feed_failed(self, failure: Failure) -> None:
        """
        End the session because of a bug in the feed.
        """
        self.failed(failure)

    # ---------------------------------------------------------------------- end

    def goaway(self, reason: str, after_ms: int, alternatives: tuple[str, ...]) -> None:
        """
        Close the connection if the node stops, as one of the last: a legacy client
        cannot be asked to move and never dials again; its sends are kept.  Do nothing
        if only the contents of the welcome have changed, because it had none.
        """
        if self.context.registry.draining:
            self._legacy.leave_last(self, reason)

    def close(self, code: Close, reason: str, fault: Fault = "other") -> None:
        self._is_heard = self._is_heard and is_heard_after(code)
        super().close(code, reason, fault)

    def close_connection(self, code: Close, reason: str, fault: Fault) -> None:
        self._legacy.heartbeat.speed_up(self.peer)
        super().close_connection(code, reason, fault)

    def unregister(self) -> None:
        # The client would not repeat the sends that wait in the inbox.
        waiting = self.inbox.remove_all() if self._is_heard else []
        super().unregister()
        self._legacy.forget(self)
        for data in waiting:
            self._received_late(data)
