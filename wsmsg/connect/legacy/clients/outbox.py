"""
An outbox that says when the client has taken all of it.
"""

from __future__ import annotations

from typing import Protocol

from wsmsg.connect.session.interface import ISessionPeer
from wsmsg.connect.session.outbox import Outbox, OutboxOwner


class RoomyOwner(OutboxOwner, Protocol):
    """
    Who gives more when there is room.
    """

    def emptied(self) -> None:
        """The client takes more."""


class LegacyOutbox(Outbox):
    """
    The queue in front of a client that is given pages.
    """

    __slots__ = ("_roomy",)

    def __init__(self, owner: RoomyOwner, peer: ISessionPeer) -> None:
        super().__init__(owner, peer)
        self._roomy = owner

    @property
    def is_idle(self) -> bool:
        """
        Whether what is put in now goes straight to the client.
        """
        return not self._paused and not self._waiting and not self._closed

    def resumeProducing(self) -> None:
        super().resumeProducing()
        if self.is_idle:
            self._roomy.emptied()
