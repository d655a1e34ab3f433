"""
What deployed clients sent, until it is accepted.

They send and forget: nothing tells them that a message was refused, and they give
none again.  So what is refused for a moment stays here and is given again, in its
order, whether its client is still connected or not.  Each conversation of a sender is
a I{lane}::

    put ---> |  wait  | --give--> |  given, at most a window of them  | --> accepted
                 ^                               |
                 `---- all of the lane, when ----'--> refused for good: dropped
                       one was refused for now,
                       and no sooner than it was told

What is too old is given up.  When there is too much here, clients are not read.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Protocol

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from wsmsg.connect.legacy.clients.counters import LegacyCounters
from wsmsg.connect.session.context import SessionContext
from wsmsg.connect.upstream.interface import NewSend, SendAnswer
from wsmsg.errors import ERRORS, WsmsgError, from_code
from wsmsg.flow.idle import IdleWaiters

#: What a message takes beside its content, about.
_OVERHEAD_BYTES = 400

#: Who was not read is read again when it is so full.
_ROOM = 0.75

#: To wait where a refusal does not say how long.
_LEAST_S = 0.5


class Sender(Protocol):
    """
    A session, as what is kept for its user sees it.
    """

    user: int

    def room(self) -> None:
        """There is room for what it sends again."""


class HeldSend:
    """
    One message.

    @ivar size: bytes that it takes here.
    @ivar lane: L{None}: it is not here any more.
    """

    __slots__ = ("lane", "new", "since_s", "size")

    def __init__(self, new: NewSend, since_s: float, lane: SendQueue) -> None:
        self.new = new
        self.since_s = since_s
        self.size = len(new.content) + _OVERHEAD_BYTES
        self.lane: SendQueue | None = lane


class SendQueue:
    """
    What one user says in one conversation, in its order.

    @ivar sends: all of it that is not settled.
    @ivar given: how many of the first were given to Message in this round.
    @ivar in_flight: how many of these have no answer.
    @ivar due_s: before this nothing is given.
    """

    __slots__ = ("due_s", "given", "in_flight", "key", "refused", "sends")

    def __init__(self, key: tuple[int, str]) -> None:
        self.key = key
        self.sends: deque[HeldSend] = deque()
        self.given = self.in_flight = 0
        self.refused = False
        self.due_s = 0.0


class HeldSends:
    """
    All of it, of all deployed clients of a node.

    @ivar count: messages here.
    @ivar size: bytes of them.
    """

    _log = Logger()

    def __init__(
        self,
        node: SessionContext,
        counters: LegacyCounters,
        refused: Callable[[int, WsmsgError], object],
    ) -> None:
        """
        @param refused: told of whom what was refused for good.
        """
        self.count = 0
        self.size = 0
        self._node = node
        self._counters = counters
        self._refused_for_good = refused
        self._lanes: dict[tuple[int, str], SendQueue] = {}
        self._by_user: dict[int, int] = {}
        self._later: dict[SendQueue, None] = {}
        self._blocked: dict[Sender, None] = {}
        self._empty = IdleWaiters()

    # ------------------------------------------------------------ coming in

    def put(self, new: NewSend) -> None:
        """
        Have a message accepted, sooner or later.
        """
        key = new.sender, new.conversation
        lane = self._lanes.get(key)
        if lane is None:
            lane = self._lanes[key] = SendQueue(key)
        send = HeldSend(new, self._node.clock.seconds(), lane)
        lane.sends.append(send)
        self.count += 1
        self.size += send.size
        self._by_user[new.sender] = self._by_user.get(new.sender, 0) + 1
        self._node.registry.counts.sends += 1
        self._give(lane)

    def is_full(self, user: int) -> bool:
        """
        Whether no more should be read from this user's clients.
        """
        most = self._node.settings.legacy.user_sends
        return self._by_user.get(user, 0) >= most or self.is_full_of_bytes

    @property
    def is_full_of_bytes(self) -> bool:
        """
        Whether all that is kept is as much as may be.
        """
        return self.size >= self._node.settings.legacy.held_bytes

    def when_room(self, session: Sender) -> None:
        """
        Tell the session when there is room.
        """
        self._blocked[session] = None

    def forget(self, session: Sender) -> None:
        """
        The session does not wait any more.
        """
        self._blocked.pop(session, None)

    def _has_room(self, user: int) -> bool:
        legacy = self._node.settings.legacy
        return (
            self._by_user.get(user, 0) <= legacy.user_sends * _ROOM
            and self.size <= legacy.held_bytes * _ROOM
        )

    # ------------------------------------------------------------ going out

    def _give(self, lane: SendQueue) -> None:
        upstream, now = self._node.upstream, self._node.clock.seconds()
        if not upstream.up or lane.due_s > now:
            self._later[lane] = None
            return
        window = self._node.limits.window
        # Any of them may be refused before send() returns.
        while lane.given < min(window, len(lane.sends)):
            if lane.refused or lane.due_s > now:
                return
            send = lane.sends[lane.given]
            lane.given += 1
            lane.in_flight += 1
            upstream.send(send.new, partial(self._answered, send))

    def _answered(self, send: HeldSend, answer: SendAnswer) -> None:
        lane = send.lane
        if lane is None:
            return  # given up meanwhile
        lane.in_flight -= 1
        counts = self._node.registry.counts
        error = ERRORS.get(answer.code)
        if answer.time_ms:
            counts.accepted += 1
            lane.given -= 1
            self._settle(send)
        elif error is not None and error.retry:
            self._refused(lane, answer)
        else:
            counts.rejected[answer.code] += 1
            lane.given -= 1
            self._settle(send)
            reason = f"to {send.new.conversation}: {answer.reason}"
            self._refused_for_good(send.new.sender, from_code(answer.code, reason))
        if lane.refused:
            self._rewind(lane)
        elif lane.sends:
            self._give(lane)

    def _refused(self, lane: SendQueue, answer: SendAnswer) -> None:
        if not lane.refused:
            self._counters.again += 1
        wait_s = max(_LEAST_S, answer.retry_after_ms / 1000)
        lane.refused = True
        lane.due_s = max(lane.due_s, self._node.clock.seconds() + wait_s)

    def _rewind(self, lane: SendQueue) -> None:
        """
        Begin with the first again, once nothing of the lane is in flight.
        """
        if lane.in_flight:
            return
        lane.given, lane.refused = 0, False
        if lane.sends:
            self._later[lane] = None

    def _settle(self, send: HeldSend) -> None:
        lane = send.lane
        assert lane is not None
        send.lane = None
        if lane.sends[0] is send:
            lane.sends.popleft()
        else:
            lane.sends.remove(send)
        self._forget(send)
        if not lane.sends:
            del self._lanes[lane.key]
            self._later.pop(lane, None)

    def _forget(self, send: HeldSend) -> None:
        user = send.new.sender
        self.count -= 1
        self.size -= send.size
        left = self._by_user[user] - 1
        if left:
            self._by_user[user] = left
        else:
            del self._by_user[user]
        if not self.count:
            self._empty.fire()

    # ----------------------------------------------------------------- time

    def sweep(self) -> None:
        """
        Give again what is due, give up what is too old, read whom there is room for.
        """
        now = self._node.clock.seconds()
        if self._later:
            self._give_up(now - self._node.settings.legacy.send_keep_s)
            if self._node.upstream.up:
                due = [lane for lane in self._later if lane.due_s <= now]
                for lane in due:
                    del self._later[lane]
                for lane in due:
                    self._give(lane)
        for session in list(self._blocked):
            if self._has_room(session.user):
                del self._blocked[session]
                session.room()

    def _give_up(self, before_s: float) -> None:
        """
        What came at C{before_s} or earlier, and is not in flight, goes.
        """
        old = [
            send
            for lane in self._later
            if not lane.in_flight and lane.sends and lane.sends[0].since_s <= before_s
            for send in lane.sends
            if send.since_s <= before_s
        ]
        self._drop(old, "it was refused for too long")

    def _drop(self, sends: list[HeldSend], reason: str) -> None:
        if not sends:
            return
        self._counters.given_up += len(sends)
        self._log.warn(
            "{n} messages of deployed clients are given up: {reason}; the first is of "
            "{user} to {conversation}",
            n=len(sends),
            reason=reason,
            user=sends[0].new.sender,
            conversation=sends[0].new.conversation,
        )
        for send in sends:
            self._settle(send)

    # ------------------------------------------------------------------ end

    def when_empty(self) -> Deferred[None]:
        """
        @return: a Deferred that fires when nothing is here.
        """
        return self._empty.wait(not self.count)

    def close(self, reason: str) -> None:
        """
        Give up all that is here.
        """
        every = [send for lane in self._lanes.values() for send in lane.sends]
        self._drop(every, reason)

    def stats(self) -> dict[str, int]:
        """
        What is here now, by name.
        """
        return {
            "sends_held": self.count,
            "bytes_held": self.size,
            "senders": len(self._by_user),
            "not_read": len(self._blocked),
        }
