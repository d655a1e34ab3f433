"""
The gRPC services of a Message over loopback, for tests of everything that uses them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import grpc
import grpc.aio
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from tests.message.core import MemoryCore
from wsmsg.message.links.stream import ConnectStreams
from wsmsg.message.rpc import MessageRpc, UnversionedPeers
from wsmsg.peers.channel import open_unproven
from wsmsg.rpc import rest_pb2
from wsmsg.stream.forward import StreamForwarder
from wsmsg.stream.options import channel_options

Request = rest_pb2.MessageStreamRequest


def run(coroutine: Coroutine[Any, Any, Any]) -> Deferred[Any]:
    """
    Return a Deferred that trial can wait for.
    """
    return Deferred.fromFuture(asyncio.ensure_future(coroutine))


class RpcCase(TestCase):
    """
    A real server over parts in memory.
    """

    timeout = 20

    def load_unversioned(self) -> UnversionedPeers:
        """
        Fail: these peers have a link version.
        """
        return self.fail("an unversioned peer")

    async def start(self) -> None:
        core = MemoryCore(reactor, grace_s=0, limit_records=9)
        self.journal, self.store, self.links = core.journal, core.store, core.links
        self.core = core.streams
        self.streams = ConnectStreams(self.core)
        self.listed: list[str] = []
        self.forwarder = StreamForwarder(
            open_unproven, lambda: self.listed, keepalive_s=1.0
        )
        self.rpc = MessageRpc(
            self.streams,
            core.queries,
            self.load_unversioned,
            self.forwarder,
        )
        await self.rpc.start("127.0.0.1:0")

    @asynccontextmanager
    async def channel(self) -> AsyncIterator[grpc.aio.Channel]:
        await self.start()
        channel = grpc.aio.insecure_channel(
            self.rpc.address, options=channel_options(1.0)
        )
        try:
            yield channel
        finally:
            await channel.close()
            self.links.give_up_all()
            await self.rpc.stop(0)

    def subscribe(self, **more: Any) -> Request:
        fields = {"connect_service_id": "c", "incarnation": "i", "link_version": 1}
        return Request(subscribe=rest_pb2.SubscribeRequest(**{**fields, **more}))
