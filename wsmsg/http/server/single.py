"""
Headers that a request has at most once.

Of two such headers, a proxy in front may have looked at one, and the daemon at the
other: so a request with both is refused (RFC 9110 section 5.3, RFC 9112 sections 3.2
and 6.3).
"""

from __future__ import annotations

from collections import Counter

from wsmsg.errors import BadRequest

_NAMES = (
    *("Authorization", "Content-Length", "Content-Type", "Host", "Origin"),
    *("Sec-Fetch-Site", "Sec-WebSocket-Key", "Sec-WebSocket-Version"),
    *("Transfer-Encoding", "User-ID"),
)
_SHOWN = {name.lower().encode(): name for name in _NAMES}

#: Their names, in lower case.
SINGLE = frozenset(_SHOWN)

# Only CR LF ends a line.  Autobahn, and a proxy that is lenient, end it at others too,
# so what follows might be another header for one of them.
_CONTROLS = frozenset(b"\0\n\v\f\r\x1c\x1d\x1e")


def more_than_one(name: bytes) -> BadRequest:
    """
    Return the error of a request that has a header twice.

    @param name: of L{SINGLE}.
    """
    return BadRequest(f"there is more than one {_SHOWN[name]} header")


def check_head(head: bytes) -> None:
    """
    Check the headers of a request that no HTTP server reads.

    @param head: the request line and headers, with the empty line.
    @raise BadRequest: a header of L{SINGLE} stands there twice, or a line has a control
        character that might end it.
    """
    lines = head.split(b"\r\n")[1:]
    if any(_CONTROLS.intersection(line) for line in lines):
        raise BadRequest("a header has a control character in it")
    names = Counter(line.partition(b":")[0].strip().lower() for line in lines)
    for name, count in names.items():
        if count > 1 and name in SINGLE:
            raise more_than_one(name)
