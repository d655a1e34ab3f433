"""
Reading and validation of what is in PEM files: the public key that tokens are verified
with, certificates and their keys.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    load_pem_private_key,
    load_pem_public_key,
)

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


def read_pem(path: str) -> bytes:
    """
    Return the content of a PEM file.

    @raise ValueError: the file cannot be read.
    """
    try:
        return Path(path).read_bytes()
    except OSError as e:
        raise ValueError(f"{path} cannot be read: {e.strerror}") from None


def certificates_in(path: str) -> list[x509.Certificate]:
    """
    Return the certificates in a PEM file, at least one.

    @raise ValueError: the file cannot be read, or has none.
    """
    try:
        return x509.load_pem_x509_certificates(read_pem(path))
    except ValueError as e:
        if path in str(e):
            raise
        raise ValueError(f"{path} has no certificate in PEM") from None


def check_pair(cert: str, key: str, now: datetime | None = None) -> None:
    """
    Check that a certificate can be used with a key.

    @raise ValueError: with the file and the reason.
    """
    certificate = certificates_in(cert)[0]
    try:
        private = load_pem_private_key(read_pem(key), None)
    except TypeError:
        raise ValueError(f"{key} is encrypted; a daemon has no passphrase") from None
    except ValueError as e:
        if key in str(e):
            raise
        raise ValueError(f"{key} has no private key in PEM") from None
    if private.public_key() != certificate.public_key():
        raise ValueError(
            f"the key in {key} does not belong to the certificate in {cert}"
        )
    now = now or datetime.now(UTC)
    if certificate.not_valid_after_utc < now:
        ended = certificate.not_valid_after_utc.isoformat()
        raise ValueError(f"the certificate in {cert} expired at {ended}")
    if certificate.not_valid_before_utc > now:
        begins = certificate.not_valid_before_utc.isoformat()
        raise ValueError(f"the certificate in {cert} is valid only from {begins} on")
