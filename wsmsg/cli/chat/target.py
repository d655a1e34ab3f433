"""
The user or the group that a chat is with.
"""

from __future__ import annotations

import attrs

from wsmsg.client import Client, SendAccepted
from wsmsg.model import conversation_of, group_conversation


@attrs.frozen
class ChatTarget:
    """
    The two ends of a chat.

    @ivar user: the user of this terminal.
    @ivar target: the other user; 0 for a chat in C{group}.
    """

    user: int
    target: int = 0
    group: int = 0

    @property
    def conversation(self) -> str:
        """
        The id of the conversation.
        """
        if self.group:
            return group_conversation(self.group)
        return conversation_of(self.user, self.target)

    async def say(self, client: Client, text: str, client_id: str = "") -> SendAccepted:
        """
        Send a message to the conversation.
        """
        return await client.send(
            self.target, text, group=self.group, client_id=client_id
        )
