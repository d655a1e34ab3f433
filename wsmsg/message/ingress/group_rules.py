"""
Who may say, change and take back what in groups.

The store knows.  What is asked of it is asked for many sends at once; that somebody is
a member is believed for a second, so that a busy group does not ask for each message.
What was accepted here and is not carried out yet is known here as well: who makes a
group may speak in it at once.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Any, Generic, TypeVar

import attrs
from twisted.internet.defer import Deferred, FirstError, gatherResults

from wsmsg.errors import BadRequest, Conflict, Forbidden, NotFound, TooLarge, WsmsgError
from wsmsg.message.ingress.interface import SendRequest
from wsmsg.message.store.interface import IConversations
from wsmsg.model import (
    FIRST_EVENT,
    GROUP,
    RECALL,
    RECALLED,
    Message,
    change_in,
    is_group,
    recalled_in,
)
from wsmsg.settings.values import MessageSettings

#: How long an answer of the store is believed that somebody is a member.
BELIEVED_MS = 1000

# How long a change that was accepted counts although the store does not know of it.
_CHANGED_MS = 5000
_MADE_MS = 60_000
_REMEMBERED = 100_000
# Of what may name a thousand users.
_BIG = 1000

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Lately(Generic[K, V]):
    """
    What is true for a while; the oldest is forgotten over a bound.
    """

    def __init__(
        self, now_ms: Callable[[], int], lasting_ms: int, *, limit: int = _REMEMBERED
    ) -> None:
        self._now_ms = now_ms
        self._lasting_ms = lasting_ms
        self._limit = limit
        self._until: dict[K, tuple[int, V]] = {}

    def __len__(self) -> int:
        return len(self._until)

    def get(self, key: K) -> V | None:
        """
        What was said of this key within the time.
        """
        known = self._until.get(key)
        if known is None or known[0] <= self._now_ms():
            return None
        return known[1]

    def put(self, keys: Iterable[K], value: V) -> None:
        """
        Say it of these keys from now on.
        """
        now_ms = self._now_ms()
        until = now_ms + self._lasting_ms
        for key in keys:
            self._until.pop(key, None)
            self._until[key] = (until, value)
        while self._until:
            oldest = next(iter(self._until))
            if len(self._until) <= self._limit and self._until[oldest][0] > now_ms:
                break
            del self._until[oldest]

    def drop(self, key: K) -> None:
        """
        Say nothing of this key.
        """
        self._until.pop(key, None)


@attrs.frozen
class _Facts:
    """
    What the store says of the groups and messages that proposals are about.
    """

    readable: Mapping[tuple[str, int], int]
    members: Mapping[str, frozenset[int]]
    owners: Mapping[str, int]
    messages: Mapping[tuple[str, int], Message]


class GroupRules:
    """
    Judges what the proposals themselves do not tell.

    @ivar group_members: the most members of a group.
    @ivar recall_s: for how long a message can be taken back, in seconds.
    """

    def __init__(
        self,
        store: IConversations,
        now_ms: Callable[[], int],
        *,
        group_members: int,
        recall_s: float,
    ) -> None:
        self.group_members = group_members
        self.recall_s = recall_s
        self._store = store
        self._now_ms = now_ms
        self._members: Lately[tuple[str, int], bool] = Lately(now_ms, BELIEVED_MS)
        self._moved: Lately[tuple[str, int], bool] = Lately(now_ms, _CHANGED_MS)
        self._made: Lately[str, Message] = Lately(now_ms, _MADE_MS, limit=_BIG)
        self._claimed: Lately[str, frozenset[int]] = Lately(
            now_ms, _CHANGED_MS, limit=_BIG
        )

    def apply_settings(self, settings: MessageSettings) -> None:
        """
        Apply the limits of groups and of recalls.
        """
        self.group_members = settings.group_members
        self.recall_s = settings.recall_s

    def believes(self, proposal: SendRequest) -> bool:
        """
        Whether the sender is known to be a member without asking.
        """
        return bool(self._members.get((proposal.conversation, proposal.sender)))

    async def judge(self, proposals: Sequence[SendRequest]) -> list[WsmsgError | None]:
        """
        @return: what speaks against each of them.
        @raise Unavailable: the store is not there.
        """
        facts = await self._ask(proposals)
        for (conversation, user), _ in facts.readable.items():
            made = self._made.get(conversation)
            if made is not None and made.sender == user:
                self._made.drop(conversation)  # the store knows of it by now
        return [self._problem(p, facts) for p in proposals]

    def accepted(self, message: Message) -> None:
        """
        A change of a group is in the journal.
        """
        change = change_in(message.content)
        conversation = message.conversation
        if change.created:
            self._made.put([conversation], message)
        else:
            self._moved.put([(conversation, u) for u in change.add], True)
        self._moved.put([(conversation, u) for u in change.remove], False)
        for user in change.remove:
            self._members.drop((conversation, user))

    # -- asking

    async def _ask(self, proposals: Sequence[SendRequest]) -> _Facts:
        keys = {(p.conversation, p.sender) for p in proposals}
        made = ((c, self._made.get(c)) for c in {p.conversation for p in proposals})
        keys.update((c, m.sender) for c, m in made if m is not None)
        keys = {k for k in keys if is_group(k[0])}
        changed = {p.conversation for p in proposals if p.kind == GROUP}
        recalled = {
            (p.conversation, recalled_in(p.content))
            for p in proposals
            if p.kind == RECALL
        }
        asked: list[Deferred[Any]] = [
            Deferred.fromCoroutine(part)
            for part in (
                self._readable(list(keys)),
                self._members_of(list(changed)),
                self._owners(list(changed)),
                self._messages(list(recalled)),
            )
        ]
        try:
            answers = await gatherResults(asked, consumeErrors=True)
        except FirstError as e:
            e.subFailure.raiseException()
        return _Facts(*answers)

    async def _readable(
        self, keys: Sequence[tuple[str, int]]
    ) -> Mapping[tuple[str, int], int]:
        return await self._store.readable_from(keys) if keys else {}

    async def _members_of(self, groups: Sequence[str]) -> Mapping[str, frozenset[int]]:
        return await self._store.members(groups) if groups else {}

    async def _owners(self, groups: Sequence[str]) -> Mapping[str, int]:
        pages = await gatherResults(
            [self._store.group(g, 0, 0) for g in groups], consumeErrors=True
        )
        return {p.conversation: p.owner for p in pages if p is not None}

    async def _messages(
        self, places: Sequence[tuple[str, int]]
    ) -> Mapping[tuple[str, int], Message]:
        pages = await gatherResults(
            [self._store.page(c, seq - 1, 1) for c, seq in places], consumeErrors=True
        )
        return {(m.conversation, m.seq): m for some, _ in pages for m in some}

    # -- judging

    def _problem(self, proposal: SendRequest, facts: _Facts) -> WsmsgError | None:
        try:
            if proposal.kind == GROUP:
                self._check_change(proposal, facts)
                return None
            if is_group(proposal.conversation):
                self._check_member(proposal, facts)
            if proposal.kind == RECALL:
                self._check_recall(proposal, facts)
        except WsmsgError as e:
            return e
        return None

    def _check_member(self, proposal: SendRequest, facts: _Facts) -> None:
        key = (proposal.conversation, proposal.sender)
        moved = self._moved.get(key)
        if moved is None:
            moved = key in facts.readable or self._was_made_with(*key)
        if not moved:
            raise Forbidden(f"{proposal.sender} is not in {proposal.conversation}")
        self._members.put([key], True)

    def _was_made_with(self, conversation: str, user: int) -> bool:
        made = self._made.get(conversation)
        return made is not None and user in change_in(made.content).add

    def _check_change(self, proposal: SendRequest, facts: _Facts) -> None:
        conversation, sender = proposal.conversation, proposal.sender
        change = change_in(proposal.content)
        owner = facts.owners.get(conversation)
        if change.created:
            if owner not in (None, sender):
                raise Conflict("somebody else has made the group of this number")
        else:
            made = self._made.get(conversation)
            owner = made.sender if owner is None and made is not None else owner
            if sender != owner:
                self._check_member(proposal, facts)
                if change.add or change.remove != (sender,):
                    raise Forbidden("only the owner adds and removes others")
        if change.add:
            self._check_size(conversation, frozenset(change.add), facts)

    def _check_size(
        self, conversation: str, added: frozenset[int], facts: _Facts
    ) -> None:
        claimed = self._claimed.get(conversation) or frozenset()
        added = added | claimed
        members = facts.members.get(conversation, frozenset()) | added
        if len(members) > self.group_members:
            raise TooLarge(
                f"the group would have {len(members)} members,"
                f" the limit is {self.group_members}"
            )
        self._claimed.put([conversation], added)

    def _check_recall(self, proposal: SendRequest, facts: _Facts) -> None:
        seq = recalled_in(proposal.content)
        message = facts.messages.get((proposal.conversation, seq))
        if message is None:
            raise NotFound(f"there is no message {seq} in {proposal.conversation}")
        if message.sender != proposal.sender:
            raise Forbidden("only who sent a message takes it back")
        if message.kind == RECALLED:
            raise BadRequest(f"message {seq} was taken back already")
        if message.kind >= FIRST_EVENT:
            raise BadRequest(f"message {seq} cannot be taken back")
        if self._now_ms() - message.time_ms > self.recall_s * 1000:
            raise Forbidden(f"message {seq} was sent more than {self.recall_s:g} s ago")
