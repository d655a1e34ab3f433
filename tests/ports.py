"""
Ports that stay reserved while no server listens there.
"""

from __future__ import annotations

import socket

from tests.integration.installation import free_ports
from wsmsg.cli.demo.daemons import Ports


class KeptPort:
    """
    A port of loopback for a server that stops and comes back.

    Connections to it are refused meanwhile, and no other process gets it. Otherwise the
    kernel may choose it as the source port of a client, and a client that dials this
    very port would connect to itself. A server that sets C{SO_REUSEADDR}, as all do,
    can listen there.
    """

    def __init__(self) -> None:
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind(("127.0.0.1", 0))
        self.number: int = self._socket.getsockname()[1]

    def close(self) -> None:
        """
        Release the port.
        """
        self._socket.close()


def free_base() -> int:
    """
    Return the first of six ports in a row that no process uses, for C{wsmsg demo}.
    """
    for base in free_ports(50):
        if base + 5 < 2**16 and not Ports.from_base(base).taken():
            return base
    raise OSError("no six ports in a row are free")
