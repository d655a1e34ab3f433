"""
Unary calls that find out whether a peer is alive, and what it serves.

L{echo} is made on the connection of a stream, and any answer will do, also an error.
The answer shows that the peer is alive, and that it has received what was written on
the stream before.
"""

from __future__ import annotations

from typing import Any

import grpc
import grpc.aio

from wsmsg.peers.channel import Metadata, NotProven, OpenChannel
from wsmsg.stream.errors import PeerNotProven, StreamFailed, explain
from wsmsg.stream.options import channel_options

#: The standard health check; servers without it answer C{UNIMPLEMENTED}.
HEALTH = "/grpc.health.v1.Health/Check"

#: The codes with which gRPC itself reports that no peer has answered.
_SILENCE = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.CANCELLED,
    }
)


async def echo(channel: grpc.aio.Channel, method: str, timeout_s: float) -> None:
    """
    Wait until the peer answers a call, in whatever way.

    @param method: the full name of the method to call, with an empty request.
    @raise StreamFailed: the peer did not answer.
    """
    await _status(channel, method, timeout_s)


async def serves(
    open_channel: OpenChannel, target: str, method: str, timeout_s: float
) -> bool:
    """
    Return whether the server at C{target} implements a method.  One that offers no
    proof, where one is wanted, implements none.

    @param method: the full name of a method that accepts an empty request.
    @raise StreamFailed: there is no answer, or a wrong proof; with the reason.
    """
    try:
        channel = await open_channel(target, channel_options(0), timeout_s)
    except NotProven as e:
        if e.is_unknown:
            return False
        raise PeerNotProven(str(e)) from None
    except grpc.aio.AioRpcError as e:
        raise StreamFailed(_silence(e, timeout_s)) from None
    try:
        metadata = channel.metadata
        status = await _status(channel.raw, method, timeout_s, metadata)
    finally:
        await channel.close()
    return status is not grpc.StatusCode.UNIMPLEMENTED


async def _status(
    channel: grpc.aio.Channel, method: str, timeout_s: float, metadata: Metadata = ()
) -> grpc.StatusCode:
    ask: Any = channel.unary_unary(
        method, request_serializer=bytes, response_deserializer=bytes
    )
    try:
        await ask(b"", timeout=timeout_s, metadata=metadata)
    except grpc.aio.AioRpcError as e:
        if e.code() in _SILENCE:
            raise StreamFailed(_silence(e, timeout_s)) from None
        status: grpc.StatusCode = e.code()
        return status
    except grpc.aio.UsageError:
        raise StreamFailed("the stream is closed") from None
    return grpc.StatusCode.OK


def _silence(error: grpc.aio.AioRpcError, timeout_s: float) -> str:
    if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
        return f"no answer in {timeout_s} s"
    return explain(error)
