"""
Refused handshakes: an HTTP answer in place of a WebSocket.

The server writes a problem document (RFC 9457) with the C{code} of an error.  Any other
answer is from a program between client and server, which knows nothing about the user:
a captive portal, a proxy whose backend is away, a maintenance page.
"""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import attrs
import msgspec

from wsmsg.errors import ERRORS

#: Characters of an answer that are quoted.
_DETAIL = 200
#: Digits of the seconds to wait; more are not a number of seconds.
_DIGITS = 18


@attrs.frozen(kw_only=True)
class Refusal:
    """
    The answer to a handshake.

    @ivar detail: the reason, in one line; empty: there is none.
    @ivar code: the name of the error (L{wsmsg.errors}); empty: the answer is not the
        server's own.
    @ivar retry_after_s: seconds to wait before the next attempt; 0: not stated.
    """

    status: int
    detail: str
    code: str
    retry_after_s: float


class _Document(msgspec.Struct):
    detail: str
    code: str = ""
    status: int = 0


def refusal_of(status: int, body: bytes, *, retry_after: str, date: str) -> Refusal:
    """
    Read the answer to a handshake.

    @param retry_after: the header C{Retry-After}, and C{date} the header C{Date}; empty
        if there is none.
    """
    code = ""
    try:
        document = msgspec.json.decode(body, type=_Document)
        detail = document.detail
        if document.status == status and document.code in ERRORS:
            code = document.code
    except (msgspec.MsgspecError, ValueError, RecursionError):
        detail = body.decode("utf-8", "replace")
    return Refusal(
        status=status,
        detail=" ".join(detail[:_DETAIL].split()),
        code=code,
        retry_after_s=_seconds(retry_after.strip(), date),
    )


def _seconds(value: str, date: str) -> float:
    """
    Return the seconds for which C{Retry-After} asks, given as seconds or as a date (RFC
    9110 section 10.2.3); 0 if it is absent or invalid.
    """
    if value.isascii() and value.isdecimal():
        return float(value[:_DIGITS])
    until = _date(value)
    if until is None:
        return 0.0
    # Both dates are by the clock of the program that answers.
    now = _date(date) or datetime.now(UTC)
    return max(0.0, (until - now).total_seconds())


def _date(value: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)
