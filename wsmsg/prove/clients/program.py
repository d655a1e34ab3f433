"""
Programs that use the Python client, and write a history of what they see.
"""

from __future__ import annotations

import asyncio
from typing import Any

from wsmsg.client import Client, GroupChanged, MessageReceived, Stored
from wsmsg.errors import WsmsgError
from wsmsg.model import conversation_of, group_conversation
from wsmsg.prove.clients.recorded import changed
from wsmsg.prove.history import HistoryWriter

_GROUP_CHANGE = 1001


class Program:
    """
    A user of the Python client, for as long as it is not closed.

    @ivar accepted: the conversation and the content of each accepted message.
    """

    def __init__(self, history: HistoryWriter, url: str, token: str, user: int) -> None:
        self.user = user
        self.device = "program"
        self.accepted: list[tuple[str, str]] = []
        self._seen: dict[str, int] = {}
        self._history = history
        self._client = Client(url, token, device=self.device)
        self._numbers = 0
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._client.start()
        self._task = asyncio.ensure_future(self._read())

    async def stop(self) -> None:
        await self._client.close()
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)

    async def create_group(self, name: str, members: list[int]) -> int:
        """
        Create a group, and return its number.
        """
        return await self._client.create_group(name, members)

    async def change_group(
        self,
        group: int,
        *,
        add: list[int] | None = None,
        remove: list[int] | None = None,
    ) -> None:
        """
        Change the members of a group.
        """
        await self._client.change_group(group, add=add or (), remove=remove or ())

    async def recall(self, conversation: str, seq: int) -> None:
        """
        Recall a message of this user.
        """
        await self._client.recall(conversation, seq)

    async def send(self, to: int, body: str, group: int = 0) -> None:
        """
        Send a message, and wait until it is accepted.
        """
        self._numbers += 1
        client_id = f"{self.user}-program-{self._numbers}"
        where = group_conversation(group) if group else conversation_of(self.user, to)
        about = {"user": self.user, "conversation": where, "id": client_id}
        self._history.write("invoke", "send", **about, body=body)
        try:
            accepted = await self._client.send(
                to, body, group=group, client_id=client_id
            )
        except WsmsgError as e:
            code = type(e).__name__
            self._history.write("fail", "send", **about, code=code)
        else:
            self._history.write("ok", "send", **about, time=accepted.time_ms)
            self.accepted.append((where, body))

    def position(self, conversation: str) -> int:
        """
        Return the number of the last message that the program has seen.
        """
        return self._seen.get(conversation, 0)

    async def _read(self) -> None:
        async for event in self._client.events():
            if isinstance(event, Stored):
                self._saw(event)

    def _saw(self, event: Stored) -> None:
        if isinstance(event, MessageReceived):
            said: dict[str, Any] = {"body": event.content}
        elif isinstance(event, GroupChanged):
            said = changed(_GROUP_CHANGE, event.added, event.removed)
        else:
            said = {"event": True, "body": type(event).__name__}
        self._history.info(
            "event",
            user=self.user,
            device=self.device,
            conversation=event.conversation,
            seq=event.seq,
            id=event.message_id,
            **{"from": event.sender},
            **said,
        )
        self._seen[event.conversation] = event.seq
