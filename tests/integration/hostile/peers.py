"""
A Connect and a Message that break the rules of the stream between them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import grpc
import grpc.aio

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
    The first frame of a Connect.
    """
    fields = {"connect_service_id": node, "incarnation": "i", "link_version": 1}
    return Request(subscribe=rest_pb2.SubscribeRequest(**{**fields, **more}))


class HostileConnect:
    """
    The way to a Message's gRPC port, for whoever says what they like.
    """

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._channel = channel

    def stream(self) -> Any:
        """
        A stream on which anything may be written, bytes too.
        """
        return self._channel.stream_stream(
            STREAM, request_serializer=_bytes, response_deserializer=Response.FromString
        )()

    async def ends(self, *said: Request | bytes) -> tuple[str, str]:
        """
        The status and the reason with which a stream ends on which this was said.
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
        The status of a unary call.
        """
        call = self._channel.unary_unary(method)
        try:
            await call(data, timeout=_ANSWER_S)
        except grpc.aio.AioRpcError as e:
            return str(e.code().name)
        return "OK"


@asynccontextmanager
async def hostile_connect(port: int) -> AsyncIterator[HostileConnect]:
    """
    A channel, until the block ends.
    """
    options = [*channel_options(1.5), ("grpc.max_send_message_length", -1)]
    target = f"127.0.0.1:{port}"
    async with grpc.aio.insecure_channel(target, options=options) as channel:
        yield HostileConnect(channel)


#: What a hostile Message says on a stream, after it read the subscribe.
Script = Callable[[rest_pb2.SubscribeRequest, Any], Awaitable[None]]


class HostileMessage:
    """
    Serves each stream with the script that is set, and keeps nothing.

    @ivar script: what is said on the next stream.
    @ivar streams: how many there were.
    """

    def __init__(self) -> None:
        self.script: Script = _say_nothing
        self.streams = 0
        self._server: grpc.aio.Server | None = None

    async def start(self) -> int:
        """
        @return: the port.
        """
        self._server = server = grpc.aio.server(options=server_options(1.5))
        handler = grpc.stream_stream_rpc_method_handler(
            self._stream,
            request_deserializer=Request.FromString,
            response_serializer=_bytes,
        )
        methods = {"MessageStream": handler}
        server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler("rest.MessageService", methods),)
        )
        port: int = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        return port

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
