"""
Origins and names of hosts that can match what a browser sends (RFC 6454 section 6.1,
RFC 9110 section 7.2).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from wsmsg.text.passwords import without_login

_SCHEME = r"[a-z*][a-z0-9*+.-]*"
_HOST = r"\[[0-9a-f:.*]+\]|[a-z0-9*._~%-]*"
_PORT = r"[0-9*]+"
_NAME = re.compile(
    r"\[[0-9a-f:.]+\]|[0-9a-f]*:[0-9a-f]*:[0-9a-f:.]*|[a-z0-9._-]+", re.I
)
_ORIGIN = re.compile(
    rf"(?P<scheme>{_SCHEME})://(?:{_HOST})(?::(?P<port>{_PORT}))?", re.IGNORECASE
)

#: Ports that browsers leave out.
_DEFAULT_PORTS = {"http": "80", "https": "443"}


def origin_problem(pattern: str) -> str:
    """
    Return the reason for which no origin matches a pattern; empty if one can.

    @param pattern: C{*} matches any part of a host or a port.
    """
    if pattern in ("*", "null"):
        return ""
    if not pattern.isascii():
        return "browsers send names beyond ASCII in their form with xn--"
    if "://" not in pattern:
        return "an origin begins with a scheme, such as https://"
    if pattern.endswith("/") and not pattern.endswith("://"):
        return "an origin has no / at its end"
    found = _ORIGIN.fullmatch(pattern)
    if found is None:
        return "an origin is scheme://host or scheme://host:port, and nothing else"
    port = _DEFAULT_PORTS.get(found["scheme"].lower())
    if port is not None and found["port"] == port:
        return f"browsers leave out the port {port} of {found['scheme']}"
    return ""


def host_problem(host: str) -> str:
    """
    Return the reason for which a C{Host} header cannot have this name; empty if it can.
    """
    if host == "*":
        return ""
    if "://" in host or "/" in host:
        return "it is a name without scheme and path"
    if "*" in host:
        return "a * stands alone, for any name"
    if not host.isascii():
        return "browsers send names beyond ASCII in their form with xn--"
    if not _NAME.fullmatch(host):
        return "it is the name or the address of a host, without a port"
    return ""


def origin_problems(patterns: Sequence[str]) -> Iterator[str]:
    """
    Yield what is wrong with patterns of origins.
    """
    for pattern in patterns:
        if problem := origin_problem(pattern):
            shown = without_login(pattern) if "@" in pattern else pattern
            yield f"{shown!r} matches no page: {problem}"


def host_problems(hosts: Sequence[str]) -> Iterator[str]:
    """
    Yield what is wrong with names of listeners.
    """
    for host in hosts:
        if problem := host_problem(host):
            shown = without_login(host) if "@" in host else host
            yield f"{shown!r} is in no Host header: {problem}"
