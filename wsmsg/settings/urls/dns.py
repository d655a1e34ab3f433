"""
The URL of a discovery by DNS, read without a network.

============================== ====================================================
C{dns:name:port}               every address of the name (A, AAAA), at this port
C{dns:_service._proto.name}    hosts and ports of the service (SRV, RFC 2782)
C{dns://server:port/...}       either, resolved by this server (an IP address)
                               instead of the servers of the machine
============================== ====================================================
"""

from __future__ import annotations

import ipaddress
import re
from typing import NamedTuple

from wsmsg.settings.urls.address import Address, parse_address

_WANTED = "dns:name:port or dns:_service._proto.name"
_LABEL = re.compile(r"_?[A-Za-z0-9]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?")
_DNS_PORT = 53


class DnsUrl(NamedTuple):
    """
    The parts of a C{dns:} URL.

    @ivar name: without a dot at its end.
    @ivar port: 0 for a service, whose ports are in the DNS.
    @ivar servers: the servers to query; empty: those of the machine.
    """

    name: str
    port: int
    servers: tuple[Address, ...]

    @property
    def is_service(self) -> bool:
        return self.port == 0


def read_dns_url(url: str) -> DnsUrl:
    """
    Read the URL.

    @raise ValueError: with a sentence for the operator.
    """
    scheme, colon, rest = url.partition(":")
    if scheme != "dns" or not colon:
        raise ValueError(f"{url!r} is not {_WANTED}")
    servers: tuple[Address, ...] = ()
    if rest.startswith("//"):
        authority, slash, rest = rest[2:].partition("/")
        if not slash or not authority:
            raise ValueError(f"{url!r} is not dns://server:port/name:port")
        servers = tuple(_server(part.strip(), url) for part in authority.split(","))
    if rest.startswith("_"):
        return DnsUrl(_service(rest, url), 0, servers)
    if ":" not in rest:
        raise ValueError(f"{url!r} has no port and is not a service; use {_WANTED}")
    host, port = parse_address(rest)
    if not port:
        raise ValueError(f"{url!r}: port 0 cannot be dialled")
    if _is_number(host):
        raise ValueError(f"{url!r}: {host} is an address; use static:{rest}")
    return DnsUrl(_name(host, url), port, servers)


def check_dns(url: str) -> str:
    """
    Check C{dns:name:port}, C{dns:_service._proto.name}, or either with a server.
    """
    read_dns_url(url)
    return url


def _server(text: str, url: str) -> Address:
    if _is_number(text):
        return Address(text, _DNS_PORT)
    server = parse_address(text)
    if not _is_number(server.host):
        raise ValueError(f"{url!r}: the server {server.host!r} is not an IP address")
    if not server.port:
        raise ValueError(f"{url!r}: port 0 cannot be queried")
    return server


def _service(text: str, url: str) -> str:
    if ":" in text:
        raise ValueError(f"{url!r}: a service has its ports in the DNS; omit the port")
    labels = text.rstrip(".").split(".")
    if len(labels) < 3 or not labels[1].startswith("_"):
        raise ValueError(f"{url!r} is not a service; write dns:_service._proto.name")
    return _name(text, url)


def _name(text: str, url: str) -> str:
    name = text.removesuffix(".")
    if len(name) > 253 or not all(_LABEL.fullmatch(part) for part in name.split(".")):
        raise ValueError(f"{url!r}: {text!r} is not a valid DNS name")
    return name


def _is_number(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
