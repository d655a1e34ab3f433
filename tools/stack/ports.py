"""
Free ports of loopback.
"""

from __future__ import annotations

import random
import socket
from collections.abc import Iterable

from tools.stack.server import HOST


def free_ports(listeners: Iterable[str]) -> dict[str, int]:
    """
    Return an unused port for each listener, below the range from which the kernel
    takes ports for outgoing connections.
    """
    sockets: dict[str, socket.socket] = {}
    try:
        for listener in listeners:
            sockets[listener] = _bound()
        return {name: s.getsockname()[1] for name, s in sockets.items()}
    finally:
        for s in sockets.values():
            s.close()


def _bound() -> socket.socket:
    while True:
        s = socket.socket()
        try:
            s.bind((HOST, random.randrange(10_000, 32_000)))
        except OSError:
            s.close()
        else:
            return s
