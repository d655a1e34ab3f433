"""
Groups in the memory of a test.
"""

from __future__ import annotations

from collections.abc import Sequence

from wsmsg.events.group_change import GroupChange, decode_change
from wsmsg.message.store.interface import GroupPage, MemberRow
from wsmsg.model import Message

_NO_GROUP: tuple[GroupChange, int, dict[int, int]] = (GroupChange(), 0, {})

_Key = tuple[str, int]


class GroupsInMemory:
    """
    Groups and their members, in the simplest way.

    @ivar groups: the change that created each group, its owner, and the seq at which
        each member joined.
    @ivar past: the memberships that ended: user, seq of joining, seq of removal.
    """

    def __init__(self) -> None:
        self.groups: dict[str, tuple[GroupChange, int, dict[int, int]]] = {}
        self.past: dict[str, list[tuple[int, int, int]]] = {}
        self._changed: dict[_Key, int] = {}

    def change(self, event: Message) -> None:
        """
        Apply a group change.
        """
        change = decode_change(event.content)
        if change.created:
            made: tuple[GroupChange, int, dict[int, int]] = (change, event.sender, {})
            self.groups.setdefault(event.conversation, made)
        _, _, members = self.groups[event.conversation]
        for user in (*change.add, *change.remove):
            key = (event.conversation, user)
            if self._changed.get(key, 0) < event.seq:
                self._changed[key] = event.seq
                if user in change.add:
                    members.setdefault(user, event.seq)
                elif user in members:
                    past = (user, members.pop(user), event.seq)
                    self.past.setdefault(event.conversation, []).append(past)

    def members(self, names: Sequence[str]) -> dict[str, frozenset[int]]:
        """
        Return the members now.
        """
        return {n: frozenset(self.groups[n][2]) for n in names if n in self.groups}

    def members_at(self, places: Sequence[_Key]) -> dict[_Key, frozenset[int]]:
        """
        Return the members after some messages.
        """
        return {
            (name, seq): frozenset(
                [u for u, joined in self.groups[name][2].items() if joined <= seq]
                + [u for u, i, o in self.past.get(name, ()) if i <= seq < o]
            )
            for name, seq in places
            if name in self.groups
        }

    def readable_from(self, keys: Sequence[_Key]) -> dict[_Key, int]:
        """
        Return the seqs from which on members may read.
        """
        readable = {}
        for name, user in keys:
            change, _, members = self.groups.get(name, _NO_GROUP)
            if user in members:
                readable[name, user] = 1 if change.history else members[user]
        return readable

    def page(self, name: str, after: int, limit: int) -> GroupPage | None:
        """
        Return a group with some of its members.
        """
        if name not in self.groups:
            return None
        change, owner, members = self.groups[name]
        some = [MemberRow(u, members[u]) for u in sorted(members) if u > after]
        return GroupPage(
            name,
            change.name,
            owner,
            change.history,
            len(members),
            some[:limit],
            key=change.key,
        )
