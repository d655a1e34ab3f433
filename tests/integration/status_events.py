"""
The events of the status page, as a page reads them.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Callable
from typing import Any

from tests.integration.installation import DaemonProcess


class Events:
    """
    The events of one daemon, as its page reads them.
    """

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(
        cls, daemon: DaemonProcess, tls: ssl.SSLContext | None = None
    ) -> Events:
        """
        Ask for the events.
        """
        port, key = daemon.port("admin_listen"), daemon.admin_key.read_text().strip()
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", port, limit=2**20, ssl=tls
        )
        head = f"GET /events HTTP/1.0\r\nAuthorization: Bearer {key}\r\n\r\n"
        writer.write(head.encode())
        status = await reader.readline()
        assert b" 200 " in status, status
        return cls(reader, writer)

    async def next(self, name: str) -> Any:
        """
        Return the data of the next event of this name; L{None}: the stream ended.
        """
        async with asyncio.timeout(60):
            while line := await self._reader.readline():
                if line == f"event: {name}\n".encode():
                    data = await self._reader.readline()
                    return json.loads(data.removeprefix(b"data: "))
        return None

    async def until(self, reached: Callable[[Any], object]) -> Any:
        """
        Return the first status for which this holds.
        """
        while (status := await self.next("status")) is not None:
            if reached(status):
                return status
        raise AssertionError("the stream ended")

    async def close(self) -> None:
        """
        Close the connection.
        """
        self._writer.close()
