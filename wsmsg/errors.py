"""
Errors that cross a wire: their codes in gRPC, in HTTP, in the client protocol and in
WebSocket close frames, and whether a request may be repeated.

An adapter turns the exceptions of its library into these errors, so that no other
module sees the library's own.  Close codes from 4000 to 4499 ask the client to
reconnect, those from 4500 to 4999 ask it not to (RFC 6455 section 7.4.2 leaves both
ranges to applications).
"""

from __future__ import annotations

import json
from enum import IntEnum
from typing import Any, ClassVar, Literal, Self


class Close(IntEnum):
    """
    The close codes that Connect sends, by name.
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


#: The faults of a token, by which refused logins are counted.
Fault = Literal[
    "algorithm",
    "audience",
    "debug",
    "expired",
    "incomplete",
    "issuer",
    "key",
    "lifetime",
    "missing",
    "other",
    "other_user",
    "revoked",
    "signature",
    "subject",
    "too_early",
    "too_long",
    "unreadable",
]


class WsmsgError(Exception):
    """
    A failure with a name that the peer understands.

    Attributes:
        code: the name, as `rejected` and `error` frames carry it.
        grpc_code: the name of the `grpc.StatusCode`.
        http_status: the status of an HTTP response.
        close: the close code of a connection that this error ends; `None`: the
            connection stays open.
        retry: whether the same request may be repeated later.
        reason: one sentence for a person.
        retry_after_ms: the time until a repeat, in milliseconds; 0: no hint.
        uncertain: the request may have been carried out all the same.
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
        self.uncertain = False

    def may_be_done(self) -> Self:
        """
        Note that the request may have been carried out all the same.

        Returns:
            this error.
        """
        self.uncertain = True
        return self

    def retry_after(self, least_ms: int) -> None:
        """
        Give the hint when to repeat the request, if there is none yet.
        """
        self.retry_after_ms = self.retry_after_ms or least_ms


class Internal(WsmsgError):
    """
    A bug in the server.
    """


class BadFrame(WsmsgError):
    """
    The frame cannot be decoded, or a field of it is not valid.
    """

    code = "bad_frame"
    grpc_code = "INVALID_ARGUMENT"
    http_status = 400
    close = Close.BAD_FRAME


class BadRequest(WsmsgError):
    """
    The frame is valid, but asks for something impossible.
    """

    code = "bad_request"
    grpc_code = "INVALID_ARGUMENT"
    http_status = 400
    close = None


class Unauthenticated(WsmsgError):
    """
    The token is missing or not valid.

    Attributes:
        fault: the fault of the token.
    """

    code = "unauthenticated"
    grpc_code = "UNAUTHENTICATED"
    http_status = 401
    close = Close.UNAUTHENTICATED

    def __init__(
        self, reason: str, retry_after_ms: int = 0, *, fault: Fault = "other"
    ) -> None:
        super().__init__(reason, retry_after_ms)
        self.fault = fault


class Forbidden(WsmsgError):
    """
    The user is known, and does not have the right.
    """

    code = "forbidden"
    grpc_code = "PERMISSION_DENIED"
    http_status = 403
    close = None


class Stale(WsmsgError):
    """
    The client did not send `hello` in time.
    """

    code = "stale"
    grpc_code = "DEADLINE_EXCEEDED"
    http_status = 408
    close = Close.STALE


class Replaced(WsmsgError):
    """
    A newer login of the same device replaced the session.
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
    The content or the frame is longer than the limit.
    """

    code = "too_large"
    grpc_code = "INVALID_ARGUMENT"
    http_status = 413
    close = None


class Conflict(WsmsgError):
    """
    The sender has used this client id for another message.
    """

    code = "conflict"
    grpc_code = "ALREADY_EXISTS"
    http_status = 409
    close = None


class NotFound(WsmsgError):
    """
    The object does not exist, or the user may not know of it.
    """

    code = "not_found"
    grpc_code = "NOT_FOUND"
    http_status = 404
    close = None


class Unsupported(WsmsgError):
    """
    This server, or the legacy Message behind it, has no such feature.
    """

    code = "unsupported"
    grpc_code = "UNIMPLEMENTED"
    http_status = 501
    close = None


class RateLimited(WsmsgError):
    """
    The client exceeds the rate limit.
    """

    code = "rate_limited"
    grpc_code = "RESOURCE_EXHAUSTED"
    http_status = 429
    close = None
    retry = True


class LimitReached(WsmsgError):
    """
    The user has as much as a limit of the operator allows; the reason names the limit.
    """

    code = "limit_reached"
    grpc_code = "RESOURCE_EXHAUSTED"
    http_status = 403
    close = None


class Overloaded(WsmsgError):
    """
    As many requests are in flight as the limit allows.
    """

    code = "overloaded"
    grpc_code = "RESOURCE_EXHAUSTED"
    http_status = 429
    close = None
    retry = True


class Unavailable(WsmsgError):
    """
    A dependency of the server is not available.
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
        LimitReached,
        Overloaded,
        Unavailable,
    )
}


def from_code(code: str, reason: str, retry_after_ms: int = 0) -> WsmsgError:
    """
    Return the error that a peer named; an unknown name is `Internal`.
    """
    return ERRORS.get(code, Internal)(reason, retry_after_ms)


def closing(error: WsmsgError) -> Close:
    """
    Return the close code of a connection that cannot go on after this error, for
    example because its login failed.
    """
    if error.close is not None:
        return error.close
    if isinstance(error, Unavailable):
        return Close.UNAVAILABLE
    return Close.RATE_LIMITED if error.retry else Close.FORBIDDEN


def reconnect_allowed(close_code: int) -> bool:
    """
    Return whether a client should reconnect after this close code.
    """
    return close_code not in _FINAL and not 4500 <= close_code <= 4999


def is_heard_after(close_code: int) -> bool:
    """
    Return whether to accept what a client sent before it learned of this close: only if
    the close is not for what the client did, or because it may not act any more.
    """
    return close_code != Close.RATE_LIMITED and reconnect_allowed(close_code)


# 1002 protocol error, 1003 unsupported, 1007 invalid data, 1008 policy, 1009 too
# big, 1010 missing extension: the same client would get the same answer again.
_FINAL = frozenset({1000, 1002, 1003, 1007, 1008, 1009, 1010})


def json_problem(error: Exception, data: bytes | str) -> str:
    """
    Return why JSON was refused.  msgspec takes half of a surrogate pair for an end of
    the data; the reason names the text that has it.

    @param error: of msgspec.
    """
    raw = data if isinstance(data, bytes) else data.encode("utf-8", "replace")
    if b"\\ud" in raw.lower():
        place = _lone_surrogate(data)
        if place is not None:
            return f"{place or 'the text'} is not valid Unicode: lone surrogate"
    return str(error)


def _lone_surrogate(data: bytes | str) -> str | None:
    """
    Return the place of the first text that UTF-8 cannot encode: C{users[1].name}.
    """
    try:
        waiting: list[tuple[str, Any]] = [("", json.loads(data))]
    except (ValueError, RecursionError):
        return None
    while waiting:
        place, value = waiting.pop()
        match value:
            case str() if not _is_encodable(value):
                return place
            case dict():
                if not all(map(_is_encodable, value)):
                    return f"a name in {place}" if place else "a name"
                dot = "." if place else ""
                inner = [(f"{place}{dot}{name}", each) for name, each in value.items()]
                waiting += reversed(inner)
            case list():
                waiting += [
                    (f"{place}[{n}]", value[n]) for n in reversed(range(len(value)))
                ]
    return None


def _is_encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
