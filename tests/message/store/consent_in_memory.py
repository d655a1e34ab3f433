"""
Blocks, invitations and withheld messages in the memory of a test.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from twisted.internet.defer import Deferred, succeed
from zope.interface import implementer

from tests.message.store.groups_in_memory import GroupsInMemory
from wsmsg.dependency.state import Dependency
from wsmsg.events.block import BLOCK, decode_block
from wsmsg.events.group_change import GROUP, decode_change
from wsmsg.events.invitation import DECLINE, INVITATION, decode_invitation
from wsmsg.message.store.consent import (
    BlockRow,
    ConsentKey,
    IConsent,
    InvitationRow,
    ShownHead,
)
from wsmsg.model import Message, other_of


@implementer(IConsent)
class ConsentInMemory:
    """
    L{IConsent}, in the simplest way.

    @param messages: returns all messages.
    @param check: raises while the store is away.
    @ivar block_rows: by user and target: the number of the deciding event, whether the
        block is on, and its time.
    @ivar invitation_rows: by user and group: the id of the deciding event, whether the
        invitation is open, the inviter and the time.
    """

    def __init__(
        self,
        messages: Callable[[], Iterable[Message]],
        groups: GroupsInMemory,
        dependency: Dependency,
        check: Callable[[], object],
    ) -> None:
        self.dependency = dependency
        self.may_withhold = False
        self.block_rows: dict[ConsentKey, tuple[int, bool, int]] = {}
        self.invitation_rows: dict[ConsentKey, tuple[int, bool, int, int]] = {}
        self._messages = messages
        self._groups = groups
        self._check = check

    def apply(self, event: Message) -> None:
        """
        Apply an event.
        """
        if event.kind == BLOCK:
            block = decode_block(event.content)
            key = (event.sender, block.target)
            if event.seq > self.block_rows.get(key, (0, False, 0))[0]:
                self.block_rows[key] = (event.seq, block.on, event.time_ms)
            self.may_withhold = True
        elif event.kind == INVITATION:
            invited = other_of(event.conversation, event.sender)
            key = (invited, decode_invitation(event.content))
            if not event.withheld and event.message_id > self._decided(key):
                row = (event.message_id, True, event.sender, event.time_ms)
                self.invitation_rows[key] = row
        elif event.kind == DECLINE:
            self._close((event.sender, decode_invitation(event.content)), event)
        elif event.kind == GROUP:
            for user in decode_change(event.content).add:
                self._close((user, event.conversation), event)

    def look_for_blocks(self) -> Deferred[None]:
        return succeed(None)

    def blocked(self, keys: Sequence[ConsentKey]) -> Deferred[frozenset[ConsentKey]]:
        return self._answer(lambda: frozenset(k for k in keys if self._is_on(k)))

    def blocks(self, user: int, after: str, limit: int) -> Deferred[list[BlockRow]]:
        return self._answer(
            lambda: [
                BlockRow(target, self.block_rows[u, target][2])
                for u, target in sorted(self.block_rows)
                if u == user and target > after and self._is_on((u, target))
            ][:limit]
        )

    def block_counts(self, users: Sequence[int]) -> Deferred[dict[int, int]]:
        on = [u for u, target in self.block_rows if self._is_on((u, target))]
        return self._answer(lambda: {user: on.count(user) for user in users})

    def shown_heads(
        self, keys: Sequence[tuple[str, int]]
    ) -> Deferred[dict[tuple[str, int], ShownHead]]:
        return self._answer(lambda: self.shown_now(keys))

    def shown_now(
        self, keys: Sequence[tuple[str, int]]
    ) -> dict[tuple[str, int], ShownHead]:
        """
        As L{shown_heads}, at once.
        """
        found = {}
        for name, user in keys:
            some = [m for m in self._messages() if m.conversation == name]
            last = max(some, key=lambda m: m.seq, default=None)
            if user and last is not None and last.is_withheld_from(user):
                found[name, user] = ShownHead(last.withheld - 1, 0)
        return found

    def acquainted(
        self, pairs: Sequence[tuple[int, int]]
    ) -> Deferred[frozenset[tuple[int, int]]]:
        groups = [members for _, _, members in self._groups.groups.values()]
        return self._answer(
            lambda: frozenset(
                (a, b) for a, b in pairs if any(a in g and b in g for g in groups)
            )
        )

    def invited(
        self, keys: Sequence[ConsentKey], since_ms: int
    ) -> Deferred[frozenset[ConsentKey]]:
        return self._answer(
            lambda: frozenset(key for key in keys if self._is_open(key, since_ms))
        )

    def invitations(
        self, user: int, after: str, limit: int, since_ms: int
    ) -> Deferred[list[InvitationRow]]:
        return self._answer(
            lambda: [
                InvitationRow(
                    group,
                    self._groups.groups[group][0].name,
                    *self.invitation_rows[u, group][2:],
                )
                for u, group in sorted(self.invitation_rows)
                if u == user and group > after and self._is_open((u, group), since_ms)
            ][:limit]
        )

    def invitation_counts(
        self, users: Sequence[int], since_ms: int
    ) -> Deferred[dict[int, int]]:
        there = [k[0] for k in self.invitation_rows if self._is_open(k, since_ms)]
        return self._answer(lambda: {user: there.count(user) for user in users})

    def _answer(self, answer: Callable[[], object]) -> Deferred:  # type: ignore[type-arg]
        async def answered() -> object:
            self._check()
            return answer()

        return Deferred.fromCoroutine(answered())

    def _is_on(self, key: ConsentKey) -> bool:
        return self.block_rows.get(key, (0, False, 0))[1]

    def _is_open(self, key: ConsentKey, since_ms: int) -> bool:
        _, is_open, _, time_ms = self.invitation_rows.get(key, (0, False, 0, 0))
        return is_open and time_ms >= since_ms

    def _decided(self, key: ConsentKey) -> int:
        return self.invitation_rows.get(key, (0, False, 0, 0))[0]

    def _close(self, key: ConsentKey, event: Message) -> None:
        row = self.invitation_rows.get(key)
        if row is not None and event.message_id > row[0]:
            self.invitation_rows[key] = (event.message_id, False, *row[2:])
