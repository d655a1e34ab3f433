"""
The events that wait for the stream of one legacy Connect; it does no I/O.

The outbox keeps a push as the message and its recipients, and makes one event for each
recipient when the stream asks for it.  Answers (failures, confirmations) and pushes
take turns, so that neither waits for all of the others::

    push, answer -> waiting -> next_event() -> the next call: written -> settled

A peer that does not read delays nobody else.  Only its newest pushes, limited in number
and age, keep the journal from being committed; older ones count as settled although
they are not written.  Above the limit of held events the outbox I{breaks}: it drops
everything, and its stream ends.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

from wsmsg.message.legacy.convert import NEW_MESSAGE, write_message
from wsmsg.message.links.interface import Push, Settled
from wsmsg.model import Message
from wsmsg.rpc import rest_pb2
from wsmsg.text.counted import counted

Response = rest_pb2.MessageStreamResponse

_OVERHEAD_BYTES = 200
_TARGET_BYTES = 8


class OutboxBounds(Protocol):
    """
    The limits of what is held for a stream; see
    L{wsmsg.settings.legacy.MessageLegacySettings}.
    """

    @property
    def records(self) -> int: ...

    @property
    def record_bytes(self) -> int: ...

    @property
    def unsettled(self) -> int: ...

    @property
    def unsettled_s(self) -> float: ...


class LegacyConnectOutbox:
    """
    The events to one stream.

    @param wake: called when L{next_event} has an event.
    @param broke: called with the reason when the outbox breaks.
    @ivar broken: the reason why the outbox is broken; empty while it is not.
    @ivar written: the number of written push events.
    @ivar missed: the number of dropped push events.
    @ivar early: the number of pushes that were settled before they were written.
    """

    def __init__(
        self,
        bounds: Callable[[], OutboxBounds],
        *,
        wake: Callable[[], object],
        broke: Callable[[str], object],
    ) -> None:
        self.broken = ""
        self.written = self.missed = self.early = 0
        self._bounds = bounds
        self._wake = wake
        self._broke = broke
        self._pushes: deque[Push] = deque()
        self._at = 0  # the index of the next recipient of the first push
        self._answers: deque[tuple[Response, int]] = deque()
        self._markers: deque[tuple[int, float, Settled]] = deque()
        self._queued = self._done = self._counted = 0
        self._bytes = 0
        self._answer_next = False
        self._taken = 0  # events of pushes that are being written: 0 or 1

    @property
    def held(self) -> int:
        """
        The number of pushes and answers that are not written.
        """
        return len(self._pushes) + len(self._answers)

    @property
    def held_bytes(self) -> int:
        return self._bytes

    # -- what goes in

    def push(self, pushes: Sequence[Push], now_s: float, settled: Settled) -> None:
        """
        Queue messages with their recipients.

        @param settled: called once, when all of them are settled.
        """
        if self.broken or not pushes:
            self.missed += sum(len(targets) for _, targets in pushes)
            settled()
            return
        self._pushes.extend(pushes)
        self._queued += len(pushes)
        self._bytes += sum(_size(*push) for push in pushes)
        self._markers.append((self._queued, now_s, settled))
        if not self._over():
            self._settle_old(self._queued - self._bounds().unsettled)
            self._wake()

    def answer(self, response: Response) -> None:
        """
        Queue an answer.
        """
        if self.broken:
            return
        size = response.ByteSize() + _OVERHEAD_BYTES
        self._answers.append((response, size))
        self._bytes += size
        if not self._over():
            self._wake()

    def settle_late(self, now_s: float) -> None:
        """
        Settle the pushes that have waited for longer than the limit.
        """
        oldest_s = now_s - self._bounds().unsettled_s
        upto = 0
        for queued, queued_s, _ in self._markers:
            if queued_s > oldest_s:
                break
            upto = queued
        self._settle_old(upto)

    def break_off(self, reason: str) -> None:
        """
        Drop everything; all pushes count as settled.
        """
        if self.broken:
            return
        self.broken = reason
        waiting = sum(len(targets) for _, targets in self._pushes)
        self.missed += waiting - self._at
        self._pushes.clear()
        self._answers.clear()
        self._bytes = self._at = self._taken = 0
        markers, self._markers = self._markers, deque()
        for _, _, settled in markers:
            settled()

    # -- what goes out

    def next_event(self) -> Response | None:
        """
        Return the next event to write; L{None}: there is none.  The event that the last
        call returned has been written.
        """
        if self._taken:
            self._was_written()
        if self._answers and (self._answer_next or not self._pushes):
            self._answer_next = False
            response, size = self._answers.popleft()
            self._bytes -= size
            return response
        if not self._pushes:
            return None
        self._answer_next = True
        self._taken = 1
        message, targets = self._pushes[0]
        event = rest_pb2.MessagePushEvent(
            target_user_id=targets[self._at], event_type=NEW_MESSAGE
        )
        write_message(message, event.message)
        return Response(push_event=event)

    def _was_written(self) -> None:
        self._taken = 0
        self.written += 1
        self._at += 1
        message, targets = self._pushes[0]
        if self._at < len(targets):
            return
        self._pushes.popleft()
        self._at = 0
        self._done += 1
        self._bytes -= _size(message, targets)
        markers = self._markers
        while markers and markers[0][0] <= self._done:
            markers.popleft()[2]()

    # -- bounds

    def _over(self) -> bool:
        bounds = self._bounds()
        if self.held <= bounds.records and self._bytes <= bounds.record_bytes:
            return False
        reason = f"{counted(self.held, 'event')} ({self._bytes} bytes) not read"
        self.break_off(reason)
        self._broke(reason)
        return True

    def _settle_old(self, upto: int) -> None:
        markers = self._markers
        while markers and markers[0][0] <= upto:
            queued, _, settled = markers.popleft()
            self.early += queued - max(self._done, self._counted)
            self._counted = queued
            settled()


def _size(message: Message, targets: Sequence[int]) -> int:
    texts = len(message.content) + len(message.extra)
    return texts + _OVERHEAD_BYTES + _TARGET_BYTES * len(targets)
