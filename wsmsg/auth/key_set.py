"""
Key sets (RFC 7517): the public keys of an issuer, each with an id.

Only what verifies is taken from a key set.  A symmetric or private key in it is
skipped, with a reason: whoever can read the set could sign tokens with it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, Protocol

import attrs
import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from wsmsg.errors import Unauthenticated, WsmsgError
from wsmsg.settings.public_key import LEAST_BITS
from wsmsg.settings.tokens import PUBLIC_ALGORITHMS

#: The longest key set.
MOST_BYTES = 262_144
#: The most keys in one.
MOST_KEYS = 100

_SHOWN = 40


class KeysOfIssuer(Protocol):
    """
    The keys of an issuer, for who verifies tokens.
    """

    def find(self, kid: str, algorithm: str) -> Any | None:
        """Return a key: L{KeySet.find}."""

    def unknown(self, kid: str, algorithm: str) -> WsmsgError:
        """Return the error for a token whose key is not known."""

    def doubt(self) -> None:
        """Note that a signature does not fit its key: the key may be another one."""


def no_such_key() -> Unauthenticated:
    """
    Return the error for a token whose key the issuer does not have.
    """
    reason = "the issuer has no key with the token's kid"
    return Unauthenticated(reason, fault="key")


class BadKeySet(ValueError):
    """
    This is no key set that could verify anything; the text is one line.
    """


class KeyName(NamedTuple):
    """
    The name of a key: its id, which may be empty, and the algorithm that it is for.
    """

    kid: str
    algorithm: str


@attrs.frozen
class KeySet:
    """
    The keys of an issuer.

    @ivar keys: the keys, by name.
    @ivar skipped: the reasons for which other keys of the set are not used.
    """

    keys: Mapping[KeyName, Any]
    skipped: tuple[str, ...] = ()

    def find(self, kid: str, algorithm: str) -> Any | None:
        """
        Return a key.

        @param kid: empty: the token names no key; then the only key that the set has
            for the algorithm.
        """
        if kid:
            return self.keys.get(KeyName(kid, algorithm))
        found = [k for name, k in self.keys.items() if name.algorithm == algorithm]
        return found[0] if len(found) == 1 else None


def read_key_set(data: bytes) -> KeySet:
    """
    Read a key set.

    @raise BadKeySet: it is none, or has no key that could be used.
    """
    keys: dict[KeyName, Any] = {}
    skipped: list[str] = []
    for entry in _entries(data):
        kid = entry.get("kid", "")
        shown = repr(kid)[:_SHOWN] if kid else "without a kid"
        try:
            name, key = _usable(entry, kid)
            if name in keys:
                raise ValueError("another key has the same kid")
            keys[name] = key
        except ValueError as e:
            skipped.append(f"key {shown}: {e}")
    if not keys:
        why = f": {skipped[0]}" if skipped else ""
        raise BadKeySet(f"has no key for {_names()}{why}")
    return KeySet(keys, tuple(skipped))


def _entries(data: bytes) -> Iterator[dict[str, Any]]:
    if len(data) > MOST_BYTES:
        raise BadKeySet(f"is longer than {MOST_BYTES} bytes")
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        raise BadKeySet("is not JSON") from None
    keys = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(keys, list):
        raise BadKeySet('is not a key set: an object with a list "keys"')
    if len(keys) > MOST_KEYS:
        raise BadKeySet(f"has {len(keys)} keys; at most {MOST_KEYS} are read")
    for entry in keys:
        if not isinstance(entry, dict):
            raise BadKeySet("has a key that is not an object")
        yield entry


def _usable(entry: dict[str, Any], kid: object) -> tuple[KeyName, Any]:
    """
    Return the name and the key of an entry.

    @raise ValueError: it cannot be used; with the reason.
    """
    if not isinstance(kid, str):
        raise ValueError("its kid is not a text")
    if entry.get("kty") == "oct":
        raise ValueError("it is symmetric, so that its readers could sign tokens")
    if "d" in entry:
        raise ValueError("it is private, so that its readers could sign tokens")
    if entry.get("use", "sig") != "sig":
        raise ValueError("it is not for signatures")
    if "verify" not in entry.get("key_ops", ("verify",)):
        raise ValueError("it is not for verifying")
    public = {name: entry[name] for name in entry if name not in ("alg", "use")}
    algorithm = _algorithm_of(entry)
    try:
        key = jwt.PyJWK(public, algorithm).key
    except (jwt.PyJWTError, ValueError, TypeError, KeyError, AttributeError):
        raise ValueError("it cannot be read") from None
    algorithm = _fitting(key)
    if entry.get("alg", algorithm) != algorithm:
        raise ValueError(f"it is not for {_names()}")
    return KeyName(kid, algorithm), key


def _algorithm_of(entry: dict[str, Any]) -> str:
    by_type = {"RSA": "RS256", "EC": "ES256", "OKP": "EdDSA"}
    algorithm = by_type.get(str(entry.get("kty")))
    if algorithm is None:
        raise ValueError("its kty is none of RSA, EC and OKP")
    return algorithm


def _fitting(key: object) -> str:
    if isinstance(key, rsa.RSAPublicKey):
        if key.key_size < LEAST_BITS:
            raise ValueError(f"an RSA key needs at least {LEAST_BITS} bits")
        return "RS256"
    if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name == "secp256r1":
        return "ES256"
    if isinstance(key, ed25519.Ed25519PublicKey):
        return "EdDSA"
    raise ValueError(f"it is not for {_names()}")


def _names() -> str:
    return " or ".join(PUBLIC_ALGORITHMS)
