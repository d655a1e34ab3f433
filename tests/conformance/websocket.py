"""
Both ends of RFC 6455, written by hand so that tests control every byte: no extension,
no subprotocol, no implicit buffering.

Violations by the other end (masking as a server, not masking as a client, a reserved
bit or an unknown opcode) raise L{Broken}.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
import struct
from collections.abc import AsyncIterator, Mapping
from typing import NamedTuple

from tests.conformance.plain_http import Answer, read_head
from tests.conformance.record import Record

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
_KEY_SUFFIX = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

#: The close code of a connection that ended without a close frame.
LOST = 1006


class Broken(AssertionError):
    """
    The other end broke RFC 6455.
    """


class Refused(Exception):
    """
    The handshake was answered with a status other than 101.
    """

    def __init__(self, answer: Answer) -> None:
        super().__init__(f"{answer.status}: {answer.body[:200]!r}")
        self.answer = answer


class Frame(NamedTuple):
    """
    One frame, unmasked.
    """

    opcode: int
    payload: bytes
    final: bool = True


def encoded(frame: Frame, mask: bytes = b"") -> bytes:
    """
    Encode a frame.

    @param mask: four bytes; empty: not masked.
    """
    size = len(frame.payload)
    masked = 0x80 if mask else 0
    head = bytes([frame.opcode | (0x80 if frame.final else 0)])
    if size < 126:
        head += bytes([masked | size])
    elif size < 2**16:
        head += struct.pack("!BH", masked | 126, size)
    else:
        head += struct.pack("!BQ", masked | 127, size)
    return head + mask + _masked(frame.payload, mask)


def _masked(payload: bytes, mask: bytes) -> bytes:
    if not mask:
        return payload
    size = len(payload)
    key = (mask * (size // 4 + 1))[:size]
    both = int.from_bytes(payload, "big") ^ int.from_bytes(key, "big")
    return both.to_bytes(size, "big")


async def read_frame(reader: asyncio.StreamReader, *, masked: bool) -> Frame:
    """
    Read the next frame.

    @param masked: whether the other end has to mask.
    @raise asyncio.IncompleteReadError: the connection ended.
    """
    first, second = await reader.readexactly(2)
    if first & 0x70:
        raise Broken(f"reserved bits are set: {first:#x}")
    if bool(second & 0x80) is not masked:
        raise Broken("masked by a server" if second & 0x80 else "not masked")
    size = second & 0x7F
    if size == 126:
        (size,) = struct.unpack("!H", await reader.readexactly(2))
    elif size == 127:
        (size,) = struct.unpack("!Q", await reader.readexactly(8))
    mask = await reader.readexactly(4) if masked else b""
    payload = _masked(await reader.readexactly(size), mask)
    return Frame(first & 0x0F, payload, bool(first & 0x80))


class WebSocket:
    """
    One end of a connection after its handshake.

    @ivar close_code: that of the received close frame; L{LOST} if none arrived.
    @ivar pongs: the payloads of the received pongs.
    """

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        client: bool,
    ) -> None:
        self.close_code = LOST
        self.close_reason = ""
        self.pongs: Record[bytes] = Record("pongs")
        self._reader = reader
        self._writer = writer
        self._client = client

    def write(self, frame: Frame) -> None:
        """
        Pass a frame to the transport.
        """
        mask = os.urandom(4) if self._client else b""
        self._writer.write(encoded(frame, mask))

    def write_raw(self, data: bytes) -> None:
        """
        Pass any bytes to the transport.
        """
        self._writer.write(data)

    async def send(self, payload: bytes, opcode: int = BINARY) -> None:
        """
        Send a message, waiting while the other end does not read.
        """
        self.write(Frame(opcode, payload))
        await self._writer.drain()

    async def messages(self) -> AsyncIterator[tuple[int, bytes]]:
        """
        Yield the opcode and the payload of each complete message, until the connection
        ends. Answer pings and a close frame.
        """
        parts: list[Frame] = []
        while True:
            try:
                frame = await read_frame(self._reader, masked=not self._client)
            except (asyncio.IncompleteReadError, OSError):
                return
            if frame.opcode >= CLOSE:
                if self._controlled(frame):
                    return
                continue
            if (frame.opcode == CONTINUATION) is not bool(parts):
                raise Broken("a message began or went on where it cannot")
            parts.append(frame)
            if frame.final:
                yield parts[0].opcode, b"".join(part.payload for part in parts)
                parts = []

    def _controlled(self, frame: Frame) -> bool:
        """
        Handle a control frame.

        @return: whether it was the last frame.
        """
        if not frame.final or len(frame.payload) > 125:
            raise Broken("a control frame in parts, or too long")
        if frame.opcode == PING:
            self.write(Frame(PONG, frame.payload))
        elif frame.opcode == PONG:
            self.pongs.add(frame.payload)
        elif frame.opcode == CLOSE:
            if frame.payload:
                self.close_code = int.from_bytes(frame.payload[:2], "big")
                self.close_reason = frame.payload[2:].decode()
            self.write(Frame(CLOSE, frame.payload[:2]))
            return True
        else:
            raise Broken(f"opcode {frame.opcode}")
        return False

    def close(self, code: int = 1000, reason: str = "") -> None:
        """
        Send a close frame; the connection stays open until the other end closes.
        """
        self.write(Frame(CLOSE, code.to_bytes(2, "big") + reason.encode()))

    def drop(self) -> None:
        """
        End the TCP connection without a close frame.
        """
        self._writer.close()

    def pause(self) -> None:
        """
        Stop reading from the kernel.
        """
        self._writer.transport.pause_reading()  # type: ignore[attr-defined]

    def resume(self) -> None:
        if not self._writer.transport.is_closing():
            self._writer.transport.resume_reading()  # type: ignore[attr-defined]


def _accepted(key: str) -> str:
    digest = hashlib.sha1((key + _KEY_SUFFIX).encode()).digest()
    return base64.b64encode(digest).decode()


async def dial(port: int, path: str, headers: Mapping[str, str]) -> WebSocket:
    """
    Connect to a server of this machine.

    @raise Refused: the server refused the handshake.
    """
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**16)
    key = base64.b64encode(os.urandom(16)).decode()
    lines = [
        f"GET {path} HTTP/1.1",
        f"Host: 127.0.0.1:{port}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {key}",
        "Sec-WebSocket-Version: 13",
    ]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    writer.write("\r\n".join([*lines, "", ""]).encode())
    try:
        first, got = await read_head(reader)
        status = int(first.split(" ")[1])
        if status != 101:
            body = await reader.read(int(got.get("content-length", -1)))
            raise Refused(Answer(status, got, body))
        _check(got, key)
    except BaseException:
        writer.close()
        raise
    return WebSocket(reader, writer, client=True)


def _check(headers: Mapping[str, str], key: str) -> None:
    if headers.get("sec-websocket-accept") != _accepted(key):
        raise Broken("the key is answered wrongly")
    for name in ("sec-websocket-protocol", "sec-websocket-extensions"):
        if name in headers:
            raise Broken(f"{name}: {headers[name]}, which nobody asked for")


def accepted(headers: Mapping[str, str]) -> bytes:
    """
    Return the response of a server that accepts the handshake.
    """
    key = _accepted(headers["sec-websocket-key"])
    lines = [
        "HTTP/1.1 101 Switching Protocols",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Accept: {key}",
    ]
    return "\r\n".join([*lines, "", ""]).encode()
