"""
Asking a daemon's admin listener.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

_TIMEOUT_S = 3.0
#: What is posted may have a daemon write to its backends.
_POST_TIMEOUT_S = 15.0

#: The daemons are asked directly, whatever proxy the environment names.
_open = urllib.request.build_opener(urllib.request.ProxyHandler({})).open


class NoAnswer(Exception):
    """
    There is none, or none that can be understood; the text says where and why.
    """


def ask(url: str, body: object | None = None) -> dict[str, Any]:
    """
    The JSON object that a GET, or a POST of C{body}, is answered with; also where
    the status is 503, with which C{/readyz} answers.

    @raise NoAnswer: there is none.
    """
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data)
    timeout_s = _TIMEOUT_S
    if data is not None:
        request.add_header("Content-Type", "application/json")
        timeout_s = _POST_TIMEOUT_S
    try:
        with _open(request, timeout=timeout_s) as answer:
            return _object(url, answer.read())
    except urllib.error.HTTPError as error:
        with error:
            document = _object(url, error.read())
        if error.code != 503 or "ready" not in document:
            reason = document.get("detail", error.reason)
            raise NoAnswer(f"{url} answered {error.code}: {reason}") from None
        return document
    except urllib.error.URLError as error:
        reason = getattr(error.reason, "strerror", None) or error.reason
        raise NoAnswer(f"{url}: {reason}") from None
    except (OSError, ValueError) as error:
        raise NoAnswer(f"{url}: {error}") from None


def _object(url: str, data: bytes) -> dict[str, Any]:
    try:
        document = json.loads(data)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise NoAnswer(f"{url} is no admin listener: it answers no JSON object")
    return document
