"""
Message's end of the gRPC stream of a Connect, which carries batches to and from a link.

::

    Connect --ConnectBatch--> Links, Ingress, CursorWriter, TypingSignals
    Connect <--PushBatch----- Link.next_frame

One task reads and one task writes; when either of them ends, the stream ends.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence

import attrs
import grpc
import grpc.aio
from twisted.logger import Logger

from wsmsg.errors import WsmsgError
from wsmsg.message.ingress.interface import Answer, IIngress, SendRequest
from wsmsg.message.limits.interface import ConnectRates
from wsmsg.message.links.cursors import CursorWriter
from wsmsg.message.links.interface import Context
from wsmsg.message.links.link import Link
from wsmsg.message.links.links import Links
from wsmsg.message.links.typing import TypingSignals
from wsmsg.rpc import rest_pb2
from wsmsg.settings.values import MessageSettings
from wsmsg.stream.clocks import ClockOffsets
from wsmsg.stream.contract import LINK_VERSION
from wsmsg.stream.convert import cursor_of, revocations_of
from wsmsg.stream.transport import BatchWriter, spacing_of_process
from wsmsg.tracing.context import is_traced


@attrs.define
class StreamContext:
    """
    The parts and settings that all streams of a Message share.

    @ivar incarnation: the id of this run of this Message.
    @ivar status_page: the URL of this Message's status page; empty: none for others.
    @ivar clocks: the Connects whose system clocks differ from ours.
    @ivar rates: the rates of sends that the Connects allow a user.
    @ivar revoked: returns the times before which tokens of users are revoked; L{None}:
        they are not known yet.
    @ivar draining: whether sends are left unanswered, so that Connect gives them to
        another Message, or to the next incarnation of this one.
    """

    node: str
    incarnation: str
    links: Links
    ingress: IIngress
    cursors: CursorWriter
    typing: TypingSignals
    keepalive_s: float
    content_bytes: int
    clocks: ClockOffsets
    status_page: str = ""
    draining: bool = False
    revoked: Callable[[], Mapping[int, int] | None] = lambda: None
    rates: ConnectRates = attrs.Factory(ConnectRates)

    def welcome(self, resumed: bool) -> rest_pb2.MessageStreamResponse:
        """
        Return the first frame of a stream.
        """
        revoked = self.revoked()
        welcome = rest_pb2.LinkWelcome(
            message_service_id=self.node,
            incarnation=self.incarnation,
            link_version=LINK_VERSION,
            resumed=resumed,
            heartbeat_ms=int(self.keepalive_s * 1000),
            content_bytes=self.content_bytes,
            unix_ms=self.clocks.now_ms(),
            address=self.links.reach.address,
            status_page=self.status_page,
            messages=rest_pb2.MessageList(addresses=self.links.reach.listed),
            revocations=None if revoked is None else revocations_of(revoked),
        )
        return rest_pb2.MessageStreamResponse(welcome=welcome)

    def apply_settings(self, settings: MessageSettings) -> None:
        """
        Apply the settings of the streams, of the links and of the ingress.
        """
        self.ingress.apply_settings(settings)
        self.links.apply_settings(settings)

    def drain(self) -> None:
        """
        Take no more sends.
        """
        self.draining = True


class ConnectStreams:
    """
    The streams of all Connects; see
    L{wsmsg.message.links.interface.IConnectStreams}.
    """

    _log = Logger()

    def __init__(self, core: StreamContext) -> None:
        self.open = 0
        self._core = core

    @property
    def draining(self) -> bool:
        return self._core.draining

    @property
    def keepalive_s(self) -> float:
        return self._core.keepalive_s

    async def serve(self, hello: rest_pb2.SubscribeRequest, context: Context) -> None:
        """
        Serve one stream until it ends.
        """
        core = self._core
        if core.links.is_second(hello):
            await context.abort(
                grpc.StatusCode.ALREADY_EXISTS,
                f"Message {core.node} has a stream of this Connect by another address",
            )
        link, resumed = core.links.subscribe(hello, core.incarnation)
        self._log.info(
            "stream of {node} open from {peer}, {kind}",
            node=link.node,
            peer=context.peer(),
            kind="resumed" if resumed else "new",
        )
        self.open += 1
        reason = "Connect is gone"
        stream = LinkStream(core, context, link, resumed)
        core.clocks.note(stream, link.node, hello.unix_ms)
        core.rates.note(stream, hello.sends_per_s, hello.sends_burst)
        try:
            reason = await stream.run()
            context.set_code(grpc.StatusCode.UNAVAILABLE)
            context.set_details(reason)
        finally:
            self.open -= 1
            core.clocks.forget(stream)
            core.rates.forget(stream)
            core.links.lost(link, stream.number, reason)

    def hang_up_all(self, reason: str) -> None:
        """
        End all streams.
        """
        self._core.links.hang_up_all(reason)


class LinkStream:
    """
    One stream of a Connect.

    @ivar number: the number of the stream at its link; 0 before L{run}.
    """

    _log = Logger()

    def __init__(
        self, core: StreamContext, context: Context, link: Link, resumed: bool
    ) -> None:
        self._core = core
        self._context = context
        self._link = link
        self._resumed = resumed
        self._reason = ""
        self.number = 0
        self._reader: asyncio.Task[None] | None = None

    async def run(self) -> str:
        """
        Carry batches both ways until the stream ends.

        @return: the reason why it ended.
        """
        writer = BatchWriter(
            self._link.next_frame, self._context.write, spacing_of_process()
        )
        writing = asyncio.ensure_future(self._write(writer))
        self._reader = asyncio.ensure_future(self._read())
        # Before the first await: a later stream of the same link ends this one, even
        # if the welcome is not written yet.
        self.number = self._link.opened(writer.flush_soon, self._hang_up)
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
        return self._reason or "Connect ended the stream"

    def _hang_up(self, reason: str) -> None:
        self._reason = self._reason or reason
        if self._reader is not None:
            self._reader.cancel()

    async def _write(self, writer: BatchWriter) -> None:
        await self._context.write(self._core.welcome(self._resumed))
        await writer.run()

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
        if link.stream != self.number:
            return  # another stream has replaced this one
        if batch.HasField("primary"):
            core.links.users.set_primary(link, batch.primary)
        if batch.HasField("presence"):
            core.links.users.apply_presence(link, batch.presence)
        if batch.HasField("watch"):
            core.links.users.apply_watch(link, batch.watch)
        if batch.sends and not core.draining:
            node = link.node
            requests = (_send_request(send, node) for send in batch.sends)
            core.ingress.accept(requests, self._reply)
        if batch.HasField("unreached"):
            core.links.reach.set_unreached(link.node, batch.unreached.addresses)
        if batch.HasField("load"):
            link.loaded(batch.load)
        for answer in batch.life:
            core.links.lives.answered(link.node, answer)
        if batch.pushed:
            link.acknowledged(batch.pushed)
        if batch.cursors:
            for alone in (False, True):
                said = [cursor_of(c) for c in batch.cursors if c.alone is alone]
                core.links.lives.ring.confirmed(said)
                core.cursors.move(said, link.node if alone else "")
        for typing in batch.typing:
            core.typing.typed(typing)

    def _reply(self, answers: Sequence[Answer]) -> None:
        self._link.results(self.number, [_result(p, a) for p, a in answers])


def _send_request(send: rest_pb2.SendRequest, node: str) -> SendRequest:
    traceparent = send.traceparent
    if traceparent and not is_traced(traceparent):
        traceparent = ""
    return SendRequest(
        send.id,
        send.sender,
        send.client_id,
        send.conversation,
        send.content,
        send.kind,
        node,
        send.extra,
        send.repeat,
        True,
        traceparent,
    )


def _result(request: SendRequest, answer: int | WsmsgError) -> rest_pb2.SendResult:
    if isinstance(answer, int):
        return rest_pb2.SendResult(id=request.ref, time_ms=answer)
    return rest_pb2.SendResult(
        id=request.ref,
        code=answer.code,
        reason=answer.reason,
        retry_after_ms=answer.retry_after_ms,
        uncertain=answer.uncertain,
    )
