"""
The authenticator of JSON Web Tokens (RFC 7519).

The subject (C{sub}) of a token is the user's id as a decimal string, or a name where
users have names (L{wsmsg.names}), and C{exp} is required (L{wsmsg.auth.times}).  The
settings choose the keys: one for each algorithm, and the public keys of an issuer
(L{wsmsg.auth.issuer}), which a token chooses by their ids (C{kid}).  Each key is for
one algorithm, so a token that is signed with the text of a public key as its secret
(RFC 8725 section 2.1) never verifies.

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

from wsmsg.auth.hs256 import usual_claims
from wsmsg.auth.identity import Identity, parse_user, subject_of
from wsmsg.auth.key_set import KeysOfIssuer
from wsmsg.auth.times import check_times
from wsmsg.errors import Fault, Unauthenticated
from wsmsg.settings.public_key import key_algorithm
from wsmsg.settings.tokens import PUBLIC_ALGORITHMS, TokenSettings
from wsmsg.text.counted import plural

#: The maximum length of a token.
TOKEN_CHARACTERS = 4096

_SHORT_KEY_BYTES = 32

_REASONS: Mapping[type[Exception], tuple[str, Fault]] = {
    jwt.InvalidAudienceError: ("the token is for another audience", "audience"),
    jwt.InvalidIssuerError: ("the token is from another issuer", "issuer"),
    InvalidSubjectError: ("the token's subject is not a user id", "subject"),
    jwt.InvalidSignatureError: ("the token's signature is wrong", "signature"),
}
_UNREADABLE: tuple[str, Fault] = ("the token cannot be read", "unreadable")

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

    @ivar algorithms: the algorithms that are accepted.
    @ivar keys: algorithm to the one key of the settings that checks it.
    """

    algorithms: tuple[str, ...]
    keys: Mapping[str, Any]
    debug_token: bytes
    audience: str
    issuer: str
    leeway_s: float
    max_lifetime_s: float


class Authenticator:
    """
    Authenticates users by their tokens.

    @param local_key: the HS256 key to use if the settings name no key; at least 32
        bytes.  If it is empty too, only the debug token is valid.
    @param unix_s: returns the unix time.
    @param issuer: the keys of C{token.jwks}; L{None}: it is not set.
    @param names: a subject may be a name, whose identity has no number yet.
    @raise BadTokenSettings: the settings contradict each other.
    """

    _log = Logger()

    def __init__(
        self,
        settings: TokenSettings,
        local_key: bytes,
        unix_s: Callable[[], float] = time.time,
        *,
        issuer: KeysOfIssuer | None = None,
        names: bool = False,
    ) -> None:
        self._local_key = local_key
        self._subject = subject_of if names else _numbered
        self._issuer = issuer
        self._unix_s = unix_s
        self._settings = settings
        self._rules = self._make_rules(settings)

    @property
    def algorithms(self) -> tuple[str, ...]:
        """
        The algorithms that are accepted.
        """
        return self._rules.algorithms

    def apply_settings(self, settings: TokenSettings) -> None:
        """
        Apply these settings to the tokens that follow.

        @raise BadTokenSettings: the settings cannot work; the old ones stay.
        """
        self._rules = self._make_rules(settings)
        self._settings = settings

    def replace_local_key(self, local_key: bytes) -> bool:
        """
        Have another key in the data directory.

        @return: whether it is another one, and in use.
        """
        if local_key == self._local_key:
            return False
        before, self._local_key = self._rules, local_key
        self._rules = self._make_rules(self._settings)
        return self._rules != before

    def authenticate(self, token: str, claimed_user: int | None = None) -> Identity:
        """
        Identify the bearer of a token: L{wsmsg.auth.identity.Authenticate}.

        @param token: bare, or after C{Bearer}.
        @param claimed_user: the user that the bearer claims to be, if any; the token
            has to be of this user.
        @raise Unauthenticated: the token is invalid, or of another user.
        """
        token = _without_scheme(token)
        secret, name = self._debug_parts(token)
        if self._is_debug(token):
            if claimed_user is None:
                raise Unauthenticated("the debug token needs a user", fault="debug")
            return Identity(claimed_user)
        if secret and self._is_debug(secret):
            identity = self._subject(name)
        else:
            identity = self._identity_of_token(token)
        if claimed_user is not None and claimed_user != identity.user:
            raise Unauthenticated(
                "the token is of another user than the one named", fault="other_user"
            )
        return identity

    def _debug_parts(self, token: str) -> tuple[str, str]:
        """
        Divide C{<debug token>:<user>}; either may have colons.
        """
        size = len(self._rules.debug_token.decode())
        return (
            (token[:size], token[size + 1 :]) if token[size:][:1] == ":" else ("", "")
        )

    def _is_debug(self, token: str) -> bool:
        expected = self._rules.debug_token
        given = token.encode("utf-8", "replace")
        return bool(expected) and hmac.compare_digest(given, expected)

    def _identity_of_token(self, token: str) -> Identity:
        if not token:
            raise Unauthenticated("there is no token", fault="missing")
        if len(token) > TOKEN_CHARACTERS:
            reason = f"the token is over {TOKEN_CHARACTERS} characters"
            raise Unauthenticated(reason, fault="too_long")
        try:
            claims = self._claims(token)
        except _UNDECODABLE as e:
            raise _unauthenticated(e) from None
        rules = self._rules
        times = check_times(
            claims, self._unix_s(), rules.leeway_s, rules.max_lifetime_s
        )
        identity = self._subject(claims["sub"])
        return Identity(identity.user, *times, identity.name)

    def _claims(self, token: str) -> Mapping[str, Any]:
        rules, issuer = self._rules, self._issuer
        if (secret := rules.keys.get("HS256")) is not None:
            audience, issued_by = rules.audience, rules.issuer
            usual = usual_claims(token, secret, audience=audience, issuer=issued_by)
            if usual is not None:
                return usual
        header = jwt.get_unverified_header(token)
        algorithm, kid = header.get("alg"), header.get("kid") or ""
        if not isinstance(algorithm, str) or algorithm not in rules.algorithms:
            reason = "the token's algorithm is not accepted"
            raise Unauthenticated(reason, fault="algorithm")
        own = rules.keys.get(algorithm)
        if issuer is None or algorithm not in PUBLIC_ALGORITHMS:
            return self._decoded(token, own, algorithm)
        key = issuer.find(kid, algorithm)
        if key is None and own is None:
            raise issuer.unknown(kid, algorithm)
        try:
            return self._decoded(token, own if key is None else key, algorithm)
        except jwt.InvalidSignatureError:
            if key is None:
                raise issuer.unknown(kid, algorithm) from None
            issuer.doubt()  # Perhaps another key has taken the id.
            raise

    def _decoded(self, token: str, key: Any, algorithm: str) -> Mapping[str, Any]:
        rules = self._rules
        claims: Mapping[str, Any] = jwt.decode(
            token,
            key,
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
        known = dict.fromkeys([*keys, *(PUBLIC_ALGORITHMS if self._issuer else ())])
        for algorithm in settings.algorithms:
            if algorithm not in known:
                raise BadTokenSettings(f"algorithms: {algorithm} has no key that fits")
        algorithms: tuple[str, ...] = settings.algorithms or tuple(known)
        return _Rules(
            algorithms,
            {a: keys[a] for a in algorithms if a in keys},
            settings.debug_token.get_secret_value().encode(),
            settings.audience,
            settings.issuer,
            settings.leeway_s,
            settings.max_lifetime_s,
        )

    def _all_keys(self, settings: TokenSettings) -> dict[str, Any]:
        keys: dict[str, Any] = {}
        secret = settings.secret.get_secret_value().encode()
        if settings.public_key:
            keys.update(_public_key(settings.public_key))
        elif not secret and not settings.jwks:
            secret = self._local_key
        if not secret:
            return keys
        if secret.lstrip().startswith(b"-----BEGIN"):
            raise BadTokenSettings("secret: is a PEM key; HS256 needs a shared secret")
        if len(secret) < _SHORT_KEY_BYTES:
            self._log.warn(
                "the token secret has {bytes} {noun}; RFC 7518 asks for {least}",
                bytes=len(secret),
                noun=plural(len(secret), "byte"),
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


def _unauthenticated(e: Exception) -> Unauthenticated:
    if isinstance(e, jwt.MissingRequiredClaimError):
        return Unauthenticated(f"the token has no {e.claim}", fault="incomplete")
    reason, fault = _REASONS.get(type(e), _UNREADABLE)
    return Unauthenticated(reason, fault=fault)


def _numbered(subject: str) -> Identity:
    return Identity(parse_user(subject))


def _without_scheme(token: str) -> str:
    token = token.strip()
    scheme, space, rest = token.partition(" ")
    return rest.strip() if space and scheme.lower() == "bearer" else token
