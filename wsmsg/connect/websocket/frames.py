"""
Frames of RFC 6455 section 5: their first bytes, and the control frames of a server.
"""

from __future__ import annotations

TEXT = 0x81
BINARY = 0x82
CLOSE = 0x88
PING = 0x89
PONG = 0x8A

_CONTROL_BYTES = 125


class FrameError(Exception):
    """
    A client violated RFC 6455, or a limit.

    @ivar code: the close code.
    """

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code, self.reason = code, reason


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
