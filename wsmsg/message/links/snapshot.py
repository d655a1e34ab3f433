"""
The list of all users of a Connect, which arrives in parts.
"""

from __future__ import annotations

from collections.abc import Iterable

from wsmsg.rpc import rest_pb2

_KIND = rest_pb2.PresenceDelta.Snapshot


class UserSnapshot:
    """
    The parts of an unfinished list of users.
    """

    __slots__ = ("_users",)

    def __init__(self) -> None:
        self._users: list[int] | None = None

    def size_before(self, part: int) -> int:
        """
        Return the number of users that come before a part of this kind.
        """
        continues = part in (_KIND.MORE, _KIND.END)
        return len(self._users or ()) if continues else 0

    def add(self, part: int, users: Iterable[int]) -> list[int] | None:
        """
        Add a part.

        @param part: its place in the list.
        @return: all users once the list is complete; L{None} before.
        @raise ValueError: the list has no beginning.
        """
        if part in (_KIND.BEGIN, _KIND.WHOLE):
            self._users = []
        if self._users is None:
            raise ValueError("a snapshot of users that has no beginning")
        self._users.extend(users)
        if part in (_KIND.BEGIN, _KIND.MORE):
            return None
        whole, self._users = self._users, None
        return whole

    def discard(self) -> None:
        """
        Forget the parts: the stream that carried them is gone.
        """
        self._users = None
