"""
Who is online, by the words of all Messages.

Every Message is asked for the users that are watched here, and each says what its own
streams tell it.  A user is online while any of them says so: a Message that lost its
stream to a Connect which lives says that users are gone, and the others know better.
The loss of a Message takes its words along, and means nothing by itself::

    Message 1: online ---------------- lost its stream to the user's Connect: offline
    Message 2: ------- online -------------------------------------------------------
    told here: online
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence

from wsmsg.connect.interfaces import IEdge
from wsmsg.model import Presence

_NOBODY: frozenset[Hashable] = frozenset()


class Watching:
    """
    The users that are watched here, and which Messages say that they are online.

    The sets of Messages are shared, as there are few different ones.

    @ivar unbacked: users who are online by an answer to a read, and by no Message's
        own streams; they have to be asked for again.
    """

    def __init__(self, edge: IEdge) -> None:
        self.unbacked: dict[int, None] = {}
        self._edge = edge
        self._by: dict[int, frozenset[Hashable]] = {}
        self._sets: dict[frozenset[Hashable], frozenset[Hashable]] = {}

    def watch(self, users: Iterable[int]) -> None:
        for user in users:
            self._by.setdefault(user, _NOBODY)

    def unwatch(self, users: Iterable[int]) -> None:
        for user in users:
            self._by.pop(user, None)
            self.unbacked.pop(user, None)

    def said(self, by: Hashable, presence: Presence) -> None:
        """
        A Message says what its streams told it; what changes by that is told on.
        """
        user = presence.user
        before = self._by.get(user)
        if before is None:
            return  # nobody watches any more
        after = before | {by} if presence.online else before - {by}
        self._by[user] = self._sets.setdefault(after, after)
        self.unbacked.pop(user, None)
        if not after or not before:
            self._edge.presence(presence)

    def lost(self, by: Hashable) -> list[int]:
        """
        The stream to a Message is gone.

        @return: the users that only it said to be online.
        """
        alone = []
        for user, those in self._by.items():
            if by in those:
                left = those - {by}
                self._by[user] = self._sets.setdefault(left, left)
                if not left:
                    alone.append(user)
        self._sets.clear()
        return alone

    def answered(self, found: Sequence[Presence]) -> None:
        """
        A read was answered with this: remember whom nobody else says to be online.
        """
        for presence in found:
            if self._by.get(presence.user) == _NOBODY:
                if presence.online:
                    self.unbacked[presence.user] = None
                else:
                    self.unbacked.pop(presence.user, None)

    def tell(self, found: Sequence[Presence]) -> None:
        """
        The same, and nobody knows it yet.  A read may be older than what a stream
        says meanwhile, so that counts.
        """
        self.answered(found)
        for presence in found:
            if presence.online or not self._by.get(presence.user):
                self._edge.presence(presence)
