"""
WebSocket frames of a client (RFC 6455 section 5), without a library.

A client masks its frames, a server does not.  The mask is one random key for the life
of the process: that gives no protection, but the peer is our own server, which has to
unmask all the same.
"""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Iterator

TEXT, BINARY, CLOSE, PING, PONG = 0x1, 0x2, 0x8, 0x9, 0xA

#: The first byte of an unfragmented message.
WHOLE_TEXT, WHOLE_BINARY = 0x80 | TEXT, 0x80 | BINARY

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class FramingError(Exception):
    """
    The server sent a frame that a client must not accept.
    """


class Mask:
    """
    Makes masked frames with one key.

    @param key: 4 bytes.
    """

    __slots__ = ("_key", "_keys")

    def __init__(self, key: bytes):
        self._key = key
        self._keys: dict[int, int] = {}

    def frame(self, payload: bytes, opcode: int = BINARY) -> bytes:
        """
        Make a complete frame.
        """
        return self.head(len(payload), opcode) + self.apply(payload)

    def head(self, length: int, opcode: int = BINARY) -> bytes:
        """
        Make the header of a masked payload of this length, including the key.
        """
        first = 0x80 | opcode
        if length < 126:
            return bytes((first, 0x80 | length)) + self._key
        if length < 65536:
            return bytes((first, 0xFE)) + length.to_bytes(2, "big") + self._key
        return bytes((first, 0xFF)) + length.to_bytes(8, "big") + self._key

    def apply(self, payload: bytes) -> bytes:
        """
        Mask a payload.  One operation on a long integer is many times as fast as a loop
        over bytes.
        """
        n = len(payload)
        key = self._keys.get(n)
        if key is None:
            repeated = (self._key * (n // 4 + 1))[:n]
            key = self._keys[n] = int.from_bytes(repeated, "little")
        return (int.from_bytes(payload, "little") ^ key).to_bytes(n, "little")


def split(data: bytes) -> Iterator[tuple[int, int, int]]:
    """
    Return the complete frames in C{data}, as (first byte, start, end) of their
    payloads.

    The bytes after the last end are the beginning of an incomplete frame.

    @raise FramingError: a frame is masked or has reserved bits.
    """
    i, n = 0, len(data)
    while n - i >= 2:
        first, length, start = data[i], data[i + 1], i + 2
        if length > 125:
            if length > 127:
                raise FramingError("the server masked a frame")
            start += 2 if length == 126 else 8
            if start > n:
                return
            length = int.from_bytes(data[i + 2 : start], "big")
        i = start + length
        if i > n:
            return
        if first & 0x70:
            raise FramingError("the server set reserved bits")
        yield first, start, i


def upgrade(host: str, path: str, headers: dict[str, str], key: str) -> bytes:
    """
    Make the request that opens a WebSocket (RFC 6455 section 4.1).
    """
    lines = [
        f"GET {path} HTTP/1.1",
        f"Host: {host}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {key}",
        "Sec-WebSocket-Version: 13",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def new_key() -> str:
    """
    Make a C{Sec-WebSocket-Key}.
    """
    return base64.b64encode(os.urandom(16)).decode()


def check_upgraded(head: bytes, key: str) -> None:
    """
    Check that this answer to L{upgrade} opens the WebSocket.

    @param head: the answer up to its blank line.
    @raise FramingError: it does not; the reason has the status line.
    """
    status, *lines = head.decode("latin-1").split("\r\n")
    if status.split(" ")[1:2] != ["101"]:
        raise FramingError(f"the server refused the connection: {status}")
    digest = hashlib.sha1(key.encode() + _GUID).digest()
    expected = base64.b64encode(digest).decode()
    for line in lines:
        name, _, value = line.partition(":")
        if name.lower() == "sec-websocket-accept" and value.strip() == expected:
            return
    raise FramingError("the server's Sec-WebSocket-Accept is wrong")
