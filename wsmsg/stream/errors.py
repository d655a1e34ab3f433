"""
Why streams and calls fail, in our own words.
"""

from __future__ import annotations

import re

import grpc
import grpc.aio

from wsmsg.errors import WsmsgError, from_code


class StreamFailed(Exception):
    """
    An attempt to open a stream failed; its text is the reason, for a person.
    """


class StreamLost(Exception):
    """
    A stream that was open is gone; its text is the reason, for a person.
    """


_BY_STATUS = {
    "INVALID_ARGUMENT": "bad_request",
    "PERMISSION_DENIED": "forbidden",
    "NOT_FOUND": "not_found",
    "RESOURCE_EXHAUSTED": "overloaded",
}


def to_error(error: grpc.aio.AioRpcError) -> WsmsgError:
    """
    What a failed call means in our own terms.
    """
    code = _BY_STATUS.get(error.code().name, "unavailable")
    return from_code(code, explain(error), 500 if code == "unavailable" else 0)


# What grpc wraps into sentences of its own, and what a person wants to read.
_PLAIN = (
    (re.compile(r"connection refused", re.I), "connection refused"),
    (re.compile(r"no route to host", re.I), "no route to host"),
    (re.compile(r"network is unreachable", re.I), "network is unreachable"),
    (re.compile(r"connection reset", re.I), "connection reset by the peer"),
    (re.compile(r"socket closed|broken pipe", re.I), "the peer closed the connection"),
    (
        re.compile(r"keepalive|ping timeout", re.I),
        "the peer is silent (no ping answer)",
    ),
    (re.compile(r"(name|dns) resolution|domain name", re.I), "the name is not known"),
)


def explain(error: BaseException) -> str:
    """
    Why a call failed, in plain words.
    """
    if not isinstance(error, grpc.aio.AioRpcError):
        return "it was cancelled" if not str(error) else str(error)
    details = error.details() or ""
    for pattern, plain in _PLAIN:
        if pattern.search(details):
            return plain
    name: str = error.code().name.lower().replace("_", " ")
    return f"{name}: {details}" if details else name
