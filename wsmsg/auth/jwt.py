"""
The authenticator of JSON Web Tokens (RFC 7519).

The subject (C{sub}) of a token is the user's id as a decimal string, and C{exp} is
required (L{wsmsg.auth.times}).  Each algorithm has one key, which the settings choose:
a token can name an algorithm, but not the key that checks it.  A token that is signed
with the text of a public key as its secret (RFC 8725 section 2.1) therefore never
verifies.

If the settings set a debug token, it authenticates any user that its bearer claims to
be: the user of the C{User-ID} header or, without that header (C{hello} of a browser),
the user in C{<debug token>:<user>}.
"""

from __future__ import annotations

import hmac
import time
from collections.abc import Callable, Mapping
from typing import Any

import attrs
import jwt
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from jwt.exceptions import InvalidSubjectError
from twisted.logger import Logger

from wsmsg.auth.identity import Identity, parse_user
from wsmsg.auth.times import check_times
from wsmsg.errors import Unauthenticated
from wsmsg.settings.public_key import key_algorithm
from wsmsg.settings.tokens import TokenSettings

#: The maximum length of a token.
TOKEN_CHARACTERS = 4096

_SHORT_KEY_BYTES = 32

_REASONS: Mapping[type[Exception], str] = {
    jwt.InvalidAudienceError: "the token is for another audience",
    jwt.InvalidIssuerError: "the token is from another issuer",
    InvalidSubjectError: "the token's subject is not a user id",
    jwt.InvalidSignatureError: "the token's signature is wrong",
}

# A hostile token reaches the decoders of JSON and base64 before its signature is
# checked; deep nesting raises RecursionError, unexpected types raise TypeError.
_UNDECODABLE = (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError)


class BadTokenSettings(ValueError):
    """
    The token settings contradict each other.
    """


@attrs.frozen
class _Rules:
    """
    The rules for checking tokens, derived from the settings.

    @ivar keys: algorithm to the one key that checks it.
    """

    keys: Mapping[str, Any]
    debug_token: bytes
    audience: str
    issuer: str
    leeway_s: float


class Authenticator:
    """
    Authenticates users by their tokens.

    @param local_key: the HS256 key to use if the settings name no key; at least 32
        bytes.  If it is empty too, only the debug token is valid.
    @param unix_s: returns the unix time.
    @raise BadTokenSettings: the settings contradict each other.
    """

    _log = Logger()

    def __init__(
        self,
        settings: TokenSettings,
        local_key: bytes,
        unix_s: Callable[[], float] = time.time,
    ) -> None:
        self._local_key = local_key
        self._unix_s = unix_s
        self._rules = self._make_rules(settings)

    @property
    def algorithms(self) -> tuple[str, ...]:
        """
        The algorithms that are accepted.
        """
        return tuple(self._rules.keys)

    def apply_settings(self, settings: TokenSettings) -> None:
        """
        Apply these settings to the tokens that follow.

        @raise BadTokenSettings: the settings cannot work; the old ones stay.
        """
        self._rules = self._make_rules(settings)

    def authenticate(self, token: str, claimed_user: int | None = None) -> Identity:
        """
        Identify the bearer of a token: L{wsmsg.auth.identity.Authenticate}.

        @param token: bare, or after C{Bearer}.
        @param claimed_user: the user that the bearer claims to be, if any; the token
            has to be of this user.
        @raise Unauthenticated: the token is invalid, or of another user.
        """
        token = _without_scheme(token)
        secret, colon, name = token.rpartition(":")
        if self._is_debug(token):
            if claimed_user is None:
                raise Unauthenticated("the debug token needs a user")
            return Identity(claimed_user)
        if colon and self._is_debug(secret):
            identity = Identity(parse_user(name))
        else:
            identity = self._identity_of_token(token)
        if claimed_user is not None and claimed_user != identity.user:
            raise Unauthenticated("the token is of another user than the one named")
        return identity

    def _is_debug(self, token: str) -> bool:
        expected = self._rules.debug_token
        given = token.encode("utf-8", "replace")
        return bool(expected) and hmac.compare_digest(given, expected)

    def _identity_of_token(self, token: str) -> Identity:
        if not token:
            raise Unauthenticated("there is no token")
        if len(token) > TOKEN_CHARACTERS:
            raise Unauthenticated(f"the token is over {TOKEN_CHARACTERS} characters")
        try:
            claims = self._claims(token)
        except _UNDECODABLE as e:
            raise Unauthenticated(_reason(e)) from None
        times = check_times(claims, self._unix_s(), self._rules.leeway_s)
        return Identity(parse_user(claims["sub"]), *times)

    def _claims(self, token: str) -> Mapping[str, Any]:
        rules = self._rules
        algorithm = jwt.get_unverified_header(token).get("alg")
        if not isinstance(algorithm, str) or algorithm not in rules.keys:
            raise Unauthenticated("the token's algorithm is not accepted")
        claims: Mapping[str, Any] = jwt.decode(
            token,
            rules.keys[algorithm],
            algorithms=[algorithm],
            audience=rules.audience or None,
            issuer=rules.issuer or None,
            options={
                "require": _required(rules),
                # L{check_times} checks these: PyJWT accepts text for a number.
                "verify_exp": False,
                "verify_nbf": False,
                "verify_iat": False,
                "verify_aud": bool(rules.audience),
            },
        )
        return claims

    def _make_rules(self, settings: TokenSettings) -> _Rules:
        keys = self._all_keys(settings)
        for algorithm in settings.algorithms:
            if algorithm not in keys:
                raise BadTokenSettings(f"algorithms: {algorithm} has no key that fits")
        if settings.algorithms:
            keys = {a: keys[a] for a in settings.algorithms}
        return _Rules(
            keys,
            settings.debug_token.get_secret_value().encode(),
            settings.audience,
            settings.issuer,
            settings.leeway_s,
        )

    def _all_keys(self, settings: TokenSettings) -> dict[str, Any]:
        keys: dict[str, Any] = {}
        secret = settings.secret.get_secret_value().encode()
        if settings.public_key:
            keys.update(_public_key(settings.public_key))
        elif not secret:
            secret = self._local_key
        if not secret:
            return keys
        if secret.lstrip().startswith(b"-----BEGIN"):
            raise BadTokenSettings("secret: is a PEM key; HS256 needs a shared secret")
        if len(secret) < _SHORT_KEY_BYTES:
            self._log.warn(
                "the token secret has {bytes} bytes; RFC 7518 asks for {least}",
                bytes=len(secret),
                least=_SHORT_KEY_BYTES,
            )
        keys["HS256"] = secret
        return keys


def _required(rules: _Rules) -> list[str]:
    required = ["exp", "sub"]
    if rules.audience:
        required.append("aud")
    if rules.issuer:
        required.append("iss")
    return required


def _public_key(pem: str) -> dict[str, Any]:
    """
    Return the one algorithm that a public key can check, with the key.
    """
    try:
        return {key_algorithm(pem): load_pem_public_key(pem.encode())}
    except ValueError as e:
        raise BadTokenSettings(f"public_key: {e}") from None


def _reason(e: Exception) -> str:
    if isinstance(e, jwt.MissingRequiredClaimError):
        return f"the token has no {e.claim}"
    return _REASONS.get(type(e), "the token cannot be read")


def _without_scheme(token: str) -> str:
    token = token.strip()
    scheme, space, rest = token.partition(" ")
    return rest.strip() if space and scheme.lower() == "bearer" else token
