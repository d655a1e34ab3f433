"""
What we want accepted: in which order, how many at once, and what goes again.

Each message has a number of ours, from 0 up in the order of C{send}.  Those not on
the way are in a heap by number, so what comes back - the connection was lost, or the
server was busy - is again before everything newer.  Many may be on the way at once,
and a sender's order stays all the same: a server that turns one away turns away what
comes behind it for the time of its hint, and we, once one was turned away, send
nothing until all that is on the way is answered and the hint is over::

    waiting --due--> in flight --accepted, rejected--> settled
       ^                 |
       `- lost, rejected with a hint

A message that was in flight may have been accepted although we never heard of it:
its client id makes the second send the same message.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator

import attrs

from wsmsg.client.state.events import SendAccepted
from wsmsg.errors import Conflict, Overloaded, TooLarge, WsmsgError, from_code
from wsmsg.protocol.frames import Limits, Rejected, Send, Submission

Settled = Callable[[str, "SendAccepted | WsmsgError"], object]

#: How long we wait where the server said that a send may be repeated, not when.
_NO_HINT_S = 1.0


@attrs.define(slots=True)
class _Outgoing:
    number: int
    frame: Submission
    tried: bool = False


class Outbound:
    """
    The sends, changes of groups and recalls that are not settled.

    @param limit: the most of them; one more is refused.
    @param on_settled: called once for each with its client id and what became of it.
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
        self._pace = Pace(0.0)
        self.changed = False

    def __len__(self) -> int:
        return len(self._by_id)

    def __iter__(self) -> Iterator[Submission]:
        """
        All that is not settled, in order.
        """
        for outgoing in sorted(self._by_id.values(), key=lambda o: o.number):
            yield outgoing.frame

    def add(self, frame: Submission) -> None:
        """
        Have a message sent when its turn comes; one with the id and the body of one
        that is there already is that one.

        @raise Conflict: another message with this id is not settled yet.
        @raise TooLarge: the server told us that it would not take it.
        @raise Overloaded: too many are not settled.
        """
        known = self._by_id.get(frame.client_id)
        if known is not None:
            if known.frame != frame:
                raise Conflict(f"{frame.client_id!r} is the id of another message")
            return
        if isinstance(frame, Send) and self._content_bytes:
            size = len(frame.content.encode("utf-8", "surrogatepass"))
            if size > self._content_bytes:
                raise TooLarge(f"{size} bytes; the server takes {self._content_bytes}")
        if len(self._by_id) >= self._limit:
            raise Overloaded(f"{self._limit} messages wait to be sent already")
        outgoing = _Outgoing(self._made, frame)
        self._made += 1
        self._by_id[frame.client_id] = outgoing
        self._wait(outgoing)
        self.changed = True

    def withdraw(self, client_id: str) -> bool:
        """
        Do not send it after all.

        @return: L{False}: it was on the way once, so it may be there already.
        """
        outgoing = self._by_id.get(client_id)
        if outgoing is None or outgoing.tried:
            return False
        self._waiting.remove((outgoing.number, client_id))
        heapq.heapify(self._waiting)
        self._forget(client_id)
        return True

    def welcomed(self, limits: Limits, now: float) -> None:
        """
        A connection is there, and these are its limits.
        """
        self._window = max(1, limits.window)
        self._content_bytes = limits.content_bytes
        self._not_before = 0.0
        self._turned_away = False
        self._pace = Pace(float(limits.sends_per_s), now)

    def lost(self) -> None:
        """
        The connection is gone: what was on the way goes again.
        """
        in_flight, self._in_flight = self._in_flight, {}
        for outgoing in in_flight.values():
            self._wait(outgoing)

    def due(self, now: float) -> list[Submission]:
        """
        What is to be written now.  It is on the way from then on.
        """
        frames: list[Submission] = []
        while self._may_send(now):
            outgoing = self._by_id[heapq.heappop(self._waiting)[1]]
            outgoing.tried = True
            self._in_flight[outgoing.frame.client_id] = outgoing
            self._pace.spend()
            frames.append(outgoing.frame)
        return frames

    def next_due(self, now: float) -> float | None:
        """
        When L{due} will give more if nothing happens until then.
        """
        if not self._waiting or not self._has_room():
            return None
        return max(self._not_before, self._pace.ready_at(now))

    def accepted(self, client_id: str, time_ms: int, conversation: str = "") -> None:
        """
        The server has it.
        """
        if self._settle(client_id):
            accepted = SendAccepted(client_id, time_ms, conversation)
            self._on_settled(client_id, accepted)

    def rejected(self, frame: Rejected, now: float) -> None:
        """
        The server does not take it, or not now.
        """
        error = from_code(frame.code, frame.reason, frame.retry_after_ms)
        if error.retry or frame.retry_after_ms:
            self._send_again(frame.client_id, frame.retry_after_ms / 1000, now)
        elif self._settle(frame.client_id):
            self._on_settled(frame.client_id, error)

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
        # All wait, not this one alone: a newer message must not overtake it.
        self._turned_away = True
        self._not_before = max(self._not_before, now + (after_s or _NO_HINT_S))

    def _settle(self, client_id: str) -> bool:
        if self._in_flight.pop(client_id, None) is None:
            return False
        self._forget(client_id)
        return True

    def _wait(self, outgoing: _Outgoing) -> None:
        heapq.heappush(self._waiting, (outgoing.number, outgoing.frame.client_id))

    def _forget(self, client_id: str) -> None:
        del self._by_id[client_id]
        self.changed = True


class Pace:
    """
    No more than C{per_s} in any second, so that the server need not refuse.

    @param per_s: 0: as many as you like.
    """

    def __init__(self, per_s: float, now: float = 0.0) -> None:
        self._per_s = per_s
        self._left = per_s
        self._at = now

    def ready_at(self, now: float) -> float:
        """
        When the next may go; not later than C{now}: at once.
        """
        if not self._per_s:
            return now
        self._left = min(self._per_s, self._left + (now - self._at) * self._per_s)
        self._at = now
        return now if self._left >= 1 else now + (1 - self._left) / self._per_s

    def spend(self) -> None:
        """
        One went.
        """
        self._left -= 1
