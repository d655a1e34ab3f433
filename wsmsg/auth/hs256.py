"""
The quick way for the usual token: HS256 (RFC 7518 section 3.2), with nothing special.

PyJWT decodes each part of a token twice, encodes it again and compares it, and looks
at each character in Python.  This module accepts a subset of the tokens that PyJWT
accepts, with the same claims.  Whatever is not in that subset, PyJWT judges, and gives
the reason.
"""

from __future__ import annotations

import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from typing import Any

#: Members of a header that ask for more than a signature (RFC 7515 section 4.1.11, RFC
#: 7797).
_SPECIAL = ("crit", "b64")


def usual_claims(
    token: str, key: bytes, *, audience: str = "", issuer: str = ""
) -> Mapping[str, Any] | None:
    """
    Return the claims of a token that is usual and valid.

    @param audience: what C{aud} has to be; empty: anything.
    @param issuer: what C{iss} has to be; empty: anything.
    @return: L{None}: the token is not usual, or not valid.
    """
    parts = token.split(".")
    if len(parts) != 3 or not token.isascii():
        return None
    signed = f"{parts[0]}.{parts[1]}".encode()
    signature = urlsafe_b64encode(hmac.digest(key, signed, "sha256")).rstrip(b"=")
    if not hmac.compare_digest(signature, parts[2].encode()):
        return None
    header, claims = _decoded(parts[0]), _decoded(parts[1])
    if header is None or claims is None or not _is_usual(header):
        return None
    if claims.get("exp") is None or not isinstance(claims.get("sub"), str):
        return None
    if not isinstance(claims.get("jti", ""), str):
        return None
    for name, wanted in (("aud", audience), ("iss", issuer)):
        if wanted and claims.get(name) != wanted:
            return None
    return claims


def _is_usual(header: Mapping[str, Any]) -> bool:
    return (
        header.get("alg") == "HS256"
        and isinstance(header.get("kid", ""), str)
        and not any(name in header for name in _SPECIAL)
    )


def _decoded(part: str) -> dict[str, Any] | None:
    """
    Return the JSON object in a part of a token; L{None} if there is none, or if it is
    not encoded in the one way that RFC 7515 section 2 describes.
    """
    try:
        text = urlsafe_b64decode(part + "=" * (-len(part) % 4))
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if urlsafe_b64encode(text).rstrip(b"=") != part.encode():
        return None
    return value if isinstance(value, dict) else None
