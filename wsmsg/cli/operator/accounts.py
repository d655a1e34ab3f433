"""
The accounts whose processes listen at an address of this machine, as C{/proc/net/tcp}
has them (proc_net_tcp.rst of the kernel).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

_TABLES = ("tcp", "tcp6")
_LISTENS = "0A"
_LOOPBACK = ("127.0.0.1", "::1")

Ip = IPv4Address | IPv6Address


def listening(host: str, port: int, net: Path = Path("/proc/net")) -> set[int]:
    """
    Return the accounts of the processes that a connection may reach.

    @param host: an address, or C{localhost}; other names have no accounts.
    @param net: the folder with the tables of sockets.
    @return: their user ids; empty: nobody listens there, or it is another machine.
    """
    names = _LOOPBACK if host == "localhost" else (host,)
    try:
        wanted = [_plain(ip_address(name)) for name in names]
    except ValueError:
        return set()
    found = set()
    for address, at, account in _listeners(net):
        reached = address in wanted
        if address.is_unspecified:
            reached = any(ip.is_loopback for ip in wanted)
        if at == port and reached:
            found.add(account)
    return found


def _listeners(net: Path) -> Iterator[tuple[Ip, int, int]]:
    for table in _TABLES:
        try:
            lines = (net / table).read_text("ascii").splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            fields = line.split()
            if len(fields) > 7 and fields[3] == _LISTENS:
                address, _, port = fields[1].partition(":")
                yield _address(address), int(port, 16), int(fields[7])


def _address(text: str) -> Ip:
    """
    Return an address, which the kernel shows as words in the order of the machine.
    """
    words = [int(text[at : at + 8], 16) for at in range(0, len(text), 8)]
    return _plain(ip_address(struct.pack(f"={len(words)}I", *words)))


def _plain(address: Ip) -> Ip:
    return getattr(address, "ipv4_mapped", None) or address
