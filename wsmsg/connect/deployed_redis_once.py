"""
Messages without a number, which come by two ways, given once.

A deployed Message pushes to every Connect, and a deployed Connect that gets such a
push hands it to ours through Redis as well: either may be first, and either may be
lost.  What has a number passes: sessions see by it that they have had it.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

from zope.interface import implementer

from wsmsg.connect.interfaces import IEdge
from wsmsg.connect.registry import Registry
from wsmsg.model import Cursor, Message, Presence

#: Of how many it is remembered that they were given.
REMEMBERED = 10_000


@implementer(IEdge)
class OnceEdge:
    """
    The sessions, each message without a number only once a user.  The ids of a
    deployed Message are not unique, so what was said counts too.

    @ivar repeated: how many came again.
    """

    def __init__(self, registry: Registry, limit: int = REMEMBERED) -> None:
        self.repeated = 0
        self._registry = registry
        self._limit = limit
        self._given: dict[Hashable, None] = {}

    def push(self, message: Message, targets: Sequence[int]) -> Any:
        if message.seq:
            return self._registry.push(message, targets)
        new = [user for user in targets if self._is_new(user, message)]
        if new:
            return self._registry.push(message, new)
        return True  # they have had it

    def _is_new(self, user: int, message: Message) -> bool:
        if user not in self._registry:
            return True  # and is still when they are
        key = (user, message.message_id, message.sender, hash(message.content))
        if key in self._given:
            self.repeated += 1
            return False
        self._given[key] = None
        if len(self._given) > self._limit:
            del self._given[next(iter(self._given))]
        return True

    def users(self) -> Sequence[int]:
        return self._registry.users()

    def watched(self) -> Sequence[int]:
        return self._registry.watched()

    def receipt(self, cursor: Cursor, targets: Sequence[int]) -> None:
        self._registry.receipt(cursor, targets)

    def typing(self, conversation: str, user: int, targets: Sequence[int]) -> None:
        self._registry.typing(conversation, user, targets)

    def presence(self, presence: Presence) -> None:
        self._registry.presence(presence)

    def resync(self, reason: str, opened_after_s: float) -> None:
        self._registry.resync(reason, opened_after_s)
