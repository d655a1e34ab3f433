"""
Rules for sends to groups and for events: membership, ownership, limits.

The store knows the members.  L{GroupRules} asks it about many requests at once, and
remembers for a second that a user is a member, so that a busy group does not cost a
query for each message; while the store is away, for longer.  Changes that were accepted
here, and that the store does not know yet, count too: the creator of a group can send
to it at once.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence

from wsmsg.errors import Forbidden, TooLarge, WsmsgError
from wsmsg.events import member_change
from wsmsg.flow.expiring import REMEMBERED, Expiring
from wsmsg.message.ingress.facts import EventFacts, ask, messages_at, owners_of
from wsmsg.message.ingress.interface import SendRequest
from wsmsg.message.store.interface import IConversations
from wsmsg.model import Message, is_group
from wsmsg.settings.values import ConsentSettings, MessageSettings

#: How long a membership that the store confirmed is remembered.
CONFIRMED_S = 1.0
#: How long it counts while the store is away: others may change it, or nobody can.
KNOWN_S, KNOWN_ALONE_S = 60.0, 86_400.0

# How long an accepted change counts that the store does not know yet.
_CHANGED_S = 5.0
_CREATED_S = 60.0
# How long after the first question the store may still learn of a group.
_UNKNOWN_S = 120.0
# How long after its creation a group may not have all of its members.
_NEW_MS = 5000
# The limit for entries that may name a thousand users each.
_BIG = 1000
# The most users, in all groups together, for whom room is reserved.
_RESERVED = 1_000_000

#: A conversation and a user.
_Key = tuple[str, int]


class NotAMember(Forbidden):
    """
    The sender is not a member of the group, as far as the store knows.
    """


class GroupRules:
    """
    Judges requests by what the store knows about groups and messages.

    @param shared: other Messages may accept groups for the same store.
    @param now_ms: returns unix milliseconds, to judge the age of a message.
    @param seconds: returns monotonic seconds, for what is remembered.
    @ivar group_members: the most members of a group.
    @ivar recall_s: how long after sending a message can be recalled, in seconds.
    @ivar consent: the limits of blocks and of invitations.
    """

    def __init__(
        self,
        store: IConversations,
        now_ms: Callable[[], int],
        *,
        group_members: int,
        recall_s: float,
        shared: bool,
        consent: ConsentSettings | None = None,
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self.group_members = group_members
        self.recall_s = recall_s
        self.consent = consent or ConsentSettings()
        self.now_ms = now_ms
        self._store = store
        self._shared = shared
        self._seconds = seconds
        self._unknown: dict[str, float] = {}
        known_s = KNOWN_S if shared else KNOWN_ALONE_S
        self._members: Expiring[tuple[str, int], float] = Expiring(seconds, known_s)
        self._changed: Expiring[tuple[str, int], bool] = Expiring(seconds, _CHANGED_S)
        self._created: Expiring[str, Message] = Expiring(
            seconds, _CREATED_S, limit=_BIG
        )
        self._reserved: Expiring[str, frozenset[int]] = Expiring(
            seconds, _CHANGED_S, limit=_RESERVED, size_of=len
        )

    def apply_settings(self, settings: MessageSettings) -> None:
        """
        Apply the limits of groups, of recalls and of consent.
        """
        self.group_members = settings.group_members
        self.recall_s = settings.recall_s
        self.consent = settings.consent

    def is_confirmed_member(self, request: SendRequest) -> bool:
        """
        Return whether the store confirmed within the last second that the sender is a
        member; while the store is away, whether it did within L{KNOWN_S}.
        """
        confirmed_s = self._members.get((request.conversation, request.sender))
        if confirmed_s is None:
            return False
        age_s = self._seconds() - confirmed_s
        return age_s < CONFIRMED_S or not self._store.dependency.up

    async def judge(self, requests: Sequence[SendRequest]) -> list[WsmsgError | None]:
        """
        @return: for each request the error to refuse it with; L{None}: it is allowed.
        @raise Unavailable: the store is not available.
        """
        since_ms = self.now_ms() - int(self.consent.invitation_s * 1000)
        creators = self._creators(requests)
        answers = await ask(self._store, requests, creators, since_ms)
        for conversation, user in answers.readable:
            created = self._created.get(conversation)
            if created is not None and created.sender == user:
                self._created.drop(conversation)  # the store knows the group by now
        facts = EventFacts(self, answers)
        return [facts.problem(request) for request in requests]

    async def may_be_unstored(self, keys: Iterable[_Key]) -> set[_Key]:
        """
        Return those of the conversations and users of which the store may not know yet
        that the user is a member of the group.

        A group that the store does not know may have been accepted by another Message.
        It is waited for so long after it was first asked for: C{_UNKNOWN_S}.  One that
        was created a moment ago may not have all members yet.

        @param keys: the user is 0 where any member counts.
        @raise Unavailable: the store is not available.
        """
        asked = [key for key in keys if is_group(key[0])]
        names = list(dict.fromkeys(name for name, _ in asked))
        owners = await owners_of(self._store, names)
        places = [(name, 1) for name in names if name in owners]
        begins = await messages_at(self._store, places)
        waited = set()
        for key in asked:
            name, now_s = key[0], self._seconds()
            if name in owners:
                self._unknown.pop(name, None)
                created = begins.get((name, 1))
                is_new = created and abs(self.now_ms() - created.time_ms) < _NEW_MS
                waits = bool(created and is_new and self._names(created, key))
            elif (created := self._created.get(name)) is not None:
                waits = self._names(created, key)
            else:
                # Where no other Message can know the group, nothing is waited for.
                waits = self._shared and (
                    now_s < self._unknown.setdefault(name, now_s) + _UNKNOWN_S
                )
            if waits:
                waited.add(key)
        while len(self._unknown) > REMEMBERED:
            del self._unknown[next(iter(self._unknown))]
        return waited

    def _names(self, created: Message, key: _Key) -> bool:
        change, user = member_change(created), key[1]
        if change is None or not change.created or self._changed.get(key) is False:
            return False
        return not user or user in change.add

    def accepted(self, event: Message) -> None:
        """
        Apply an event that is in the journal to what is remembered of members.
        """
        change = member_change(event)
        if change is None:
            return
        conversation = event.conversation
        if change.created:
            self._created.put([conversation], event)
        else:
            self._changed.put([(conversation, u) for u in change.add], True)
        self._changed.put([(conversation, u) for u in change.remove], False)
        for user in change.remove:
            self._members.drop((conversation, user))

    def creation(self, conversation: str) -> Message | None:
        """
        Return the accepted event that created a group which the store does not know.
        """
        return self._created.get(conversation)

    def check_member(
        self, conversation: str, user: int, *, readable: Mapping[tuple[str, int], int]
    ) -> None:
        """
        @param readable: the members, as the store knows them.
        @raise NotAMember: the user is not a member.
        """
        key = (conversation, user)
        member = self._changed.get(key)
        if member is None:
            member = key in readable or self._was_created_with(conversation, user)
        if not member:
            self._members.drop(key)
            raise NotAMember(f"user {user} is not in {conversation}")
        self._members.put([key], self._seconds())

    def check_size(
        self, conversation: str, added: frozenset[int], *, members: frozenset[int]
    ) -> None:
        """
        Reserve room for new members; requests that are judged soon after count them.

        @param members: the members, as the store knows them.
        @raise TooLarge: the group would have too many members.
        """
        added = added | (self._reserved.get(conversation) or frozenset())
        size = len(members | added)
        if size > self.group_members:
            raise TooLarge(
                f"the group would have {size} members,"
                f" the limit is {self.group_members}"
            )
        self._reserved.put([conversation], added)

    def _creators(self, requests: Sequence[SendRequest]) -> set[_Key]:
        created = (
            (c, self._created.get(c)) for c in {r.conversation for r in requests}
        )
        return {(c, m.sender) for c, m in created if m is not None}

    def _was_created_with(self, conversation: str, user: int) -> bool:
        created = self._created.get(conversation)
        change = None if created is None else member_change(created)
        return change is not None and user in change.add
