"""
Sends: their order, the window, and repeats.

Each message has a local number, from 0 up in the order of C{send}.  Messages that are
not in flight are in a heap by number, so a message that returns - after a lost
connection, or because the server was busy - precedes all newer ones.  Many may be in
flight at once, and the order is kept all the same: after the server has rejected a send
temporarily, it rejects all sends behind it for the time of its hint, and the client
sends nothing until all sends in flight are answered and that time is over::

    waiting --due--> in flight --accepted, rejected--> settled
       ^                 |
       `- lost, rejected with a hint

The server may have accepted a message that was in flight when the connection was lost;
its client id makes the second send the same message.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator

import attrs
from msgspec.structs import replace

from wsmsg.client.state.events import SendAccepted
from wsmsg.errors import Conflict, Overloaded, TooLarge, WsmsgError, from_code
from wsmsg.protocol.frames import Limits, Rejected, Send, Submission

Settled = Callable[[str, "SendAccepted | WsmsgError"], object]

#: The most accepted messages that are kept to be sent again, and their bytes.
_RECENT = 1000
_RECENT_BYTES = 4 * 2**20

#: Delay before a repeat if the server gives none.
_NO_HINT_S = 1.0


@attrs.define(slots=True)
class _Outgoing:
    """
    @ivar tried: it was in flight once.
    @ivar uncertain: it may have been accepted: it was in flight when a connection was
        lost, or the server said so.
    """

    number: int
    frame: Submission
    tried: bool = False
    uncertain: bool = False

    def take_off(self) -> Submission:
        """
        Return the frame to write, which is in flight from then on.
        """
        self.tried = True
        return replace(self.frame, repeat=True) if self.uncertain else self.frame

    def mark_uncertain(self) -> None:
        self.uncertain = True


class Outbound:
    """
    The sends, group changes and recalls that are not settled.

    @param limit: most of them; a further one is refused.
    @param on_settled: called once for each, with its client id and the result.
    """

    def __init__(self, limit: int, on_settled: Settled) -> None:
        self._limit = limit
        self._on_settled = on_settled
        self._by_id: dict[str, _Outgoing] = {}
        self._waiting: list[tuple[int, str]] = []
        self._in_flight: dict[str, _Outgoing] = {}
        self._made = 0
        self._window = 1
        self._content_bytes = 0
        self._not_before = 0.0
        self._turned_away = False
        self._busy = ""
        self._pace = Pace(0.0)
        self._recent = RecentlyAccepted()
        self._again: set[str] = set()
        self.changed = False

    def __len__(self) -> int:
        return len(self._by_id)

    @property
    def busy(self) -> str:
        """
        The reason for which the server has asked to send later; empty: there is none,
        or the server has accepted something since.
        """
        return self._busy

    def saved(self) -> None:
        """
        Note that the position file has all of it.
        """
        self.changed = False

    def restore(self, frames: Iterable[Submission]) -> None:
        """
        Add what the position file has, which an earlier run may have sent.
        """
        for frame in frames:
            self.add(frame, uncertain=True)
        self.saved()

    def __iter__(self) -> Iterator[Submission]:
        """
        Iterate over everything that is not settled, in order.
        """
        for outgoing in sorted(self._by_id.values(), key=lambda o: o.number):
            yield outgoing.frame

    def add(self, frame: Submission, *, uncertain: bool = False) -> None:
        """
        Add a message to send in its turn; a repeat with the same id and body adds
        nothing.

        @param uncertain: an earlier run may have sent it.
        @raise Conflict: another message with this id is not settled yet.
        @raise TooLarge: the message exceeds the server's limit.
        @raise Overloaded: too many messages are not settled.
        """
        known = self._by_id.get(frame.client_id)
        if known is not None:
            if known.frame != frame:
                raise Conflict(f"{frame.client_id!r} is the id of another message")
            self._again.discard(frame.client_id)
            return
        too_large = self._too_large(frame)
        if too_large is not None:
            raise too_large
        if len(self._by_id) >= self._limit:
            raise Overloaded(f"{self._limit} messages are waiting to be sent")
        outgoing = _Outgoing(self._made, frame, uncertain, uncertain)
        self._made += 1
        self._by_id[frame.client_id] = outgoing
        self._wait(outgoing)
        self.changed = True

    def send_again(self) -> None:
        """
        Send the messages again that were accepted not long ago, before all others: the
        server has another history, which may lack them.
        """
        frames = [f for f in self._recent if f.client_id not in self._by_id]
        first = min((o.number for o in self._by_id.values()), default=self._made)
        for number, frame in enumerate(frames, first - len(frames)):
            outgoing = _Outgoing(number, frame, uncertain=True)
            self._by_id[frame.client_id] = outgoing
            self._again.add(frame.client_id)
            self._wait(outgoing)

    def withdraw(self, client_id: str) -> bool:
        """
        Remove a message.

        @return: L{False} if it was in flight once, so that the server may have it.
        """
        outgoing = self._by_id.get(client_id)
        if outgoing is None or outgoing.tried:
            return False
        self._remove(outgoing)
        return True

    def welcomed(self, limits: Limits, now: float) -> None:
        """
        Start to send on a new connection with these limits.  Messages that exceed them,
        queued before the limits were known, are refused.
        """
        self._window = max(1, limits.window)
        self._content_bytes = limits.content_bytes
        self._not_before = 0.0
        self._turned_away = False
        self._busy = ""
        self._pace = Pace(float(limits.sends_per_s), now)
        for _, client_id in sorted(self._waiting):
            outgoing = self._by_id[client_id]
            too_large = self._too_large(outgoing.frame)
            if too_large is not None:
                self._remove(outgoing)
                self._on_settled(client_id, too_large)

    def lost(self) -> None:
        """
        Return the sends in flight on a lost connection to the queue.
        """
        in_flight, self._in_flight = self._in_flight, {}
        for outgoing in in_flight.values():
            outgoing.mark_uncertain()
            self._wait(outgoing)

    def due(self, now: float) -> list[Submission]:
        """
        Return the frames to write now; they are in flight from then on.
        """
        frames: list[Submission] = []
        while self._may_send(now):
            outgoing = self._by_id[heapq.heappop(self._waiting)[1]]
            self._in_flight[outgoing.frame.client_id] = outgoing
            self._pace.spend()
            frames.append(outgoing.take_off())
        return frames

    def next_due(self, now: float) -> float | None:
        """
        Return the time at which L{due} will return more if nothing happens until then.
        """
        if not self._waiting or not self._has_room():
            return None
        return max(self._not_before, self._pace.ready_at(now))

    def accepted(self, client_id: str, time_ms: int, conversation: str = "") -> None:
        """
        Settle a send that the server accepted.
        """
        self._busy = ""
        known = self._by_id.get(client_id)
        if known is not None:
            self._recent.add(known.frame)
        if self._settle(client_id):
            accepted = SendAccepted(client_id, time_ms, conversation)
            self._on_settled(client_id, accepted)

    def rejected(self, frame: Rejected, now: float) -> None:
        """
        Process a rejection: settle the send, or queue it again if the rejection is
        temporary.
        """
        error = from_code(frame.code, frame.reason, frame.retry_after_ms)
        if error.retry or frame.retry_after_ms:
            known = self._in_flight.get(frame.client_id)
            if frame.uncertain and known is not None:
                known.mark_uncertain()
            self._busy = frame.reason
            self._send_again(frame.client_id, frame.retry_after_ms / 1000, now)
        else:
            self.refused(frame.client_id, error)

    def refused(self, client_id: str, error: WsmsgError) -> None:
        """
        Settle a send that is refused for good.
        """
        if self._settle(client_id):
            self._on_settled(client_id, error)

    def _too_large(self, frame: Submission) -> TooLarge | None:
        if not isinstance(frame, Send) or self._content_bytes <= 0:
            return None
        size = len(frame.content.encode("utf-8", "surrogatepass"))
        if size <= self._content_bytes:
            return None
        return TooLarge(f"{size} bytes; the limit is {self._content_bytes}")

    def _remove(self, outgoing: _Outgoing) -> None:
        client_id = outgoing.frame.client_id
        self._waiting.remove((outgoing.number, client_id))
        heapq.heapify(self._waiting)
        self._forget(client_id)

    def _may_send(self, now: float) -> bool:
        return (
            bool(self._waiting)
            and self._has_room()
            and now >= self._not_before
            and now >= self._pace.ready_at(now)
        )

    def _has_room(self) -> bool:
        if self._turned_away and self._in_flight:
            return False
        self._turned_away = False
        return len(self._in_flight) < self._window

    def _send_again(self, client_id: str, after_s: float, now: float) -> None:
        outgoing = self._in_flight.pop(client_id, None)
        if outgoing is None:
            return
        self._wait(outgoing)
        # All sends wait, because a newer message must not overtake this one.
        self._turned_away = True
        self._not_before = max(self._not_before, now + (after_s or _NO_HINT_S))

    def _settle(self, client_id: str) -> bool:
        if self._in_flight.pop(client_id, None) is None:
            return False
        self._forget(client_id)
        if client_id in self._again:
            self._again.discard(client_id)
            return False  # the program has the result
        return True

    def _wait(self, outgoing: _Outgoing) -> None:
        heapq.heappush(self._waiting, (outgoing.number, outgoing.frame.client_id))

    def _forget(self, client_id: str) -> None:
        del self._by_id[client_id]
        self.changed = True


class RecentlyAccepted:
    """
    The messages that the server accepted last, within bounds.
    """

    def __init__(self) -> None:
        self._frames: dict[str, tuple[Submission, int]] = {}
        self._bytes = 0

    def __iter__(self) -> Iterator[Submission]:
        return (frame for frame, _ in self._frames.values())

    def add(self, frame: Submission) -> None:
        """
        Keep a message, and drop the oldest ones beyond the bounds.
        """
        self._drop(frame.client_id)
        size = len(frame.content) if isinstance(frame, Send) else 0
        self._frames[frame.client_id] = frame, size
        self._bytes += size
        while len(self._frames) > _RECENT or self._bytes > _RECENT_BYTES:
            self._drop(next(iter(self._frames)))

    def _drop(self, client_id: str) -> None:
        _, size = self._frames.pop(client_id, (None, 0))
        self._bytes -= size


class Pace:
    """
    A rate limit of C{per_s} in any second, so that the server need not refuse.

    @param per_s: 0: no limit.
    """

    def __init__(self, per_s: float, now: float = 0.0) -> None:
        self._per_s = per_s
        self._left = per_s
        self._at = now

    def ready_at(self, now: float) -> float:
        """
        Return the time of the next send; not later than C{now}: at once.
        """
        if not self._per_s:
            return now
        self._left = min(self._per_s, self._left + (now - self._at) * self._per_s)
        self._at = now
        return now if self._left >= 1 else now + (1 - self._left) / self._per_s

    def spend(self) -> None:
        """
        Count a send.
        """
        self._left -= 1
