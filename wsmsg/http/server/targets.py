"""
Request targets: a proxy may send the absolute form (RFC 9112 section 3.2.2).
"""

from __future__ import annotations

from typing import Protocol

from twisted.internet.interfaces import ITransport


class Upgrade(Protocol):
    """
    A part of a daemon that takes connections over from the HTTP server.
    """

    def wants(self, method: bytes, target: bytes) -> bool:
        """
        Return whether a request with this request line is for it.
        """

    def take_over(self, transport: ITransport, address: str, data: bytes) -> None:
        """
        Take over a connection.

        @param address: the address that L{wsmsg.http.server.site.QuietSite.build} was
            given.
        @param data: the request, and the bytes that arrived after it.
        """


def origin_form(target: bytes) -> bytes:
    """
    Return a request target as path and query, without scheme and host.
    """
    if target.startswith(b"/"):
        return target
    scheme, separator, rest = target.partition(b"://")
    if not separator or not scheme.isalpha():
        return target
    host, slash, path = rest.partition(b"/")
    if b"?" in host:
        return b"/?" + rest.partition(b"?")[2]
    return slash + path if slash else b"/"


def authority(target: bytes) -> bytes:
    """
    Return the host that a request target names in place of the C{Host} header; empty,
    if it names none.
    """
    scheme, separator, rest = target.partition(b"://")
    if target.startswith(b"/") or not separator or not scheme.isalpha():
        return b""
    return rest.partition(b"/")[0].partition(b"?")[0]
