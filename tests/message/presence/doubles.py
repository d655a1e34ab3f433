"""
A double of the presence backend.
"""

from __future__ import annotations

from collections.abc import Sequence

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from zope.interface import implementer

from wsmsg.dependency.state import Dependency
from wsmsg.message.presence.interface import IPresence
from wsmsg.model import UserPresence


@implementer(IPresence)
class RecordingPresence:
    """
    A presence that records its calls, and knows nobody.

    @ivar calls: the name and the arguments of each call.
    """

    def __init__(self) -> None:
        self.dependency = Dependency("presence", Clock())
        self.calls: list[tuple[object, ...]] = []

    def start(self) -> None:
        pass

    def stop(self) -> Deferred[None]:
        return succeed(None)

    def replace(self, node: str, users: Sequence[int]) -> Deferred[None]:
        self.calls.append(("replace", node, sorted(users)))
        return succeed(None)

    def change(
        self, node: str, online: Sequence[int], offline: Sequence[int]
    ) -> Deferred[None]:
        self.calls.append(("change", node, list(online), list(offline)))
        return succeed(None)

    def renew(self, node: str) -> Deferred[None]:
        self.calls.append(("renew", node))
        return succeed(None)

    def forget(self, node: str) -> Deferred[None]:
        self.calls.append(("forget", node))
        return succeed(None)

    def look_up(self, users: Sequence[int]) -> Deferred[list[UserPresence]]:
        return succeed([UserPresence(u, False) for u in users])
