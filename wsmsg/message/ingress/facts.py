"""
The facts that sends to groups and events are judged by, and the questions to the store
that they come from.  The requests of a batch are asked about together.
"""

from __future__ import annotations

from collections.abc import Awaitable, Iterable, Mapping, Sequence
from typing import Any, Protocol

import attrs
from twisted.internet.defer import succeed

from wsmsg.dependency.gather import gather
from wsmsg.errors import WsmsgError
from wsmsg.events import EVENT_KINDS
from wsmsg.events.kind import Questions
from wsmsg.message.ingress.interface import SendRequest
from wsmsg.message.store.interface import IConversations
from wsmsg.model import Message, is_group
from wsmsg.settings.values import ConsentSettings

#: A conversation and a user.
Key = tuple[str, int]


@attrs.frozen
class StoreAnswers:
    """
    The store's answers about what requests refer to.

    @ivar readable: the number from which on a member may read, by group and user.
    @ivar blocks: the number of blocks, by user.
    @ivar blocked: pairs of a user and a target that the user has blocked.
    @ivar invited: pairs of a user and a group to which the user is invited.
    @ivar invitations: the number of open invitations, by user.
    """

    readable: Mapping[Key, int]
    members: Mapping[str, frozenset[int]]
    owners: Mapping[str, int]
    messages: Mapping[Key, Message]
    blocks: Mapping[int, int]
    blocked: frozenset[tuple[int, str]]
    invited: frozenset[tuple[int, str]]
    invitations: Mapping[int, int]


class Rules(Protocol):
    """
    The group rules, as the facts see them.
    """

    recall_s: float
    consent: ConsentSettings

    def now_ms(self) -> int: ...

    def creation(self, conversation: str) -> Message | None: ...

    def check_member(
        self, conversation: str, user: int, *, readable: Mapping[Key, int]
    ) -> None: ...

    def check_size(
        self, conversation: str, added: frozenset[int], *, members: frozenset[int]
    ) -> None: ...


async def ask(
    store: IConversations,
    requests: Sequence[SendRequest],
    creators: Iterable[Key],
    invited_since_ms: int,
) -> StoreAnswers:
    """
    Ask the store about these requests.

    @param creators: further members to ask about.
    @param invited_since_ms: the time of the oldest invitation that is still open.
    @raise Unavailable: the store is not available.
    """
    keys = {(r.conversation, r.sender) for r in requests}.union(creators)
    groups: set[str] = set()
    owned: set[str] = set()
    targets: set[Key] = set()
    asked: list[Questions] = []
    for request in requests:
        kind = EVENT_KINDS.get(request.kind)
        if kind is None:
            continue
        if kind.needs_group:
            groups.add(request.conversation)
        seq = kind.target(request.content)
        if seq:
            targets.add((request.conversation, seq))
        asked.append(kind.questions(request))
    for questions in asked:
        keys.update(questions.members)
        owned.update({questions.group} - {""})
    blockers = {q.blocks_of for q in asked} - {0}
    blocked = {key for q in asked for key in q.blocked}
    invited = {key for q in asked for key in q.invited}
    invitees = {q.invitations_of for q in asked} - {0}
    parts: list[Awaitable[Any]] = [
        _or({}, store.readable_from, [key for key in keys if is_group(key[0])]),
        _or({}, store.members, list(groups)),
        owners_of(store, list(groups | owned)),
        messages_at(store, list(targets)),
        _or({}, store.consent.block_counts, list(blockers)),
        _or(frozenset(), store.consent.blocked, list(blocked)),
        _or(frozenset(), store.consent.invited, list(invited), invited_since_ms),
        _or({}, store.consent.invitation_counts, list(invitees), invited_since_ms),
    ]
    return StoreAnswers(*await gather(parts))


def _or(nothing: Any, ask_store: Any, keys: Sequence[Any], *more: Any) -> Any:
    return ask_store(keys, *more) if keys else succeed(nothing)


async def owners_of(store: IConversations, groups: Sequence[str]) -> Mapping[str, int]:
    """
    Return the owners of the groups that the store knows.
    """
    pages = await gather(store.group(g, 0, 0) for g in groups)
    return {p.conversation: p.owner for p in pages if p is not None}


async def messages_at(
    store: IConversations, places: Sequence[Key]
) -> Mapping[Key, Message]:
    """
    Return the messages with these conversations and numbers that the store has.
    """
    pages = await gather(store.page(c, seq - 1, 1) for c, seq in places)
    return {(m.conversation, m.seq): m for some, _ in pages for m in some}


@attrs.frozen
class EventFacts:
    """
    The L{wsmsg.events.kind.Facts} of one judgement.
    """

    _rules: Rules
    _answers: StoreAnswers

    @property
    def now_ms(self) -> int:
        return self._rules.now_ms()

    @property
    def recall_s(self) -> float:
        return self._rules.recall_s

    @property
    def most_blocks(self) -> int:
        return self._rules.consent.blocks

    @property
    def most_invitations(self) -> int:
        return self._rules.consent.invitations

    @property
    def invites_only(self) -> bool:
        return self._rules.consent.groups == "invite"

    def problem(self, request: SendRequest) -> WsmsgError | None:
        """
        Return the error to refuse a request with, if any.
        """
        kind = EVENT_KINDS.get(request.kind)
        try:
            if is_group(request.conversation) and (kind is None or kind.members_only):
                self.check_member(request.conversation, request.sender)
            if kind is not None:
                kind.judge(request, self)
        except WsmsgError as e:
            return e
        return None

    def owner(self, conversation: str) -> int | None:
        owner = self._answers.owners.get(conversation)
        if owner is None:
            created = self._rules.creation(conversation)
            return None if created is None else created.sender
        return owner

    def message(self, conversation: str, seq: int) -> Message | None:
        return self._answers.messages.get((conversation, seq))

    def is_member(self, conversation: str, user: int) -> bool:
        return (conversation, user) in self._answers.readable

    def blocks(self, user: int) -> int:
        return self._answers.blocks.get(user, 0)

    def is_blocked(self, user: int, target: str) -> bool:
        return (user, target) in self._answers.blocked

    def is_invited(self, user: int, group: str) -> bool:
        return (user, group) in self._answers.invited

    def invitations(self, user: int) -> int:
        return self._answers.invitations.get(user, 0)

    def check_member(self, conversation: str, user: int) -> None:
        readable = self._answers.readable
        self._rules.check_member(conversation, user, readable=readable)

    def check_size(self, conversation: str, added: frozenset[int]) -> None:
        members = self._answers.members.get(conversation, frozenset())
        self._rules.check_size(conversation, added, members=members)
