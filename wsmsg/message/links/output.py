"""
The two parts of a link's frames: the numbered one, the pushes and receipts that Connect
acknowledges, and the momentary one.

::

    push -> waiting -> move_into() -> unacknowledged -> acknowledged() -> settled
                          ^                  |
                          `---- resume() ----+ replayed before anything new

The momentary part is true, or of use, only now: answers to sends, typing, presence,
kicks, blocks.  It has no number, and is never replayed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import Final

import attrs

from wsmsg.message.links.interface import Push, PushTimings, Settled
from wsmsg.model import Cursor, Message
from wsmsg.rpc import rest_pb2
from wsmsg.stream.convert import revocations_of, write_message

#: The most answers to sends that wait for a stream.
MOST_RESULTS = 50_000

#: The fields of a batch that L{MomentaryOutput} fills.
MOMENTARY: Final = (
    "results",
    "typing",
    "presence",
    "presence_applied",
    "last_login",
    "kicks",
    "messages",
    "whole",
    "blocks",
    "life",
)

_FRAME_RESULTS = 4096
_FRAME_PRESENCE = 10_000
_MOST_TYPING = 1024
# The most kicks that wait for a frame; beyond it, the oldest are dropped.
_KICKS = 10_000
# The most blocks, likewise: Connect judges everybody again before long.
_BLOCKS = 1000
_FRAME_PUSHES = 1024
_FRAME_BYTES = 512 * 1024
_PUSH_OVERHEAD_BYTES = 200
_TARGET_BYTES = 8
_RECEIPT_BYTES = 100


@attrs.define
class _Sent:
    """
    A frame that Connect has not acknowledged.

    @ivar upto: the number of pushes in this frame and all before it.
    @ivar receipts: the number of receipts in this frame.
    @ivar since_s: when it was made.
    """

    number: int
    upto: int
    receipts: int
    n_bytes: int
    since_s: float
    frame: rest_pb2.MessageStreamResponse


class UnacknowledgedPushes:
    """
    The pushes and receipts of a link that Connect has not acknowledged, sent or not.

    @param seconds: returns the time of the monotonic clock.
    @param timings: counts the durations.
    @ivar number: the number of the last frame.
    @ivar n_bytes: the size of the pushes, and of the receipts that were sent.
    @ivar receipts: the number of the receipts, sent or not.
    @ivar held: the number of the pushes, sent or not.
    @ivar new: the pushes that no frame has yet.
    @ivar new_receipts: the receipts that no frame has yet, by conversation and user.
    @ivar replay: the frames to write again, before anything new.
    """

    def __init__(self, seconds: Callable[[], float], timings: PushTimings) -> None:
        self._timings = timings
        self.number = self.n_bytes = self.receipts = self.held = 0
        self._seconds = seconds
        self.new: deque[Push] = deque()
        self.new_receipts: dict[tuple[str, int], tuple[Cursor, Sequence[int]]] = {}
        self._markers: deque[tuple[int, int, float, Settled]] = deque()
        self._unacknowledged: deque[_Sent] = deque()
        self.replay: deque[_Sent] = deque()
        self._sent = self._queued = self._acknowledged = 0

    @property
    def oldest_s(self) -> float | None:
        """
        The time since when the oldest push or sent receipt waits; L{None}: there is
        none.
        """
        oldest = [sent.since_s for sent in islice(self._unacknowledged, 1)]
        oldest += [since_s for _, _, since_s, _ in islice(self._markers, 1)]
        return min(oldest, default=None)

    def push(self, pushes: Sequence[Push], settled: Settled) -> None:
        """
        Queue messages with the users of this Connect who receive them.

        @param settled: called once, when all of them are settled.
        """
        self.new.extend(pushes)
        self._queued += len(pushes)
        self.held += len(pushes)
        self.n_bytes += sum(_size(*push) for push in pushes)
        marker = (self._queued, len(pushes), self._seconds(), settled)
        self._markers.append(marker)

    def receipt(self, cursor: Cursor, targets: Sequence[int]) -> None:
        """
        Queue a cursor.  It replaces one of the same user and conversation.
        """
        waiting = len(self.new_receipts)
        self.new_receipts[cursor.conversation, cursor.user] = (cursor, targets)
        self.receipts += len(self.new_receipts) - waiting

    def resumable(self, resume_from: int) -> bool:
        """
        Return whether the unacknowledged frames are all that a Connect misses that
        has received frame C{resume_from}.
        """
        first = self._unacknowledged[0].number if self._unacknowledged else None
        oldest = self.number if first is None else first - 1
        return oldest <= resume_from <= self.number

    def resume(self) -> None:
        """
        Replay all frames before anything new.  A replayed frame carries its pushes and
        receipts, which stay true; what else it carried is of its time.
        """
        for sent in self._unacknowledged:
            for field in MOMENTARY:
                sent.frame.batch.ClearField(field)
        self.replay = deque(self._unacknowledged)

    def next_replayed(self) -> rest_pb2.MessageStreamResponse:
        """
        Return the next frame of C{replay}, of which there is one.
        """
        return self.replay.popleft().frame

    def move_into(self, frame: rest_pb2.MessageStreamResponse) -> None:
        """
        Move as many pushes and receipts as fit into a frame, and number it.
        """
        batch = frame.batch
        receipts = len(self.new_receipts)
        n_bytes = self._add_pushes(batch) + receipts * _RECEIPT_BYTES
        self._add_receipts(batch)
        if n_bytes:
            self.number += 1
            batch.number = self.number
            self._sent += len(batch.pushes)
            self.n_bytes += receipts * _RECEIPT_BYTES
            self._unacknowledged.append(
                _Sent(
                    self.number, self._sent, receipts, n_bytes, self._seconds(), frame
                )
            )

    def acknowledged(self, number: int) -> None:
        """
        Settle all frames up to this one.
        """
        now_s, timings = self._seconds(), self._timings
        while self._unacknowledged and self._unacknowledged[0].number <= number:
            sent = self._unacknowledged.popleft()
            timings.round_trip.observe(now_s - sent.since_s)
            self._acknowledged = sent.upto
            self.held = self._queued - sent.upto
            self.n_bytes -= sent.n_bytes
            self.receipts -= sent.receipts
        while self._markers and self._markers[0][0] <= self._acknowledged:
            _, n, since_s, settled = self._markers.popleft()
            timings.pushed.observe(now_s - since_s, n)
            settled()

    def drop(self) -> None:
        """
        Drop everything; all of it counts as settled.
        """
        self.new.clear()
        self.new_receipts.clear()
        self._unacknowledged.clear()
        self.replay.clear()
        self.n_bytes = self.receipts = self.held = 0
        self._acknowledged = self._sent = self._queued
        markers, self._markers = self._markers, deque()
        for _, _, _, settled in markers:
            settled()

    def _add_pushes(self, batch: rest_pb2.PushBatch) -> int:
        waiting, add, n_bytes = self.new, batch.pushes.add, 0
        for _ in range(min(len(waiting), _FRAME_PUSHES)):
            message, targets = waiting.popleft()
            push = add(targets=targets)
            write_message(push.message, message)
            n_bytes += _size(message, targets)
            if n_bytes > _FRAME_BYTES:
                break
        return n_bytes

    def _add_receipts(self, batch: rest_pb2.PushBatch) -> None:
        for cursor, targets in self.new_receipts.values():
            receipt = batch.receipts.add(targets=targets)
            receipt.cursor.conversation = cursor.conversation
            receipt.cursor.user = cursor.user
            receipt.cursor.delivered = cursor.delivered
            receipt.cursor.read = cursor.read
        self.new_receipts.clear()


def _size(message: Message, targets: Sequence[int]) -> int:
    size = len(message.content) + _PUSH_OVERHEAD_BYTES
    return size + _TARGET_BYTES * len(targets) if len(targets) > 2 else size


class MomentaryOutput:
    """
    The momentary output that waits for the next frames of a stream.

    @ivar has_output: whether there is any.
    """

    def __init__(self) -> None:
        self._results: deque[rest_pb2.SendResult] = deque()
        self._typing: list[rest_pb2.TypingPush] = []
        self._presence: dict[int, rest_pb2.Presence] = {}
        self._kicks: deque[rest_pb2.Kick] = deque(maxlen=_KICKS)
        self._blocks: deque[rest_pb2.Block] = deque(maxlen=_BLOCKS)
        self._presence_applied = self._last_login = 0
        self._listed: Sequence[str] | None = None
        self._whole: int | None = None
        self._revoked: dict[int, int] = {}
        self._life: list[rest_pb2.LifeQuery] = []
        self.has_output = False

    def results(self, results: Sequence[rest_pb2.SendResult]) -> bool:
        """
        Add answers to sends.

        @return: L{False} if too many wait; all of them are dropped then, which loses
            nothing, as Connect repeats unanswered sends.
        """
        self._results.extend(results)
        if len(self._results) > MOST_RESULTS:
            self._results.clear()
            self.has_output = self._has_any()
            return False
        self.has_output = True
        return True

    def typing(self, typing: rest_pb2.Typing, targets: Sequence[int]) -> None:
        """
        Add typing; drop it if too much of it waits already.
        """
        if len(self._typing) < _MOST_TYPING:
            self._typing.append(rest_pb2.TypingPush(typing=typing, targets=targets))
            self.has_output = True

    def presence(self, presence: rest_pb2.Presence) -> None:
        """
        Add the presence of a watched user.  It replaces an older one.
        """
        self._presence[presence.user] = presence
        self.has_output = True

    def kick(self, kick: rest_pb2.Kick) -> None:
        """
        Add the end of sessions.
        """
        self._kicks.append(kick)
        self.has_output = True

    def blocked(self, block: rest_pb2.Block) -> None:
        """
        Add a block of a watched user, or its end.
        """
        self._blocks.append(block)
        self.has_output = True

    def ask_life(self, query: rest_pb2.LifeQuery) -> None:
        """
        Add a question for what Connect remembers of a message.
        """
        self._life.append(query)
        self.has_output = True

    def listed(self, addresses: Sequence[str]) -> None:
        """
        Set the list of all Messages.
        """
        self._listed = addresses
        self.has_output = True

    def whole(self, connects: int) -> None:
        """
        Set the number of Connects that reach all Messages.
        """
        self._whole = connects
        self.has_output = True

    def revoke(self, revoked: Mapping[int, int]) -> None:
        """
        Add times before which tokens of users are revoked.
        """
        self._revoked.update(revoked)
        self.has_output = True

    def presence_applied(self, number: int, last_login: int) -> None:
        """
        Set the last presence delta that is applied, and a number above the logins that
        were known before.
        """
        self._presence_applied, self._last_login = number, last_login
        self.has_output = True

    def stream_lost(self) -> None:
        """
        Drop what is of no use on another stream; kicks wait for it.
        """
        self._results.clear()
        self._typing.clear()
        self._presence.clear()
        self._life.clear()
        self._presence_applied = 0
        self._listed = None  # the welcome has it
        self._revoked = {}  # likewise
        self._whole = None
        self.has_output = self._has_any()

    def move_into(self, batch: rest_pb2.PushBatch) -> None:
        """
        Move as much as fits into a batch.
        """
        results, presence = self._results, self._presence
        for _ in range(min(len(results), _FRAME_RESULTS)):
            batch.results.append(results.popleft())
        batch.typing.extend(self._typing)
        for user in list(islice(presence, _FRAME_PRESENCE)):
            batch.presence.append(presence.pop(user))
        if self._listed is not None:
            batch.messages.addresses.extend(self._listed)
            batch.messages.SetInParent()
            self._listed = None
        if self._revoked:
            batch.revocations.CopyFrom(revocations_of(self._revoked))
            self._revoked = {}
        if self._whole is not None:
            batch.whole, self._whole = self._whole, None
        if self._presence_applied:
            batch.presence_applied = self._presence_applied
            batch.last_login = self._last_login
        batch.kicks.extend(self._kicks)
        batch.blocks.extend(self._blocks)
        batch.life.extend(self._life)
        self._life.clear()
        self._typing.clear()
        self._kicks.clear()
        self._blocks.clear()
        self._presence_applied = 0
        self.has_output = bool(results or presence)

    def _has_any(self) -> bool:
        return bool(
            self._results
            or self._presence_applied
            or self._typing
            or self._presence
            or self._kicks
            or self._blocks
            or self._listed is not None
            or self._whole is not None
            or self._revoked
            or self._life
        )
