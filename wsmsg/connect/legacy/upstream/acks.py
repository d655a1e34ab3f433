"""
Acknowledgements for a deployed Message: which are to be written, which it has not
confirmed.

It confirms each, also one that it could do nothing with because it had not stored the
message yet; there such a message would never be read.  So that one is said again, some
times, later and later.
"""

from __future__ import annotations

from collections import deque

#: The most acknowledgements that wait, and that are remembered until confirmed.
ACKS = 10_000
#: After so long an acknowledgement that came too early is said again.
AGAIN_S = (0.5, 2.0, 8.0)

Ack = tuple[int, int]


class Acks:
    """
    Pairs of user and message id, each once while it is under way.

    @ivar shed: those that were given up because there were too many.
    @ivar confirmed: those that were.
    @ivar early: how often one came before its message was stored.
    """

    def __init__(self) -> None:
        self.shed = self.confirmed = self.early = 0
        self._waiting: dict[Ack, int] = {}
        self._written: dict[int, deque[tuple[int, int, float]]] = {}
        self._count = 0
        self._again: deque[tuple[float, Ack, int]] = deque()

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, user: int, message_id: int, tries: int = 0) -> None:
        """
        One more is to be written.
        """
        if len(self._waiting) >= ACKS:
            del self._waiting[next(iter(self._waiting))]
            self.shed += 1
        self._waiting[user, message_id] = tries

    def take(self, now_s: float) -> Ack | None:
        """
        The one that is written next.
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
        The oldest of those for this message was confirmed, or came too early.
        """
        found = self._forget(message_id)
        if confirmed:
            self.confirmed += 1
            return
        self.early += 1
        if found is not None:
            user, tries, _ = found
            if tries < len(AGAIN_S) and len(self._again) < ACKS:
                due_s = now_s + AGAIN_S[tries]
                self._again.append((due_s, (user, message_id), tries + 1))

    def sweep(self, now_s: float) -> bool:
        """
        Say again what is due for it.

        @return: whether something is.
        """
        due = [again for again in self._again if again[0] <= now_s]
        if due:
            self._again = deque(again for again in self._again if again[0] > now_s)
        for _, (user, message_id), tries in due:
            self.add(user, message_id, tries)
        return bool(due)

    def lost(self) -> None:
        """
        The stream is gone: what was not confirmed is said again on the next.
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
