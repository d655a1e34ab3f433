"""
Hostile clients over bare sockets, and the responses that they received.
"""

from __future__ import annotations

import asyncio
import base64
import re
from collections.abc import Iterator, Sequence
from typing import Any

import attrs
import msgspec

from wsmsg.protocol import client_pb2 as pb

_END_S = 45.0
_QUIET_S = 0.3
_KEY = base64.b64encode(b"0123456789abcdef").decode()
MARK = "the-end"


@attrs.define
class Outcome:
    """
    The bytes that a server sent before it, or a timeout, ended the connection.

    @ivar statuses: statuses of HTTP responses.
    @ivar messages: payloads of WebSocket messages.
    @ivar close: the code of its close frame.
    @ivar ended: whether the server closed the connection first.
    """

    statuses: list[int] = attrs.Factory(list)
    messages: list[bytes] = attrs.Factory(list)
    close: int = 0
    ended: bool = False


async def attempt(port: int, pieces: Sequence[bytes], *, mark: bytes = b"") -> Outcome:
    """
    Send pieces one by one, and collect the response.

    @param mark: disconnect once the response contains this; empty: once the server is
        silent.
    """
    outcome = Outcome()
    said = b""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for piece in pieces:
            writer.write(piece)
            if len(pieces) > 1:
                await asyncio.sleep(0)
        async with asyncio.timeout(_END_S):
            while not mark or mark not in said:
                heard = await _next(reader, None if mark else _QUIET_S)
                if heard is None:
                    break
                outcome.ended = not heard
                if not heard:
                    break
                said += heard
    except (ConnectionError, BrokenPipeError):
        outcome.ended = True
    finally:
        writer.transport.abort()
    _understand(said, outcome)
    return outcome


async def _next(reader: asyncio.StreamReader, quiet_s: float | None) -> bytes | None:
    try:
        async with asyncio.timeout(quiet_s):
            return await reader.read(65536)
    except TimeoutError:
        if quiet_s is None:
            raise
        return None


def _understand(said: bytes, outcome: Outcome) -> None:
    while said.startswith(b"HTTP/1."):
        head, _, said = said.partition(b"\r\n\r\n")
        status = int(head.split()[1])
        outcome.statuses.append(status)
        length = re.search(rb"(?i)content-length: *(\d+)", head)
        said = said[int(length[1]) if length and status != 100 else 0 :]
        if status == 101:
            for opcode, payload in frames_of(said):
                if opcode in (1, 2):
                    outcome.messages.append(payload)
                elif opcode == 8:
                    outcome.close = int.from_bytes(payload[:2], "big")
            return


def frames_of(data: bytes) -> Iterator[tuple[int, bytes]]:
    """
    Return the opcodes and payloads of a server's frames.
    """
    at = 0
    while len(data) >= at + 2:
        opcode, size = data[at] & 15, data[at + 1]
        at += 2
        if size > 125:
            n = 2 if size == 126 else 8
            size = int.from_bytes(data[at : at + n], "big")
            at += n
        yield opcode, data[at : at + size]
        at += size


def upgrade(codec: str, token: str, **headers: str) -> bytes:
    """
    Return a WebSocket handshake; headers replace or extend the default ones.
    """
    fields = {
        "Host": "x",
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": _KEY,
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Protocol": f"wsmsg.v1.{codec}",
        "Authorization": token,
    }
    fields |= {name.replace("_", "-"): value for name, value in headers.items()}
    lines = "".join(f"{k}: {v}\r\n" for k, v in fields.items())
    return f"GET /api/v1/connect/ws HTTP/1.1\r\n{lines}\r\n".encode()


def masked(payload: bytes, opcode: int = 2, *, first: int = 0x80) -> bytes:
    """
    Return a masked frame of a client.

    @param first: the bits besides the opcode: 0x80 is the last fragment.
    """
    size = len(payload)
    if size < 126:
        head = bytes([0x80 | size])
    elif size < 65536:
        head = b"\xfe" + size.to_bytes(2, "big")
    else:
        head = b"\xff" + size.to_bytes(8, "big")
    return bytes([first | opcode]) + head + b"\0\0\0\0" + payload


@attrs.frozen
class Spelling:
    """
    The inputs of hostile clients in one codec.
    """

    name: str
    opcode: int
    hello: bytes
    mark: bytes

    def message(self, payload: bytes) -> bytes:
        return masked(payload, self.opcode)

    def understood(self, payload: bytes) -> tuple[str, dict[str, Any]]:
        """
        Return the type and the fields of a server's frame.
        """
        if self.name == "json":
            fields = msgspec.json.decode(payload)
            return fields.pop("type"), fields
        frame = pb.ServerFrame.FromString(payload)
        name = frame.WhichOneof("frame") or ""
        inner = getattr(frame, name)
        return name, {f.name: v for f, v in inner.ListFields()}


PROTOBUF = Spelling(
    "protobuf",
    2,
    pb.ClientFrame(hello=pb.Hello(device="h")).SerializeToString(),
    pb.ClientFrame(ping=pb.Ping(nonce=MARK)).SerializeToString(),
)
JSON = Spelling(
    "json",
    1,
    b'{"type":"hello","device":"h"}',
    msgspec.json.encode({"type": "ping", "nonce": MARK}),
)
