"""
A Connect that takes part in the stream, announces users and never acknowledges a push.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.integration.hostile.peers import Batch, Request, hostile_connect, subscribe
from wsmsg.rpc import rest_pb2

_BEAT_S = 0.5


class SilentConnect:
    """
    A stream to one Message, until it is stopped.

    @param folder: of the installation.
    @param node: the name that it gives itself.
    @param users: the users whom it announces as its own.
    """

    def __init__(
        self, port: int, folder: Path, node: str, users: Sequence[int]
    ) -> None:
        self._port = port
        self._folder = folder
        self._node = node
        self._users = users
        self._numbers = itertools.count(1)
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.ensure_future(self._run())

    async def stop(self) -> None:
        """
        End the stream; it may have been ended by Message before.
        """
        assert self._task is not None
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        async with hostile_connect(self._port, self._folder) as connect:
            call = connect.stream()
            await call.write(subscribe(self._node))
            await self._say(call, online=self._users, snapshot=4)
            reading = asyncio.ensure_future(self._read(call))
            try:
                while not reading.done():
                    await asyncio.sleep(_BEAT_S)
                    await self._say(call)
            finally:
                reading.cancel()
                call.cancel()

    async def _say(self, call: Any, **delta: Any) -> None:
        presence = rest_pb2.PresenceDelta(number=next(self._numbers), **delta)
        await call.write(Request(batch=Batch(presence=presence)))

    async def _read(self, call: Any) -> None:
        async for _ in call:
            pass
