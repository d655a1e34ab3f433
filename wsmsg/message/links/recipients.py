"""
The recipients of a message.

The members of a group are those of the stored changes, in their order.  The owner of
the partition of a group delivers all of its changes, so it asks the store for the
members once and applies the changes from then on.  When a change is delivered again,
the store may have applied later changes already: the owner then asks the store again.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Iterable, Mapping, Sequence

from wsmsg.events import EVENT_KINDS, member_change
from wsmsg.message.store.interface import IGroups
from wsmsg.model import FIRST_EVENT, Message, is_group, members_of

_NOBODY: frozenset[int] = frozenset()

#: The recipients of group messages, by conversation and seq.
GroupRecipients = Mapping[tuple[str, int], frozenset[int]]

#: A message and the users who receive it.
Push = tuple[Message, Sequence[int]]


class MemberCache:
    """
    The members of recently used groups.

    @param limit: the most members of all groups together.  Beyond it, the least
        recently used groups are forgotten.
    """

    def __init__(self, store: IGroups, *, limit: int) -> None:
        self.size = 0
        self._store = store
        self._limit = limit
        self._groups: OrderedDict[str, frozenset[int]] = OrderedDict()

    def cached(self, conversation: str) -> frozenset[int] | None:
        """
        Return the members of a group, if they are cached.
        """
        return self._groups.get(conversation)

    async def load(self, conversations: Iterable[str]) -> dict[str, frozenset[int]]:
        """
        Return the members of these groups.  One call reads those from the store that
        are not cached; it does not cache them.

        @raise Unavailable: the store is down.
        """
        known = {c: self._groups.get(c) for c in conversations}
        missing = [c for c, members in known.items() if members is None]
        found = await self._store.members(missing) if missing else {}
        return {
            c: found.get(c, _NOBODY) if members is None else members
            for c, members in known.items()
        }

    def remember(self, groups: Mapping[str, frozenset[int]]) -> None:
        """
        Cache the members of these groups.
        """
        for conversation, members in groups.items():
            old = self._groups.get(conversation)
            self._groups[conversation] = members
            self._groups.move_to_end(conversation)
            self.size += _cost(members) - (0 if old is None else _cost(old))
        while self.size > self._limit:
            self.size -= _cost(self._groups.popitem(last=False)[1])

    def forget(self, conversations: Iterable[str]) -> None:
        """
        Remove these groups from the cache.
        """
        for conversation in conversations:
            members = self._groups.pop(conversation, None)
            if members is not None:
                self.size -= _cost(members)

    def clear(self) -> None:
        """
        Empty the cache.
        """
        self._groups.clear()
        self.size = 0


def recipients_forward(
    stored: Sequence[Message], now: dict[str, frozenset[int]]
) -> GroupRecipients:
    """
    Return the recipients of each message in a group: the members at that seq.  A change
    of the group is also for the users whom it removes.

    @param now: the members before the first message.  It is changed to the members
        after the last one.
    """
    found = {}
    for message in stored:
        conversation = message.conversation
        members = now.get(conversation)
        if members is None:
            continue
        change = member_change(message) if message.kind in EVENT_KINDS else None
        if change is not None:
            members = members.union(change.add)
            now[conversation] = members.difference(change.remove)
        found[conversation, message.seq] = members
    return found


def recipients_backward(
    stored: Sequence[Message], now: Mapping[str, Collection[int]]
) -> GroupRecipients:
    """
    Return the same as L{recipients_forward}, from the members after the last message: a
    user who was added by one of the messages does not receive those before it.
    """
    found = {}
    later: dict[str, set[int]] = {}
    for message in reversed(stored):
        conversation = message.conversation
        if conversation not in now:
            continue
        added = later.setdefault(conversation, set())
        members = frozenset(now[conversation]).difference(added)
        change = member_change(message) if message.kind in EVENT_KINDS else None
        if change is not None:
            members = members.union(change.remove)
            added.update(change.add)
        found[conversation, message.seq] = members
    return found


def is_visible(message: Message) -> bool:
    """
    Return whether people see the message: it is neither an event nor recalled.
    """
    return message.kind < FIRST_EVENT


def recipients(message: Message, in_groups: GroupRecipients | None) -> Sequence[int]:
    """
    Return the users who receive a message: everyone in its conversation but the
    sender, who receives only messages to themself.

    @param in_groups: the recipients of group messages; a group message that is not in
        there has none.
    """
    sender = message.sender
    if is_group(message.conversation):
        if in_groups is None:
            return ()
        members = in_groups.get((message.conversation, message.seq), _NOBODY)
        return [user for user in members if user != sender]
    pair = members_of(message.conversation)
    return [user for user in pair if user != sender] or pair


def pushes_of(
    messages: Iterable[Message], in_groups: GroupRecipients | None
) -> list[Push]:
    """
    Return the visible messages that have recipients, each with its recipients.
    """
    pushes = ((m, recipients(m, in_groups)) for m in messages if is_visible(m))
    return [(message, targets) for message, targets in pushes if targets]


def _cost(members: Collection[int]) -> int:
    return len(members) + 1
