"""
What the kernel knows about the other end of a TCP connection.
"""

from __future__ import annotations

import socket
import struct
import sys
from typing import Any, NamedTuple

# In Linux's struct tcp_info (linux/tcp.h): packets sent and not acknowledged, bytes
# acknowledged since the start, bytes not sent yet.
_UNACKED = 24
_BYTES_ACKED = 120
_NOT_SENT = 144
_SIZE = 192


class TcpProgress(NamedTuple):
    """
    How far what was written has come.

    @ivar acknowledged: bytes that the other end's kernel has, since the start.
    @ivar pending: whether something is still under way.
    """

    acknowledged: int
    pending: bool


def progress(transport: Any) -> TcpProgress | None:
    """
    @param transport: a Twisted TCP transport, or another.
    @return: L{None} where there is no telling: not Linux, not TCP.
    """
    if not sys.platform.startswith("linux"):
        return None
    try:
        info = transport.getHandle().getsockopt(
            socket.IPPROTO_TCP, socket.TCP_INFO, _SIZE
        )
        (unacked,) = struct.unpack_from("=I", info, _UNACKED)
        (acknowledged,) = struct.unpack_from("=Q", info, _BYTES_ACKED)
        (not_sent,) = struct.unpack_from("=I", info, _NOT_SENT)
    except (AttributeError, OSError, struct.error):
        return None
    return TcpProgress(acknowledged, bool(unacked or not_sent))
