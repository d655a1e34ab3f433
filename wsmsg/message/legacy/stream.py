"""
The gRPC stream of one legacy Connect: single events both ways.

One task reads and another one writes, and neither waits for the other: under load,
legacy peers stop reading while they continue to write.
"""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import grpc.aio
from google.protobuf.message import DecodeError
from twisted.logger import Logger

from wsmsg.message.legacy.peer import InvalidPeer
from wsmsg.message.legacy.peers import LegacyConnects
from wsmsg.rpc import rest_pb2
from wsmsg.stream.transport import BatchWriter

#: C{grpc.aio.ServicerContext}; gRPC has no types.
Context = Any

#: How long a peer may take to read the last events.
_LAST_EVENTS_S = 1.0


class LegacyConnectStream:
    """
    One stream of a legacy Connect.
    """

    _log = Logger()

    def __init__(self, peers: LegacyConnects, context: Context) -> None:
        self._peers = peers
        self._context = context
        self._writer = BatchWriter(self._next_event, context.write)
        self._peer = peers.opened(self._writer.flush_soon, self._hang_up)
        self._reader: asyncio.Task[None] | None = None
        self._status = grpc.StatusCode.OK
        self._reason = ""

    async def run(self, first: rest_pb2.MessageStreamRequest) -> None:
        """
        Serve the stream until it ends.

        @param first: the first event, which has been read.
        """
        tasks: list[asyncio.Task[None]] = []
        try:
            # gRPC sends the metadata with the first write.  If that is cancelled on its
            # way, gRPC cannot send the status any more, and the peer waits forever.
            await self._context.send_initial_metadata(())
            self._reader = asyncio.ensure_future(self._read(first))
            writing = asyncio.ensure_future(self._writer.run())
            tasks += [self._reader, writing]
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            self._peers.leaving(self._peer)
            if not writing.done():
                self._writer.finish()
                await asyncio.wait({writing}, timeout=_LAST_EVENTS_S)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._peers.lost(self._peer, self._reason or _why(*tasks))
        if self._status is not grpc.StatusCode.OK:
            self._context.set_code(self._status)
            self._context.set_details(self._reason)

    def _next_event(self) -> rest_pb2.MessageStreamResponse | None:
        return self._peer.outbox.next_event()

    def _hang_up(self, reason: str, *, overrun: bool) -> None:
        status = grpc.StatusCode
        self._end(status.RESOURCE_EXHAUSTED if overrun else status.UNAVAILABLE, reason)

    def _end(self, status: grpc.StatusCode, reason: str) -> None:
        if not self._reason:
            self._status, self._reason = status, reason
        if self._reader is not None:
            self._reader.cancel()

    async def _read(self, first: rest_pb2.MessageStreamRequest) -> None:
        request, eof = first, grpc.aio.EOF
        while request is not eof and not self._reason:
            self._received(request)
            try:
                request = await self._context.read()
            except DecodeError as e:
                self._end(grpc.StatusCode.INVALID_ARGUMENT, f"an event: {e}")

    def _received(self, request: rest_pb2.MessageStreamRequest) -> None:
        try:
            self._peer.received(request)
        except InvalidPeer as e:
            self._end(grpc.StatusCode.INVALID_ARGUMENT, str(e))
        except Exception:  # noqa: BLE001 - a guard
            self._log.failure("an event of legacy Connect {node}", node=self._peer.name)
            self._end(grpc.StatusCode.INTERNAL, "an event could not be handled")


def _why(*tasks: asyncio.Task[None]) -> str:
    for task in tasks:
        if not task.cancelled() and (error := task.exception()):
            return str(error)
    return "the peer ended the stream"
