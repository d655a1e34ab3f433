"""
The frames that nearly all frames are: whole, masked, of a message's one fragment.

Autobahn takes any stream of bytes apart, and needs some 20 us a frame for it.  Where
a frame is all there, it is taken here in a few; whatever else comes (fragments, pieces,
closes, pings, what RFC 6455 section 5.2 forbids) is left to Autobahn untouched.
"""

from __future__ import annotations

TEXT = 0x81
BINARY = 0x82
PONG = 0x8A

_LONGER = 126


def whole_frame(data: bytes, at: int, limit: int) -> tuple[int, bytes, int] | None:
    """
    Take a frame, if it is one of those.

    @param at: where in C{data} it begins.
    @param limit: the longest payload in bytes.
    @return: its first byte, its payload and where the next one begins.
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
    Whether a text message may be this (RFC 6455 section 8.1).
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
