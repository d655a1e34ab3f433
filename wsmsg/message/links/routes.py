"""
Which streams reach which users.
"""

from __future__ import annotations

from collections.abc import Iterable

_NOBODY: frozenset[str] = frozenset()


class Routes:
    """
    user -> nodes that reach the user, in memory, fed by the links.

    A user costs one dict entry on each side: the sets of nodes are shared, as there
    are few different ones.
    """

    def __init__(self) -> None:
        self._nodes_of: dict[int, frozenset[str]] = {}
        self._users_of: dict[str, set[int]] = {}
        self._shared: dict[frozenset[str], frozenset[str]] = {}

    def __len__(self) -> int:
        return len(self._nodes_of)

    def of(self, user: int) -> frozenset[str]:
        """
        The nodes that reach the user.
        """
        return self._nodes_of.get(user, _NOBODY)

    def users(self, node: str) -> set[int]:
        """
        The users that this node reaches (not to be changed).
        """
        return self._users_of.get(node, set())

    def change(
        self, node: str, online: Iterable[int], offline: Iterable[int]
    ) -> tuple[list[int], list[int]]:
        """
        Users came to and left a node.

        @return: who is now reached and was not, and who is no longer.
        """
        users = self._users_of.setdefault(node, set())
        came = [u for u in online if u not in users and self._add(u, node)]
        users.update(online)
        went = [u for u in offline if u in users and self._remove(u, node)]
        users.difference_update(offline)
        return came, went

    def replace(self, node: str, users: Iterable[int]) -> tuple[list[int], list[int]]:
        """
        The node reaches these users and no others.

        @return: as L{change}.
        """
        new = set(users)
        return self.change(node, new, self.users(node) - new)

    def forget(self, node: str) -> list[int]:
        """
        The node is gone.

        @return: who is no longer reached.
        """
        users = self._users_of.pop(node, set())
        return [u for u in users if self._remove(u, node)]

    def _add(self, user: int, node: str) -> bool:
        old = self._nodes_of.get(user, _NOBODY)
        self._nodes_of[user] = self._share(old | {node})
        return not old

    def _remove(self, user: int, node: str) -> bool:
        left = self._nodes_of.get(user, _NOBODY) - {node}
        if left:
            self._nodes_of[user] = self._share(left)
            return False
        self._nodes_of.pop(user, None)
        return True

    def _share(self, nodes: frozenset[str]) -> frozenset[str]:
        if len(self._shared) > 1024:  # nodes came and went for a long time
            self._shared.clear()
        return self._shared.setdefault(nodes, nodes)
