"""
A Connect that takes part in the stream, announces users and never acknowledges a push.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from wsmsg.peers.channel import ProvenDialling
from wsmsg.peers.identity import PeerIdentity
from wsmsg.rpc import rest_pb2
from wsmsg.settings.upstream import PeerSettings
from wsmsg.stream.options import channel_options

_STREAM = "/rest.MessageService/MessageStream"
_BEAT_S = 0.5
_HEARTBEAT_S = 1.5
_OPEN_S = 45.0
_Request = rest_pb2.MessageStreamRequest


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
        dialling = ProvenDialling(PeerIdentity(PeerSettings(), self._folder / "data"))
        options = channel_options(_HEARTBEAT_S)
        channel = await dialling.open(f"127.0.0.1:{self._port}", options, _OPEN_S)
        try:
            await self._speak(
                channel.stream(
                    _STREAM,
                    request=_Request.SerializeToString,
                    response=rest_pb2.MessageStreamResponse.FromString,
                )
            )
        finally:
            await channel.close()

    async def _speak(self, call: Any) -> None:
        subscribe = rest_pb2.SubscribeRequest(
            connect_service_id=self._node, incarnation="i", link_version=1
        )
        await call.write(_Request(subscribe=subscribe))
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
        batch = rest_pb2.ConnectBatch(presence=presence)
        await call.write(_Request(batch=batch))

    async def _read(self, call: Any) -> None:
        async for _ in call:
            pass
