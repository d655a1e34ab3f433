"""
The users whose presence another user may see.
"""

from __future__ import annotations

from collections.abc import Sequence

from wsmsg.events.block import user_target
from wsmsg.message.store.interface import IConversations


class Sight:
    """
    Judges who sees the presence of whom, by the blocks of now.
    """

    def __init__(self, store: IConversations) -> None:
        self._store = store

    @property
    def on(self) -> bool:
        """
        False while every user sees the presence of all others.
        """
        return self._store.consent.may_withhold

    async def hidden(self, asker: int, users: Sequence[int]) -> frozenset[int]:
        """
        Return those of the users whose presence is hidden from the one who asks.

        @raise Unavailable: the store is not available.
        """
        others = {user for user in users if user != asker}
        if not others or not self.on:
            return frozenset()
        target = user_target(asker)
        keys = [(user, target) for user in others]
        return frozenset(user for user, _ in await self._store.consent.blocked(keys))
