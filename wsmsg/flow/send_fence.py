"""
Nothing overtakes what was turned away.

A client may have many sends on their way.  If the first of them is refused for a
moment (overloaded, no Message in time, too many) and the next, which was behind it on
the wire, is accepted, then the sender's order is lost: the first comes again after
the second.  So whoever was turned away stays away, with all that they send, until
shortly before the hint that they were given is over.  A client that sends again what
was refused, in its order, when the hint is over, keeps its order.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)

#: What of the hint's time a fence stands: what is sent again must find it gone.
_PART = 0.8


class SendFences(Generic[Key]):
    """
    Who is turned away, and for how long.  A fence that is over costs nothing: the
    next that is raised or asked for clears it.
    """

    __slots__ = ("_until",)

    def __init__(self) -> None:
        self._until: dict[Key, float] = {}

    def __bool__(self) -> bool:
        return bool(self._until)

    def __len__(self) -> int:
        return len(self._until)

    def raise_for(self, key: Key, now_s: float, retry_after_ms: int) -> None:
        """
        All that comes under this key is to be refused for the time of the hint; a
        fence that stands stays as it is.
        """
        if self.remaining_ms(key, now_s) == 0:
            self._clear(now_s)
            self._until[key] = now_s + retry_after_ms / 1000 * _PART

    def remaining_ms(self, key: Key, now_s: float) -> int:
        """
        @return: the hint for what comes under this key now; 0: it may come in.
        """
        until = self._until.get(key)
        if until is None:
            return 0
        if until <= now_s:
            del self._until[key]
            return 0
        return int((until - now_s) / _PART * 1000) + 1

    def _clear(self, now_s: float) -> None:
        # Hints differ little, so the oldest are over first, nearly.
        while self._until:
            key = next(iter(self._until))
            if self._until[key] > now_s:
                return
            del self._until[key]
