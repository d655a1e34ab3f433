"""
Who is to have a group's messages: decided by what was stored, in its order.

The owner of a group's partition sees all of its changes go by, so it asks the store
for the members once and follows the changes from there.  Where a change is met again,
later ones may have been carried out already: then the store is asked again.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Iterable, Mapping, Sequence

from wsmsg.message.store.interface import IMessageStore
from wsmsg.model import (
    GROUP,
    GroupChange,
    InvalidChange,
    Message,
    change_in,
    is_group,
)

_NOBODY: frozenset[int] = frozenset()

#: Of messages of groups: by conversation and number, who is to have them.
Audiences = Mapping[tuple[str, int], frozenset[int]]


class MemberCache:
    """
    The members of groups whose messages went by lately.

    @param limit: the most members of all groups together; the groups that were not
        used for longest are forgotten beyond it.
    """

    def __init__(self, store: IMessageStore, *, limit: int) -> None:
        self.size = 0
        self._store = store
        self._limit = limit
        self._groups: OrderedDict[str, frozenset[int]] = OrderedDict()

    def peek(self, conversation: str) -> frozenset[int] | None:
        """
        The members of a group, if they are known.
        """
        return self._groups.get(conversation)

    async def load(self, conversations: Iterable[str]) -> dict[str, frozenset[int]]:
        """
        The members of these groups; the store is asked once for those not known.

        @raise Unavailable: the store is not there.
        """
        known = {c: self._groups.get(c) for c in conversations}
        missing = [c for c, members in known.items() if members is None]
        found = await self._store.members(missing) if missing else {}
        return {
            c: found.get(c, _NOBODY) if members is None else members
            for c, members in known.items()
        }

    def keep(self, groups: Mapping[str, frozenset[int]]) -> None:
        """
        Remember the members of these groups.
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
        Know no more of these groups.
        """
        for conversation in conversations:
            members = self._groups.pop(conversation, None)
            if members is not None:
                self.size -= _cost(members)

    def clear(self) -> None:
        """
        Know no more of any group.
        """
        self._groups.clear()
        self.size = 0


def follow(stored: Sequence[Message], now: dict[str, frozenset[int]]) -> Audiences:
    """
    Who is to have each message of a group: who is a member when it was said.  A change
    also goes to those whom it removes.

    @param now: the members before the first message; moved on to those after the last.
    """
    audiences = {}
    for message in stored:
        conversation = message.conversation
        members = now.get(conversation)
        if members is None:
            continue
        if message.kind == GROUP:
            change = _change(message)
            members = members.union(change.add)
            now[conversation] = members.difference(change.remove)
        audiences[conversation, message.seq] = members
    return audiences


def look_back(
    stored: Sequence[Message], now: Mapping[str, Collection[int]]
) -> Audiences:
    """
    The same, where only the members after the last message are known: who was added
    among these messages does not have what was said before that.
    """
    audiences = {}
    later: dict[str, set[int]] = {}
    for message in reversed(stored):
        conversation = message.conversation
        if conversation not in now:
            continue
        added = later.setdefault(conversation, set())
        members = frozenset(now[conversation]).difference(added)
        if message.kind == GROUP:
            change = _change(message)
            members = members.union(change.remove)
            added.update(change.add)
        audiences[conversation, message.seq] = members
    return audiences


def groups_in(messages: Iterable[Message]) -> set[str]:
    """
    The conversations among theirs that are groups.
    """
    return {m.conversation for m in messages if is_group(m.conversation)}


def _change(message: Message) -> GroupChange:
    try:
        return change_in(message.content)
    except InvalidChange:
        return GroupChange()  # the store does nothing with it either


def _cost(members: Collection[int]) -> int:
    return len(members) + 1
