"""
The URL of a discovery that asks the DNS, read without a network.

============================== ====================================================
C{dns:name:port}               every address of the name (A, AAAA), at this port
C{dns:_service._proto.name}    hosts and ports of the service (SRV, RFC 2782)
C{dns://server:port/...}       either, asked of this server (by number) and not of
                               those that the machine asks
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
    What a C{dns:} URL says.

    @ivar name: without a dot at its end.
    @ivar port: 0: the name is that of a service, which has the ports.
    @ivar servers: to ask; empty: those of the machine.
    """

    name: str
    port: int
    servers: tuple[Address, ...]

    @property
    def is_service(self) -> bool:
        return self.port == 0


def read_dns_url(url: str) -> DnsUrl:
    """
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
        raise ValueError(f"{url!r} has no port, and is no service; use {_WANTED}")
    host, port = parse_address(rest)
    if not port:
        raise ValueError(f"{url!r}: nobody can be reached at port 0")
    if _is_number(host):
        raise ValueError(f"{url!r}: {host} is a number, no name; use static:{rest}")
    return DnsUrl(_name(host, url), port, servers)


def check_dns(url: str) -> str:
    """
    C{dns:name:port}, C{dns:_service._proto.name}, or either at a server.
    """
    read_dns_url(url)
    return url


def _server(text: str, url: str) -> Address:
    if _is_number(text):
        return Address(text, _DNS_PORT)
    server = parse_address(text)
    if not _is_number(server.host):
        raise ValueError(f"{url!r}: the server {server.host!r} is no IP address")
    if not server.port:
        raise ValueError(f"{url!r}: nobody can be asked at port 0")
    return server


def _service(text: str, url: str) -> str:
    if ":" in text:
        raise ValueError(f"{url!r}: a service has its ports in the DNS; name none")
    labels = text.rstrip(".").split(".")
    if len(labels) < 3 or not labels[1].startswith("_"):
        raise ValueError(f"{url!r} is no service; write dns:_service._proto.name")
    return _name(text, url)


def _name(text: str, url: str) -> str:
    name = text.removesuffix(".")
    if len(name) > 253 or not all(_LABEL.fullmatch(part) for part in name.split(".")):
        raise ValueError(f"{url!r}: {text!r} is no name that the DNS may have")
    return name


def _is_number(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
