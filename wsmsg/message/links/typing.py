"""
Typing in groups.

A Connect sends typing to any Message, but only the Message that owns the partition of
the group has its members in memory.  The others ask the store, and use the answer for
some seconds.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from wsmsg.errors import Unavailable
from wsmsg.message.links.links import Links
from wsmsg.message.links.recipients import MemberCache, Standing
from wsmsg.message.store.interface import IGroups
from wsmsg.model import InvalidName, group_in
from wsmsg.rpc import rest_pb2

#: How long members that the store returned are used.
CACHED_S = 5.0

_LOADING = 100
_GROUPS = 10_000


class GroupTyping:
    """
    Sends typing to the members of groups.

    @param delivered: the members of the groups whose messages this Message delivers.
    @param limit: the most members of other groups that are cached.
    """

    _log = Logger()

    def __init__(
        self,
        store: IGroups,
        delivered: MemberCache,
        links: Links,
        clock: IReactorTime,
        *,
        limit: int = 200_000,
    ) -> None:
        self._store = store
        self._delivered = delivered
        self._links = links
        self._clock = clock
        self._others = MemberCache(store, limit=limit)
        self._until: dict[str, float] = {}
        self._loading: set[str] = set()

    def typed(self, typing: rest_pb2.Typing) -> None:
        """
        Send typing to the members of its group, unless its user is not a member.
        """
        conversation = typing.conversation
        members = self._delivered.cached(conversation)
        if members is None:
            members = self._cached(conversation)
        if members is not None:
            self._send(typing, members)
        elif conversation not in self._loading and len(self._loading) < _LOADING:
            # Clients repeat typing, so nothing waits here for the members.
            try:
                group_in(conversation)
            except InvalidName:
                return
            self._loading.add(conversation)
            Deferred.fromCoroutine(self._load(typing)).addErrback(
                lambda failure: self._log.failure("typing in a group", failure)
            )

    def _cached(self, conversation: str) -> frozenset[int] | None:
        if self._until.get(conversation, 0.0) > self._clock.seconds():
            return self._others.cached(conversation)
        self._until.pop(conversation, None)
        self._others.forget([conversation])
        return None

    async def _load(self, typing: rest_pb2.Typing) -> None:
        conversation = typing.conversation
        try:
            found = await self._store.members([conversation])
        except Unavailable:
            return
        finally:
            self._loading.discard(conversation)
        members = found.get(conversation, frozenset())
        self._others.remember({conversation: Standing(0, members)})
        self._until[conversation] = self._clock.seconds() + CACHED_S
        while len(self._until) > _GROUPS:
            oldest = next(iter(self._until))
            del self._until[oldest]
            self._others.forget([oldest])
        self._send(typing, members)

    def _send(self, typing: rest_pb2.Typing, members: frozenset[int]) -> None:
        if typing.user in members:
            self._links.typing_in_group(typing, members)
