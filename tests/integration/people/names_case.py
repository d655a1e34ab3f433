"""
Clients of users with names.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any, ClassVar

import websockets

from tests.integration.cases import IntegrationTestCase
from tests.integration.installation import http_get, http_post
from wsmsg.client import Client, Reconnect
from wsmsg.client.transport.interface import CodecName

#: The setting of both daemons.
NAMED: dict[str, Any] = {"users.names": "true"}

#: The names of two users.
ANNA, BERTA = "anna@example.org", "6f1c9d0e-5b7a-4a52-9e0f-2f8c8a1b7d11"


class BareClient:
    """
    A client that knows nothing but the protocol page: JSON over a WebSocket.
    """

    def __init__(self, socket: Any) -> None:
        self._socket = socket

    async def say(self, kind: str, **fields: Any) -> None:
        """
        Send a frame.
        """
        await self._socket.send(json.dumps({"type": kind, **fields}))

    async def hear(self, kind: str, /, **fields: Any) -> dict[str, Any]:
        """
        Return the next frame of this kind with these fields.
        """
        async with asyncio.timeout(20):
            while True:
                frame = json.loads(await self._socket.recv())
                if frame["type"] == kind and fields.items() <= frame.items():
                    return dict(frame)


class NamesCase(IntegrationTestCase):
    """
    Clients of users with names.
    """

    message: ClassVar[dict[str, Any]] = NAMED
    connect: ClassVar[dict[str, Any]] = NAMED

    def client(
        self, name: str | int, device: str = "phone", codec: CodecName = "protobuf"
    ) -> Client:
        """
        Return a client that is closed after the test.
        """
        installation = self.installation
        client = Client(
            installation.url,
            lambda: installation.token(name),
            device,
            codec=codec,
            reconnect=Reconnect(installation.url, first_s=0.1, cap_s=0.2),
        )
        self.at_end(client.close)
        return client

    async def bare(self, name: str) -> tuple[BareClient, dict[str, Any]]:
        """
        Return a bare client with its welcome.
        """
        socket = await websockets.connect(
            self.installation.url,
            subprotocols=[websockets.Subprotocol("wsmsg.v1.json")],
        )
        self.at_end(socket.close)
        client = BareClient(socket)
        token = self.installation.token(name)
        await client.say("hello", token=token, device="browser")
        return client, await client.hear("welcome")

    async def api(self, path: str, document: Any = None) -> tuple[int, Any]:
        """
        Call Message's HTTP API.
        """
        port, at = self.installation.message.port("listen"), f"/api/v1/{path}"
        if document is None:
            return await http_get(port, at)
        return await http_post(port, at, document)

    async def run_wsmsg(self, *arguments: str, given: str = "") -> tuple[int, str]:
        """
        Run C{wsmsg}, and return its status and what it says.
        """
        folder = ("--data-dir", str(self.installation.folder / "data"))
        process = await asyncio.create_subprocess_exec(
            str(Path(sys.executable).parent / "wsmsg"),
            *arguments,
            *(() if arguments[0] == "users" else folder),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        told, _ = await process.communicate(given.encode())
        assert process.returncode is not None
        return process.returncode, told.decode()
