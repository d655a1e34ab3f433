"""
A legacy Message: its streams of single events, its unary calls and its HTTP.

It does not answer C{subscribe}, pushes every message to every subscribed stream,
whichever users are connected there, and confirms acknowledgements. What it stores is in
L{stored}, and survives a restart.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import grpc
import grpc.aio
from google.protobuf.message import DecodeError

from tests.conformance.contract import (
    NEW_MESSAGE,
    GetHistoryRequest,
    GetHistoryResponse,
    MessageStreamRequest,
    MessageStreamResponse,
    SendWSMessageRequest,
    SendWSMessageResponse,
    WSMessage,
    sender_of,
    strange,
)
from tests.conformance.peer_message_http import MessageHttp
from tests.conformance.record import Gate, Record, Said
from tests.conformance.store import Store, Stored
from tests.conformance.streams import (
    UnknownMethods,
    as_bytes,
    free_port,
    serve,
    service,
)


class Heard(NamedTuple):
    """
    One event received on a stream.

    @ivar stream: the number of the stream, from 1.
    @ivar kind: the field of the oneof; empty: none of the contract.
    @ivar event: the event.
    """

    stream: int
    kind: str
    event: Any


class Stream:
    """
    One C{MessageStream}.

    @ivar subscribed: the ids that it subscribed with, in order of arrival.
    @ivar closed: whether it has ended.
    """

    def __init__(self, number: int, context: Any) -> None:
        self.number = number
        self.subscribed: list[str] = []
        self.closed = False
        self.metadata = {str(k): v for k, v in context.invocation_metadata() or ()}
        self._context = context
        self._writing = asyncio.Lock()

    async def write(self, payload: Any) -> None:
        """
        Send an event; do nothing if the stream has ended.
        """
        async with self._writing:
            if not self.closed:
                await self._context.write(as_bytes(payload))


class ScriptedMessage:
    """
    The scripted Message.

    @param rpc_port: where it serves gRPC; 0: a free port, kept over restarts.
    @param http_port: the same for HTTP.
    @param ids: where message ids come from; the legacy ones are not unique.
    @param now: unix seconds.

    @ivar groups: the members of each group.
    @ivar store: the stored messages.
    @ivar received: the events received on all streams.
    @ivar said: every payload of all streams, unchanged.
    @ivar strange: received field numbers that the contract does not have.
    @ivar broken: payloads that are not a C{MessageStreamRequest}.
    @ivar reading: while this gate is closed, no stream is read.
    @ivar storing: while this gate is closed, nothing is stored, so that an
        acknowledgement overtakes its message.
    @ivar serving: while this gate is closed, it does nothing at all, with its
        connections open.
    """

    def __init__(
        self,
        rpc_port: int = 0,
        http_port: int = 0,
        *,
        ids: Callable[[], int] | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.rpc_port = rpc_port or free_port()
        self.groups: dict[int, list[int]] = {}
        self.store = Store()
        self.streams: list[Stream] = []
        self.received: Record[Heard] = Record("events to Message")
        self.said: Record[Said] = Record("payloads of Message")
        self.strange: list[int] = []
        self.broken: Record[bytes] = Record("other payloads to Message")
        self.reading = Gate()
        self.storing = Gate()
        self.serving = Gate()
        self._http = MessageHttp(http_port or free_port(), self.store, self.serving)
        self._ids = ids or itertools.count(int(now() * 1_000_000)).__next__
        self._now = now
        self._server: Any = None
        self._tasks: set[asyncio.Task[None]] = set()

    # -- lifetime

    @property
    def http_port(self) -> int:
        return self._http.port

    async def start(self) -> None:
        """
        Start serving, for the first time or again.
        """
        unary = {
            "SendWSMessage": self._send,
            "GetHistoryMessages": self._history,
            "MessageStream": self._stream,
        }
        served = [service("MessageService", unary), UnknownMethods(self.serving)]
        self._server = await serve(served, self.rpc_port)
        await self._http.start()

    async def kill(self) -> None:
        """
        End at once: streams and connections drop without a word. Stored messages stay.
        """
        server, self._server = self._server, None
        for stream in self.streams:
            stream.closed = True
        for task in self._tasks:
            task.cancel()
        if server is not None:
            await server.stop(None)
        await self._http.stop()

    async def restart(self) -> None:
        await self.kill()
        await self.start()

    def freeze(self) -> None:
        """
        Stop all work, and close nothing, as a Message that is suspended; only pings are
        answered, as by its kernel and proxies.
        """
        self.serving.close()
        self.reading.close()

    def thaw(self) -> None:
        self.serving.open()
        self.reading.open()

    def stop_reading(self) -> None:
        """
        Stop reading from all streams, but continue to push.
        """
        self.reading.close()

    def read_on(self) -> None:
        self.reading.open()

    # -- streams

    @property
    def subscribers(self) -> list[Stream]:
        """
        Return the streams that every push goes to.
        """
        return [s for s in self.streams if s.subscribed and not s.closed]

    async def subscribed(self, count: int = 1) -> None:
        """
        Wait until this number of streams is subscribed.
        """
        what = f"{count} subscribed"
        await self.received.until(lambda: len(self.subscribers) >= count, what)

    async def _stream(self, _: Any, context: Any) -> None:
        stream = Stream(len(self.streams) + 1, context)
        self.streams.append(stream)
        try:
            while True:
                await self.reading.passed()
                data = await context.read()
                if data is grpc.aio.EOF:
                    return
                await self.serving.passed()
                await self._take(stream, data)
        finally:
            stream.closed = True

    async def _take(self, stream: Stream, data: bytes) -> None:
        self.said.add(Said("<", data))
        try:
            request = MessageStreamRequest.FromString(data)
        except DecodeError:
            self.broken.add(data)
            return
        self.strange += strange(request)
        kind = request.WhichOneof("request_type") or ""
        event = getattr(request, kind) if kind else request
        if kind == "subscribe":
            stream.subscribed.append(event.connect_service_id)
        self.received.add(Heard(stream.number, kind, event))
        if kind == "send_message":
            self._begin(self._accept(event.msg))
        elif kind == "ack":
            await self._confirm(stream, event)

    def _begin(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _accept(self, sent: Any) -> None:
        """
        Push a message, and store it; the two run concurrently.
        """
        message = WSMessage()
        message.CopyFrom(sent)
        message.message_id = self._ids()
        self._begin(self._keep(message))
        await self.push(message)

    async def _keep(self, message: Any) -> None:
        await self.storing.passed()
        self.store.add(Stored(message, self._now()))

    async def push(self, message: Any, event_type: str = NEW_MESSAGE) -> None:
        """
        Push a C{WSMessage} to all its recipients.
        """
        targets = [message.to]
        if message.group_id > 0:
            members = self.groups.get(message.group_id, [])
            targets = [user for user in members if user != sender_of(message)]
        for target in targets:
            event = {"target_user_id": target, "event_type": event_type}
            event["message"] = message
            await self.tell_all(MessageStreamResponse(push_event=event))

    async def tell_all(self, payload: Any) -> None:
        """
        Send a message or bytes on every subscribed stream.
        """
        await self.serving.passed()
        for stream in self.subscribers:
            await self._tell(stream, payload)

    async def _tell(self, stream: Stream, payload: Any) -> None:
        self.said.add(Said(">", as_bytes(payload)))
        await stream.write(payload)

    async def _confirm(self, stream: Stream, ack: Any) -> None:
        confirmed = self.store.mark_read(ack.user_id, [ack.message_id])
        event = {"ack_id": ack.ack_id, "message_id": ack.message_id}
        event["confirmed"] = bool(confirmed)
        await self._tell(stream, MessageStreamResponse(ack_confirm=event))

    # -- unary calls

    async def _send(self, data: bytes, context: Any) -> Any:
        await self.serving.passed()
        self._begin(self._accept(SendWSMessageRequest.FromString(data).msg))
        return SendWSMessageResponse(success=True, message="ok")

    async def _history(self, data: bytes, context: Any) -> Any:
        await self.serving.passed()
        request = GetHistoryRequest.FromString(data)
        if request.page < 1:
            await context.abort(grpc.StatusCode.UNKNOWN, "page is below 1")
        found = self.store.of(request.user_id, request.group_id)
        begin = (request.page - 1) * request.size
        return GetHistoryResponse(
            messages=[s.message for s in found[begin : begin + request.size]],
            total=len(found),
            page=request.page,
            size=request.size,
        )

    # -- received events

    async def expect(self, kind: str, since: int = 0) -> Any:
        """
        Wait for an event of this kind.

        @param since: number of entries of L{received} to skip.
        @return: the event.
        """
        found = await self.received.find(lambda h: h.kind == kind, kind, since)
        return found.event

    def all(self, kind: str) -> list[Any]:
        """
        Return all received events of this kind.
        """
        return [h.event for h in self.received if h.kind == kind]
