"""
The address of a client that comes through proxies.

Only an address of the setting C{proxies} may say whose connection it passes on: by the
header C{X-Forwarded-For}, or by the PROXY protocol, versions 1 and 2
(U{https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt}), in front of the first
request.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from functools import lru_cache
from ipaddress import ip_address, ip_network
from typing import NamedTuple

#: Longest headers: version 1 as the specification has it; version 2 with room for the
#: extensions that proxies send.
_V1_BYTES = 107
_V2_BYTES = 2048
_V2_HEAD = 16
_SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
_HOPS = 32
_FORWARDED = re.compile(rb"\r\nx-forwarded-for[ \t]*:([^\r\n]*)", re.IGNORECASE)
#: Number of bytes of an address, by the family of version 2.
_ADDRESS_BYTES = {1: 4, 2: 16}


class Proxies:
    """
    The proxies that are trusted.

    @param networks: their addresses and networks.
    """

    def __init__(self, networks: Iterable[str]) -> None:
        parsed = [ip_network(text) for text in networks]
        self._networks = parsed

        @lru_cache(1024)
        def trusts(address: str) -> bool:
            found = parse_ip(address)
            return found is not None and any(found in each for each in parsed)

        self._trusts = trusts

    def trust(self, address: str) -> bool:
        """
        Return whether this is the address of a trusted proxy.
        """
        return bool(self._networks) and self._trusts(address)

    def client_of(self, address: str, head: bytes) -> str:
        """
        Return the address of the client behind a connection.

        @param address: of the other end.
        @param head: the head of its request.
        @return: the last address in C{X-Forwarded-For} that is no trusted proxy; where
            that is none, the last proxy.
        """
        if not self.trust(address):
            return address
        return self.behind(address, _FORWARDED.findall(head))

    def behind(self, address: str, forwarded: Iterable[bytes]) -> str:
        """
        Return the address of the client behind a connection, as L{client_of} does.

        @param forwarded: the values of C{X-Forwarded-For}.
        """
        if not self.trust(address):
            return address
        hops = b",".join(forwarded).split(b",")
        for hop in reversed(hops[-_HOPS:]):
            found = _hop(hop)
            if not found:
                break
            address = found
            if not self.trust(address):
                break
        return address


def parse_ip(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """
    Return an address; one of IPv4 also where it is written as one of IPv6.
    """
    try:
        found = ip_address(text)
    except ValueError:
        return None
    return getattr(found, "ipv4_mapped", None) or found


def _hop(text: bytes) -> str:
    """
    Return the address in a part of C{X-Forwarded-For}, which may have a port; C{""}:
    there is none.
    """
    hop = text.strip().strip(b'"').decode("latin-1")
    if hop.startswith("["):
        hop = hop[1:].partition("]")[0]
    elif hop.count(":") == 1:
        hop = hop.partition(":")[0]
    found = parse_ip(hop)
    return "" if found is None or "%" in hop else str(found)


class ProxyHeader(NamedTuple):
    """
    A header of the PROXY protocol.

    @ivar address: of the client; empty: the proxy speaks for itself (a health check),
        or does not know.
    @ivar length: in bytes.
    """

    address: str
    length: int


def read_proxy_header(data: bytes) -> ProxyHeader | None:
    """
    Read the header at the beginning of a connection.

    @return: L{None}: a part of it is missing.
    @raise ValueError: this is no such header.
    """
    if data.startswith(_SIGNATURE[: len(data)]):
        return None if len(data) < _V2_HEAD else _version_2(data)
    if data.startswith(b"PROXY "[: len(data)]):
        end = data.find(b"\r\n", 0, _V1_BYTES)
        if end >= 0:
            return ProxyHeader(_version_1(data[:end]), end + 2)
        if len(data) < _V1_BYTES:
            return None
    raise ValueError("there is no header of the PROXY protocol")


def _version_1(line: bytes) -> str:
    match line.decode("latin-1").split(" "):
        case ["PROXY", "UNKNOWN", *_]:
            return ""
        case ["PROXY", "TCP4" | "TCP6" as family, source, target, *ports]:
            found, other = parse_ip(source), parse_ip(target)
            is_6 = ":" in source
            numbers = [int(p) for p in ports if p.isascii() and p.isdigit()]
            if (
                found is not None
                and other is not None
                and is_6 is (family == "TCP6")
                and len(ports) == len(numbers) == 2
                and max(numbers) <= 65535
            ):
                return str(found)
    raise ValueError("the header of the PROXY protocol is malformed")


def _version_2(data: bytes) -> ProxyHeader | None:
    version, command = divmod(data[12], 16)
    length = _V2_HEAD + int.from_bytes(data[14:16], "big")
    if version != 2 or command > 1 or data[13] >> 4 > 3 or data[13] & 15 > 2:
        raise ValueError("the header of the PROXY protocol is malformed")
    if length > _V2_BYTES:
        raise ValueError(f"the header of the PROXY protocol is over {_V2_BYTES} bytes")
    if len(data) < length:
        return None
    size = _ADDRESS_BYTES.get(data[13] >> 4, 0)
    if not command or not size or data[13] & 15 == 0:
        return ProxyHeader("", length)
    if length < _V2_HEAD + 2 * size + 4:
        raise ValueError("the header of the PROXY protocol lacks the addresses")
    found = ip_address(data[_V2_HEAD : _V2_HEAD + size])
    return ProxyHeader(str(parse_ip(str(found))), length)
