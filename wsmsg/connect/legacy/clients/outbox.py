"""
An outbox that reports when the client has taken everything.
"""

from __future__ import annotations

from typing import Protocol

from wsmsg.connect.session.interface import ISessionPeer
from wsmsg.connect.session.outbox import Outbox, OutboxOwner


class LegacyOutboxOwner(OutboxOwner, Protocol):
    """
    The session that a legacy outbox belongs to.
    """

    def emptied(self) -> None:
        """The queue is empty and the transport accepts more."""


class LegacyOutbox(Outbox):
    """
    The queue in front of a legacy client, which is given pages of messages.
    """

    __slots__ = ("_legacy_owner",)

    def __init__(self, owner: LegacyOutboxOwner, peer: ISessionPeer) -> None:
        super().__init__(owner, peer)
        self._legacy_owner = owner

    @property
    def is_idle(self) -> bool:
        """
        True if the next frame goes straight to the transport.
        """
        return not self._paused and not self._waiting and not self._closed

    def resumeProducing(self) -> None:
        super().resumeProducing()
        if self.is_idle:
            self._legacy_owner.emptied()
