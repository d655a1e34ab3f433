"""
Sends of legacy clients, held until Message accepts them.

A legacy client does not learn that a message was refused, and repeats none.  So
Connect keeps a message that is refused for now and sends it again, in order, whether
its client is still connected or not.  The messages of a sender in one conversation
are one I{queue}::

    put ---> |  waiting  | --send--> |  in flight, at most a window  | --> accepted
                  ^                                |
                  `---- all of the queue, once ----'--> refused for good: dropped
                        one is refused for now, no
                        sooner than Message allows

A message that is too old is given up.  While too much is held, clients are not read.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Protocol

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from wsmsg.connect.legacy.clients.counters import LegacyClientCounters
from wsmsg.connect.legacy.clients.send_queue import HeldSend, SendQueue
from wsmsg.connect.session.context import SessionContext
from wsmsg.connect.upstream.interface import NewSend, SendAnswer
from wsmsg.errors import ERRORS, WsmsgError, from_code
from wsmsg.flow.idle import IdleWaiters
from wsmsg.text.counted import plural

#: The share of a limit below which Connect reads from a client again.
_ROOM = 0.75

#: Seconds to wait where a refusal names no time.
_LEAST_S = 0.5


class HeldSender(Protocol):
    """
    A session, as the sends held for its user see it.
    """

    user: int

    def has_room(self) -> None:
        """There is room for the client's sends again."""


class HeldSends:
    """
    The held messages of all legacy clients of a node.

    @ivar count: the number of messages.
    @ivar size: the bytes that they take in memory.
    """

    _log = Logger()

    def __init__(
        self,
        context: SessionContext,
        counters: LegacyClientCounters,
        on_rejected: Callable[[int, WsmsgError], object],
    ) -> None:
        """
        @param on_rejected: called with the sender and the error when a message is
            refused for good.
        """
        self.count = 0
        self.size = 0
        self._context = context
        self._counters = counters
        self._on_rejected = on_rejected
        self._queues: dict[tuple[int, str], SendQueue] = {}
        self._by_user: dict[int, int] = {}
        self._later: dict[SendQueue, None] = {}
        self._blocked: dict[HeldSender, None] = {}
        self._empty = IdleWaiters()

    # ------------------------------------------------------------------- input

    def put(self, new: NewSend) -> None:
        """
        Send a message, and keep it until it is settled.
        """
        key = new.sender, new.conversation
        queue = self._queues.get(key)
        if queue is None:
            queue = self._queues[key] = SendQueue(key)
        send = HeldSend(new, self._context.clock.seconds())
        queue.sends.append(send)
        self.count += 1
        self.size += send.size
        self._by_user[new.sender] = self._by_user.get(new.sender, 0) + 1
        self._context.registry.counters.sends += 1
        self._send(queue)

    def is_full(self, user: int) -> bool:
        """
        Return whether Connect should stop reading from this user's clients.
        """
        most = self._context.settings.legacy.user_sends
        return self._by_user.get(user, 0) >= most or self.is_full_of_bytes

    @property
    def is_full_of_bytes(self) -> bool:
        """
        True if the memory limit of all held messages is reached.
        """
        return self.size >= self._context.settings.legacy.held_bytes

    def when_room(self, session: HeldSender) -> None:
        """
        Tell the session when there is room.
        """
        self._blocked[session] = None

    def forget(self, session: HeldSender) -> None:
        """
        Forget that a session waits for room.
        """
        self._blocked.pop(session, None)

    def _has_room(self, user: int) -> bool:
        legacy = self._context.settings.legacy
        return (
            self._by_user.get(user, 0) <= legacy.user_sends * _ROOM
            and self.size <= legacy.held_bytes * _ROOM
        )

    # ------------------------------------------------------------------ output

    def _send(self, queue: SendQueue) -> None:
        upstream, now = self._context.upstream, self._context.clock.seconds()
        if not upstream.up or queue.due_s > now:
            self._later[queue] = None
            return
        window = self._context.limits.window
        # A message may be refused before send() returns.
        while (send := queue.take_next(window, now)) is not None:
            upstream.send(send.new, partial(self._answered, queue, send))

    def _answered(self, queue: SendQueue, send: HeldSend, answer: SendAnswer) -> None:
        if send.is_settled:
            return  # It was given up meanwhile.
        counters = self._context.registry.counters
        error = ERRORS.get(answer.code)
        is_refused = not answer.time_ms and error is not None and error.retry
        queue.answered(is_settled=not is_refused)
        if answer.time_ms:
            counters.accepted += 1
            self._settle(queue, send)
        elif is_refused:
            if answer.uncertain:
                send.mark_uncertain()
            self._refused(queue, answer)
        else:
            counters.rejected[answer.code] += 1
            self._settle(queue, send)
            reason = f"to {send.new.conversation}: {answer.reason}"
            self._on_rejected(send.new.sender, from_code(answer.code, reason))
        if queue.is_refused:
            self._rewind(queue)
        elif queue.sends:
            self._send(queue)

    def _refused(self, queue: SendQueue, answer: SendAnswer) -> None:
        if not queue.is_refused:
            self._counters.again += 1
        wait_s = max(_LEAST_S, answer.retry_after_ms / 1000)
        queue.refuse(self._context.clock.seconds() + wait_s)

    def _rewind(self, queue: SendQueue) -> None:
        """
        Start again with the first message, once nothing of the queue is in flight.
        """
        if queue.in_flight:
            return
        queue.rewind()
        if queue.sends:
            self._later[queue] = None

    def _settle(self, queue: SendQueue, send: HeldSend) -> None:
        send.settle()
        queue.remove(send)
        self._uncount(send)
        if not queue.sends:
            del self._queues[queue.key]
            self._later.pop(queue, None)

    def _uncount(self, send: HeldSend) -> None:
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

    # -------------------------------------------------------------------- time

    def sweep(self) -> None:
        """
        Send what is due again, give up what is too old, and tell the sessions for
        which there is room.
        """
        now = self._context.clock.seconds()
        if self._later:
            self._give_up(now - self._context.settings.legacy.send_keep_s)
            if self._context.upstream.up:
                due = [queue for queue in self._later if queue.due_s <= now]
                for queue in due:
                    del self._later[queue]
                for queue in due:
                    self._send(queue)
        for session in list(self._blocked):
            if self._has_room(session.user):
                del self._blocked[session]
                session.has_room()

    def _give_up(self, before_s: float) -> None:
        """
        Drop the messages that were put at C{before_s} or earlier and are not in
        flight.
        """
        old = [
            send
            for q in self._later
            if not q.in_flight and q.sends and q.sends[0].since_s <= before_s
            for send in q.sends
            if send.since_s <= before_s
        ]
        self._drop(old, "they were refused for too long")

    def _drop(self, sends: list[HeldSend], reason: str) -> None:
        if not sends:
            return
        self._counters.given_up += len(sends)
        self._log.warn(
            "gave up {n} {noun} of legacy clients: {reason}; the first is from "
            "{user} to {conversation}",
            n=len(sends),
            noun=plural(len(sends), "message"),
            reason=reason,
            user=sends[0].new.sender,
            conversation=sends[0].new.conversation,
        )
        for send in sends:
            key = send.new.sender, send.new.conversation
            self._settle(self._queues[key], send)

    # --------------------------------------------------------------------- end

    def when_empty(self) -> Deferred[None]:
        """
        @return: a Deferred that fires when no message is held.
        """
        return self._empty.wait(not self.count)

    def close(self, reason: str) -> None:
        """
        Give up all messages.
        """
        every = [send for queue in self._queues.values() for send in queue.sends]
        self._drop(every, reason)

    def status(self) -> dict[str, int]:
        """
        Return what is held now, by name.
        """
        return {
            "sends_held": self.count,
            "bytes_held": self.size,
            "senders": len(self._by_user),
            "not_read": len(self._blocked),
        }
