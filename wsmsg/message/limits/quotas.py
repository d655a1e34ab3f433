"""
The limits that only the store can tell: conversations that users begin with strangers,
and groups that they own and join.

Ingress holds the sends concerned and has them judged together.  Their judgements follow
one another, so what an earlier one allowed counts in the next, also before the store
has it (L{wsmsg.message.limits.pending}).  Another Message may allow more at the same
moment; what it allowed counts here as soon as it is stored.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Final, NamedTuple, Protocol

from twisted.internet.defer import Deferred

from wsmsg.dependency.state import Dependency
from wsmsg.errors import WsmsgError
from wsmsg.message.limits.pending import PendingGroups
from wsmsg.message.limits.settings import UserLimits
from wsmsg.message.limits.usage import STRANGERS
from wsmsg.message.store.interface import GroupCount, IUsage, UsageRow
from wsmsg.model import members_of
from wsmsg.settings.values import UserLimitSettings
from wsmsg.text.counted import counted

#: The most conversations that are remembered to exist.
MOST_KNOWN: Final = 100_000


class IQuotaStore(Protocol):
    """
    The parts of L{wsmsg.message.store.interface.IMessageStore} that quotas use.
    """

    dependency: Dependency
    usage: IUsage

    def heads(self, conversations: Sequence[str]) -> Deferred[dict[str, int]]: ...

    def readable_from(
        self, keys: Sequence[tuple[str, int]]
    ) -> Deferred[dict[tuple[str, int], int]]: ...


class GroupRequest(NamedTuple):
    """
    A change of a group that a user asks for.

    @ivar owner: the user who creates the group; 0: it exists.
    @ivar add: the users who are added.
    """

    owner: int
    conversation: str
    add: tuple[int, ...]


class Quotas:
    """
    Judges the sends of users by these limits.

    @ivar limits_strangers: whether conversations with strangers are limited.
    @ivar known: conversations of two that exist; the oldest is forgotten at the bound.
    """

    def __init__(
        self, limits: UserLimits, store: IQuotaStore, seconds: Callable[[], float]
    ) -> None:
        self._limits = limits
        self._store = store
        self.known: dict[str, None] = {}
        self._owned = PendingGroups(seconds)
        self._joined = PendingGroups(seconds)
        self.limits_strangers = False
        self.apply_settings(limits.settings)

    def apply_settings(self, settings: UserLimitSettings) -> None:
        """
        Apply other limits.
        """
        self.limits_strangers = bool(settings.strangers_per_h)

    # -- conversations with strangers

    def may_begin(self, conversation: str) -> bool:
        """
        Return whether a message may begin this conversation of two, and that is
        limited.  While the store is away, nothing is: no message waits for it.
        """
        return (
            self.limits_strangers
            and conversation not in self.known
            and self._store.dependency.up
        )

    async def begin(
        self, asked: Sequence[tuple[str, int]]
    ) -> Mapping[tuple[str, int], WsmsgError]:
        """
        Count the conversations that users begin.

        @param asked: pairs of a conversation of two and a user.
        @return: the errors for those that are too many.
        @raise Unavailable: the store is not available.
        """
        most = self._limits.settings.strangers_per_h
        new = [key for key in dict.fromkeys(asked) if self.may_begin(key[0])]
        if not new:
            return {}
        heads = await self._store.heads([name for name, _ in new])
        # Nobody is a stranger to themself.
        begun = [k for k in new if not heads.get(k[0]) and len(members_of(k[0])) > 1]
        users = Counter(user for _, user in begun)
        hour = self._limits.hour()
        rows = [UsageRow(user, STRANGERS, hour, n) for user, n in users.items()]
        totals = await self._store.usage.add(rows) if rows else []
        room = {
            row.user: most - (total - row.amount)
            for row, total in zip(rows, totals, strict=True)
        }
        refused: dict[tuple[str, int], WsmsgError] = {}
        for conversation, user in begun:
            room[user] -= 1
            if room[user] < 0:
                begun_here = counted(most, "conversation")
                reason = f"user {user} has begun {begun_here} in this hour"
                reason += " (limits.strangers_per_h)"
                error = self._limits.refuse("strangers", reason)
                refused[conversation, user] = error
        for key in new:
            if key not in refused:
                self._remember(key[0])
        return refused

    def _remember(self, conversation: str) -> None:
        self.known[conversation] = None
        if len(self.known) > MOST_KNOWN:
            del self.known[next(iter(self.known))]

    # -- groups

    @property
    def limits_groups(self) -> bool:
        """
        True if the groups of users are limited.
        """
        settings = self._limits.settings
        return bool(settings.groups_owned or settings.groups_joined)

    async def change(
        self, asked: Sequence[GroupRequest]
    ) -> Sequence[WsmsgError | None]:
        """
        Reserve room for the groups that these changes create, and for their members.

        @return: for each change the error to refuse it with.
        @raise Unavailable: the store is not available.
        """
        there = await self._members(
            (r.conversation, user) for r in asked if not r.owner for user in r.add
        )
        added = [self._new_members(r, there) for r in asked]
        owners = {r.owner for r in asked if r.owner}
        users = owners.union(*added)
        # Counted before the pending ones are looked up: what is stored in between is
        # forgotten rather than counted twice.
        counts = await self._store.usage.groups(list(users)) if users else {}
        await self._forget_stored(users)
        errors = []
        for request, new in zip(asked, added, strict=True):
            error = self._problem(request, new, counts)
            errors.append(error)
            if error is None:
                if request.owner:
                    self._owned.add(request.owner, request.conversation)
                for user in new:
                    self._joined.add(user, request.conversation)
        return errors

    def _new_members(
        self, request: GroupRequest, there: Collection[tuple[str, int]]
    ) -> list[int]:
        if not self._limits.settings.groups_joined:
            return []
        name = request.conversation
        return [user for user in request.add if (name, user) not in there]

    def _problem(
        self,
        request: GroupRequest,
        added: Sequence[int],
        counts: Mapping[int, GroupCount],
    ) -> WsmsgError | None:
        settings, name = self._limits.settings, request.conversation
        if request.owner and settings.groups_owned:
            stored = counts[request.owner].owned if request.owner in counts else 0
            pending = self._owned.of(request.owner)
            if stored + len(pending) - (name in pending) >= settings.groups_owned:
                return self._limits.refuse(
                    "groups_owned",
                    f"user {request.owner} has created "
                    f"{counted(settings.groups_owned, 'group')} (limits.groups_owned)",
                )
        for user in added:
            stored = counts[user].joined if user in counts else 0
            pending = self._joined.of(user)
            if stored + len(pending) - (name in pending) >= settings.groups_joined:
                return self._limits.refuse(
                    "groups_joined",
                    f"user {user} is in {counted(settings.groups_joined, 'group')}"
                    " (limits.groups_joined)",
                )
        return None

    async def _forget_stored(self, users: set[int]) -> None:
        # Who creates a group is a member of it.
        both = (self._owned, self._joined)
        there = await self._members(
            (name, user) for user in users for some in both for name in some.of(user)
        )
        for name, user in there:
            for some in both:
                some.drop(user, [name])

    async def _members(
        self, keys: Iterable[tuple[str, int]]
    ) -> Collection[tuple[str, int]]:
        asked = list(dict.fromkeys(keys))
        return (await self._store.readable_from(asked)).keys() if asked else ()
