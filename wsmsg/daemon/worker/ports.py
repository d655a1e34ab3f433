"""
Sockets of a port that several processes listen on: C{SO_REUSEPORT} of the kernel, which
gives each new connection to one of them.
"""

from __future__ import annotations

import socket

from wsmsg.settings.urls.address import Address


def shared_socket(address: Address) -> socket.socket:
    """
    Bind a socket that others of the same account may share the port with.  Connections
    come to those that listen only.

    @raise OSError: it cannot be bound.
    """
    found = socket.getaddrinfo(*address, type=socket.SOCK_STREAM)
    family, kind, protocol, _, place = found[0]
    bound = socket.socket(family, kind, protocol)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        bound.bind(place)
        bound.setblocking(False)
    except OSError:
        bound.close()
        raise
    return bound
