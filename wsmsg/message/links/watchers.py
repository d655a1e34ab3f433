"""
The Connects that watch the presence of each user.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable

from wsmsg.message.links.link import Link


class PresenceWatchers:
    """
    The nodes of the Connects that watch a user, by user.
    """

    def __init__(self) -> None:
        self._nodes: defaultdict[int, set[str]] = defaultdict(set)

    def of(self, user: int) -> Collection[str]:
        """
        Return the nodes that watch the user.
        """
        return self._nodes.get(user, ())

    def add(self, link: Link, user: int) -> None:
        link.watched.add(user)
        self._nodes[user].add(link.node)

    def remove(self, link: Link, users: Iterable[int]) -> None:
        """
        Remove users that a Connect watches no more.
        """
        for user in users:
            link.watched.discard(user)
            nodes = self._nodes.get(user)
            if nodes is not None:
                nodes.discard(link.node)
                if not nodes:
                    del self._nodes[user]

    def forget(self, link: Link) -> None:
        """
        Remove all users that a Connect watches.
        """
        watched, link.watched = link.watched, set()
        self.remove(link, watched)
