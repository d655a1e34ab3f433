"""
A private key of an issuer, to sign a token that a key set (C{token.jwks}) verifies.
"""

from __future__ import annotations

import json
from typing import Any

import attrs
import jwt
from jwt.algorithms import get_default_algorithms

from wsmsg.settings.tokens import PUBLIC_ALGORITHMS

_NO_KEY = "this is neither a PEM private key nor a private JWK"


@attrs.frozen
class PrivateKey:
    """
    A private key.

    @ivar kid: its id in the key set; empty: none.
    """

    key: Any = attrs.field(repr=False)
    algorithm: str
    kid: str


def read_private_key(text: str, kid: str = "") -> PrivateKey:
    """
    Read a PEM private key, a private JWK, or a set of these (RFC 7517).

    @param kid: the id of the key; of a set, the one to take.
    @raise ValueError: with a sentence for the operator, without the key.
    """
    if text.lstrip().startswith("{"):
        return _of_jwk(_chosen(_document(text), kid), kid)
    if "PRIVATE KEY-----" not in text:
        raise ValueError(_NO_KEY)
    known = get_default_algorithms()
    for algorithm in PUBLIC_ALGORITHMS:
        try:
            key = known[algorithm].prepare_key(text)
        except (jwt.InvalidKeyError, ValueError, TypeError):
            continue
        return PrivateKey(key, algorithm, kid)
    raise ValueError(f"{_NO_KEY} for {', '.join(PUBLIC_ALGORITHMS)}")


def _document(text: str) -> dict[str, Any]:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError(_NO_KEY) from None
    if not isinstance(document, dict):
        raise ValueError(_NO_KEY)
    return document


def _chosen(document: dict[str, Any], kid: str) -> dict[str, Any]:
    if "keys" not in document:
        return document
    keys = document["keys"] if isinstance(document["keys"], list) else []
    private = [key for key in keys if isinstance(key, dict) and "d" in key]
    found = [key for key in private if not kid or key.get("kid") == kid]
    if len(found) != 1:
        raise ValueError(
            f"{len(found)} private keys in the set are meant; name one with --kid"
        )
    return found[0]


def _of_jwk(document: dict[str, Any], kid: str) -> PrivateKey:
    own = str(document.get("kid") or "")
    if kid and own and kid != own:
        raise ValueError(f"the JWK has another kid than {kid[:80]!r}")
    if "d" not in document:
        raise ValueError("the JWK has no private part (d)")
    try:
        read = jwt.PyJWK.from_dict(document)
    except (jwt.PyJWTError, ValueError, TypeError):
        raise ValueError(_NO_KEY) from None
    if read.algorithm_name not in PUBLIC_ALGORITHMS:
        raise ValueError(
            f"the JWK is for {str(read.algorithm_name)[:40]}; key sets verify "
            f"{', '.join(PUBLIC_ALGORITHMS)}"
        )
    return PrivateKey(read.key, read.algorithm_name, kid or own)
