"""
The WebSocket of the fake server, and what a test does with it.
"""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Any, Self

from websockets.asyncio.server import Server, serve
from websockets.typing import Subprotocol

from wsmsg.client.client import Client
from wsmsg.client.environment import PATH
from wsmsg.client.state.reconnect import Reconnect
from wsmsg.errors import WsmsgError
from wsmsg.model import TEXT, conversation_of, group_conversation, group_in
from wsmsg_client.testing.connections import CODECS, FakeConnections
from wsmsg_client.testing.conversations import FakeConversations, SentMessage


class FakeServer:
    """
    A server in the process of a test, on a free port of loopback.

    Use it in an `async with` statement.  A user's token is `server.token(user)`; any
    other token is refused.

    Args:
        content_bytes: the longest content of a message.
    """

    def __init__(self, *, content_bytes: int = 4000) -> None:
        self._conversations = FakeConversations(content_bytes)
        self._connections = FakeConnections(self._conversations)
        self._listening: Server | None = None

    # ---------------------------------------------------------------- lifetime

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def start(self) -> None:
        """
        Listen on a free port.
        """
        self._listening = await serve(
            self._connections.serve,
            *("127.0.0.1", 0),
            subprotocols=[Subprotocol(name) for name in CODECS],
            process_request=self._connections.admit,
            compression=None,
            ping_interval=None,
        )

    async def close(self) -> None:
        """
        Cut all connections and stop to listen.
        """
        if self._listening is not None:
            self.disconnect()
            self._listening.close()
            await self._listening.wait_closed()

    @property
    def url(self) -> str:
        """
        The URL for clients.
        """
        if self._listening is None:
            raise RuntimeError("the fake server is not started")
        host, port = next(iter(self._listening.sockets)).getsockname()[:2]
        return f"ws://{host}:{port}{PATH}"

    def token(self, user: int) -> str:
        """
        Return a token of a user.
        """
        return f"user-{user}"

    def client(self, user: int, **options: Any) -> Client:
        """
        Make a client of a user, which reconnects without a delay.

        Args:
            options: parameters of `wsmsg_client.Client`.
        """
        options.setdefault("reconnect", Reconnect(self.url, first_s=0.0))
        return Client(self.url, self.token(user), **options)

    def environ(self, user: int) -> dict[str, str]:
        """
        Return the variables for `Client.from_env`.
        """
        return {"WSMSG_URL": self.url, "WSMSG_TOKEN": self.token(user)}

    # ------------------------------------------------------- what a test does

    def deliver(
        self,
        content: str,
        *,
        sender: int,
        to: int = 0,
        group: int = 0,
        kind: int = TEXT,
    ) -> SentMessage:
        """
        Deliver a message of a user who needs no client.

        Args:
            to: the user it is for; give either this or `group`.

        Returns:
            the message, with its number in the conversation.
        """
        if bool(to) == bool(group):
            raise ValueError("give either to or group")
        name = group_conversation(group) if group else conversation_of(sender, to)
        if sender not in self._conversations.members(name):
            raise ValueError(f"user {sender} is not in group {group}")
        message = self._conversations.add(name, sender, content, kind)
        self._connections.publish(message)
        return self._conversations.described(message)

    def group(self, *members: int, name: str = "") -> int:
        """
        Create a group, owned by the first of its members, and return its number.
        """
        owner, *others = members
        made = self._conversations.add_group(name, owner, tuple(others))
        self._connections.publish(made)
        return group_in(made.conversation)

    def refuse(self, error: WsmsgError, *, times: int = 1) -> None:
        """
        Refuse the next messages, or other requests, with this error; the clients'
        calls raise it, unless it says that a repeat may succeed.
        """
        self._connections.refusals.extend([error] * times)

    def lose_answers(self, times: int = 1) -> None:
        """
        Accept the next messages, and cut the connection in place of the answer.  A
        client has to send them again, and they must arrive once all the same.
        """
        self._connections.lose_answers(times)

    def disconnect(self) -> None:
        """
        Cut all connections, as a network does; clients reconnect.
        """
        self._connections.abort()

    async def sent(self, *, timeout_s: float | None = 5.0) -> SentMessage:
        """
        Return the next message that was accepted from a client, in order.

        Raises:
            TimeoutError: none came in that time.
        """
        async with asyncio.timeout(timeout_s):
            return await self._connections.unread.get()

    @property
    def messages(self) -> tuple[SentMessage, ...]:
        """
        All messages that were accepted from clients, in order.
        """
        return tuple(self._connections.sent)

    def delivered(self, user: int, conversation: str) -> int:
        """
        Return the number up to which a user has reported messages as delivered.
        """
        return self._conversations.marks(user, conversation)[0]

    def read(self, user: int, conversation: str) -> int:
        """
        Return the number up to which a user has reported messages as read.
        """
        return self._conversations.marks(user, conversation)[1]

    def online(self, user: int) -> bool:
        """
        Return whether a user is connected.
        """
        return self._connections.is_online(user)
