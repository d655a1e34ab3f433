"""
Streams and probes that a Message passes on to another Message, for a Connect that
cannot reach that one itself.

::

    Connect --RelayService.MessageStream--> this Message --MessageStream--> the other
       |<----------------------------------------|<----------------------------|

The frames are not read here, so the two ends have the stream of each other: what was
not acknowledged on the way that broke is replayed on this one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import grpc
import grpc.aio
from google.protobuf.message import DecodeError
from twisted.logger import Logger

from wsmsg.peers.channel import NotProven, OpenChannel, PeerChannel
from wsmsg.rpc import rest_pb2
from wsmsg.settings.urls.address import parse_address
from wsmsg.stream.contract import MESSAGE_STREAM, QUERY, RELAY_SERVICE, RELAY_TO
from wsmsg.stream.errors import StreamFailed, explain
from wsmsg.stream.options import channel_options
from wsmsg.stream.probe import serves

#: C{grpc.aio.ServicerContext}; gRPC has no types.
Context = Any

#: Within this time the other Message must answer a probe.
PROBE_S = 0.8
#: Within this time it must have proven itself, before a stream is passed on to it.
_OPEN_S = 3.0


class StreamForwarder:
    """
    The relay service.

    @param open_channel: opens the channels to other Messages.
    @param listed: returns the addresses in the list of Messages, the only ones that
        streams are passed on to; without a list, a Connect may name any address, as it
        may at its own discovery.
    @ivar open: the number of streams that are passed on now.
    """

    _log = Logger()

    def __init__(
        self,
        open_channel: OpenChannel,
        listed: Callable[[], Sequence[str]],
        *,
        keepalive_s: float,
    ) -> None:
        self.open = 0
        self._open_channel = open_channel
        self._listed = listed
        self._keepalive_s = keepalive_s

    def add_to(self, server: grpc.aio.Server) -> None:
        """
        Add the service.  Its frames stay bytes.
        """
        handlers = {
            "MessageStream": grpc.stream_stream_rpc_method_handler(self._stream),
            "Reaches": grpc.unary_unary_rpc_method_handler(self._reaches),
        }
        handler = grpc.method_handlers_generic_handler(RELAY_SERVICE, handlers)
        server.add_generic_rpc_handlers((handler,))

    async def _reaches(self, request: bytes, context: Context) -> bytes:
        try:
            address = rest_pb2.ReachRequest.FromString(request).address
        except DecodeError:
            address = ""
        await self._check(address, context)
        try:
            reached = await serves(self._open_channel, address, QUERY, PROBE_S)
        except StreamFailed:
            reached = False
        return rest_pb2.ReachResponse(reached=reached).SerializeToString()

    async def _stream(self, _: Any, context: Context) -> None:
        address = dict(context.invocation_metadata() or ()).get(RELAY_TO, "")
        await self._check(address, context)
        self._log.info(
            "passing the stream of {peer} on to {message}",
            peer=context.peer(),
            message=address,
        )
        self.open += 1
        try:
            await self._pass_on(address, context)
        except (grpc.aio.AioRpcError, NotProven) as e:
            reason = f"the stream cannot be passed on to {address}: {explain(e)}"
            await context.abort(grpc.StatusCode.UNAVAILABLE, reason)
        finally:
            self.open -= 1

    async def _pass_on(self, address: str, context: Context) -> None:
        options = channel_options(self._keepalive_s)
        channel: PeerChannel = await self._open_channel(address, options, _OPEN_S)
        try:
            call = channel.stream(MESSAGE_STREAM)
            await channel.begun(call)
            await self._copy(call, context)
        finally:
            await channel.close()

    async def _copy(self, call: Any, context: Context) -> None:
        to_message = asyncio.ensure_future(_to_message(context, call))
        to_connect = asyncio.ensure_future(_to_connect(call, context))
        try:
            await asyncio.wait(
                (to_message, to_connect), return_when=asyncio.FIRST_EXCEPTION
            )
        finally:
            for task in (to_message, to_connect):
                task.cancel()
            call.cancel()
            await asyncio.gather(to_message, to_connect, return_exceptions=True)

    async def _check(self, address: str, context: Context) -> None:
        listed = self._listed()
        if address in listed or (not listed and _is_address(address)):
            return
        await context.abort(
            grpc.StatusCode.INVALID_ARGUMENT,
            "the address is not that of another Message in the list",
        )


class _Ended(Exception):
    """
    The other Message ended the stream.
    """


async def _to_message(context: Context, call: Any) -> None:
    try:
        while (frame := await context.read()) is not grpc.aio.EOF:
            await call.write(frame)
        await call.done_writing()
    except (grpc.RpcError, asyncio.InvalidStateError):
        return  # the other direction gets the reason


async def _to_connect(call: Any, context: Context) -> None:
    try:
        while (frame := await call.read()) is not grpc.aio.EOF:
            await context.write(frame)
        code, details = await call.code(), await call.details()
    except grpc.aio.AioRpcError as e:
        code, details = e.code(), e.details()
    context.set_code(code)
    context.set_details(details or "")
    raise _Ended


def _is_address(text: str) -> bool:
    try:
        return bool(parse_address(text).port)
    except ValueError:
        return False
