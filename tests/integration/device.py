"""
One connection of one device, fully controlled by a test.

Like L{wsmsg.prove.clients.raw} it shares no code with C{wsmsg.client}; unlike it,
it neither reconnects nor syncs by itself, and it records every frame that arrives.
"""

from __future__ import annotations

import asyncio
import json
import socket
import time
from typing import Any

import websockets
from google.protobuf.json_format import ParseDict
from google.protobuf.message import Message
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from wsmsg.protocol import client_pb2 as pb

#: Seconds to wait for an expected frame, on a slow machine too.
PATIENCE_S = 45.0


class NotReceived(AssertionError):
    """
    An expected frame did not arrive; the text lists the frames that did.
    """


class Device:
    """
    A WebSocket connection of one device.

    @ivar received: every frame that arrived, with its name and time of arrival.
    """

    def __init__(self, connection: ClientConnection, user: int, json_: bool) -> None:
        self.user = user
        self.received: list[tuple[str, Any, float]] = []
        self._json = json_
        self._connection = connection
        self._taken: set[int] = set()
        self._changed = asyncio.Condition()
        self._over = False
        self._reader: asyncio.Task[None] | None = None
        self.resume_reading()

    @classmethod
    async def dial(
        cls,
        url: str,
        token: str | None,
        user: int = 0,
        *,
        json_: bool = False,
        headers: dict[str, str] | None = None,
        receive_bytes: int = 0,
    ) -> Device:
        """
        Open a WebSocket, and send nothing on it.

        @param receive_bytes: the size of the kernel's receive buffer, for a client that
            does not read; 0: the default.
        @raise websockets.InvalidStatus: the server refused the handshake.
        """
        headers = dict(headers or {})
        if token is not None:
            headers["Authorization"] = token
        codec = "json" if json_ else "protobuf"
        connection = await connect(
            url,
            sock=_socket(url, receive_bytes) if receive_bytes else None,
            subprotocols=[Subprotocol(f"wsmsg.v1.{codec}")],
            additional_headers=headers,
            compression=None,
            ping_interval=None,
            max_queue=4 if receive_bytes else None,
            open_timeout=PATIENCE_S,
            close_timeout=1,
            max_size=None,
        )
        return cls(connection, user, json_)

    async def greet(
        self, name: str = "phone", *, position: str = "", token: str = ""
    ) -> Any:
        """
        Send hello.

        @return: the welcome.
        """
        await self.send_frame(
            hello=pb.Hello(
                device=name, position=position, token=token, client="device/1"
            )
        )
        return await self.expect("welcome")

    # -- sending

    async def send_frame(self, **frame: Any) -> None:
        """
        Send a frame, by the name of its field; do nothing if the connection is closed.
        """
        try:
            await self._connection.send(self.encode_frame(**frame))
        except websockets.ConnectionClosed:
            pass

    def encode_frame(self, **frame: Any) -> bytes | str:
        """
        Encode a frame as it goes over the wire.
        """
        if not self._json:
            return pb.ClientFrame(**frame).SerializeToString()
        [(name, message)] = frame.items()
        return json.dumps({"type": name, **_fields(message)})

    async def send_bytes(self, data: bytes | str | list[bytes]) -> None:
        """
        Send bytes that need not be a frame; a list is sent as fragments.
        """
        try:
            await self._connection.send(data)
        except websockets.ConnectionClosed:
            pass

    async def send(self, to: int, client_id: str, content: str) -> Any:
        """
        Send a message.

        @return: C{accepted} or C{rejected}.
        """
        await self.send_frame(send=pb.Send(client_id=client_id, to=to, content=content))
        return await self.answer(client_id)

    async def send_until_accepted(self, to: int, client_id: str, content: str) -> Any:
        """
        Send a message again, after the hinted waits, until it is accepted.

        @return: C{accepted}.
        """
        for _ in range(20):
            answer = await self.send(to, client_id, content)
            if not getattr(answer, "code", ""):
                return answer
            if not answer.retry_after_ms:
                break
            # the test is that waiting this long helps
            await asyncio.sleep(answer.retry_after_ms / 1000)
        raise AssertionError(f"{client_id} is rejected for ever: {answer}")

    async def answer(self, client_id: str) -> Any:
        """
        Return the answer to a send.
        """
        return await self.expect(("accepted", "rejected"), client_id=client_id)

    # -- receiving

    async def expect(
        self,
        name: str | tuple[str, ...],
        limit_s: float = PATIENCE_S,
        **fields: Any,
    ) -> Any:
        """
        Wait for a frame with these fields. Each frame is returned once.
        """
        names = (name,) if isinstance(name, str) else name
        found: list[Any] = []

        def look() -> bool:
            for i, (heard, frame, _) in enumerate(self.received):
                if heard not in names or i in self._taken:
                    continue
                if all(getattr(frame, k) == v for k, v in fields.items()):
                    self._taken.add(i)
                    found.append(frame)
                    return True
            return self._over

        try:
            async with asyncio.timeout(limit_s):
                async with self._changed:
                    await self._changed.wait_for(look)
        except TimeoutError:
            pass
        if not found:
            raise NotReceived(f"{self.user}: no {names} {fields} in {self}")
        return found[0]

    def all(self, name: str) -> list[Any]:
        """
        Return every frame of this name so far.
        """
        return [frame for heard, frame, _ in self.received if heard == name]

    def forget_received(self) -> None:
        """
        Forget every frame so far.
        """
        self.received.clear()
        self._taken.clear()

    async def pong(self) -> None:
        """
        Wait for the answer to a ping, so that all earlier frames have been received.
        """
        nonce = str(time.monotonic_ns())
        await self.send_frame(ping=pb.Ping(nonce=nonce))
        await self.expect("pong", nonce=nonce)

    async def pong_or_end(self) -> None:
        """
        Do the same as L{pong}, or return when the connection ends.
        """
        try:
            await self.pong()
        except NotReceived:
            if not self._over:
                raise

    @property
    def over(self) -> bool:
        """
        Tell whether the connection has ended.
        """
        return self._over

    async def closed(self, limit_s: float = PATIENCE_S) -> int:
        """
        Wait until the other side closes.

        @return: the close code.
        """
        async with asyncio.timeout(limit_s):
            async with self._changed:
                await self._changed.wait_for(lambda: self._over)
            await self._connection.wait_closed()
        return self._connection.close_code or 0

    def pause_reading(self) -> None:
        """
        Stop reading from the connection.
        """
        if self._reader is not None:
            self._reader.cancel()
            self._reader = None

    def resume_reading(self) -> None:
        """
        Read again.
        """
        self._reader = asyncio.ensure_future(self._read())

    # -- the end

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """
        Close with a close frame.
        """
        self.pause_reading()
        await self._connection.close(code, reason)

    def drop(self) -> None:
        """
        Drop the connection without a close frame, as a killed process does.
        """
        self.pause_reading()
        self._connection.transport.abort()

    async def _read(self) -> None:
        try:
            async for data in self._connection:
                name, frame = self._understand(data)
                self.received.append((name, frame, time.monotonic()))
                async with self._changed:
                    self._changed.notify_all()
        except asyncio.CancelledError:
            return  # it does not read now
        except websockets.ConnectionClosed:
            pass
        finally:
            self._over = self._reader is not None
            async with self._changed:
                self._changed.notify_all()

    def _understand(self, data: bytes | str) -> tuple[str, Any]:
        if self._json:
            document = json.loads(data)
            name = document.pop("type")
            for message in document.get("messages", ()):
                del message["type"]  # each entry is a deliver frame
            frame = pb.ServerFrame()
            ParseDict(document, getattr(frame, name))
            getattr(frame, name).SetInParent()
        else:
            assert isinstance(data, bytes)
            frame = pb.ServerFrame.FromString(data)
            name = str(frame.WhichOneof("frame"))
        return name, getattr(frame, name)

    def __str__(self) -> str:
        return f"{[(name, str(frame)) for name, frame, _ in self.received[-20:]]}"


def _fields(message: Message) -> dict[str, Any]:
    return {
        field.name: list(value) if field.is_repeated else value
        for field, value in message.ListFields()
    }


def _socket(url: str, receive_bytes: int) -> socket.socket:
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    host, _, port = url.split("/")[2].partition(":")
    made.connect((host, int(port)))
    made.setblocking(False)
    return made
