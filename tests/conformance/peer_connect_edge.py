"""
The WebSockets and the HTTP of a legacy Connect, on one port.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

from google.protobuf.message import DecodeError

from tests.conformance.contract import (
    ONLINE_STATUS_PATH,
    WEBSOCKET_PATH,
    WSMessage,
)
from tests.conformance.plain_http import Request, answer, read_request
from tests.conformance.websocket import WebSocket, accepted


class ConnectEdge:
    """
    The listener of a scripted Connect.

    @param take: called with the user and each C{WSMessage} received from the user.
    @param online: returns whether a user is connected.
    @ivar sockets: by user; a second login of a user ends both, as legacy peers do.
    """

    def __init__(
        self,
        port: int,
        take: Callable[[int, Any], Awaitable[None]],
        online: Callable[[int], bool],
    ) -> None:
        self.port = port
        self.sockets: dict[int, WebSocket] = {}
        self._take = take
        self._online = online
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)

    async def stop(self) -> None:
        """
        Stop listening, and drop all connections.
        """
        server, self._server = self._server, None
        if server is not None:
            server.close()
        for writer in self._writers:
            writer.transport.abort()
        self.sockets.clear()

    async def deliver(self, user: int, payload: bytes) -> bool:
        """
        Send to a user's WebSocket.

        @return: whether the user is connected.
        """
        try:
            await self.sockets[user].send(payload)
        except OSError:
            return False
        return True

    async def _accept(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._writers.add(writer)
        try:
            request = await read_request(reader)
            if request.path != WEBSOCKET_PATH:
                writer.write(answer(*self._answer(request)))
            elif "authorization" not in request.headers:
                writer.write(answer(401, {"error": "no token"}))
            elif request.headers.get("upgrade", "").lower() != "websocket":
                writer.write(answer(400, {"error": "not a WebSocket"}))
            else:
                writer.write(accepted(request.headers))
                await self._serve(request, WebSocket(reader, writer, client=False))
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _serve(self, request: Request, socket: WebSocket) -> None:
        try:
            user = int(request.headers.get("user-id", ""))
        except ValueError:
            socket.close(1000)  # the legacy Connect checks this only after the 101
            return
        before = self.sockets.pop(user, None)
        if before is not None:
            before.drop()
            return
        self.sockets[user] = socket
        try:
            async for _, payload in socket.messages():
                try:
                    message = WSMessage.FromString(payload)
                except DecodeError:
                    continue
                await self._take(user, message)
        finally:
            if self.sockets.get(user) is socket:
                del self.sockets[user]

    def _answer(self, request: Request) -> tuple[int, Any]:
        if (request.method, request.path) == ("GET", "/health"):
            return 200, {"status": "ok"}
        if (request.method, request.path) != ("POST", ONLINE_STATUS_PATH):
            return 404, {"error": "no such page"}
        users = json.loads(request.body)["user_ids"]
        return 200, {"status": {str(user): self._online(user) for user in users}}
