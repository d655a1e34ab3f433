"""
Message's gRPC services: the streams of Connects, queries, health and reflection.

::

    Connect --MessageStream--> IConnectStreams
            --Query----------> QueryAdapter --> IQueries
            --RelayService---> StreamForwarder --> another Message

    unversioned peer --MessageStream, SendWSMessage, GetHistoryMessages-->
                               UnversionedPeers

The stream of a Connect begins with C{subscribe}, with a C{link_version} above 0, and is
answered with C{LinkWelcome}; from then on both sides write only batches.  A peer that
begins with C{link_version} 0 or with a single event is I{unversioned}, and so is every
peer that makes a unary call of C{MessageService}.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Protocol, TypeVar

import grpc
import grpc.aio
from google.protobuf.message import DecodeError
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from wsmsg.errors import WsmsgError
from wsmsg.message.links.interface import Context, IConnectStreams
from wsmsg.message.query_rpc import QueryAdapter
from wsmsg.peers.guard import PeerGuard
from wsmsg.rpc import rest_pb2, rest_pb2_grpc
from wsmsg.stream.contract import LINK_VERSION, MESSAGE_STREAM, NAME_CHARACTERS
from wsmsg.stream.forward import StreamForwarder
from wsmsg.stream.options import server_options
from wsmsg.stream.server import GrpcServer

_SUBSCRIBE_TIMEOUT_S = 5.0

T = TypeVar("T")


class UnversionedPeers(Protocol):
    """
    Serves the peers that have no link version.
    """

    async def serve(
        self, first: rest_pb2.MessageStreamRequest, context: Context
    ) -> None:
        """
        Serve one stream until it ends.

        @param first: the first frame.
        """

    async def send(
        self, request: rest_pb2.SendWSMessageRequest
    ) -> rest_pb2.SendWSMessageResponse:
        """
        Answer C{SendWSMessage} once the message is durable.

        @raise WsmsgError: the message is refused for now.
        """

    async def history(
        self, request: rest_pb2.GetHistoryRequest
    ) -> rest_pb2.GetHistoryResponse:
        """
        Answer C{GetHistoryMessages}.

        @raise WsmsgError: the request is refused.
        """

    def hang_up_all(self, reason: str) -> None:
        """
        End all streams.
        """


class MessageRpc(
    GrpcServer,
    rest_pb2_grpc.MessageServiceServicer,
    rest_pb2_grpc.QueryServiceServicer,
):
    """
    The gRPC server on Message's C{rpc_listen}.

    @param load_unversioned: makes what serves unversioned peers; called once, when the
        first of them opens a stream or makes a call.
    @param forwarder: passes streams on to other Messages.
    @param guard: as in L{GrpcServer}.
    """

    _log = Logger()

    services = tuple(
        rest_pb2.DESCRIPTOR.services_by_name[name].full_name
        for name in ("MessageService", "QueryService", "RelayService")
    )

    def __init__(
        self,
        streams: IConnectStreams,
        queries: QueryAdapter,
        load_unversioned: Callable[[], UnversionedPeers],
        forwarder: StreamForwarder,
        guard: PeerGuard | None = None,
    ) -> None:
        super().__init__(guard)
        self._forwarder = forwarder
        self._streams = streams
        self._queries = queries
        self._load_unversioned = load_unversioned
        self._loaded: UnversionedPeers | None = None

    @property
    def forwarded(self) -> int:
        """
        The number of streams that are passed on to other Messages.
        """
        return self._forwarder.open

    # -- life

    def add_to(self, server: grpc.aio.Server) -> None:
        rest_pb2_grpc.add_MessageServiceServicer_to_server(self, server)
        rest_pb2_grpc.add_QueryServiceServicer_to_server(self, server)
        self._forwarder.add_to(server)

    def options(self) -> list[tuple[str, int]]:
        return server_options(self._streams.keepalive_s)

    async def stop(self, grace_s: float) -> None:
        """
        End all streams, and let running queries finish within the grace time.
        """
        self._streams.hang_up_all("Message is stopping")
        if self._loaded is not None:
            self._loaded.hang_up_all("Message is stopping")
        await super().stop(grace_s)

    # -- methods

    async def MessageStream(self, request_iterator: Any, context: Context) -> None:
        """
        Serve one stream until it ends.
        """
        first = await self._first(context)
        match first.WhichOneof("request_type"):
            case "subscribe" if first.subscribe.link_version:
                if self.guard is not None:
                    await self.guard.check(MESSAGE_STREAM, context)
                await self._check(first.subscribe, context)
                await self._streams.serve(first.subscribe, context)
            case "subscribe" | "ack" | "push_result" | "send_message":
                await self._check_draining(context)
                await self._unversioned().serve(first, context)
            case _:
                await context.abort(
                    grpc.StatusCode.INVALID_ARGUMENT,
                    "the first frame is not a subscribe",
                )

    async def SendWSMessage(
        self, request: rest_pb2.SendWSMessageRequest, context: Context
    ) -> rest_pb2.SendWSMessageResponse:
        """
        Accept a message of an unversioned peer; answer once it is durable.
        """
        try:
            return await _on_loop(self._unversioned().send(request))
        except WsmsgError as e:
            await context.abort(grpc.StatusCode[e.grpc_code], e.reason)
            raise

    async def GetHistoryMessages(
        self, request: rest_pb2.GetHistoryRequest, context: Context
    ) -> rest_pb2.GetHistoryResponse:
        """
        Read a page of old messages for an unversioned peer.
        """
        try:
            return await _on_loop(self._unversioned().history(request))
        except WsmsgError as e:
            await context.abort(grpc.StatusCode[e.grpc_code], e.reason)
            raise

    async def Query(
        self, request: rest_pb2.QueryRequest, context: Context
    ) -> rest_pb2.QueryResponse:
        """
        Answer many queries in one call.
        """
        return await _on_loop(self._queries.answer(request))

    def _unversioned(self) -> UnversionedPeers:
        if self._loaded is None:
            self._loaded = self._load_unversioned()
        return self._loaded

    async def _first(self, context: Context) -> rest_pb2.MessageStreamRequest:
        try:
            async with asyncio.timeout(_SUBSCRIBE_TIMEOUT_S):
                first = await context.read()
        except TimeoutError:
            await context.abort(
                grpc.StatusCode.DEADLINE_EXCEEDED, "no subscribe as the first frame"
            )
        except DecodeError as e:
            await context.abort(
                grpc.StatusCode.INVALID_ARGUMENT, f"the first frame: {e}"
            )
        if first is grpc.aio.EOF:
            await context.abort(
                grpc.StatusCode.INVALID_ARGUMENT, "the stream ended without a frame"
            )
        request: rest_pb2.MessageStreamRequest = first
        return request

    async def _check(self, hello: rest_pb2.SubscribeRequest, context: Context) -> None:
        if hello.link_version != LINK_VERSION:
            await context.abort(
                grpc.StatusCode.UNIMPLEMENTED,
                f"link_version {hello.link_version} is not served, only {LINK_VERSION}",
            )
        if not (_is_name(hello.connect_service_id) and _is_name(hello.incarnation)):
            await context.abort(
                grpc.StatusCode.INVALID_ARGUMENT,
                "subscribe has no connect_service_id or no incarnation, or one that is"
                f" over {NAME_CHARACTERS} characters or not printable",
            )
        await self._check_draining(context)

    async def _check_draining(self, context: Context) -> None:
        if self._streams.draining:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "Message is stopping")


async def _on_loop(answering: Coroutine[Any, Any, T]) -> T:
    deferred = Deferred.fromCoroutine(answering)
    return await deferred.asFuture(asyncio.get_running_loop())


def _is_name(name: str) -> bool:
    return 0 < len(name) <= NAME_CHARACTERS and name.isprintable()
