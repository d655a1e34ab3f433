"""
Telling a group's members that one of them types.

Any Message may be told so, and only the one that has the group's partition knows its
members anyway.  Others ask the store and believe the answer for some seconds.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from wsmsg.errors import Unavailable
from wsmsg.message.links.links import Links
from wsmsg.message.links.recipients import MemberCache
from wsmsg.message.store.interface import IGroups
from wsmsg.model import InvalidName, group_in
from wsmsg.rpc import rest_pb2

#: How long members that were asked for are believed.
BELIEVED_S = 5.0

_LOADING = 100
_GROUPS = 10_000


class GroupTyping:
    """
    Typing in groups.

    @param known: the members of the groups whose messages pass here.
    @param limit: the most members that are remembered of other groups.
    """

    _log = Logger()

    def __init__(
        self,
        store: IGroups,
        known: MemberCache,
        links: Links,
        clock: IReactorTime,
        *,
        limit: int = 200_000,
    ) -> None:
        self._known = known
        self._links = links
        self._clock = clock
        self._asked = MemberCache(store, limit=limit)
        self._until: dict[str, float] = {}
        self._loading: set[str] = set()

    def typed(self, typing: rest_pb2.Typing) -> None:
        """
        A user types in a group; who is no member is not believed.
        """
        conversation = typing.conversation
        members = self._known.cached(conversation)
        if members is None:
            members = self._believed(conversation)
        if members is not None:
            self._tell(typing, members)
        elif conversation not in self._loading and len(self._loading) < _LOADING:
            # Whoever types says so again: nothing waits here.
            try:
                group_in(conversation)
            except InvalidName:
                return
            self._loading.add(conversation)
            Deferred.fromCoroutine(self._load(typing)).addErrback(
                lambda failure: self._log.failure("typing in a group", failure)
            )

    def _believed(self, conversation: str) -> frozenset[int] | None:
        if self._until.get(conversation, 0.0) > self._clock.seconds():
            return self._asked.cached(conversation)
        self._until.pop(conversation, None)
        self._asked.forget([conversation])
        return None

    async def _load(self, typing: rest_pb2.Typing) -> None:
        conversation = typing.conversation
        try:
            asked = await self._asked.load([conversation])
        except Unavailable:
            return
        finally:
            self._loading.discard(conversation)
        self._asked.remember(asked)
        self._until[conversation] = self._clock.seconds() + BELIEVED_S
        while len(self._until) > _GROUPS:
            oldest = next(iter(self._until))
            del self._until[oldest]
            self._asked.forget([oldest])
        self._tell(typing, asked[conversation])

    def _tell(self, typing: rest_pb2.Typing, members: frozenset[int]) -> None:
        if typing.user in members:
            self._links.typing_in_group(typing, members)
