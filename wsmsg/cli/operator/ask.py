"""
Client of the HTTP listeners of a daemon.
"""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.request
from typing import Any

_TIMEOUT_S = 3.0
#: A change may make the daemon write to its backends.
_POST_TIMEOUT_S = 15.0


class NoAnswer(Exception):
    """
    The listener did not answer, or its answer is not valid; the text has the URL and
    the reason.

    @ivar status: the HTTP status of the answer; 0: there is none.
    """

    def __init__(self, text: str, status: int = 0) -> None:
        super().__init__(text)
        self.status = status


class OneCertificate(ssl.SSLContext):
    """
    Trust in the certificate in a PEM file, whatever names it has, and in no other.
    """

    def __new__(cls, path: str) -> OneCertificate:
        return super().__new__(cls, ssl.PROTOCOL_TLS_CLIENT)

    def __init__(self, path: str) -> None:
        self.check_hostname = False
        self.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        self.load_verify_locations(path)


def ask(
    url: str,
    body: object | None = None,
    *,
    certificate: str = "",
    key: str = "",
    ca: str = "",
    method: str | None = None,
) -> dict[str, Any]:
    """
    Send a GET, or a POST of C{body}, and return the JSON object of the answer.  A
    status of 503 is an answer too: C{/readyz} uses it.

    @param certificate: the PEM file of the listener's own certificate: nothing else is
        trusted; empty: a C{https} URL needs a certificate that this machine trusts.
    @param key: the caller's key; empty: none.
    @param ca: a PEM file with the authorities to trust; empty: those of the machine.
    @param method: L{None}: POST with a body, else GET.
    @raise NoAnswer: there is no valid answer.
    """
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, method=method)
    if key:
        request.add_header("Authorization", f"Bearer {key}")
    timeout_s = _TIMEOUT_S
    if data is not None:
        request.add_header("Content-Type", "application/json")
    if request.get_method() != "GET":
        timeout_s = _POST_TIMEOUT_S
    try:
        with _opener(certificate, ca).open(request, timeout=timeout_s) as answer:
            return _object(url, answer.read())
    except urllib.error.HTTPError as error:
        with error:
            document = _object(url, error.read())
        if error.code != 503 or "ready" not in document:
            reason = document.get("detail", error.reason)
            text = f"{url} answered {error.code}: {reason}"
            raise NoAnswer(text, error.code) from None
        return document
    except urllib.error.URLError as error:
        reason = getattr(error.reason, "strerror", None) or error.reason
        raise NoAnswer(f"{url}: {reason}") from None
    except (OSError, ValueError) as error:
        raise NoAnswer(f"{url}: {error}") from None


def _opener(certificate: str, ca: str) -> urllib.request.OpenerDirector:
    """
    Return what connects to a daemon directly: it ignores proxies in the environment.
    """
    handlers: list[urllib.request.BaseHandler] = [urllib.request.ProxyHandler({})]
    if certificate:
        trust = OneCertificate(certificate)
        handlers.append(urllib.request.HTTPSHandler(context=trust))
    elif ca:
        context = ssl.create_default_context(cafile=ca)
        handlers.append(urllib.request.HTTPSHandler(context=context))
    return urllib.request.build_opener(*handlers)


def _object(url: str, data: bytes) -> dict[str, Any]:
    try:
        document = json.loads(data)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise NoAnswer(
            f"{url} is no listener of wsmsg: its answer is not a JSON object"
        )
    return document
