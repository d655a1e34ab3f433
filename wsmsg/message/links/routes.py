"""
The streams that reach each user.
"""

from __future__ import annotations

from collections.abc import Collection, Container, Iterable

_NOBODY: frozenset[str] = frozenset()


class Routes:
    """
    Maps each user to the nodes that reach the user, in memory; the links keep it up to
    date.

    A user costs one entry of a dict on each side: equal sets of nodes are shared, as
    there are few different ones.

    @ivar nodes_of: the nodes that reach each user whom any node reaches.
    """

    def __init__(self) -> None:
        self.nodes_of: dict[int, frozenset[str]] = {}
        self._users_of: dict[str, set[int]] = {}
        self._shared: dict[frozenset[str], frozenset[str]] = {}

    def __len__(self) -> int:
        """
        Return the number of users that any node reaches.
        """
        return len(self.nodes_of)

    def of(self, user: int) -> frozenset[str]:
        """
        Return the nodes that reach the user.
        """
        return self.nodes_of.get(user, _NOBODY)

    def users(self, node: str) -> set[int]:
        """
        Return the users that a node reaches.  The caller must not change the set.
        """
        return self._users_of.get(node, set())

    def among(
        self, users: Collection[int], nodes: Iterable[str]
    ) -> dict[str, list[int]]:
        """
        Return those of the users who are at these nodes, by node.
        """
        # Intersect sets: there may be ten thousand users on either side.
        found = {node: self.users(node).intersection(users) for node in nodes}
        return {node: list(some) for node, some in found.items() if some}

    def by_node(
        self, users: Iterable[int], nodes: Container[str]
    ) -> Iterable[tuple[str, list[int]]]:
        """
        Return the same as L{among}, for a few users.
        """
        found: dict[str, list[int]] = {}
        for user in users:
            for node in self.of(user):
                if node in nodes:
                    found.setdefault(node, []).append(user)
        return found.items()

    def change(
        self, node: str, online: Iterable[int], offline: Iterable[int]
    ) -> tuple[list[int], list[int]]:
        """
        Add users to a node and remove others.

        @return: the users that no node reached before, and those that none reaches now.
        """
        users = self._users_of.setdefault(node, set())
        joined = [u for u in online if u not in users and self._add(u, node)]
        users.update(online)
        left = [u for u in offline if u in users and self._remove(u, node)]
        users.difference_update(offline)
        return joined, left

    def replace(self, node: str, users: Iterable[int]) -> tuple[list[int], list[int]]:
        """
        Let a node reach these users and no others.

        @return: as L{change}.
        """
        new = set(users)
        return self.change(node, new, self.users(node) - new)

    def forget(self, node: str) -> list[int]:
        """
        Remove a node.

        @return: the users that no node reaches now.
        """
        users = self._users_of.pop(node, set())
        return [u for u in users if self._remove(u, node)]

    def _add(self, user: int, node: str) -> bool:
        old = self.nodes_of.get(user, _NOBODY)
        self.nodes_of[user] = self._share(old | {node})
        return not old

    def _remove(self, user: int, node: str) -> bool:
        nodes = self.nodes_of.get(user, _NOBODY) - {node}
        if nodes:
            self.nodes_of[user] = self._share(nodes)
            return False
        self.nodes_of.pop(user, None)
        return True

    def _share(self, nodes: frozenset[str]) -> frozenset[str]:
        if len(self._shared) > 1024:  # sets of nodes that left have piled up
            self._shared.clear()
        return self._shared.setdefault(nodes, nodes)
