"""
What is due later, without a timer for each: lists that one sweep looks at.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Generic, TypeVar

T = TypeVar("T")


class Deadlines(Generic[T]):
    """
    Things that each are due the same time after they were added, so that those due
    first are at the front and a look costs only what is due.
    """

    def __init__(self) -> None:
        self._due: dict[T, float] = {}

    def __len__(self) -> int:
        return len(self._due)

    def add(self, item: T, due: float) -> None:
        self._due.pop(item, None)
        self._due[item] = due

    def drop(self, item: T) -> None:
        self._due.pop(item, None)

    def take(self, now: float) -> list[T]:
        """
        Take out what is due at C{now}.
        """
        taken = []
        for item, due in self._due.items():
            if due > now:
                break
            taken.append(item)
        for item in taken:
            del self._due[item]
        return taken


class PacedQueue(Generic[T]):
    """
    Things that are handed out evenly over a time, so that what they cause does not
    come all at once.
    """

    def __init__(self) -> None:
        self._waiting: dict[T, None] = {}
        self._last = 0.0
        self._until = 0.0

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, items: Iterable[T], now: float, over_s: float) -> None:
        """
        Hand these out, and what waits still, from C{now} until C{over_s} later.
        """
        self._waiting.update(dict.fromkeys(items))
        self._last = now
        self._until = max(self._until, now + over_s)

    def drop(self, item: T) -> None:
        self._waiting.pop(item, None)

    def take(self, now: float) -> list[T]:
        """
        Take out the share of the time since the last call.
        """
        left = self._until - self._last
        share = (now - self._last) / left if left > 0 else 1.0
        count = math.ceil(len(self._waiting) * min(1.0, max(0.0, share)))
        self._last = now
        taken = list(self._waiting)[:count] if count else []
        for item in taken:
            del self._waiting[item]
        return taken
