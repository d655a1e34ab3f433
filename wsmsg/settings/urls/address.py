"""
Network addresses as an operator writes them: C{host:port}, C{[::1]:port}.
"""

from __future__ import annotations

import ipaddress
from typing import NamedTuple


class Address(NamedTuple):
    """
    A host, by name or number, and a port; port 0 lets the system choose.
    """

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def parse_address(text: str) -> Address:
    """
    Read C{host:port}.

    @raise ValueError: with a sentence that says what is wrong.
    """
    host, colon, port = text.rpartition(":")
    if not colon or not host:
        raise ValueError(f"{text!r} is not host:port, as 127.0.0.1:21005")
    if not (port.isascii() and port.isdigit() and int(port) <= 65535):
        raise ValueError(f"{text!r} has no port from 0 to 65535 after the last colon")
    return Address(_host(host, text), int(port))


def _host(host: str, text: str) -> str:
    if host.startswith("[") and host.endswith("]"):
        try:
            return str(ipaddress.IPv6Address(host[1:-1]))
        except ValueError:
            raise ValueError(f"{text!r} has no IPv6 address in its brackets") from None
    if ":" in host:
        raise ValueError(f"{text!r}: an IPv6 address is written [::1]:21005")
    if not all(c.isalnum() or c in "-._" for c in host):
        raise ValueError(f"{text!r} has a host with invalid characters")
    return host


def is_loopback(host: str) -> bool:
    """
    Return L{True} if only this machine can reach a listener at C{host}.  A name other
    than C{localhost} may resolve to any address, so it does not count.
    """
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
