"""
Message's end of the stream to one life of a Connect.

What is pushed gets the number of the batch it leaves in; Connect acknowledges
cumulatively.  What is not acknowledged is kept, bounded, so that the same life of
Connect can have it again on a new stream::

    push -> waiting -> take() -> unacknowledged -> acknowledged() -> settled
                          ^            |
                          `-- resume() +--> replayed before anything new

Over the bound the link is I{broken}: everything is let go at once and counts as
settled, and Connect, when it subscribes again, is told C{resumed=false} and makes
its sessions sync.  So a push is never lost silently.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from itertools import islice

import attrs

from wsmsg.message.links.interface import Settled
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
# The most that wait for a frame; of more the first are dropped.
_KICKS = 10_000
_PUSH_OVERHEAD_BYTES = 200
_TARGET_BYTES = 8


@attrs.define
class _Sent:
    """
    A batch that Connect has not acknowledged.

    @ivar upto: how many pushes the link had sent in all with this one.
    """

    number: int
    upto: int
    n_bytes: int
    frame: Response


class Countdown:
    """
    A callable that calls C{done} once it has been called C{n} times itself.
    """

    __slots__ = ("_done", "_n")

    def __init__(self, n: int, done: Callable[[], object]) -> None:
        self._n = n
        self._done = done

    def __call__(self) -> None:
        self._n -= 1
        if self._n == 0:
            self._done()


class Link:
    """
    What waits for, and what was sent to, one life of a Connect.

    @ivar broken: why nothing can be resumed any more; empty while it can.
    @ivar primary: whether we write the presence of its users.
    @ivar known: whether this stream told all of its users.
    @ivar everything: whether it is another Message's, which is pushed all there is.
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
        self.primary = self.known = self.everything = False
        self.broken = ""
        self.watched: set[int] = set()
        self.snapshot: list[int] | None = None
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
        self._number = self._stream = 0
        self._sent = self._queued = self._acknowledged = 0
        self._held_bytes = 0

    # -- the stream

    @property
    def open(self) -> bool:
        """
        Whether a stream carries it now.
        """
        return self._wake is not None

    def resumable(self, resume_from: int) -> bool:
        """
        Whether a Connect that has batch C{resume_from} misses nothing if it is
        given what is unacknowledged.
        """
        first = self._unacknowledged[0].number if self._unacknowledged else None
        oldest = self._number if first is None else first - 1
        return not self.broken and oldest <= resume_from <= self._number

    def resume(self, resume_from: int) -> None:
        """
        Give again all batches after this one, before anything new.
        """
        self.primary = False  # it says so again, or has moved it
        self.acknowledged(resume_from)
        self._replay = deque(self._unacknowledged)

    def opened(
        self, wake: Callable[[], object], hang_up: Callable[[str], object]
    ) -> int:
        """
        A stream carries it from now on.

        @param wake: called when there is something to L{take}.
        @param hang_up: called with a reason to end the stream.
        @return: the stream's number, for L{results}.
        """
        self._wake, self._hang_up = wake, hang_up
        self._stream += 1
        wake()
        return self._stream

    def lost(self) -> None:
        """
        The stream is gone.  Answers and ephemeral news of it are worth nothing on
        another one: Connect sends again what was not answered.
        """
        self._wake = self._hang_up = None
        self._results.clear()
        self._typing.clear()
        self._presence.clear()
        self._presence_applied = 0
        self.snapshot = None
        self.known = False

    def hang_up(self, reason: str) -> None:
        """
        End the stream, if there is one.
        """
        if self._hang_up is not None:
            self._hang_up(reason)

    # -- what goes in

    @property
    def held(self) -> int:
        """
        How many pushes are not acknowledged, sent or not.
        """
        return self._queued - self._acknowledged

    def push(
        self, pushes: Sequence[tuple[Message, Sequence[int]]], settled: Settled
    ) -> None:
        """
        Queue messages with the users here whom they reach.

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
            self._news()

    def receipt(self, cursor: Cursor, targets: Sequence[int]) -> None:
        """
        Queue how far a user is; only the last of several matters.
        """
        if self.broken:
            return
        self._receipts[cursor.conversation, cursor.user] = (cursor, targets)
        if len(self._receipts) > self._limit_records:
            self.break_off(f"{len(self._receipts)} receipts not taken")
        else:
            self._news()

    def results(self, stream: int, results: Sequence[rest_pb2.SendResult]) -> None:
        """
        Queue answers to sends of this stream; on another they would mean others.
        """
        if not self.open or stream != self._stream:
            return
        self._results.extend(results)
        if len(self._results) > MOST_RESULTS:
            # It sends and does not read.  Nobody misses what goes with the stream:
            # what was not answered is sent again on the next.
            self._results.clear()
            self.hang_up(f"over {MOST_RESULTS} answers to sends not taken")
        else:
            self._news()

    def typing(self, typing: rest_pb2.Typing, targets: Sequence[int]) -> None:
        """
        Queue that somebody types; dropped when the stream is behind.
        """
        if self.open and len(self._typing) < _FRAME_PUSHES:
            self._typing.append(rest_pb2.TypingPush(typing=typing, targets=targets))
            self._news()

    def presence(self, presence: rest_pb2.Presence) -> None:
        """
        Queue a watched user's presence; only the last of several matters.
        """
        if self.open:
            self._presence[presence.user] = presence
            self._news()

    def kick(self, kick: rest_pb2.Kick) -> None:
        """
        Queue that sessions are to end; without a stream it waits for the next.
        """
        self._kicks.append(kick)
        self._news()

    def presence_applied(self, number: int) -> None:
        """
        Queue that presence is applied up to this delta.
        """
        self._presence_applied = number
        self._news()

    # -- what goes out

    def take(self) -> Response | None:
        """
        The next frame to write; L{None}: nothing waits.
        """
        if self._replay:
            return self._replay.popleft().frame
        if not self._has_news():
            return None
        frame = Response()
        batch = frame.batch
        n_bytes = self._take_pushes(batch)
        self._take_receipts(batch)
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
        Connect has all batches up to this one in its sessions' outboxes.
        """
        if number > self._number:
            # What else it says that it has cannot be believed either.
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
        Let go of everything: nothing of it can be resumed, all of it is settled.
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

    def _has_news(self) -> bool:
        return bool(
            self._waiting
            or self._results
            or self._presence_applied
            or self._receipts
            or self._typing
            or self._presence
            or self._kicks
        )

    def _news(self) -> None:
        if self._wake is not None:
            self._wake()

    def _take_pushes(self, batch: rest_pb2.PushBatch) -> int:
        waiting, add, n_bytes = self._waiting, batch.pushes.add, 0
        for _ in range(min(len(waiting), _FRAME_PUSHES)):
            message, targets = waiting.popleft()
            push = add(targets=targets)
            write_message(push.message, message)
            n_bytes += _size(message, targets)
            if n_bytes > _FRAME_BYTES:
                break
        return n_bytes

    def _take_receipts(self, batch: rest_pb2.PushBatch) -> None:
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
