"""
The quick way for the usual handshake (RFC 6455 section 4.2).

Autobahn parses the URL of a handshake, formats what it does for a log that is off, and
makes several futures.  This module reads a subset of the requests that Autobahn
accepts: each header once, printable ASCII, no blanks where none belong.  Programs and
browsers write such requests.  Whatever is not in that subset, Autobahn judges, and
refuses with its reason.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Mapping
from hashlib import sha1
from typing import NamedTuple

_REQUEST = re.compile(
    rb"GET /[\w./~%-]+(?:\?[\w./~%?=&+:,-]*)? HTTP/1\.1"
    rb"((?:\r\n[\w.!#$%&'*+^`|~-]+:[ \t]*[\x20-\x7e]*)+)\r\n\r\n",
    re.ASCII,
)
# A name or an address, and a port.
_HOST = re.compile(r"(?:[\w.-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?", re.ASCII)
_ORIGIN = re.compile(r"https?://[a-z0-9_.-]+(?::[0-9]{1,4})?", re.ASCII)
_KEY = re.compile(r"[A-Za-z0-9+/]{22}==")
_EXTENSIONS = "sec-websocket-extensions"

#: The value of RFC 6455 section 1.3.
_MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class UsualRequest(NamedTuple):
    """
    A request that may be agreed to, with the names of Autobahn's C{ConnectionRequest}.

    @ivar headers: the headers but for the extensions, with names in lower case.
    @ivar origin: empty: there is none.
    @ivar protocols: the subprotocols that the client offers.
    """

    headers: Mapping[str, str]
    origin: str
    protocols: list[str]


def usual_request(head: bytes) -> UsualRequest | None:
    """
    Read a request.

    @param head: the request line and headers, with the empty line.
    @return: L{None}: the request is not usual, or not valid.
    """
    request = _REQUEST.fullmatch(head)
    if request is None:
        return None
    headers: dict[str, str] = {}
    for line in request[1].decode("ascii").split("\r\n")[1:]:
        name, _, value = line.partition(":")
        name = name.lower()
        if name in headers:
            return None
        headers[name] = value.strip()
    headers.pop(_EXTENSIONS, None)
    upgrades = [one.strip().lower() for one in headers.get("connection", "").split(",")]
    origin = headers.get("origin", "")
    offered = headers.get("sec-websocket-protocol")
    protocols = [] if offered is None else [one.strip() for one in offered.split(",")]
    is_usual = (
        headers.get("upgrade", "").lower() == "websocket"
        and "upgrade" in upgrades
        and headers.get("sec-websocket-version") == "13"
        and _KEY.fullmatch(headers.get("sec-websocket-key", "")) is not None
        and _HOST.fullmatch(headers.get("host", "")) is not None
        and ("origin" not in headers or _ORIGIN.fullmatch(origin) is not None)
        and len(set(protocols)) == len(protocols)
    )
    return UsualRequest(headers, origin, protocols) if is_usual else None


def acceptance(request: UsualRequest, subprotocol: str | None) -> bytes:
    """
    Return the answer that opens the WebSocket.
    """
    key = request.headers["sec-websocket-key"].encode()
    accept = b64encode(sha1(key + _MAGIC, usedforsecurity=False).digest()).decode()
    chosen = f"Sec-WebSocket-Protocol: {subprotocol}\r\n" if subprotocol else ""
    return (
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\n"
        f"Connection: Upgrade\r\n{chosen}Sec-WebSocket-Accept: {accept}\r\n\r\n"
    ).encode()
