"""
Groups that users were allowed to create and to join a moment ago, and that the store
may not count yet.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Final

#: For how long the store may not count what was allowed.
LASTING_S: Final = 60.0
#: The most entries; over it the oldest are dropped.
MOST: Final = 50_000


class PendingGroups:
    """
    Conversations of groups by user, each until the store has it.

    @param seconds: returns monotonic seconds.
    """

    def __init__(self, seconds: Callable[[], float], most: int = MOST) -> None:
        self._seconds = seconds
        self._most = most
        self._until: dict[tuple[int, str], float] = {}
        self._groups: dict[int, set[str]] = {}

    def __len__(self) -> int:
        return len(self._until)

    def of(self, user: int) -> Collection[str]:
        """
        Return the groups of a user that the store may not count.
        """
        return self._groups.get(user, ())

    def add(self, user: int, group: str) -> None:
        """
        Add a group of a user.
        """
        now_s = self._seconds()
        self.drop(user, [group])
        self._until[user, group] = now_s + LASTING_S
        self._groups.setdefault(user, set()).add(group)
        while self._until:
            oldest = next(iter(self._until))
            if len(self._until) <= self._most and self._until[oldest] > now_s:
                break
            self.drop(oldest[0], [oldest[1]])

    def drop(self, user: int, groups: Iterable[str]) -> None:
        """
        Remove groups of a user, because the store counts them.
        """
        for group in groups:
            if self._until.pop((user, group), None) is not None:
                mine = self._groups[user]
                mine.discard(group)
                if not mine:
                    del self._groups[user]
