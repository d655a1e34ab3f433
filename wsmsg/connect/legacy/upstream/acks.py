"""
Acknowledgements for a legacy Message: those to be written, and those it has not
confirmed.

A legacy Message answers each acknowledgement.  An acknowledgement that comes before the
message is stored has no effect, and the answer says so.  Connect repeats it a few
times, at growing intervals.
"""

from __future__ import annotations

from collections import deque

#: The most acknowledgements that wait, and the most that are kept until confirmed.
ACKS = 10_000
#: The delays before an acknowledgement that came too early is repeated.
REPEAT_S = (0.5, 2.0, 8.0)

Ack = tuple[int, int]


class AckQueue:
    """
    Pairs of a user and a message id, each at most once while it waits.

    @ivar shed: the number of acknowledgements dropped because too many waited.
    @ivar confirmed: the number of confirmed acknowledgements.
    @ivar early: how often an acknowledgement came before its message was stored.
    """

    def __init__(self) -> None:
        self.shed = self.confirmed = self.early = 0
        self._waiting: dict[Ack, int] = {}
        self._written: dict[int, deque[tuple[int, int, float]]] = {}
        self._count = 0
        self._repeats: deque[tuple[float, Ack, int]] = deque()

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, user: int, message_id: int, tries: int = 0) -> None:
        """
        Have an acknowledgement written.
        """
        if len(self._waiting) >= ACKS:
            del self._waiting[next(iter(self._waiting))]
            self.shed += 1
        self._waiting[user, message_id] = tries

    def pop(self, now_s: float) -> Ack | None:
        """
        Return the acknowledgement to write next, which counts as written.
        """
        ack = next(iter(self._waiting), None)
        if ack is None:
            return None
        tries = self._waiting.pop(ack)
        user, message_id = ack
        self._written.setdefault(message_id, deque()).append((user, tries, now_s))
        self._count += 1
        if self._count > ACKS:
            self._forget(next(iter(self._written)))
        return ack

    def answered(self, message_id: int, confirmed: bool, now_s: float) -> None:
        """
        Take the answer to the oldest written acknowledgement of a message.

        @param confirmed: L{False} when it came before the message was stored.
        """
        found = self._forget(message_id)
        if confirmed:
            self.confirmed += 1
            return
        self.early += 1
        if found is not None:
            user, tries, _ = found
            if tries < len(REPEAT_S) and len(self._repeats) < ACKS:
                due_s = now_s + REPEAT_S[tries]
                self._repeats.append((due_s, (user, message_id), tries + 1))

    def sweep(self, now_s: float) -> bool:
        """
        Have those written again whose repetition is due.

        @return: whether there are any.
        """
        due = [repeat for repeat in self._repeats if repeat[0] <= now_s]
        if due:
            self._repeats = deque(r for r in self._repeats if r[0] > now_s)
        for _, (user, message_id), tries in due:
            self.add(user, message_id, tries)
        return bool(due)

    def stream_lost(self) -> None:
        """
        Have all unconfirmed acknowledgements written on the next stream.
        """
        for message_id, written in self._written.items():
            for user, tries, _ in written:
                self.add(user, message_id, tries)
        self._written.clear()
        self._count = 0

    def _forget(self, message_id: int) -> tuple[int, int, float] | None:
        written = self._written.get(message_id)
        if not written:
            return None
        self._count -= 1
        first = written.popleft()
        if not written:
            del self._written[message_id]
        return first
