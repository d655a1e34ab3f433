"""
Whom one talks to: another user, or a group.
"""

from __future__ import annotations

import attrs

from wsmsg.client import Client, SendAccepted
from wsmsg.model import conversation_of, group_conversation


@attrs.frozen
class ChatTarget:
    """
    @ivar user: who talks.
    @ivar target: the other; 0: it is in C{group}.
    """

    user: int
    target: int = 0
    group: int = 0

    @property
    def conversation(self) -> str:
        """
        Where that is.
        """
        if self.group:
            return group_conversation(self.group)
        return conversation_of(self.user, self.target)

    async def say(self, client: Client, text: str, client_id: str = "") -> SendAccepted:
        """
        Send a message there.
        """
        return await client.send(
            self.target, text, group=self.group, client_id=client_id
        )
