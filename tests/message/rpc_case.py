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
from twisted.internet.task import Clock
from twisted.trial.unittest import TestCase

from tests.message.doubles import ManualJournal, MemoryStore, rules_by
from tests.message.presence.doubles import RecordingPresence
from wsmsg.message.cluster.message_ids import MessageIds
from wsmsg.message.ingress.appends import Appends
from wsmsg.message.ingress.ingress import Ingress
from wsmsg.message.links.cursors import CursorWriter
from wsmsg.message.links.links import Links
from wsmsg.message.links.recipients import MemberCache
from wsmsg.message.links.stream import ConnectStreams, StreamContext
from wsmsg.message.links.typing import GroupTyping
from wsmsg.message.queries.queries import Queries
from wsmsg.message.query_rpc import QueryAdapter
from wsmsg.message.rpc import MessageRpc, UnversionedPeers
from wsmsg.rpc import rest_pb2
from wsmsg.stream.clocks import ClockOffsets
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
        self.journal = ManualJournal()
        self.store = MemoryStore()
        self.links = Links(
            RecordingPresence(), reactor, grace_s=0, limit_records=9, limit_bytes=10**6
        )
        ingress = Ingress(
            Appends(self.journal, self.store, Clock()),
            self.store,
            MessageIds(lambda: 5),
            lambda: 1000,
            rules=rules_by(self.store, lambda: 1000),
            limit=100,
            content_bytes=1000,
        )
        self.core = StreamContext(
            node="m",
            incarnation="life",
            links=self.links,
            ingress=ingress,
            cursors=CursorWriter(self.store, self.links.receipt, reactor),
            group_typing=GroupTyping(
                self.store, MemberCache(self.store, limit=100), self.links, reactor
            ),
            keepalive_s=1.0,
            content_bytes=1000,
            clocks=ClockOffsets(lambda: 0.0, lambda: 0.0),
        )
        queries = Queries(self.store, RecordingPresence(), self.links.routes, page=9)
        self.streams = ConnectStreams(self.core)
        self.listed: list[str] = []
        self.forwarder = StreamForwarder(lambda: self.listed, keepalive_s=1.0)
        self.rpc = MessageRpc(
            self.streams,
            QueryAdapter(queries),
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
