"""
Typing, on its way to the others in a conversation.

In a conversation of two it goes to the other user, unless that one has blocked the
sender, or there is a rule about whom users may begin to reach, and no conversation yet.
Where there are blocks or such a rule at all, the store is asked, and the answer used
for some seconds.

In groups, a Connect sends typing to any Message, but only the Message that owns the
partition of a group has its members in memory.  The others ask the store, and use the
answer for some seconds.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from wsmsg.errors import Unavailable
from wsmsg.events.block import user_target
from wsmsg.flow.expiring import Expiring
from wsmsg.message.consent.interface import Contacts
from wsmsg.message.links.links import Links
from wsmsg.message.links.recipients import MemberCache, Standing
from wsmsg.message.store.interface import ConsentKey, IConversations
from wsmsg.model import InvalidName, group_in, is_group, other_of
from wsmsg.rpc import rest_pb2

#: How long an answer of the store is used.
CACHED_S = 5.0

_LOADING = 100
_GROUPS = 10_000


class TypingSignals:
    """
    Sends typing to the others.

    @param delivered: the members of the groups whose messages this Message delivers.
    @param limit: the most members of other groups that are cached.
    @param contacts: the rule about whom users may begin to reach; L{None}: none.
    """

    _log = Logger()

    def __init__(
        self,
        store: IConversations,
        delivered: MemberCache,
        links: Links,
        clock: IReactorTime,
        *,
        limit: int = 200_000,
        contacts: Contacts | None = None,
    ) -> None:
        self._contacts = contacts
        self._store = store
        self._delivered = delivered
        self._links = links
        self._clock = clock
        self._others = MemberCache(store, limit=limit)
        self._until: dict[str, float] = {}
        self._loading: set[str] = set()
        self._blocked: Expiring[ConsentKey, bool] = Expiring(clock.seconds, CACHED_S)

    def typed(self, typing: rest_pb2.Typing) -> None:
        """
        Send typing to the others in its conversation, unless they want none of it, or
        its user is not in the conversation.
        """
        if is_group(typing.conversation):
            self._typed_in_group(typing)
        elif self._store.consent.may_withhold or self._may_begin(typing.conversation):
            self._typed_to_one(typing)
        else:
            self._links.typing(typing)

    def _may_begin(self, conversation: str) -> bool:
        contacts = self._contacts
        return contacts is not None and contacts.may_begin(conversation)

    def _typed_to_one(self, typing: rest_pb2.Typing) -> None:
        other = other_of(typing.conversation, typing.user)
        if not other:
            return
        key = (other, user_target(typing.user))
        blocked = self._blocked.get(key)
        if blocked is False:
            self._links.typing(typing)
        elif blocked is None and len(self._loading) < _LOADING:
            name = f"{typing.user}>{typing.conversation}"
            if name not in self._loading:
                self._loading.add(name)
                Deferred.fromCoroutine(self._look(name, key, typing)).addErrback(
                    lambda failure: self._log.failure("typing", failure)
                )

    async def _look(self, name: str, key: ConsentKey, typing: rest_pb2.Typing) -> None:
        contacts = self._contacts
        try:
            blocked = key in await self._store.consent.blocked([key])
            if not blocked and contacts is not None:
                blocked = await contacts.are_strangers(typing.user, key[0])
        except Unavailable:
            return
        finally:
            self._loading.discard(name)
        self._blocked.put([key], blocked)
        if not blocked:
            self._links.typing(typing)

    def _typed_in_group(self, typing: rest_pb2.Typing) -> None:
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
