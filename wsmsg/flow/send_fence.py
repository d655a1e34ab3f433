"""
Fences that keep the order of a sender's messages when one of them is refused for now.

A client may have many sends in flight.  If Connect or Message refuses one of them for
now (overloaded, unavailable, over a rate) and accepts the next one, the messages change
places: the client repeats the first after the second.  A refusal therefore raises a
fence, which refuses everything that follows under the same key until shortly before the
retry hint expires.  A client that repeats the refused sends in their order after the
hint keeps its order.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)

#: The part of a hint's time for which its fence lasts: a client that repeats its sends
#: after the hint must not meet the fence.
_PART = 0.8


class SendFences(Generic[Key]):
    """
    The fences, by key.  An expired fence costs nothing: the next call for its key, or
    the next fence, removes it.

    @ivar ends: by key, the time at which its fence ends, in seconds of the clock; empty
        while there is no fence, which is the usual case.
    """

    __slots__ = ("ends",)

    def __init__(self) -> None:
        self.ends: dict[Key, float] = {}

    def __len__(self) -> int:
        return len(self.ends)

    def raise_for(self, key: Key, now_s: float, retry_after_ms: int) -> None:
        """
        Refuse everything under this key for the time of a hint.  A fence that exists is
        not changed.
        """
        if self.remaining_ms(key, now_s) == 0:
            self._clear(now_s)
            self.ends[key] = now_s + retry_after_ms / 1000 * _PART

    def remaining_ms(self, key: Key, now_s: float) -> int:
        """
        @return: the hint for a request under this key; 0: it is not refused.
        """
        until = self.ends.get(key)
        if until is None:
            return 0
        if until <= now_s:
            del self.ends[key]
            return 0
        return int((until - now_s) / _PART * 1000) + 1

    def _clear(self, now_s: float) -> None:
        # Hints are of similar length: the oldest fences expire first, nearly.
        while self.ends:
            key = next(iter(self.ends))
            if self.ends[key] > now_s:
                return
            del self.ends[key]
