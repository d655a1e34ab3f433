"""
Message's gRPC surface: the streams of Connects, queries, health, reflection.

::

    Connect --MessageStream--> LinkStream --> Links, Ingress, Cursors
    Connect --Query----------> Queries

    deployed --MessageStream-> DeployedStream --> DeployedPeers
             --unary calls---> DeployedCalls

A stream of ours begins with C{subscribe} and is answered with C{LinkWelcome}; from then
on both sides write only batches.  A peer with C{link_version} 0, or that begins with
anything else of the deployed contract, is a deployed one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import grpc
import grpc.aio
from google.protobuf.message import DecodeError
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from wsmsg.errors import WsmsgError
from wsmsg.message.legacy.calls import LegacyCalls
from wsmsg.message.legacy.peers import LegacyConnects
from wsmsg.message.legacy.stream import LegacyConnectStream
from wsmsg.message.links.stream import Context, LinkStream, StreamContext
from wsmsg.message.queries.queries import Queries
from wsmsg.rpc import rest_pb2, rest_pb2_grpc
from wsmsg.stream.contract import LINK_VERSION, NAME_CHARACTERS
from wsmsg.stream.options import server_options
from wsmsg.stream.server import GrpcServer

_SUBSCRIBE_TIMEOUT_S = 5.0

T = TypeVar("T")


class MessageRpc(
    GrpcServer,
    rest_pb2_grpc.MessageServiceServicer,
    rest_pb2_grpc.QueryServiceServicer,
):
    """
    The gRPC server on Message's C{rpc_listen}.

    @ivar streams: how many are open of Connects of ours.
    """

    _log = Logger()

    services = tuple(
        rest_pb2.DESCRIPTOR.services_by_name[name].full_name
        for name in ("MessageService", "QueryService")
    )

    def __init__(
        self,
        core: StreamContext,
        queries: Queries,
        deployed: LegacyConnects,
        deployed_calls: LegacyCalls,
    ) -> None:
        super().__init__()
        self.streams = 0
        self._core = core
        self._queries = queries
        self._deployed = deployed
        self._deployed_calls = deployed_calls

    # -- life

    def add_to(self, server: grpc.aio.Server) -> None:
        rest_pb2_grpc.add_MessageServiceServicer_to_server(self, server)
        rest_pb2_grpc.add_QueryServiceServicer_to_server(self, server)

    def options(self) -> list[tuple[str, int]]:
        return server_options(self._core.keepalive_s)

    async def stop(self, grace_s: float) -> None:
        """
        End all streams, let queries that run finish within the grace.
        """
        self._core.links.hang_up_all("Message is stopping")
        self._deployed.hang_up_all("Message is stopping")
        await super().stop(grace_s)

    # -- methods

    async def MessageStream(self, request_iterator: Any, context: Context) -> None:
        """
        The stream of one Connect.
        """
        first = await self._first(context)
        match first.WhichOneof("request_type"):
            case "subscribe" if first.subscribe.link_version:
                await self._check(first.subscribe, context)
                await self._serve(first.subscribe, context)
            case "subscribe" | "ack" | "push_result" | "send_message":
                await self._check_draining(context)
                await LegacyConnectStream(self._deployed, context).run(first)
            case _:
                await context.abort(
                    grpc.StatusCode.INVALID_ARGUMENT,
                    "the first frame is not a subscribe",
                )

    async def _serve(self, hello: rest_pb2.SubscribeRequest, context: Context) -> None:
        core = self._core
        link, resumed = core.links.subscribe(hello, core.incarnation)
        self._log.info(
            "stream of {node} open from {peer}, {kind}",
            node=link.node,
            peer=context.peer(),
            kind="resumed" if resumed else "new",
        )
        self.streams += 1
        reason = "Connect is gone"
        try:
            reason = await LinkStream(core, context, link, resumed).run()
            context.set_code(grpc.StatusCode.UNAVAILABLE)
            context.set_details(reason)
        finally:
            self.streams -= 1
            core.links.lost(link, reason)

    async def SendWSMessage(
        self, request: rest_pb2.SendWSMessageRequest, context: Context
    ) -> rest_pb2.SendWSMessageResponse:
        """
        A message, answered once it is durable.
        """
        return await _on_loop(self._deployed_calls.send(request))

    async def GetHistoryMessages(
        self, request: rest_pb2.GetHistoryRequest, context: Context
    ) -> rest_pb2.GetHistoryResponse:
        """
        A page of old messages.
        """
        try:
            return await _on_loop(self._deployed_calls.history(request))
        except WsmsgError as e:
            await context.abort(grpc.StatusCode[e.grpc_code], e.reason)
            raise

    async def Query(
        self, request: rest_pb2.QueryRequest, context: Context
    ) -> rest_pb2.QueryResponse:
        """
        Many reads in one call.
        """
        return await _on_loop(self._queries.answer(request))

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
        if self._core.draining:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "Message is stopping")


async def _on_loop(answering: Coroutine[Any, Any, T]) -> T:
    deferred = Deferred.fromCoroutine(answering)
    return await deferred.asFuture(asyncio.get_running_loop())


def _is_name(name: str) -> bool:
    return 0 < len(name) <= NAME_CHARACTERS and name.isprintable()
