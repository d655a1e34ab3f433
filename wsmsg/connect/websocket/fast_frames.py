"""
A parser for the usual frames: complete, masked, and a message of one fragment.

Autobahn parses any stream of bytes, and takes some 20 us for a frame.  This parser
takes a few, for a frame that is complete.  It leaves everything else to Autobahn:
fragments, partial frames, closes, pings, and what RFC 6455 section 5.2 forbids.
"""

from __future__ import annotations

TEXT = 0x81
BINARY = 0x82
PONG = 0x8A

_LONGER = 126


def usual_frame(data: bytes, at: int, limit: int) -> tuple[int, bytes, int] | None:
    """
    Parse a frame, if it is a usual one.

    @param at: the position in C{data} where the frame begins.
    @param limit: the maximum length of the payload in bytes.
    @return: the first byte, the payload, and the position of the next frame; or
        L{None}.
    """
    if len(data) - at < 6:
        return None
    first = data[at]
    if first != BINARY and first != TEXT and first != PONG:
        return None
    size = data[at + 1] - 0x80
    body = at + 6
    if size == _LONGER and first != PONG:
        size = int.from_bytes(data[at + 2 : at + 4], "big")
        body = at + 8
        if size < _LONGER:
            return None
    elif not 0 <= size < _LONGER:
        return None
    end = body + size
    if end > len(data) or size > limit:
        return None
    return first, _unmasked(data[body:end], data[body - 4 : body], size), end


def is_utf8(data: bytes) -> bool:
    """
    Return whether the bytes are valid UTF-8, as a text message must be (RFC 6455
    section 8.1).
    """
    if data.isascii():
        return True
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _unmasked(payload: bytes, mask: bytes, size: int) -> bytes:
    key = int.from_bytes((mask * (size // 4 + 1))[:size], "little")
    return (int.from_bytes(payload, "little") ^ key).to_bytes(size, "little")
