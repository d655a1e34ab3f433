"""
The recipients of a message, and the cursors that they were told.

A message in a group goes to the users who are members at its number, whenever and in
whichever batch it is delivered.  The owner of the partition of a group delivers all of
its messages, so it keeps the members after the last of them, and applies the changes
that follow.  Where a message does not follow the last one, as when records are read
again, the owner asks the store for the members at that number.

A cursor never falls and never passes the head of its conversation.  The store holds it
to that.  L{ToldCursors} knows enough to tell the usual one before it is stored, the
acknowledgement of what was just pushed; any other is told when it is stored.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from wsmsg.events import EVENT_KINDS, member_change
from wsmsg.message.links.routes import Routes
from wsmsg.message.store.interface import IGroups
from wsmsg.model import FIRST_EVENT, Cursor, Message, is_group, members_of

_NOBODY: frozenset[int] = frozenset()

#: A conversation and a seq.
Place = tuple[str, int]

#: The recipients of group messages, by conversation and seq.
GroupRecipients = Mapping[Place, frozenset[int]]

#: A message and the users who receive it.
Push = tuple[Message, Sequence[int]]


class Standing(NamedTuple):
    """
    The members of a group right after the message with a seq.
    """

    seq: int
    members: frozenset[int]


class MemberCache:
    """
    The members of recently used groups, each after its last delivered message.

    @param limit: the most members of all groups together.  Beyond it, the least
        recently used groups are forgotten.
    """

    def __init__(self, store: IGroups, *, limit: int) -> None:
        self.size = 0
        self._store = store
        self._limit = limit
        self._groups: OrderedDict[str, Standing] = OrderedDict()

    def cached(self, conversation: str) -> frozenset[int] | None:
        """
        Return the members of a group, if they are cached.
        """
        standing = self._groups.get(conversation)
        return None if standing is None else standing.members

    async def members_at(self, places: Iterable[Place]) -> dict[Place, frozenset[int]]:
        """
        Return the members right after the message of each place.  One call reads those
        from the store that are not cached; it does not cache them.

        @raise Unavailable: the store is down.
        """
        found: dict[Place, frozenset[int]] = {}
        missing: list[Place] = []
        for place in places:
            conversation, seq = place
            standing = self._groups.get(conversation)
            if not seq:
                found[place] = _NOBODY  # no message, and so no member, was before
            elif standing is not None and standing.seq == seq:
                found[place] = standing.members
            else:
                missing.append(place)
        if missing:
            stored = await self._store.members_at(missing)
            found.update((place, stored.get(place, _NOBODY)) for place in missing)
        return found

    def remember(self, groups: Mapping[str, Standing]) -> None:
        """
        Cache the members of these groups, unless those after a later message are
        cached.
        """
        for conversation, standing in groups.items():
            old = self._groups.get(conversation)
            if old is not None and old.seq > standing.seq:
                continue
            self._groups[conversation] = standing
            self._groups.move_to_end(conversation)
            self.size += _cost(standing) - (0 if old is None else _cost(old))
        while self.size > self._limit:
            self.size -= _cost(self._groups.popitem(last=False)[1])

    def forget(self, conversations: Iterable[str]) -> None:
        """
        Remove these groups from the cache.
        """
        for conversation in conversations:
            standing = self._groups.pop(conversation, None)
            if standing is not None:
                self.size -= _cost(standing)

    def clear(self) -> None:
        """
        Empty the cache.
        """
        self._groups.clear()
        self.size = 0


def places_before(in_groups: Sequence[Message]) -> list[Place]:
    """
    Return the places whose members L{recipients_forward} needs: those before the
    messages in groups that do not follow another one of the batch.
    """
    last: dict[str, int] = {}
    places = []
    for message in in_groups:
        conversation, before = message.conversation, message.seq - 1
        if last.get(conversation) != before:
            places.append((conversation, before))
        last[conversation] = message.seq
    return places


def recipients_forward(
    stored: Sequence[Message], at: Mapping[Place, frozenset[int]]
) -> tuple[GroupRecipients, dict[str, Standing]]:
    """
    Return the recipients of each message in a group: the members at that seq.  A change
    of the group is also for the users whom it removes.

    @param at: the members at L{places_before} the messages.
    @return: the recipients, and the members of each group after its last message.
    """
    found: dict[Place, frozenset[int]] = {}
    now: dict[str, Standing] = {}
    for message in stored:
        conversation, seq = message.conversation, message.seq
        if not is_group(conversation):
            continue
        standing = now.get(conversation)
        if standing is not None and standing.seq == seq - 1:
            members = standing.members
        else:
            members = at[conversation, seq - 1]
        change = member_change(message) if message.kind in EVENT_KINDS else None
        left = members
        # A group that has members is not created again.
        if change is not None and not (change.created and members):
            members = members.union(change.add)
            left = members.difference(change.remove)
        now[conversation] = Standing(seq, left)
        found[conversation, seq] = members
    return found, now


def is_visible(message: Message) -> bool:
    """
    Return whether people see the message: it is neither an event nor recalled.
    """
    return message.kind < FIRST_EVENT


def recipients(message: Message, in_groups: GroupRecipients | None) -> Sequence[int]:
    """
    Return the users who receive a message: everyone in its conversation but the
    sender, who receives only messages to themself.  One that is withheld has none.

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
    if message.withheld:
        return ()
    return [user for user in pair if user != sender] or pair


def pushes_of(
    messages: Iterable[Message], in_groups: GroupRecipients | None
) -> list[Push]:
    """
    Return the visible messages that have recipients, each with its recipients.
    """
    pushes = ((m, recipients(m, in_groups)) for m in messages if is_visible(m))
    return [(message, targets) for message, targets in pushes if targets]


def _cost(standing: Standing) -> int:
    return len(standing.members) + 1


def pushes_by_node(
    messages: Sequence[Message],
    in_groups: GroupRecipients | None,
    routes: Routes,
    nodes: Iterable[str],
) -> dict[str, list[Push]]:
    """
    Return the pushes of messages for each Connect that has recipients.

    @param in_groups: the recipients of the messages that are in groups.
    @param nodes: all Connects.
    """
    nodes_of = routes.nodes_of
    per_node: dict[str, list[Push]] = {}
    connected: dict[int, dict[str, list[int]]] = {}
    for message in messages:
        targets: dict[str, list[int]] = {}
        if in_groups and is_group(message.conversation):
            members = in_groups[message.conversation, message.seq]
            # Messages between two changes of a group share one set of members.
            if id(members) not in connected:
                connected[id(members)] = routes.among(members, nodes)
            targets = connected[id(members)]
        else:
            pair = members_of(message.conversation)
            for user in (message.sender,) if message.withheld else pair:
                for node in nodes_of.get(user, ()):
                    targets.setdefault(node, []).append(user)
        for node, users in targets.items():
            per_node.setdefault(node, []).append((message, users))
    return per_node


class ToldCursors:
    """
    The last cursors of recent conversations of two, and the last heads.

    @param limit: the most cursors, and the most heads; beyond it, the oldest are
        forgotten.
    """

    def __init__(self, limit: int = 50_000) -> None:
        self._limit = limit
        self._heads: dict[str, int] = {}
        self._cursors: dict[tuple[str, int], Cursor] = {}

    def pushed(self, messages: Iterable[Message]) -> None:
        """
        Note messages that are stored.
        """
        heads = self._heads
        for m in messages:
            name = m.conversation
            # What is withheld is not there for its recipient, whose cursor stops.
            if not m.withheld and m.seq > heads.get(name, 0):
                heads[name] = m.seq
        while len(heads) > self._limit:
            del heads[next(iter(heads))]

    def told(self, cursor: Cursor) -> None:
        """
        Note a cursor that the members are told.
        """
        cursors, key = self._cursors, (cursor.conversation, cursor.user)
        if not is_group(cursor.conversation):
            known = cursors.get(key)
            cursors[key] = cursor if known is None else raised(known, cursor)
            if len(cursors) > self._limit:
                del cursors[next(iter(cursors))]

    def ahead(self, cursor: Cursor) -> Cursor | None:
        """
        Return how far the user is by this cursor, if the store would agree as far as
        this Message knows; L{None}: only the store can say.
        """
        known = self._cursors.get((cursor.conversation, cursor.user))
        if known is None or cursor.delivered > self._heads.get(cursor.conversation, 0):
            return None
        return raised(known, cursor)

    def is_told(self, cursor: Cursor) -> bool:
        """
        Return whether the members know of this cursor.
        """
        known = self._cursors.get((cursor.conversation, cursor.user))
        return known is not None and raised(known, cursor) == known


def raised(cursor: Cursor, to: Cursor) -> Cursor:
    """
    Return the higher numbers of both cursors.
    """
    delivered = max(cursor.delivered, to.delivered)
    return Cursor(
        cursor.conversation, cursor.user, delivered, max(cursor.read, to.read)
    )
