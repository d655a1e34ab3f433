"""
The membership of a user in a group, as a document of the user keeps it.  No I/O.

Changes are applied in the order of their numbers, and applying one again changes
nothing.  Memberships that ended are kept, so that the members at each number are known.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import attrs

from wsmsg.events.group_change import GroupChange, decode_change
from wsmsg.events.kind import InvalidContent
from wsmsg.model import Message

# The memberships that ended, of one user in one group, that are kept: the last ones.
_PAST = 100

#: Group changes with their contents, in their order.
Changes = Sequence[tuple[Message, GroupChange]]

_Key = tuple[str, int]


@attrs.frozen
class Membership:
    """
    The membership of a user in a group.

    @ivar joined: the number of the event with which the user joined; 0: not a member.
    @ivar changed: the highest number of the events that name the user.
    @ivar leaving: the numbers under which changes that remove the user were inserted,
        or were tried to be.
    @ivar past: the memberships that ended: the numbers of joining and of removal.
    """

    joined: int = 0
    changed: int = 0
    leaving: tuple[int, ...] = ()
    past: tuple[tuple[int, int], ...] = ()

    def added(self, seq: int) -> Membership:
        """
        Return the membership after an event that adds the user.
        """
        if seq <= self.changed:
            return self
        return attrs.evolve(self, joined=self.joined or seq, changed=seq)

    def removed(self, seq: int) -> Membership:
        """
        Return the membership after an event that removes the user.
        """
        if seq <= self.changed:
            return self
        past = self.past
        if self.joined:
            past = (*past, (self.joined, seq))[-_PAST:]
        return attrs.evolve(self, joined=0, changed=seq, past=past)

    def settled(self) -> Membership:
        """
        Return the membership without the numbers that it followed already.
        """
        left = tuple(n for n in self.leaving if n > self.changed)
        return self if left == self.leaving else attrs.evolve(self, leaving=left)

    def at(self, seq: int) -> bool:
        """
        Return whether the user was a member right after a number.
        """
        if 0 < self.joined <= seq:
            return True
        return any(joined <= seq < removed for joined, removed in self.past)


class ReadRight(NamedTuple):
    """
    The numbers of a group that a user may read.

    @ivar last: the number of a change that removes the user and is not applied yet;
        without one, L{INT64_MAX}.
    """

    first: int
    last: int


def carried_out(
    changes: Changes, before: Mapping[_Key, Membership], keys: Iterable[_Key]
) -> dict[_Key, Membership]:
    """
    Return the memberships after some changes: each follows the events above the highest
    one that was applied to it before.

    @param before: the memberships before; users that were never named are missing.
    """
    now = {key: before.get(key, Membership()) for key in keys}
    for event, content in changes:
        for user in content.add:
            key = (event.conversation, user)
            now[key] = now[key].added(event.seq)
        for user in content.remove:
            key = (event.conversation, user)
            now[key] = now[key].removed(event.seq)
    return {key: membership.settled() for key, membership in now.items()}


def changes_in(events: Sequence[Message]) -> Iterator[tuple[Message, GroupChange]]:
    """
    Iterate over the events that are valid changes of groups, with their contents.
    """
    for event in events:
        try:
            yield event, decode_change(event.content)
        except InvalidContent:
            continue
