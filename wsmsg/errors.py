"""
Every way to fail that crosses a wire: whose fault it is, whether to try again,
and the code that gRPC, HTTP, the client protocol and a WebSocket close give it.

Adapters turn a library's exceptions into these at their edge; nobody else sees
the library's own.  Close codes from 4000 to 4499 ask the client to reconnect,
those from 4500 to 4999 not to (RFC 6455 section 7.4.2 leaves both ranges to us).
"""

from __future__ import annotations

from enum import IntEnum
from typing import ClassVar


class Close(IntEnum):
    """
    The close codes that we send, by name.
    """

    DONE = 1000
    BAD_PROTOCOL = 1002
    UNSUPPORTED = 1003
    BAD_TEXT = 1007
    TOO_LARGE = 1009
    BUG = 1011
    DRAIN = 1012
    RATE_LIMITED = 4001
    SLOW_CLIENT = 4002
    NO_PONG = 4003
    UNAVAILABLE = 4004
    BAD_FRAME = 4500
    UNAUTHENTICATED = 4501
    STALE = 4502
    REPLACED = 4503
    FORBIDDEN = 4504
    KICKED = 4505


class WsmsgError(Exception):
    """
    A failure with a name that the other side understands.

    @cvar code: the name, as C{rejected} and C{error} frames carry it.
    @cvar grpc_code: name of the C{grpc.StatusCode}.
    @cvar http_status: for an HTTP answer.
    @cvar close: how the connection ends where this ends it; L{None}: it goes on.
    @cvar retry: whether the same request may be made again later.
    @ivar reason: one sentence for a person.
    @ivar retry_after_ms: when to try again; 0: not at all, or no hint.
    """

    code: ClassVar[str] = "internal"
    grpc_code: ClassVar[str] = "INTERNAL"
    http_status: ClassVar[int] = 500
    close: ClassVar[Close | None] = Close.BUG
    retry: ClassVar[bool] = False

    def __init__(self, reason: str, retry_after_ms: int = 0) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry_after_ms = retry_after_ms


class Internal(WsmsgError):
    """
    A bug of ours.
    """


class BadFrame(WsmsgError):
    """
    The frame cannot be understood.
    """

    code = "bad_frame"
    grpc_code = "INVALID_ARGUMENT"
    http_status = 400
    close = Close.BAD_FRAME


class BadRequest(WsmsgError):
    """
    The frame was understood, and what it asks for cannot be.
    """

    code = "bad_request"
    grpc_code = "INVALID_ARGUMENT"
    http_status = 400
    close = None


class Unauthenticated(WsmsgError):
    """
    No token, or none that we believe.
    """

    code = "unauthenticated"
    grpc_code = "UNAUTHENTICATED"
    http_status = 401
    close = Close.UNAUTHENTICATED


class Forbidden(WsmsgError):
    """
    We know who asks, and they may not.
    """

    code = "forbidden"
    grpc_code = "PERMISSION_DENIED"
    http_status = 403
    close = None


class Stale(WsmsgError):
    """
    No C{hello} in time.
    """

    code = "stale"
    grpc_code = "DEADLINE_EXCEEDED"
    http_status = 408
    close = Close.STALE


class Replaced(WsmsgError):
    """
    A newer login of the same device took the session's place.
    """

    code = "replaced"
    grpc_code = "ABORTED"
    http_status = 409
    close = Close.REPLACED


class Kicked(WsmsgError):
    """
    A service ended the session.
    """

    code = "kicked"
    grpc_code = "ABORTED"
    http_status = 409
    close = Close.KICKED


class TooLarge(WsmsgError):
    """
    Longer than the limit.
    """

    code = "too_large"
    grpc_code = "INVALID_ARGUMENT"
    http_status = 413
    close = None


class Conflict(WsmsgError):
    """
    The sender used this client id already, for another message.
    """

    code = "conflict"
    grpc_code = "ALREADY_EXISTS"
    http_status = 409
    close = None


class NotFound(WsmsgError):
    """
    There is no such thing, or not for who asks.
    """

    code = "not_found"
    grpc_code = "NOT_FOUND"
    http_status = 404
    close = None


class Unsupported(WsmsgError):
    """
    The deployed Message behind this server has no such thing.
    """

    code = "unsupported"
    grpc_code = "UNIMPLEMENTED"
    http_status = 501
    close = None


class RateLimited(WsmsgError):
    """
    More often than the limit.
    """

    code = "rate_limited"
    grpc_code = "RESOURCE_EXHAUSTED"
    http_status = 429
    close = None
    retry = True


class Overloaded(WsmsgError):
    """
    We have as much in flight as we allow ourselves.
    """

    code = "overloaded"
    grpc_code = "RESOURCE_EXHAUSTED"
    http_status = 429
    close = None
    retry = True


class Unavailable(WsmsgError):
    """
    Something that we need is not there.
    """

    code = "unavailable"
    grpc_code = "UNAVAILABLE"
    http_status = 503
    close = None
    retry = True


ERRORS: dict[str, type[WsmsgError]] = {
    e.code: e
    for e in (
        Internal,
        BadFrame,
        BadRequest,
        Unauthenticated,
        Forbidden,
        Stale,
        Replaced,
        Kicked,
        TooLarge,
        Conflict,
        NotFound,
        Unsupported,
        RateLimited,
        Overloaded,
        Unavailable,
    )
}


def from_code(code: str, reason: str, retry_after_ms: int = 0) -> WsmsgError:
    """
    The error that a peer named; one we do not know is L{Internal}.
    """
    return ERRORS.get(code, Internal)(reason, retry_after_ms)


def closing(error: WsmsgError) -> Close:
    """
    How a connection ends where this error leaves it nothing to do, as at a login.
    """
    if error.close is not None:
        return error.close
    if isinstance(error, Unavailable):
        return Close.UNAVAILABLE
    return Close.RATE_LIMITED if error.retry else Close.FORBIDDEN


def reconnect_allowed(close_code: int) -> bool:
    """
    Whether a client whose connection ended with this code should come back.
    """
    return close_code not in _FINAL and not 4500 <= close_code <= 4999


# 1002 protocol error, 1003 unsupported, 1007 invalid data, 1008 policy, 1009 too
# big, 1010 missing extension: the same client would only meet them again.
_FINAL = frozenset({1000, 1002, 1003, 1007, 1008, 1009, 1010})
