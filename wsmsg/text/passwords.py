"""
URLs without their passwords.

A URL that is malformed has its password anywhere: in the place of the port, behind a
slash, split by a comma.  L{without_login} therefore removes whatever may be one, and
L{without_passwords} whatever stands before an C{@} in running text.
"""

from __future__ import annotations

import re

STARS = "**********"
_PORT_DIGITS = 5

_PASSWORD = re.compile(r"(//[^/@]*?):[^/]*@")
_IN_TEXT = re.compile(r"(\b[A-Za-z][A-Za-z0-9+.-]*://)[^\s'\"<>]*@")
_SCHEME = re.compile(
    r"[^:@/]*://|(?:static|dns|rediss?|kafka|mongodb(?:\+srv)?|sqlite|memory):|//|"
)
_SECRET_OPTION = re.compile(
    r"([?&][^=&]*(?:pass|pwd|secret|token|properties)[^=&]*=)[^&#]*", re.IGNORECASE
)
_AFTER_COLON = re.compile(r":([^:,/\[\]]*)")


def without_password(url: str) -> str:
    """
    Return a valid URL with stars in place of its password.
    """
    return _PASSWORD.sub(rf"\1:{STARS}@", url)


def without_passwords(text: str) -> str:
    """
    Return running text in which each URL has stars in place of its user and password.
    """
    if "://" not in text:
        return text
    return _IN_TEXT.sub(rf"\1{STARS}@", text)


def without_login(url: str) -> str:
    """
    Return a URL, which may be malformed, with stars in place of whatever may be a
    user or a password: all before the last C{@}, options with such a name, and what
    follows a colon and is not a port.
    """
    if url.startswith("sqlite:///") and "@" not in url:
        return url
    found = _SCHEME.match(url)
    scheme = found[0] if found else ""
    _, at, rest = url.rpartition("@")
    rest = rest if at else url.removeprefix(scheme)
    place, mark, options = rest.partition("?")
    login = f"{STARS}@" if at else ""
    shown = scheme + login + _AFTER_COLON.sub(_port_or_stars, place)
    return shown + _SECRET_OPTION.sub(rf"\1{STARS}", mark + options)


def _port_or_stars(found: re.Match[str]) -> str:
    text = found[1].strip()
    is_port = text.isascii() and text.isdigit() and len(text) <= _PORT_DIGITS
    return found[0] if is_port or not text else f":{STARS}"
