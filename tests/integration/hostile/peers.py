"""
A Connect and a Message that break the rules of the stream between them.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import grpc.aio

from tests.integration.proven import identity, proven_channel
from wsmsg.dependency.alarms import Alarms
from wsmsg.peers.channel import PeerChannel
from wsmsg.peers.guard import PeerGuard
from wsmsg.peers.refusals import Refusals
from wsmsg.rpc import rest_pb2
from wsmsg.stream.options import channel_options, server_options

Request = rest_pb2.MessageStreamRequest
Response = rest_pb2.MessageStreamResponse
Batch = rest_pb2.ConnectBatch

STREAM = "/rest.MessageService/MessageStream"
_ANSWER_S = 45.0


def _bytes(message: Any) -> bytes:
    return message if isinstance(message, bytes) else message.SerializeToString()


def subscribe(node: str, **more: Any) -> Request:
    """
    Return the first frame of a Connect.
    """
    fields = {"connect_service_id": node, "incarnation": "i", "link_version": 1}
    return Request(subscribe=rest_pb2.SubscribeRequest(**{**fields, **more}))


class HostileConnect:
    """
    A client of a Message's gRPC port that sends arbitrary frames and bytes.
    """

    def __init__(self, channel: PeerChannel) -> None:
        self._channel = channel

    def stream(self) -> Any:
        """
        Open a stream that accepts frames and raw bytes.
        """
        return self._channel.stream(
            STREAM, request=_bytes, response=Response.FromString
        )

    async def ends(self, *said: Request | bytes) -> tuple[str, str]:
        """
        Return the status and the reason with which a stream ends after these frames.
        """
        call = self.stream()
        try:
            async with asyncio.timeout(_ANSWER_S):
                for message in said:
                    await call.write(message)
                while await call.read() is not grpc.aio.EOF:
                    pass
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
            pass
        return (await call.code()).name, await call.details()

    async def ask(self, method: str, data: bytes) -> str:
        """
        Call a unary method, and return the status.
        """
        try:
            await self._channel.ask(method, data, bytes, _ANSWER_S)
        except grpc.aio.AioRpcError as e:
            return str(e.code().name)
        return "OK"


@asynccontextmanager
async def hostile_connect(port: int, folder: Path) -> AsyncIterator[HostileConnect]:
    """
    Open a channel until the block ends.

    @param folder: of the installation, whose secret the Connect knows.
    """
    options = [*channel_options(1.5), ("grpc.max_send_message_length", -1)]
    async with proven_channel(port, folder, options) as channel:
        yield HostileConnect(channel)


#: Frames of a hostile Message, sent after it has read the subscription.
Script = Callable[[rest_pb2.SubscribeRequest, Any], Awaitable[None]]


class HostileMessage:
    """
    A server that answers each stream with a script, and stores nothing.  It knows the
    secret of the installation, once it is told the folder.

    @ivar script: the frames to send on the next stream.
    @ivar streams: the number of streams so far.
    """

    def __init__(self) -> None:
        self.script: Script = _say_nothing
        self.streams = 0
        self._server: grpc.aio.Server | None = None

    async def start(self, folder: Path, port: int = 0) -> int:
        """
        Start the server.

        @param folder: of the installation.
        @return: the port.
        """
        guard = PeerGuard(
            identity(folder),
            Refusals(Alarms(), time.monotonic),
            time.monotonic,
            callers=tuple,
        )
        self._server = server = grpc.aio.server(
            options=server_options(1.5), interceptors=(guard,)
        )
        guard.add_to(server)
        handler = grpc.stream_stream_rpc_method_handler(
            self._stream,
            request_deserializer=Request.FromString,
            response_serializer=_bytes,
        )
        methods = {"MessageStream": handler}
        server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler("rest.MessageService", methods),)
        )
        bound: int = server.add_insecure_port(f"127.0.0.1:{port}")
        await server.start()
        return bound

    async def stop(self) -> None:
        if self._server is not None:
            await self._server.stop(0)

    async def _stream(self, requests: Any, context: Any) -> None:
        first = await context.read()
        self.streams += 1
        await self.script(first.subscribe, context)


async def _say_nothing(_: rest_pb2.SubscribeRequest, context: Any) -> None:
    while await context.read() is not grpc.aio.EOF:
        pass
