"""
The kernel's knowledge about the other end of a TCP connection (C{TCP_INFO}).
"""

from __future__ import annotations

import socket
import struct
import sys
from typing import Any, NamedTuple

# Offsets in Linux's struct tcp_info (linux/tcp.h): packets sent and not acknowledged,
# bytes acknowledged since the start, bytes not sent yet.
_UNACKED = 24
_BYTES_ACKED = 120
_NOT_SENT = 144
_SIZE = 192


class TcpProgress(NamedTuple):
    """
    Progress of the written data.

    @ivar acknowledged: bytes that the other end's kernel has received, since the start.
    @ivar pending: whether some data is still under way.
    """

    acknowledged: int
    pending: bool


def tcp_progress(transport: Any) -> TcpProgress | None:
    """
    Return the progress of what was written to a transport.

    @param transport: a Twisted TCP transport, or another.
    @return: L{None} where the kernel does not tell: not Linux, or not TCP.
    """
    if not sys.platform.startswith("linux"):
        return None
    try:
        # Below TLS, the handle of a transport is not its socket.
        handle = getattr(transport, "tcp_handle", None) or transport.getHandle
        info = handle().getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _SIZE)
        (unacked,) = struct.unpack_from("=I", info, _UNACKED)
        (acknowledged,) = struct.unpack_from("=Q", info, _BYTES_ACKED)
        (not_sent,) = struct.unpack_from("=I", info, _NOT_SENT)
    except (AttributeError, OSError, struct.error):
        return None
    return TcpProgress(acknowledged, bool(unacked or not_sent))
