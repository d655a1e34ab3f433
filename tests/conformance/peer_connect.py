"""
A legacy Connect: its stream to a Message, and (L{ScriptedConnect.listen}) its
WebSockets, HTTP and C{OnlineStatus}.

Without WebSockets it accepts pushes for the users in C{here}: it answers each with a
C{push_result}, as it would after writing to a WebSocket; for other users it answers
nothing. Like the legacy Connect it never reconnects a stream by itself.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

import grpc
import grpc.aio
from google.protobuf.message import DecodeError

from tests.conformance.contract import (
    ACKNOWLEDGEMENT,
    HEARTBEAT,
    TEXT,
    MessageStreamRequest,
    MessageStreamResponse,
    OnlineStatusRequest,
    OnlineStatusResponse,
    method,
    sender_of,
    strange,
    ws_message,
)
from tests.conformance.peer_connect_edge import ConnectEdge
from tests.conformance.record import Gate, Record, Said
from tests.conformance.streams import (
    as_bytes,
    call,
    channel_to,
    free_port,
    serve,
    service,
)


class ScriptedConnect:
    """
    The scripted Connect.

    @param target: the port of a Message's gRPC.
    @param node: its C{connect_service_id}; empty: made in the legacy format.
    @param port: of its WebSockets and HTTP; 0: a free one.
    @param rpc_port: of C{OnlineStatus}; 0: a free one.
    @param subscribes: how often it subscribes at the beginning of a stream.
    @param results: whether it reports the results of pushes.

    @ivar here: users who count as connected in addition to those with a WebSocket.
    @ivar pushes: each received C{MessagePushEvent}.
    @ivar failures: each received C{MessageFailureEvent}.
    @ivar confirms: each received C{AckConfirmEvent}.
    @ivar others: any other received event, with its field numbers.
    @ivar strange: received field numbers that the contract does not have.
    @ivar said: every payload of the stream, unchanged.
    @ivar ends: how each of its streams ended: code and details.
    @ivar reading: while this gate is closed, the stream is not read.
    """

    def __init__(
        self,
        target: int,
        node: str = "",
        *,
        port: int = 0,
        rpc_port: int = 0,
        subscribes: int = 1,
        results: bool = True,
    ) -> None:
        self.target = target
        self.node = node or f"connect-{time.time_ns()}"
        self.port = port or free_port()
        self.rpc_port = rpc_port or free_port()
        self.subscribes = subscribes
        self.results = results
        self.here: set[int] = set()
        self.pushes: Record[Any] = Record("pushes to Connect")
        self.failures: Record[Any] = Record("failures to Connect")
        self.confirms: Record[Any] = Record("confirmations to Connect")
        self.others: Record[Any] = Record("other things to Connect")
        self.strange: list[int] = []
        self.said: Record[Said] = Record("payloads of Connect")
        self.ends: Record[tuple[str, str]] = Record("ended streams of Connect")
        self.reading = Gate()
        self.edge = ConnectEdge(self.port, self._from_client, self.online)
        self._server: Any = None
        self._channel: Any = None
        self._call: Any = None
        self._reader: asyncio.Task[None] | None = None
        self._writing = asyncio.Lock()

    # -- lifetime

    async def connect(self) -> None:
        """
        Open a stream, and subscribe on it C{subscribes} times.
        """
        assert self._reader is None, "it has a stream"
        self._channel = channel_to(self.target)
        stream = self._channel.stream_stream(
            method("MessageService", "MessageStream"), request_serializer=as_bytes
        )
        self._call = stream()
        self._reader = asyncio.ensure_future(self._read(self._call))
        for _ in range(self.subscribes):
            await self.subscribe(self.node)

    async def listen(self) -> None:
        """
        Serve WebSockets, HTTP and C{OnlineStatus}.
        """
        await self.edge.start()
        unary = {"OnlineStatus": self._online_status}
        self._server = await serve([service("ConnectService", unary)], self.rpc_port)

    async def kill(self) -> None:
        """
        End at once: reset the stream and drop the WebSockets.
        """
        await self.hang_up()
        await self.edge.stop()
        server, self._server = self._server, None
        if server is not None:
            await server.stop(None)

    async def hang_up(self) -> None:
        """
        Reset the stream.
        """
        reader, self._reader = self._reader, None
        channel, self._channel = self._channel, None
        if self._call is not None:
            self._call.cancel()
        self.reading.open()
        if reader is not None:
            await asyncio.gather(reader, return_exceptions=True)
        if channel is not None:
            await channel.close()

    async def close_send(self) -> None:
        """
        Close the sending half of the stream; the other half stays open.
        """
        await self._call.done_writing()

    def stop_reading(self) -> None:
        """
        Stop reading from the stream, which stays open.
        """
        self.reading.close()

    def read_on(self) -> None:
        self.reading.open()

    def online(self, user: int) -> bool:
        """
        Tell whether a user counts as connected.
        """
        return user in self.here or user in self.edge.sockets

    # -- sending on the stream

    async def write(self, payload: Any) -> None:
        """
        Send a message or any bytes on the stream, waiting while the other side does not
        read.
        """
        async with self._writing:
            self.said.add(Said(">", as_bytes(payload)))
            await self._call.write(payload)

    async def subscribe(self, node: str) -> None:
        await self.write(MessageStreamRequest(subscribe={"connect_service_id": node}))

    async def send(self, message: Any) -> None:
        """
        Send a C{WSMessage} as C{send_message}, unchanged.
        """
        await self.write(MessageStreamRequest(send_message={"msg": message}))

    async def send_text(self, sender: int, to: int, content: str, **more: Any) -> Any:
        """
        Send a text from a user, who need not be connected.

        @param more: other fields of the C{WSMessage}.
        @return: the C{WSMessage}.
        """
        fields = {
            "sender": sender,
            "to": to,
            "content": content,
            "timestamp": int(time.time()),
            "message_type": TEXT,
        }
        message = ws_message(**{**fields, **more})
        await self.send(message)
        return message

    async def ack(self, user: int, message: Any, **more: Any) -> None:
        """
        Acknowledge a C{WSMessage} for a user.

        @param more: other fields of the C{MessageAckRequest}.
        """
        fields = {
            "message_id": message.message_id,
            "user_id": user,
            "timestamp": message.timestamp,
        }
        await self.write(MessageStreamRequest(ack={**fields, **more}))

    async def push_result(
        self, user: int, success: bool = True, error_message: str = ""
    ) -> None:
        """
        Report the result of a push to a user.
        """
        fields = {"success": success, "error_message": error_message}
        result = {**fields, "target_user_id": user}
        await self.write(MessageStreamRequest(push_result=result))

    # -- receiving on the stream

    async def _read(self, stream: Any) -> None:
        try:
            while True:
                await self.reading.passed()
                data = await stream.read()
                if data is grpc.aio.EOF:
                    break
                self.said.add(Said("<", data))
                await self._take(data)
        except (grpc.aio.AioRpcError, grpc.aio.UsageError):
            pass  # the status is recorded below
        except asyncio.CancelledError:
            if not stream.cancelled():
                raise
        code = await stream.code()
        self.ends.add((code.name, await stream.details()))

    async def _take(self, data: bytes) -> None:
        try:
            response = MessageStreamResponse.FromString(data)
        except DecodeError:
            self.others.add(data)
            return
        unknown = strange(response)
        self.strange += unknown
        match response.WhichOneof("response_type"):
            case "push_event":
                self.pushes.add(response.push_event)
                await self._deliver(response.push_event)
            case "failure":
                self.failures.add(response.failure)
            case "ack_confirm":
                self.confirms.add(response.ack_confirm)
            case _:
                self.others.add(unknown)

    async def _deliver(self, push: Any) -> None:
        user = push.target_user_id
        if not self.online(user):
            return
        if user in self.edge.sockets:
            payload = push.message.SerializeToString(deterministic=True)
            if not await self.edge.deliver(user, payload):
                return
        if self.results:
            await self.push_result(user)

    # -- messages of its clients

    async def _from_client(self, user: int, message: Any) -> None:
        if message.message_type == ACKNOWLEDGEMENT:
            more = {"ack_id": message.ack_id}
            await self.ack(sender_of(message), message, **more)
        elif message.message_type != HEARTBEAT:
            await self.send(message)

    # -- unary calls

    async def _online_status(self, data: bytes, context: Any) -> Any:
        users = OnlineStatusRequest.FromString(data).user_ids
        return OnlineStatusResponse(status={user: self.online(user) for user in users})

    async def call(self, name: str, request: Any) -> bytes:
        """
        Call a unary method of Message.

        @return: the bytes of the response.
        @raise grpc.aio.AioRpcError: Message refused the call.
        """
        if self._channel is None:
            self._channel = channel_to(self.target)
        return await call(self._channel, "MessageService", name, request)

    # -- received events

    async def expect(self, content: str) -> Any:
        """
        Wait for the push of a message with this content.

        @return: the C{MessagePushEvent}.
        """
        return await self.pushes.find(
            lambda push: push.message.content == content, repr(content)
        )
