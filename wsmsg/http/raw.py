"""
HTTP answers as bytes, for connections that no HTTP server has in its hands yet.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus

from wsmsg.errors import WsmsgError


def error_body(code: str, reason: str) -> bytes:
    """
    What every refused HTTP request gets: C{{"error": reason, "code": code}}.

    @param code: of L{wsmsg.errors.ERRORS}.
    """
    return json.dumps({"error": reason, "code": code}).encode()


def answer(status: int, body: bytes, headers: Mapping[str, str] | None = None) -> bytes:
    """
    A whole answer, after which the connection closes.
    """
    lines = [f"HTTP/1.1 {status} {_phrase(status)}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    lines += ["Connection: close", "", ""]
    return "\r\n".join(lines).encode("ascii") + body


def refusal(error: WsmsgError, status: int | None = None) -> bytes:
    """
    The whole answer to a request that C{error} refuses.

    @param status: the HTTP status, where it is not the error's own.
    """
    headers = {}
    if error.retry_after_ms:
        headers["Retry-After"] = str(-(-error.retry_after_ms // 1000))
    body = error_body(error.code, error.reason)
    return answer(status or error.http_status, body, headers)


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Refused"
