"""
A client and a scripted server, for tests on asyncio alone.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any, TypeVar

from tests.asyncio_case import AsyncioCase
from tests.client.doubles import FakeServer
from wsmsg.client import Client, Reconnect
from wsmsg.protocol.frames import Deliver

U = "u:1:2"
URL = "ws://server.example/api/v1/connect/ws"

E = TypeVar("E")


def message(seq: int) -> Deliver:
    return Deliver(U, seq, 1000 + seq, 2, f"text {seq}", 1, seq)


class ClientCase(AsyncioCase):
    """
    A client and a scripted server.
    """

    async def asyncSetUp(self) -> None:
        self.server = FakeServer()
        folder = Path(tempfile.mkdtemp(prefix="wsmsg-test-"))
        self.addCleanup(shutil.rmtree, folder)
        self.file = folder / "position.json"

    def client(self, **more: Any) -> Client:
        reconnect = Reconnect(URL, first_s=0.0)
        client = Client(
            *(URL, more.pop("token", "t"), "phone"),
            dial=self.server.dial,
            reconnect=reconnect,
            **more,
        )
        self.addAsyncCleanup(client.close)
        return client

    async def next(self, events: Any, kind: type[E]) -> E:
        async for event in events:
            if isinstance(event, kind):
                return event
        raise AssertionError(f"the events ended before {kind.__name__}")
