"""
Message's end of the stream to one incarnation of a Connect.

Each frame with pushes has a number, and Connect acknowledges these numbers
cumulatively.  The link keeps unacknowledged frames, within a bound, and sends their
pushes and receipts again when the same incarnation of Connect resumes on a new stream::

    push -> waiting -> next_frame() -> unacknowledged -> acknowledged() -> settled
                          ^                  |
                          `---- resume() ----+ replayed before anything new

Over the bound the link I{breaks}: it drops everything, all of which counts as settled.
When Connect subscribes again, Message answers C{resumed=false}, and Connect makes its
sessions sync.  So no push is lost silently.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Final

import attrs

from wsmsg.message.links.interface import Settled
from wsmsg.message.links.snapshot import UserSnapshot
from wsmsg.model import Cursor, Message
from wsmsg.rpc import rest_pb2
from wsmsg.stream.convert import write_message

Response = rest_pb2.MessageStreamResponse

#: The most answers to sends that wait for a stream.
MOST_RESULTS = 50_000

_FRAME_PUSHES = 1024
_FRAME_BYTES = 512 * 1024
_FRAME_RESULTS = 4096
_FRAME_PRESENCE = 10_000
# The most kicks that wait for a frame; beyond it, the oldest are dropped.
_KICKS = 10_000
_PUSH_OVERHEAD_BYTES = 200
_TARGET_BYTES = 8
# The fields of a batch that are true, or of use, only when it is written first.
_MOMENTARY: Final = ("results", "typing", "presence", "presence_applied", "kicks")


@attrs.define
class _Sent:
    """
    A frame that Connect has not acknowledged.

    @ivar upto: the number of pushes in this frame and all before it.
    """

    number: int
    upto: int
    n_bytes: int
    frame: Response


class Link:
    """
    The frames that wait for one incarnation of a Connect, and the unacknowledged ones.

    @ivar broken: the reason why nothing can be resumed any more; empty while the link
        works.
    @ivar primary: whether this Message writes the presence of the users of Connect.
    @ivar is_synced: whether the current stream has sent all users of Connect.
    @ivar everything: whether the peer is another Message, which receives every push.
    @ivar peer_stream: the number of the current stream at Connect; 0: none given.
    @ivar stream: the number of the current stream; one that no stream has while there
        is none.
    @ivar snapshot: the unfinished list of the users of Connect.
    """

    def __init__(
        self,
        node: str,
        incarnation: str,
        *,
        limit_records: int,
        limit_bytes: int,
    ) -> None:
        self.node = node
        self.incarnation = incarnation
        self.primary = self.is_synced = self.everything = False
        self.peer_stream = 0
        self.broken = ""
        self.snapshot = UserSnapshot()
        self._limit_records = limit_records
        self._limit_bytes = limit_bytes
        self._wake: Callable[[], object] | None = None
        self._hang_up: Callable[[str], object] | None = None
        self._waiting: deque[tuple[Message, Sequence[int]]] = deque()
        self._receipts: dict[tuple[str, int], tuple[Cursor, Sequence[int]]] = {}
        self._results: deque[rest_pb2.SendResult] = deque()
        self._typing: list[rest_pb2.TypingPush] = []
        self._presence: dict[int, rest_pb2.Presence] = {}
        self._kicks: deque[rest_pb2.Kick] = deque(maxlen=_KICKS)
        self._presence_applied = 0
        self._markers: deque[tuple[int, Settled]] = deque()
        self._unacknowledged: deque[_Sent] = deque()
        self._replay: deque[_Sent] = deque()
        self._number = self.stream = 0
        self._sent = self._queued = self._acknowledged = 0
        self._held_bytes = 0

    # -- the stream

    @property
    def open(self) -> bool:
        """
        True while the link has a stream.
        """
        return self._wake is not None

    def resumable(self, resume_from: int) -> bool:
        """
        Return whether the unacknowledged frames are all that a Connect misses that
        has received frame C{resume_from}.
        """
        first = self._unacknowledged[0].number if self._unacknowledged else None
        oldest = self._number if first is None else first - 1
        return not self.broken and oldest <= resume_from <= self._number

    def resume(self, resume_from: int) -> None:
        """
        Replay all frames after this one before anything new.  A replayed frame carries
        its pushes and receipts, which stay true; what else it carried is of its time.
        """
        self.primary = False  # Connect names its primary again
        self.acknowledged(resume_from)
        for sent in self._unacknowledged:
            for field in _MOMENTARY:
                sent.frame.batch.ClearField(field)
        self._replay = deque(self._unacknowledged)

    def subscribed(self, hello: rest_pb2.SubscribeRequest) -> None:
        """
        Note which stream of Connect comes next, and what it is to receive.
        """
        self.everything = hello.everything
        self.peer_stream = hello.stream

    def opened(
        self, wake: Callable[[], object], hang_up: Callable[[str], object]
    ) -> int:
        """
        Use a new stream.

        @param wake: called when L{next_frame} has a frame.
        @param hang_up: ends the stream; called with the reason.
        @return: the number of the stream, for L{results} and
            L{wsmsg.message.links.links.Links.lost}.
        """
        self._wake, self._hang_up = wake, hang_up
        self.stream += 1
        wake()
        return self.stream

    def lost(self) -> None:
        """
        Drop what is useless now that the stream is gone: typing, presence, and answers,
        as Connect repeats unanswered sends.
        """
        self._wake = self._hang_up = None
        self.stream += 1
        self._results.clear()
        self._typing.clear()
        self._presence.clear()
        self._presence_applied = 0
        self.snapshot.discard()
        self.is_synced = False

    def synced(self) -> None:
        """
        Note that the stream has sent all users of Connect.
        """
        self.is_synced = True

    def set_primary(self, primary: bool) -> None:
        """
        Note whether this Message writes the presence of the users of Connect.
        """
        self.primary = primary

    def hang_up(self, reason: str) -> None:
        """
        End the stream, if the link has one.
        """
        if self._hang_up is not None:
            self._hang_up(reason)

    # -- what goes in

    @property
    def held(self) -> int:
        """
        The number of pushes that are not acknowledged, sent or not.
        """
        return self._queued - self._acknowledged

    def push(
        self, pushes: Sequence[tuple[Message, Sequence[int]]], settled: Settled
    ) -> None:
        """
        Queue messages with the users of this Connect who receive them.

        @param settled: called once, when all of them are settled.
        """
        if self.broken:
            settled()
            return
        self._waiting.extend(pushes)
        self._queued += len(pushes)
        self._held_bytes += sum(_size(*push) for push in pushes)
        self._markers.append((self._queued, settled))
        if self.held > self._limit_records or self._held_bytes > self._limit_bytes:
            self.break_off(
                f"{self.held} pushes ({self._held_bytes} bytes) not acknowledged"
            )
        else:
            self._wake_stream()

    def receipt(self, cursor: Cursor, targets: Sequence[int]) -> None:
        """
        Queue a cursor.  It replaces one of the same user and conversation.
        """
        if self.broken:
            return
        self._receipts[cursor.conversation, cursor.user] = (cursor, targets)
        if len(self._receipts) > self._limit_records:
            self.break_off(f"{len(self._receipts)} receipts not taken")
        else:
            self._wake_stream()

    def results(self, stream: int, results: Sequence[rest_pb2.SendResult]) -> None:
        """
        Queue answers to the sends of a stream.  They are dropped if the link has
        another stream by now, where the ids mean other sends.
        """
        if not self.open or stream != self.stream:
            return
        self._results.extend(results)
        if len(self._results) > MOST_RESULTS:
            # Connect writes but does not read.  Dropping the answers loses nothing:
            # Connect repeats unanswered sends.
            self._results.clear()
            self.hang_up(f"over {MOST_RESULTS} answers to sends not taken")
        else:
            self._wake_stream()

    def typing(self, typing: rest_pb2.Typing, targets: Sequence[int]) -> None:
        """
        Queue typing; drop it if too much of it waits already.
        """
        if self.open and len(self._typing) < _FRAME_PUSHES:
            self._typing.append(rest_pb2.TypingPush(typing=typing, targets=targets))
            self._wake_stream()

    def presence(self, presence: rest_pb2.Presence) -> None:
        """
        Queue the presence of a watched user.  It replaces an older one.
        """
        if self.open:
            self._presence[presence.user] = presence
            self._wake_stream()

    def kick(self, kick: rest_pb2.Kick) -> None:
        """
        Queue the end of sessions.  Without a stream, the kick waits for the next one.
        """
        self._kicks.append(kick)
        self._wake_stream()

    def presence_applied(self, number: int) -> None:
        """
        Queue the confirmation that presence is applied up to this delta.
        """
        self._presence_applied = number
        self._wake_stream()

    # -- what goes out

    def next_frame(self) -> Response | None:
        """
        Return the next frame to write; L{None}: there is none.
        """
        if self._replay:
            return self._replay.popleft().frame
        if not self._has_frame():
            return None
        frame = Response()
        batch = frame.batch
        n_bytes = self._add_pushes(batch)
        self._add_receipts(batch)
        if batch.pushes or batch.receipts:
            self._number += 1
            batch.number = self._number
            self._sent += len(batch.pushes)
            self._unacknowledged.append(_Sent(self._number, self._sent, n_bytes, frame))
        results, presence = self._results, self._presence
        for _ in range(min(len(results), _FRAME_RESULTS)):
            batch.results.append(results.popleft())
        batch.typing.extend(self._typing)
        for user in list(islice(presence, _FRAME_PRESENCE)):
            batch.presence.append(presence.pop(user))
        batch.presence_applied = self._presence_applied
        batch.kicks.extend(self._kicks)
        self._typing.clear()
        self._kicks.clear()
        self._presence_applied = 0
        return frame

    def acknowledged(self, number: int) -> None:
        """
        Settle all frames up to this one: Connect has put them into the outboxes of its
        sessions.
        """
        if number > self._number:
            # The earlier acknowledgements of this Connect are not reliable either.
            self.break_off(
                f"batch {number} was acknowledged, and {self._number} is the last"
            )
            return
        while self._unacknowledged and self._unacknowledged[0].number <= number:
            sent = self._unacknowledged.popleft()
            self._acknowledged = sent.upto
            self._held_bytes -= sent.n_bytes
        while self._markers and self._markers[0][0] <= self._acknowledged:
            self._markers.popleft()[1]()

    def break_off(self, reason: str) -> None:
        """
        Drop everything, and end the stream.  All pushes count as settled, and nothing
        can be resumed.
        """
        self.broken = reason
        self._waiting.clear()
        self._receipts.clear()
        self._unacknowledged.clear()
        self._replay.clear()
        self._held_bytes = 0
        self._acknowledged = self._sent = self._queued
        markers, self._markers = self._markers, deque()
        for _, settled in markers:
            settled()
        self.hang_up(reason)

    def _has_frame(self) -> bool:
        return bool(
            self._waiting
            or self._results
            or self._presence_applied
            or self._receipts
            or self._typing
            or self._presence
            or self._kicks
        )

    def _wake_stream(self) -> None:
        if self._wake is not None:
            self._wake()

    def _add_pushes(self, batch: rest_pb2.PushBatch) -> int:
        waiting, add, n_bytes = self._waiting, batch.pushes.add, 0
        for _ in range(min(len(waiting), _FRAME_PUSHES)):
            message, targets = waiting.popleft()
            push = add(targets=targets)
            write_message(push.message, message)
            n_bytes += _size(message, targets)
            if n_bytes > _FRAME_BYTES:
                break
        return n_bytes

    def _add_receipts(self, batch: rest_pb2.PushBatch) -> None:
        for cursor, targets in self._receipts.values():
            receipt = batch.receipts.add(targets=targets)
            receipt.cursor.conversation = cursor.conversation
            receipt.cursor.user = cursor.user
            receipt.cursor.delivered = cursor.delivered
            receipt.cursor.read = cursor.read
        self._receipts.clear()


def _size(message: Message, targets: Sequence[int]) -> int:
    size = len(message.content) + _PUSH_OVERHEAD_BYTES
    return size + _TARGET_BYTES * len(targets) if len(targets) > 2 else size
