"""
Where messages are by their ids, of those that were pushed not long ago.
"""

from __future__ import annotations

from collections.abc import Iterable

from wsmsg.model import Message

#: The conversation and the number.
Place = tuple[str, int]


class RecentMessages:
    """
    The places of the last messages, in two generations: when the younger one is full
    it becomes the older one, and that is forgotten.  So keeping a message costs one
    entry of a dict, whatever is forgotten for it.

    @param limit: the most that are kept; half as many always are.
    """

    def __init__(self, limit: int) -> None:
        self._half = max(limit // 2, 1)
        self._young: dict[int, Place] = {}
        self._old: dict[int, Place] = {}

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def add(self, messages: Iterable[Message]) -> None:
        """
        These were pushed.
        """
        young = self._young
        for m in messages:
            young[m.message_id] = (m.conversation, m.seq)
        if len(young) >= self._half:
            self._old, self._young = young, {}

    def get(self, message_id: int) -> Place | None:
        """
        Where the message is, if that is known.
        """
        return self._young.get(message_id) or self._old.get(message_id)
