"""
Error documents: how an HTTP request learns that it failed.

A failure is a problem document (RFC 9457): C{type} is C{about:blank}, C{title} the name
of the status, C{detail} one sentence for a person; C{code} is the name that the same
failure has in the client protocol (L{wsmsg.errors}).  Paths that existed before these
documents answer with L{PlainError}, and let pages of any origin read the answer where
callers have to present a key or a token.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import ClassVar

import attrs
import msgspec

from wsmsg.errors import WsmsgError
from wsmsg.http.forms import Answer

_JSON = "application/json; charset=utf-8"


class Problem(Answer):
    """
    The reason for a failure (RFC 9457).

    @ivar type: always C{about:blank}.
    @ivar title: the name of the status.
    @ivar detail: one sentence for a person.
    @ivar code: a name of the table of errors, as in the client protocol.
    """

    content_type: ClassVar[str] = "application/problem+json; charset=utf-8"

    type: str
    title: str
    status: int
    detail: str
    code: str

    @classmethod
    def of(cls, error: WsmsgError, status: int) -> Problem:
        """
        Describe an error.
        """
        return cls(
            type="about:blank",
            title=phrase(status),
            status=status,
            detail=error.reason,
            code=error.code,
        )


class PlainError(Answer):
    """
    The reason for a failure, in two members.

    @ivar error: one sentence for a person.
    @ivar code: a name of the table of errors.
    """

    content_type: ClassVar[str] = _JSON

    error: str
    code: str

    @classmethod
    def of(cls, error: WsmsgError, status: int) -> PlainError:
        """
        Describe an error.
        """
        return cls(error=error.reason, code=error.code)


@attrs.frozen
class Conventions:
    """
    Conventions that a group of routes shares.

    @ivar tag: the name of the group in the description of the API.
    @ivar error: the form of error documents.
    @ivar any_page: whether pages of every site may read answers for which the caller
        presented a key or a token; see L{wsmsg.http.pages}.
    @ivar lenient: whether unknown arguments of the query are ignored; else they are
        errors.
    @ivar end: the bytes after a document.
    """

    tag: str = "wsmsg"
    error: type[Problem] | type[PlainError] = Problem
    any_page: bool = False
    lenient: bool = False
    end: bytes = b"\n"


#: The headers by which pages of any site may read an answer (CORS).
ANY_PAGE = {
    "access-control-allow-origin": "*",
    "access-control-allow-headers": "*",
    "access-control-allow-methods": "*",
}

NATIVE = Conventions()
PLAIN = Conventions("plain", PlainError, any_page=True, lenient=True, end=b"")


class MethodNotAllowed(WsmsgError):
    """
    The path exists, but not for this method.
    """

    code = "bad_request"
    http_status = 405
    close = None


def error_headers(error: WsmsgError) -> dict[str, str]:
    """
    The headers that belong to an error: when to retry, how to authenticate.
    """
    headers = {}
    if error.retry:
        headers["retry-after"] = str(max(1, -(-error.retry_after_ms // 1000)))
    if error.http_status == HTTPStatus.UNAUTHORIZED:
        headers["www-authenticate"] = "Bearer"
    return headers


def raw_error(
    error: WsmsgError,
    status: int = 0,
    *,
    conventions: Conventions = NATIVE,
    headers: Mapping[str, str] | None = None,
) -> bytes:
    """
    Encode an answer, head and body, for a connection that no HTTP server reads, or
    that it reads no further.  The connection has to be closed after it.

    @param status: the HTTP status, if it is not the error's own.
    """
    status = status or error.http_status
    document = conventions.error.of(error, status)
    body = msgspec.json.encode(document) + conventions.end
    fields = {
        **(ANY_PAGE if conventions.any_page else {}),
        **error_headers(error),
        **(headers or {}),
        "content-type": document.content_type,
        "content-length": str(len(body)),
        "connection": "close",
    }
    lines = [f"{name.title()}: {value}" for name, value in fields.items()]
    head = "\r\n".join([f"HTTP/1.1 {status} {phrase(status)}", *lines, "", ""])
    return head.encode("ascii", "replace") + body


def handshake_conventions(head: bytes) -> Conventions:
    """
    The conventions for refusing a request for a WebSocket, which needs a token:
    L{PLAIN} if it offers no subprotocol, since only the oldest clients offer none.

    @param head: the request's head, as far as it is known.
    """
    offers = b"sec-websocket-protocol:" in head.lower()
    return NATIVE if offers else PLAIN


def phrase(status: int) -> str:
    """
    The name of an HTTP status.
    """
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Refused"
