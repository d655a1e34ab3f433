"""
Reading and validation of the public key that tokens are verified with.
"""

from __future__ import annotations

from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import load_pem_public_key

#: The shortest RSA key.
LEAST_BITS = 2048


def read_public_key(text: str) -> str:
    """
    Read a PEM public key, given as PEM text or as the path of a file.

    @return: the PEM text; empty if C{text} is empty.
    @raise ValueError: with a sentence for the operator.
    """
    pem = text if "-----BEGIN" in text or not text else _file(text)
    if pem:
        key_algorithm(pem)
    return pem


def key_algorithm(pem: str) -> str:
    """
    Return the JWT algorithm of a public key: C{RS256}, C{ES256} or C{EdDSA}.

    @raise ValueError: with a sentence for the operator.
    """
    if "PRIVATE KEY-----" in pem:
        raise ValueError("this is a private key; Connect needs only the public one")
    try:
        key = load_pem_public_key(pem.encode())
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError("this is not a PEM public key") from None
    if isinstance(key, rsa.RSAPublicKey):
        if key.key_size < LEAST_BITS:
            raise ValueError(f"an RSA key needs at least {LEAST_BITS} bits")
        return "RS256"
    if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name == "secp256r1":
        return "ES256"
    if isinstance(key, ed25519.Ed25519PublicKey):
        return "EdDSA"
    raise ValueError(
        "only RSA keys (RS256), P-256 keys (ES256) and Ed25519 keys (EdDSA) are "
        "supported"
    )


def _file(path: str) -> str:
    try:
        return Path(path).expanduser().read_text()
    except (OSError, UnicodeDecodeError) as e:
        reason = e.strerror if isinstance(e, OSError) else "it is not text"
        raise ValueError(
            f"neither a PEM public key nor a readable file: {path[:80]!r}: {reason}"
        ) from None
