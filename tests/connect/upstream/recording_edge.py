"""
A double of the sessions, for tests of Connect's upstream.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from zope.interface import implementer

from wsmsg.connect.upstream.interface import IEdge
from wsmsg.flow.life_ring import LifeRing
from wsmsg.model import Cursor, Message, UserPresence


@implementer(IEdge)
class RecordingEdge:
    """
    Sessions that record the calls to them; each device has a C{newer} login.

    @ivar waits: of each push, the frames that have to wait in an outbox.
    """

    def __init__(self) -> None:
        self.newer = self.waited = self.waits = 0
        self.life = LifeRing(10)
        self.there: list[int] = []
        self.unsure = False
        self.asked_for: list[int] = []
        self.calls: list[tuple[Any, ...]] = []

    def users(self) -> Sequence[int]:
        return self.there

    def is_unsure(self) -> bool:
        return self.unsure

    def has_user(self, user: int) -> bool:
        return user in self.there

    def is_alone(self, user: int) -> bool:
        return self.there.count(user) == 1

    def watched(self) -> Sequence[int]:
        return self.asked_for

    def push(self, message: Message, targets: Sequence[int]) -> int:
        self.calls.append(("push", message, tuple(targets)))
        self.waited += self.waits
        return sum(target in self.there for target in targets)

    def reconnect_all(self, reason: str) -> None:
        self.calls.append(("reconnect_all", reason))

    def receipt(self, cursor: Cursor, targets: Sequence[int]) -> None:
        self.calls.append(("receipt", cursor, tuple(targets)))

    def typing(self, conversation: str, user: int, targets: Sequence[int]) -> None:
        self.calls.append(("typing", conversation, user, tuple(targets)))

    def presence(self, presence: UserPresence) -> None:
        self.calls.append(("presence", presence))

    def blocked(self, by: int, user: int) -> None:
        self.calls.append(("blocked", by, user))

    def revoke(self, revoked: Iterable[tuple[int, int]]) -> None:
        for user, before_ms in revoked:
            self.calls.append(("revoke", user, before_ms))

    def kick(self, user: int, device: str, reason: str) -> None:
        self.calls.append(("kick", user, device, reason))

    def replaced(self, user: int, device: str, last_login: int) -> int:
        self.calls.append(("replaced", user, device, last_login))
        return self.newer

    def resync(self, reason: str, opened_after_s: float) -> None:
        self.calls.append(("resync", reason, opened_after_s))
