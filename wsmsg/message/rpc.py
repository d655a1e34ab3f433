"""
Message's gRPC surface: the streams of Connects, queries, health, reflection.

::

    Connect --MessageStream--> _Stream --> Links, Ingress, Cursors
    Connect --Query----------> Queries

A stream begins with C{subscribe} and is answered with C{LinkWelcome}; from then on
both sides write only batches.  A peer with C{link_version} 0 is a deployed one, which
this version does not serve.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import grpc
import grpc.aio
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import aio as health_aio
from grpc_reflection.v1alpha import reflection
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from wsmsg.errors import WsmsgError
from wsmsg.message.cursors import Cursors
from wsmsg.message.ingress import Answer, Ingress, Proposal
from wsmsg.message.link import Link
from wsmsg.message.links import Links
from wsmsg.message.queries import Queries
from wsmsg.rpc import rest_pb2, rest_pb2_grpc
from wsmsg.streams import BatchWriter

LINK_VERSION = 1
_SUBSCRIBE_TIMEOUT_S = 5.0
_MESSAGE_BYTES = 16 * 2**20
_STATUS = {code.name: code for code in grpc.StatusCode}

Context = grpc.aio.ServicerContext[Any, Any]


class _Stream:
    """
    One stream of a Connect, while it lasts.
    """

    _log = Logger()

    def __init__(
        self, core: MessageRpc, context: Context, link: Link, resumed: bool
    ) -> None:
        self._core = core
        self._context = context
        self._link = link
        self._resumed = resumed
        self._reason = ""
        self._number = 0
        self._reader: asyncio.Task[None] | None = None

    async def run(self) -> str:
        """
        Carry batches both ways until the stream ends.

        @return: why it ended.
        """
        await self._context.write(self._core.welcome(self._resumed))
        writer = BatchWriter(self._link.take, self._context.write)
        writing = asyncio.ensure_future(writer.run())
        self._reader = asyncio.ensure_future(self._read())
        self._number = self._link.opened(writer.wake, self._hang_up)
        try:
            await asyncio.wait(
                {self._reader, writing}, return_when=asyncio.FIRST_COMPLETED
            )
            for task in (self._reader, writing):
                if task.done() and not task.cancelled() and task.exception():
                    self._reason = self._reason or str(task.exception())
        finally:
            self._reader.cancel()
            writing.cancel()
            await asyncio.gather(self._reader, writing, return_exceptions=True)
        return self._reason or "Connect ended it"

    def _hang_up(self, reason: str) -> None:
        self._reason = self._reason or reason
        if self._reader is not None:
            self._reader.cancel()

    async def _read(self) -> None:
        while (request := await self._context.read()) is not grpc.aio.EOF:
            with self._log.failuresHandled(
                "a batch of {node}", node=self._link.node
            ) as handled:
                self._received(request)
            if handled.failed:
                raise RuntimeError("a batch could not be handled")

    def _received(self, request: rest_pb2.MessageStreamRequest) -> None:
        if request.WhichOneof("request_type") != "batch":
            self._hang_up("a frame that is not a batch")
            return
        batch, core, link = request.batch, self._core, self._link
        if batch.HasField("presence"):
            core.links.presence(link, batch.presence)
        if batch.HasField("watch"):
            core.links.watch(link, batch.watch)
        if batch.sends and not core.draining:
            core.ingress.accept(map(_proposal, batch.sends), self._reply)
        if batch.pushed:
            link.acknowledged(batch.pushed)
        if batch.cursors:
            core.cursors.move(batch.cursors)
        for typing in batch.typing:
            core.links.typing(typing)

    def _reply(self, answers: Sequence[Answer]) -> None:
        self._link.results(self._number, [_result(p, a) for p, a in answers])


class MessageRpc(
    rest_pb2_grpc.MessageServiceServicer, rest_pb2_grpc.QueryServiceServicer
):
    """
    The gRPC server on Message's C{rpc_listen}.

    @ivar draining: sends are left unanswered from now on, so that Connect takes them
        to another Message or gives them again to the next life of this one.
    @ivar incarnation: the name of this life of this Message.
    """

    _log = Logger()

    def __init__(
        self,
        *,
        node: str,
        incarnation: str,
        links: Links,
        ingress: Ingress,
        cursors: Cursors,
        queries: Queries,
        keepalive_s: float,
        content_bytes: int,
    ) -> None:
        self.node = node
        self.incarnation = incarnation
        self.links = links
        self.ingress = ingress
        self.cursors = cursors
        self.queries = queries
        self.draining = False
        self.streams = 0
        self.health = health_aio.HealthServicer()
        self.address = ""
        self._keepalive_s = keepalive_s
        self._content_bytes = content_bytes
        self._server: grpc.aio.Server | None = None

    # -- life

    async def start(self, listen: str) -> None:
        """
        Serve.

        @raise OSError: the address cannot be had.
        """
        server = grpc.aio.server(options=server_options(self._keepalive_s))
        rest_pb2_grpc.add_MessageServiceServicer_to_server(self, server)
        rest_pb2_grpc.add_QueryServiceServicer_to_server(self, server)
        health_pb2_grpc.add_HealthServicer_to_server(self.health, server)
        services = rest_pb2.DESCRIPTOR.services_by_name
        reflection.enable_server_reflection(
            (
                services["MessageService"].full_name,
                services["QueryService"].full_name,
                health_pb2.DESCRIPTOR.services_by_name["Health"].full_name,
                reflection.SERVICE_NAME,
            ),
            server,
        )
        try:
            port = server.add_insecure_port(listen)
        except RuntimeError as e:
            raise OSError(f"cannot listen on {listen} (rpc_listen): {e}") from e
        self.address = f"{listen.rpartition(':')[0]}:{port}"
        await server.start()
        self._server = server

    async def stop(self, grace_s: float) -> None:
        """
        End all streams, let queries that run finish within the grace.
        """
        self.links.hang_up_all("Message is stopping")
        if self._server is not None:
            await self._server.stop(grace_s)

    def welcome(self, resumed: bool) -> rest_pb2.MessageStreamResponse:
        """
        The first frame of each stream.
        """
        response = rest_pb2.MessageStreamResponse()
        welcome = response.welcome
        welcome.message_service_id = self.node
        welcome.incarnation = self.incarnation
        welcome.link_version = LINK_VERSION
        welcome.resumed = resumed
        welcome.heartbeat_ms = int(self._keepalive_s * 1000)
        welcome.content_bytes = self._content_bytes
        return response

    # -- methods

    async def MessageStream(
        self, request_iterator: Any, context: Context
    ) -> None:
        """
        The stream of one Connect.
        """
        hello = await self._subscribe(context)
        link, resumed = self.links.subscribe(hello, self.incarnation)
        self._log.info(
            "stream of {node} open from {peer}, {kind}",
            node=link.node,
            peer=context.peer(),
            kind="resumed" if resumed else "new",
        )
        self.streams += 1
        reason = "Connect is gone"
        try:
            reason = await _Stream(self, context, link, resumed).run()
        finally:
            self.streams -= 1
            self.links.lost(link, reason)

    async def Query(
        self, request: rest_pb2.QueryRequest, context: Context
    ) -> rest_pb2.QueryResponse:
        """
        Many reads in one call.
        """
        answering = Deferred.fromCoroutine(self.queries.answer(request))
        return await answering.asFuture(asyncio.get_running_loop())

    async def _subscribe(self, context: Context) -> rest_pb2.SubscribeRequest:
        try:
            async with asyncio.timeout(_SUBSCRIBE_TIMEOUT_S):
                first = await context.read()
        except TimeoutError:
            await context.abort(
                grpc.StatusCode.DEADLINE_EXCEEDED, "no subscribe as the first frame"
            )
        if first is grpc.aio.EOF or first.WhichOneof("request_type") != "subscribe":
            await context.abort(
                grpc.StatusCode.INVALID_ARGUMENT, "the first frame is not a subscribe"
            )
        hello: rest_pb2.SubscribeRequest = first.subscribe
        if hello.link_version != LINK_VERSION:
            await context.abort(
                grpc.StatusCode.UNIMPLEMENTED,
                f"link_version {hello.link_version} is not served, only {LINK_VERSION}",
            )
        if not hello.connect_service_id or not hello.incarnation:
            await context.abort(
                grpc.StatusCode.INVALID_ARGUMENT,
                "subscribe names no connect_service_id or no incarnation",
            )
        if self.draining:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "Message is stopping")
        return hello


def server_options(keepalive_s: float) -> list[tuple[str, int]]:
    """
    Find a dead peer after C{keepalive_s} of silence and as long again; take no port
    that another process has.
    """
    keepalive_ms = int(keepalive_s * 1000)
    return [
        ("grpc.so_reuseport", 0),
        ("grpc.keepalive_time_ms", keepalive_ms),
        ("grpc.keepalive_timeout_ms", keepalive_ms),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.max_pings_without_data", 0),
        ("grpc.http2.max_ping_strikes", 0),
        ("grpc.http2.min_recv_ping_interval_without_data_ms", 100),
        ("grpc.max_receive_message_length", _MESSAGE_BYTES),
        ("grpc.max_send_message_length", _MESSAGE_BYTES),
    ]


def _proposal(send: rest_pb2.SendRequest) -> Proposal:
    return Proposal(
        send.id,
        send.sender,
        send.client_id,
        send.conversation,
        send.content,
        send.kind,
    )


def _result(proposal: Proposal, answer: int | WsmsgError) -> rest_pb2.SendResult:
    if isinstance(answer, int):
        return rest_pb2.SendResult(id=proposal.ref, time_ms=answer)
    return rest_pb2.SendResult(
        id=proposal.ref,
        code=answer.code,
        reason=answer.reason,
        retry_after_ms=answer.retry_after_ms,
    )
