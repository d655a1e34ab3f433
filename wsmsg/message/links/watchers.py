"""
The Connects that watch the presence of each user.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable


class PresenceWatchers:
    """
    The nodes of the Connects that watch a user, by user, and the users by node.
    """

    def __init__(self) -> None:
        self._nodes: defaultdict[int, set[str]] = defaultdict(set)
        self._users: defaultdict[str, set[int]] = defaultdict(set)

    def of(self, user: int) -> Collection[str]:
        """
        Return the nodes that watch the user.
        """
        return self._nodes.get(user, ())

    def count(self, node: str) -> int:
        """
        Return the number of users that a Connect watches.
        """
        return len(self._users.get(node, ()))

    def add(self, node: str, user: int) -> None:
        self._users[node].add(user)
        self._nodes[user].add(node)

    def remove(self, node: str, users: Iterable[int]) -> None:
        """
        Remove users that a Connect watches no more.
        """
        watched = self._users.get(node, set())
        for user in users:
            watched.discard(user)
            nodes = self._nodes.get(user)
            if nodes is not None:
                nodes.discard(node)
                if not nodes:
                    del self._nodes[user]

    def forget(self, node: str) -> None:
        """
        Remove all users that a Connect watches.
        """
        self.remove(node, list(self._users.pop(node, ())))
