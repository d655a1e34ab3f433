"""
Frames of RFC 6455 section 5, as bytes.

L{usual_frame} parses what nearly all frames are: complete, masked, and a message of one
fragment.  It takes a few microseconds.  L{wsmsg.connect.websocket.reader} parses the
others.
"""

from __future__ import annotations

TEXT = 0x81
BINARY = 0x82
CLOSE = 0x88
PING = 0x89
PONG = 0x8A

_LONGER = 126
_CONTROL_BYTES = 125


class FrameError(Exception):
    """
    A client violated RFC 6455, or a limit.

    @ivar code: the close code.
    """

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code, self.reason = code, reason


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
    return first, unmasked(data[body:end], data[body - 4 : body]), end


def unmasked(payload: bytes, mask: bytes) -> bytes:
    """
    Remove the mask from a payload, or mask it (RFC 6455 section 5.3).
    """
    size = len(payload)
    key = int.from_bytes((mask * (size // 4 + 1))[:size], "little")
    return (int.from_bytes(payload, "little") ^ key).to_bytes(size, "little")


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


def control_frame(first: int, payload: bytes = b"") -> bytes:
    """
    Return a ping, a pong or a close of a server.

    @param first: the first byte of the frame.
    @param payload: at most 125 bytes.
    """
    return bytes((first, len(payload))) + payload


def close_frame(code: int, reason: str) -> bytes:
    """
    Return a close frame, with as much of the reason as fits (RFC 6455 section 5.5),
    without half a character at the end.
    """
    short = reason.encode("utf-8", "replace")[: _CONTROL_BYTES - 2]
    whole = short.decode("utf-8", "ignore").encode()
    return control_frame(CLOSE, code.to_bytes(2, "big") + whole)
