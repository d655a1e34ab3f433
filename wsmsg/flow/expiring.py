"""
A map whose entries expire.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import Generic, TypeVar

#: The most entries of a map that names no other limit.
REMEMBERED = 100_000

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Expiring(Generic[K, V]):
    """
    A map whose entries expire; over its limit it drops the oldest.

    @param seconds: returns monotonic seconds.
    @param limit: the most entries; or, with C{size_of}, the most that they may have
        together.
    @param size_of: the size of a value.
    """

    def __init__(
        self,
        seconds: Callable[[], float],
        lasting_s: float,
        *,
        limit: int = REMEMBERED,
        size_of: Callable[[V], int] = lambda _: 1,
    ) -> None:
        self._seconds = seconds
        self._lasting_s = lasting_s
        self._limit = limit
        self._size_of = size_of
        self._size = 0
        self._until: dict[K, tuple[float, V]] = {}

    def __len__(self) -> int:
        return len(self._until)

    def get(self, key: K) -> V | None:
        """
        Return the value of a key, if it has not expired.
        """
        known = self._until.get(key)
        if known is None or known[0] <= self._seconds():
            return None
        return known[1]

    def put(self, keys: Iterable[K], value: V) -> None:
        """
        Set the value of these keys, from now on.
        """
        now_s = self._seconds()
        until = now_s + self._lasting_s
        for key in keys:
            self.drop(key)
            self._until[key] = (until, value)
            self._size += self._size_of(value)
        while self._until:
            oldest = next(iter(self._until))
            if self._size <= self._limit and self._until[oldest][0] > now_s:
                break
            self.drop(oldest)

    def drop(self, key: K) -> None:
        """
        Remove a key.
        """
        known = self._until.pop(key, None)
        if known is not None:
            self._size -= self._size_of(known[1])
