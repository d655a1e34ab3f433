"""
The protocol of one stream to a legacy Message, which writes and reads single events.

A legacy Message does not answer sends.  So Connect makes a unary call on the connection
of the stream (an I{echo}), which is answered only after all earlier events of the
stream have arrived.  The answer makes the sends accepted, and is the heartbeat::

    send --written--> arriving --echo--> accepted
    nothing written or answered for C{stalled_s}: Connect drops the stream and dials
    again; sends that had not arrived are written again

Reading does not depend on writing: pushes never wait for sends.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any

import attrs
from twisted.internet.defer import Deferred, fail, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure

from wsmsg.connect.legacy.upstream.acks import AckQueue
from wsmsg.connect.legacy.upstream.convert import (
    Request,
    ack_event,
    is_from,
    message_of,
    push_result_event,
    send_event,
)
from wsmsg.connect.upstream.context import StreamOwner, Transport, UpstreamContext
from wsmsg.connect.upstream.interface import SendAnswer
from wsmsg.connect.upstream.joins import JoinBarrier
from wsmsg.connect.upstream.send_route import PendingSend
from wsmsg.errors import Unsupported
from wsmsg.model import is_group
from wsmsg.monitoring.counters import Counters
from wsmsg.rpc import rest_pb2

#: The silence after which Connect makes an echo.
BEAT_S = 1.0
#: A legacy Message pushes each message to all streams, also to the stream that sent it.
#: If it did so before and writes nothing for so many times C{stalled_s} although it was
#: sent messages, it hangs.
MUTE = 4
#: The most push results that wait; over it the oldest are dropped.
RESULTS = 10_000
_REASON_CHARACTERS = 200


@attrs.define
class LegacyCounters(Counters):
    """
    Monotonic counters of all streams to legacy Messages, read by the metrics.

    @ivar failures: messages that a Message reported as failed.
    @ivar odd_events: pushes that carry no message a client could be shown.
    """

    failures: int = 0
    odd_events: int = 0


class LegacyUpstreamStream:
    """
    The protocol over a L{Transport} (L{wsmsg.connect.upstream.context.Stream}).

    @param stalled_s: the time after which a Message that takes or answers nothing is
        dropped.
    """

    _log = Logger()

    kind = "a legacy Message"
    unnumbered = True
    status_page = ""

    def __init__(
        self,
        name: str,
        owner: StreamOwner,
        shared: UpstreamContext,
        acks: AckQueue,
        counters: LegacyCounters,
        *,
        stalled_s: float,
    ) -> None:
        self.name = name
        self.unanswered = 0
        self.transport: Transport | None = None
        self._owner = owner
        self._shared = shared
        self._acks = acks
        self._counters = counters
        self._stalled_s = stalled_s
        self._up = False
        self._unsent: deque[PendingSend] = deque()
        self._results: deque[int] = deque()
        self._writing: PendingSend | None = None
        self._writing_since_s = 0.0
        self._arriving: list[PendingSend] = []
        self._echoed: list[PendingSend] = []
        self._echo_since_s = 0.0
        self._heard_s = 0.0
        self._pushes = self._odd = False
        self._expecting_s = 0.0
        self._flush_soon: Callable[[], None] = _nothing
        self._makers = (self._next_result, self._next_ack, self._next_send)
        self._turn = 0

    @property
    def is_synced(self) -> bool:
        """
        A legacy Message needs no list of users: it pushes every message.
        """
        return self._up

    # -- called by Upstream

    def enqueue(self, send: PendingSend) -> None:
        self.unanswered += 1
        self._unsent.append(send)
        self._flush_soon()

    def unwritten(self) -> Collection[PendingSend]:
        return self._unsent

    def send_finished(self) -> None:
        self.unanswered -= 1

    def lead(self, primary: bool) -> None:
        """
        Do nothing: the legacy protocol has no equivalent of this, nor of what follows.
        """

    def user_joined(self, user: int) -> None:
        pass

    def logged_in(self, logins: Sequence[rest_pb2.Login]) -> None:
        pass

    def user_left(self, user: int) -> None:
        pass

    def join(self, barrier: JoinBarrier) -> None:
        barrier.delta_applied()

    def watch(self, users: Iterable[int]) -> None:
        pass

    def unwatch(self, users: Iterable[int]) -> None:
        pass

    def reaches(self, address: str) -> Deferred[bool]:
        return succeed(False)

    def silence_s(self, now_s: float) -> float:
        return 0.0

    def unreached(self, addresses: Sequence[str]) -> None:
        """
        Do nothing: a legacy Message does not ask.
        """

    def load(self, load: rest_pb2.ConnectLoad) -> None:
        """
        Do nothing, likewise.
        """

    def pool_changed(self) -> None:
        self._flush_soon()

    def query(self, request: rest_pb2.QueryRequest) -> Deferred[rest_pb2.QueryResponse]:
        return fail(Unsupported("a legacy Message answers no queries"))

    def drop(self, reason: str) -> None:
        if self.transport is not None:
            self.transport.abortConnection(reason)

    def is_silent(self, now_s: float) -> bool:
        asked_s = self._echo_since_s
        return bool(asked_s) and now_s - asked_s >= self._stalled_s / 2

    def check_liveness(self, now_s: float, *, was_stalled: bool) -> None:
        if not self._up:
            return
        if was_stalled:
            self._heard_s = now_s
            self._echo_since_s = self._echo_since_s and now_s
            self._writing_since_s = self._writing_since_s and now_s
            self._expecting_s = self._expecting_s and now_s
        for since_s, times, what in (
            (self._writing_since_s, 1, "took nothing that was written"),
            (self._echo_since_s, 1, "did not answer"),
            (self._expecting_s, MUTE, "pushed and confirmed nothing"),
        ):
            if since_s and now_s - since_s >= times * self._stalled_s:
                self.drop(f"the Message {what} for {now_s - since_s:.1f} s")
                return
        if now_s - self._heard_s >= BEAT_S:
            self._echo()
        if self._acks.sweep(now_s):
            self._flush_soon()

    # -- called by the transport

    def makeConnection(self, transport: Transport) -> None:
        self.transport = transport
        self._flush_soon = transport.flush_soon
        self._heard_s = self._shared.clock.seconds()
        self._up = True
        self._owner.stream_up(self)
        self._owner.stream_synced(self)
        self._flush_soon()

    def messageReceived(self, message: rest_pb2.MessageStreamResponse | None) -> None:
        """
        Read an event.

        @param message: L{None} for bytes that could not be decoded.
        """
        self._heard_s = self._shared.clock.seconds()
        self._expecting_s = 0.0
        self._shared.counters.frames_read += 1
        if message is None:
            self._protocol_error("a frame that is not a MessageStreamResponse")
            return
        match message.WhichOneof("response_type"):
            case "push_event":
                self._push(message.push_event)
            case "ack_confirm":
                confirm = message.ack_confirm
                self._acks.answered(
                    confirm.message_id, confirm.confirmed, self._heard_s
                )
            case "failure":
                self._failed(message.failure)
            case None:
                pass
            case "welcome":
                self._owner.late_welcome()
                self.drop(
                    "the Message sent a welcome after all: it is not a legacy one"
                )
            case other:
                self._protocol_error(f"{other} was not expected")

    def connectionLost(self, reason: Failure) -> None:
        self._flush_soon = _nothing
        self._up = False
        self._acks.stream_lost()
        self._owner.stream_lost(self, reason.getErrorMessage())

    def drain(self) -> Request | None:
        """
        Return the next event; L{None} when there is nothing to write.  The event before
        is written by now.
        """
        self._written()
        for _ in self._makers:
            self._turn = (self._turn + 1) % len(self._makers)
            request = self._makers[self._turn]()
            if request is not None:
                self._writing_since_s = self._shared.clock.seconds()
                self._shared.counters.frames_written += 1
                return request
        return None

    # -- events out

    def _next_result(self) -> Request | None:
        return push_result_event(self._results.popleft()) if self._results else None

    def _next_ack(self) -> Request | None:
        ack = self._acks.pop(self._shared.clock.seconds())
        return None if ack is None else ack_event(*ack, int(self._shared.unix_s()))

    def _next_send(self) -> Request | None:
        while self._unsent:
            send = self._unsent.popleft()
            if not send.answered:  # else it was too old, and was rejected
                self._writing = send
                age_s = self._shared.clock.seconds() - send.since_s
                return send_event(send.new, int(self._shared.unix_s() - age_s))
        return None

    def _written(self) -> None:
        send, self._writing = self._writing, None
        self._writing_since_s = 0.0
        if send is not None:
            self._arriving.append(send)
            if self._pushes and not self._expecting_s and _is_pushed(send):
                self._expecting_s = self._shared.clock.seconds()
            self._echo()

    # -- signs of life

    def _echo(self) -> None:
        if self._echo_since_s or not self._up or self.transport is None:
            return
        self._echo_since_s = self._shared.clock.seconds()
        self._echoed, self._arriving = self._arriving, []
        # This limit is the last resort: check_liveness() allows for stalls.
        asked = self.transport.echo(3 * self._stalled_s)
        asked.addCallbacks(self._answered, self._silent)

    def _answered(self, _: object) -> None:
        arrived, self._echoed = self._echoed, []
        self._echo_since_s = 0.0
        if not self._up:
            return  # sends that had not arrived went to another stream
        self._heard_s = now_s = self._shared.clock.seconds()
        answer = SendAnswer(int(self._shared.unix_s() * 1000))
        for send in arrived:
            self._shared.sends.answer(self, send.number, answer, now_s)
        if self._arriving:
            self._echo()

    def _silent(self, failure: Failure) -> None:
        self._echo_since_s = 0.0
        if self._up:
            self.drop(f"the Message did not answer: {failure.getErrorMessage()}")

    # -- events in

    def _push(self, event: rest_pb2.MessagePushEvent) -> None:
        message = message_of(event)
        if message is None:
            self._odd_event(event)
            return
        self._pushes = True
        self._shared.counters.pushes += 1
        target = event.target_user_id
        if not self._shared.edge.push(message, (target,)):
            return  # the user may be on another Connect
        if len(self._results) >= RESULTS:
            self._results.popleft()
        self._results.append(target)
        self._flush_soon()

    def _odd_event(self, event: rest_pb2.MessagePushEvent) -> None:
        self._counters.odd_events += 1
        if not self._odd:
            self._odd = True  # logged once for each stream
            self._log.warn(
                "{peer}: a push is skipped, as it has no message of a person: to "
                "{user}, id {message_id}, type {kind}",
                peer=self.name,
                user=event.target_user_id,
                message_id=event.message.message_id,
                kind=event.message.message_type,
            )

    def _failed(self, event: rest_pb2.MessageFailureEvent) -> None:
        self._counters.failures += 1
        reason = event.failure_reason[:_REASON_CHARACTERS] or "no reason given"
        send = self._find(event.original_message)
        if send is None:
            self._log.warn(
                "{peer}: a message of {user} failed after it was accepted: {reason}",
                peer=self.name,
                user=event.original_sender,
                message_id=event.original_message.message_id,
                reason=reason,
            )
            return
        answer = SendAnswer(code="bad_request", reason=f"Message rejected it: {reason}")
        self._shared.sends.answer(self, send.number, answer, self._heard_s)

    def _find(self, message: rest_pb2.WSMessage) -> PendingSend | None:
        writing: Sequence[PendingSend] = [self._writing] if self._writing else []
        for send in (*self._echoed, *self._arriving, *writing):
            if not send.answered and is_from(send.new, message):
                return send
        return None

    def _protocol_error(self, reason: str) -> None:
        self._shared.counters.protocol_errors += 1
        self.drop(f"protocol error: {reason}")


def _is_pushed(send: PendingSend) -> bool:
    # A group may have no other member, and Connect does not know.
    return not is_group(send.new.conversation)


def _nothing() -> Any:
    """
    Write nothing, as the stream is not connected.
    """
