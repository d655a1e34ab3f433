"""
The places of recent messages by their ids.
"""

from __future__ import annotations

from collections.abc import Iterable

from wsmsg.model import Message

#: A conversation and a seq.
Place = tuple[str, int]


class RecentMessages:
    """
    Maps the ids of the last messages to their places.

    There are two generations: when the younger one is full, it becomes the older one,
    and the older one is dropped.  So adding a message costs one entry of a dict, and
    dropping costs nothing.

    @param limit: the most messages that are kept; at least half as many are.
    """

    def __init__(self, limit: int) -> None:
        self._half = max(limit // 2, 1)
        self._young: dict[int, Place] = {}
        self._old: dict[int, Place] = {}

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def add(self, messages: Iterable[Message]) -> None:
        """
        Add messages.
        """
        young = self._young
        for m in messages:
            young[m.message_id] = (m.conversation, m.seq)
        if len(young) >= self._half:
            self._old, self._young = young, {}

    def get(self, message_id: int) -> Place | None:
        """
        Return the place of a message, if it is known.
        """
        return self._young.get(message_id) or self._old.get(message_id)
