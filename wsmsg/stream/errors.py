"""
The failures of streams and calls, as errors of wsmsg and in plain words.
"""

from __future__ import annotations

import re

import grpc
import grpc.aio

from wsmsg.dependency.cause import Cause
from wsmsg.errors import WsmsgError, from_code
from wsmsg.peers.channel import NotProven


class StreamFailed(Exception):
    """
    An attempt to open a stream failed; the text is the reason, for an operator.

    @ivar cause: the cause, where an operator can remove it.
    """

    cause = Cause.UNKNOWN


class PeerNotProven(StreamFailed):
    """
    The peer did not prove itself, or refuses our proof.
    """

    cause = Cause.CREDENTIALS


class TlsFailed(StreamFailed):
    """
    TLS failed, for the certificate of the peer or for want of TLS.
    """

    cause = Cause.TLS


class AlreadyOpen(StreamFailed):
    """
    The peer refuses a second stream of this node: one by another address is open.
    """


class StreamLost(Exception):
    """
    An open stream was lost; the text is the reason, for an operator.
    """


_BY_STATUS = {
    "INVALID_ARGUMENT": "bad_request",
    "PERMISSION_DENIED": "forbidden",
    "NOT_FOUND": "not_found",
    "RESOURCE_EXHAUSTED": "overloaded",
}


def to_error(error: grpc.aio.AioRpcError) -> WsmsgError:
    """
    Convert the error of a failed call.
    """
    code = _BY_STATUS.get(error.code().name, "unavailable")
    return from_code(code, explain(error), 500 if code == "unavailable" else 0)


def to_failure(error: BaseException) -> StreamFailed:
    """
    Convert the error of an attempt to open a stream.
    """
    if (
        isinstance(error, grpc.aio.AioRpcError)
        and error.code() is grpc.StatusCode.ALREADY_EXISTS
    ):
        return AlreadyOpen(error.details() or explain(error))
    if isinstance(error, NotProven):
        return PeerNotProven(str(error))
    reason = explain(error)
    return TlsFailed(reason) if reason in _TLS_REASONS else StreamFailed(reason)


# Parts of gRPC's messages, and what an operator should read instead.
_OF_TLS = (
    (
        re.compile(r"hostname verification", re.I),
        "the certificate of the peer is for another name (peer.name)",
    ),
    (
        re.compile(r"certificate has expired", re.I),
        "the certificate of the peer has expired",
    ),
    (
        re.compile(r"certificate_verify_failed", re.I),
        "the certificate of the peer is not of an authority in peer.ca",
    ),
    (re.compile(r"wrong_version_number", re.I), "the peer speaks no TLS"),
)
_TLS_REASONS = frozenset(reason for _, reason in _OF_TLS)
_PLAIN = (
    *_OF_TLS,
    (re.compile(r"connection refused", re.I), "connection refused"),
    (re.compile(r"no route to host", re.I), "no route to host"),
    (re.compile(r"network is unreachable", re.I), "network is unreachable"),
    (re.compile(r"connection reset", re.I), "connection reset by the peer"),
    (re.compile(r"socket closed|broken pipe", re.I), "the peer closed the connection"),
    (
        re.compile(r"keepalive|ping timeout", re.I),
        "the peer is silent (no answer to a ping)",
    ),
    (
        re.compile(r"(name|dns) resolution|domain name", re.I),
        "the host name cannot be resolved",
    ),
)


def explain(error: BaseException) -> str:
    """
    Return the reason of a failure, in plain words.
    """
    if not isinstance(error, grpc.aio.AioRpcError):
        return "the call was cancelled" if not str(error) else str(error)
    details = error.details() or ""
    for pattern, plain in _PLAIN:
        if pattern.search(details):
            return plain
    name: str = error.code().name.lower().replace("_", " ")
    return f"{name}: {details}" if details else name
