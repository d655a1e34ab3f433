"""
The legacy test client: a WebSocket with no subprotocol and no extension, one
C{WSMessage} in each binary message, and HTTP without a token.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from google.protobuf.message import DecodeError

from tests.conformance.contract import (
    ACKNOWLEDGEMENT,
    DEBUG_TOKEN,
    MESSAGES_PATH,
    TEXT,
    WEBSOCKET_PATH,
    WSMessage,
    sender_of,
    ws_message,
)
from tests.conformance.plain_http import ask
from tests.conformance.record import Record, Said
from tests.conformance.websocket import BINARY, PING, Frame, WebSocket, dial

_ACKNOWLEDGED_FOR_S = 300


class ScriptedClient:
    """
    One user at one device, which may connect and disconnect repeatedly.

    @param port: Connect's.
    @param http_port: Message's HTTP; 0: the client does not use it.
    @param acknowledges: whether it acknowledges messages that it receives.
    @param ping_s: seconds between its pings; the legacy client pings every 20 s.
    @param now: unix seconds.

    @ivar received: the received C{WSMessage}s, over all its connections.
    @ivar said: every payload of a message, both ways, unchanged.
    @ivar skipped: payloads that are not a C{WSMessage}.
    @ivar ends: the close codes of its ended connections, those that it dropped
        included.
    """

    def __init__(
        self,
        user: int,
        port: int,
        http_port: int = 0,
        *,
        token: str = DEBUG_TOKEN,
        acknowledges: bool = True,
        ping_s: float = 20.0,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.user = user
        self.port = port
        self.http_port = http_port
        self.token = token
        self.acknowledges = acknowledges
        self.received: Record[Any] = Record(f"messages to {user}")
        self.said: Record[Said] = Record(f"payloads of {user}")
        self.skipped: Record[bytes] = Record(f"other payloads to {user}")
        self.ends: Record[int] = Record(f"ended connections of {user}")
        self._ping_s = ping_s
        self._now = now
        self._seen: set[int] = set()
        self._socket: WebSocket | None = None
        self._tasks: list[asyncio.Task[None]] = []

    # -- connection

    @property
    def socket(self) -> WebSocket:
        """
        Return the WebSocket, which accepts arbitrary frames.
        """
        assert self._socket is not None, f"{self.user} is not connected"
        return self._socket

    @property
    def connected(self) -> bool:
        return self._socket is not None

    def headers(self) -> dict[str, str]:
        """
        Return the headers by which the client identifies itself.
        """
        return {"Authorization": self.token, "User-ID": str(self.user)}

    async def login(self, headers: Mapping[str, str] | None = None) -> None:
        """
        Connect.

        @param headers: replace its own.
        @raise tests.conformance.websocket.Refused: the server refused the handshake.
        """
        assert self._socket is None, f"{self.user} is connected"
        chosen = self.headers() if headers is None else headers
        self._socket = socket = await dial(self.port, WEBSOCKET_PATH, chosen)
        self._tasks = [
            asyncio.ensure_future(self._read(socket)),
            asyncio.ensure_future(self._ping(socket)),
        ]

    async def drop(self) -> None:
        """
        Disconnect as the legacy client does: without a close frame.

        @raise tests.conformance.websocket.Broken: the server broke RFC 6455 meanwhile.
        """
        socket, self._socket = self._socket, None
        for task in self._tasks:
            task.cancel()
        results = await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []
        if socket is not None:
            socket.drop()
            self.ends.add(socket.close_code)
        for result in results:
            if isinstance(result, Exception):
                raise result

    async def relogin(self) -> None:
        """
        Drop, and connect again.
        """
        await self.drop()
        await self.login()

    def stop_reading(self) -> None:
        """
        Stop reading from the connection, which stays open.
        """
        self.socket.pause()

    def read_on(self) -> None:
        self.socket.resume()

    async def _ping(self, socket: WebSocket) -> None:
        while True:
            await asyncio.sleep(self._ping_s)
            socket.write(Frame(PING, b"heartbeat"))

    async def _read(self, socket: WebSocket) -> None:
        async for _, payload in socket.messages():
            self.said.add(Said("<", payload))
            try:
                message = WSMessage.FromString(payload)
            except DecodeError:
                self.skipped.add(payload)
                continue
            if self.acknowledges and self._wants_acknowledging(message):
                await self.acknowledge(message)
            self.received.add(message)
        if self._socket is socket:
            self._socket = None
            self._tasks[1].cancel()
            socket.drop()
            self.ends.add(socket.close_code)

    def _wants_acknowledging(self, message: Any) -> bool:
        if message.to != self.user or message.message_type != TEXT:
            return False
        if self._now() - message.timestamp > _ACKNOWLEDGED_FOR_S:
            return False
        return message.message_id not in self._seen

    # -- sending

    async def send_text(
        self, to: int, content: str, *, group: int = 0, **more: Any
    ) -> Any:
        """
        Send a text to a user, or to a group.

        @param more: other fields of the C{WSMessage}; they override the default ones.
        @return: the C{WSMessage}.
        """
        fields = {
            "sender": self.user,
            "to": to,
            "group_id": group,
            "content": content,
            "timestamp": int(self._now()),
            "message_type": TEXT,
        }
        message = ws_message(**{**fields, **more})
        await self.write(message.SerializeToString())
        return message

    async def acknowledge(self, message: Any, **more: Any) -> None:
        """
        Acknowledge a message as read.

        @param message: a C{WSMessage}.
        @param more: other fields of the acknowledgement.
        """
        self._seen.add(message.message_id)
        fields = {
            "message_id": message.message_id,
            "sender": self.user,
            "timestamp": message.timestamp,
            "message_type": ACKNOWLEDGEMENT,
        }
        await self.write(ws_message(**{**fields, **more}).SerializeToString())

    async def write(self, payload: bytes, opcode: int = BINARY) -> None:
        """
        Send any payload, waiting while the server does not read.
        """
        self.said.add(Said(">", payload))
        await self.socket.send(payload, opcode)

    # -- received messages

    def texts(self, sender: int = 0) -> list[str]:
        """
        Return the received contents, of all senders or of one, in order.
        """
        return [
            m.content
            for m in self.received
            if m.message_type == TEXT and sender in (0, sender_of(m))
        ]

    async def expect(self, content: str) -> Any:
        """
        Wait for a message with this content.

        @return: the C{WSMessage}.
        """
        return await self.received.find(lambda m: m.content == content, repr(content))

    # -- HTTP, without a token

    async def unread(self) -> list[dict[str, Any]]:
        """
        Return the unread messages, requested as the client does when it reconnects.
        """
        found = await self._post("unread", {"user_id": self.user})
        return list(found["messages"] or [])

    async def mark_read(self, ids: Iterable[str]) -> dict[str, Any]:
        """
        Mark messages as read over HTTP, by the C{id}s of L{unread}.
        """
        document = {"user_id": self.user, "message_ids": list(ids)}
        return await self._post("mark-read", document)

    async def history(
        self, *, group: int = 0, page: int = 1, size: int = 20
    ) -> dict[str, Any]:
        """
        Return a page of the history, oldest first.
        """
        document = {
            "user_id": self.user,
            "group_id": group,
            "page": page,
            "size": size,
        }
        return await self._post("history", document)

    async def _post(self, name: str, document: Any) -> dict[str, Any]:
        answer = await ask(self.http_port, "POST", MESSAGES_PATH + name, document)
        assert answer.status == 200, (name, answer)
        found = answer.document
        assert isinstance(found, dict), answer
        return found
