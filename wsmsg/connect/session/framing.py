"""
The WebSocket header that a server puts before a payload (RFC 6455 section 5.2).

A server does not mask, so the bytes of one message are the same for every
connection: they are made once and shared by all recipients with the same codec.
"""

from __future__ import annotations

from wsmsg.protocol.codec import ICodec

_TEXT = 0x81
_BINARY = 0x82


def framed(codec: ICodec, payload: bytes) -> bytes:
    """
    One whole, unfragmented and unmasked message.
    """
    first = _BINARY if codec.binary else _TEXT
    size = len(payload)
    if size < 126:
        return bytes((first, size)) + payload
    if size < 65536:
        return bytes((first, 126, size >> 8, size & 255)) + payload
    return bytes((first, 127)) + size.to_bytes(8, "big") + payload
