"""
The user or the group that a chat is with.
"""

from __future__ import annotations

import attrs

from wsmsg.client import Client, SendAccepted
from wsmsg.errors import NotFound
from wsmsg.model import conversation_of, group_conversation
from wsmsg.names import unknown_of


@attrs.frozen
class ChatTarget:
    """
    The two ends of a chat.

    @ivar user: the user of this terminal, by number or by name.
    @ivar target: the other user, likewise; 0 for a chat in C{group}.
    """

    user: int | str
    target: int | str = 0
    group: int = 0

    async def numbered(self, client: Client) -> ChatTarget:
        """
        Return the chat with numbers in the places of names, which the server knows.

        @raise WsmsgError: the server refuses the user, or nobody has the name.
        """
        if not isinstance(self.user, str) and not isinstance(self.target, str):
            return self
        await client.connect()
        target = self.target
        if isinstance(target, str):
            found = await client.look_up([target])
            if target not in found.users:
                raise NotFound(unknown_of([target]))
            target = found.users[target]
        return ChatTarget(client.user, target, self.group)

    @property
    def conversation(self) -> str:
        """
        The id of the conversation; both users must have numbers (L{numbered}).
        """
        if self.group:
            return group_conversation(self.group)
        assert isinstance(self.user, int) and isinstance(self.target, int)
        return conversation_of(self.user, self.target)

    @property
    def other(self) -> int:
        """
        The number of the other user, who must have one (L{numbered}).
        """
        assert isinstance(self.target, int), self
        return self.target

    async def say(self, client: Client, text: str, client_id: str = "") -> SendAccepted:
        """
        Send a message to the conversation.
        """
        return await client.send(
            self.target, text, group=self.group, client_id=client_id
        )
