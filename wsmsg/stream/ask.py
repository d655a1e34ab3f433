"""
One question to another Message, on a channel of its own.
"""

from __future__ import annotations

import asyncio

import grpc
import grpc.aio

from wsmsg.peers.channel import NotProven, OpenChannel
from wsmsg.rpc import rest_pb2
from wsmsg.stream.contract import QUERY
from wsmsg.stream.errors import StreamFailed, explain
from wsmsg.stream.options import channel_options


async def ask_message(
    open_channel: OpenChannel,
    address: str,
    request: rest_pb2.QueryRequest,
    timeout_s: float,
) -> rest_pb2.QueryResponse:
    """
    Ask the Message at an address.

    @raise StreamFailed: there is no answer; with the reason.
    """
    try:
        async with asyncio.timeout(timeout_s):
            channel = await open_channel(address, channel_options(0), timeout_s)
            try:
                answer: rest_pb2.QueryResponse = await channel.ask(
                    QUERY,
                    request.SerializeToString(),
                    rest_pb2.QueryResponse.FromString,
                    timeout_s,
                )
            finally:
                await channel.close()
    except TimeoutError:
        raise StreamFailed(f"no answer in {timeout_s:g} s") from None
    except (grpc.aio.AioRpcError, NotProven) as e:
        raise StreamFailed(explain(e)) from None
    return answer
