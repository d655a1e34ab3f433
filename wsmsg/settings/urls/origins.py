"""
Patterns of origins that can match what a browser sends (RFC 6454 section 6.1).
"""

from __future__ import annotations

import re

_SCHEME = r"[a-z*][a-z0-9*+.-]*"
_HOST = r"\[[0-9a-f:.*]+\]|[a-z0-9*._~%-]*"
_PORT = r"[0-9*]+"
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
