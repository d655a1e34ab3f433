"""
Ports that stay ours while nobody listens there.
"""

from __future__ import annotations

import socket


class KeptPort:
    """
    A port of loopback for a server that stops and comes back.

    Who dials it meanwhile is refused, and nobody else gets it: else the kernel may give
    it to whoever dials anything, who dials this very port among them and would find
    itself.  A server that sets C{SO_REUSEADDR}, as all do, can listen there.
    """

    def __init__(self) -> None:
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind(("127.0.0.1", 0))
        self.number: int = self._socket.getsockname()[1]

    def close(self) -> None:
        """
        Have it no longer.
        """
        self._socket.close()
