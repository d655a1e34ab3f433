"""
The held sends of one user in one conversation, and their rounds.
"""

from __future__ import annotations

from collections import deque

from wsmsg.connect.upstream.interface import NewSend

#: The memory that a message takes in addition to its content, approximately.
_OVERHEAD_BYTES = 400


class HeldSend:
    """
    One message.

    @ivar since_s: the time when the client sent it.
    @ivar size: the bytes that it takes in memory.
    @ivar is_settled: whether it was accepted, dropped or given up.
    """

    __slots__ = ("is_settled", "new", "since_s", "size")

    def __init__(self, new: NewSend, since_s: float) -> None:
        self.new = new
        self.since_s = since_s
        self.size = len(new.content) + len(new.extra) + _OVERHEAD_BYTES
        self.is_settled = False

    def settle(self) -> None:
        """
        Note that nothing more is to be done for it.
        """
        self.is_settled = True

    def mark_uncertain(self) -> None:
        """
        Note that Message may have accepted it, though it was refused.
        """
        self.new = self.new._replace(repeat=True)


class SendQueue:
    """
    The unsettled messages of one user in one conversation, in order.

    @ivar in_flight: the number of messages sent in this round without an answer.
    @ivar is_refused: whether one of this round was refused for now.
    @ivar due_s: the time before which nothing is sent.
    """

    __slots__ = ("_sent", "due_s", "in_flight", "is_refused", "key", "sends")

    def __init__(self, key: tuple[int, str]) -> None:
        self.key = key
        self.sends: deque[HeldSend] = deque()
        self.in_flight = 0
        self.is_refused = False
        self.due_s = 0.0
        self._sent = 0  # The messages at the front that were sent in this round.

    def take_next(self, window: int, now: float) -> HeldSend | None:
        """
        Return the next message to send in this round, or L{None}.
        """
        if self.is_refused or self.due_s > now:
            return None
        if self._sent >= min(window, len(self.sends)):
            return None
        self._sent += 1
        self.in_flight += 1
        return self.sends[self._sent - 1]

    def answered(self, *, is_settled: bool) -> None:
        """
        Note the answer of a message in flight.
        """
        self.in_flight -= 1
        self._sent -= is_settled

    def refuse(self, until_s: float) -> None:
        """
        Note that a message was refused for now, and end the round.
        """
        self.is_refused = True
        self.due_s = max(self.due_s, until_s)

    def rewind(self) -> None:
        """
        Begin a new round with the first message.
        """
        self._sent, self.is_refused = 0, False

    def remove(self, send: HeldSend) -> None:
        """
        Remove a settled message.
        """
        if self.sends[0] is send:
            self.sends.popleft()
        else:
            self.sends.remove(send)
