"""
Keys of an issuer, as key sets.
"""

from __future__ import annotations

import json
import time
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())
ED_KEY = ed25519.Ed25519PrivateKey.generate()

_MAKERS: dict[str, Any] = {
    "RS256": jwt.algorithms.RSAAlgorithm,
    "ES256": jwt.algorithms.ECAlgorithm,
    "EdDSA": jwt.algorithms.OKPAlgorithm,
}
KEYS: dict[str, Any] = {"RS256": RSA_KEY, "ES256": EC_KEY, "EdDSA": ED_KEY}


def entry(algorithm: str, kid: str = "", key: Any = None, **more: Any) -> Any:
    """
    Return a public key as an entry of a key set.
    """
    public = (key or KEYS[algorithm]).public_key()
    made: dict[str, Any] = json.loads(_MAKERS[algorithm].to_jwk(public))
    made.pop("key_ops", None)
    return made | ({"kid": kid} if kid else {}) | more


def key_set(*entries: Any) -> bytes:
    """
    Return a key set.
    """
    return json.dumps({"keys": entries}).encode()


def signed(algorithm: str, kid: str = "", key: Any = None, **claims: Any) -> str:
    """
    Return a token of user 1001 that names this key.
    """
    body = {"sub": "1001", "exp": int(time.time()) + 60, **claims}
    headers = {"kid": kid} if kid else {}
    return jwt.encode(body, key or KEYS[algorithm], algorithm, headers=headers)
