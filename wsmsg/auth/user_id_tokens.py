"""
Tokens that name their user in C{user_id}, as the user service of the legacy system
signs them: HS256 with a key of any length, an expiry, and no C{sub}.

Connect believes them only where its settings have the key, and only from clients that
cannot have others.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping
from typing import Any

import jwt

from wsmsg.auth.identity import Identity, parse_user
from wsmsg.auth.jwt import TOKEN_CHARACTERS
from wsmsg.auth.times import check_times
from wsmsg.errors import Unauthenticated

_UNDECODABLE = (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError)


def names_user_id(token: str) -> bool:
    """
    Return whether a token, not checked yet, has C{user_id} and no C{sub}.
    """
    try:
        claims = jwt.decode(_bare(token), options={"verify_signature": False})
    except _UNDECODABLE:
        return False
    return "user_id" in claims and "sub" not in claims


def authenticate_user_id(
    token: str,
    secret: str,
    leeway_s: float,
    claimed_user: int | None = None,
    *,
    max_lifetime_s: float = 0.0,
) -> Identity:
    """
    Identify the bearer of such a token.

    @param token: bare, or after C{Bearer}.
    @param claimed_user: the user that the bearer claims to be, if any.
    @param max_lifetime_s: as for L{check_times}.
    @raise Unauthenticated: the token is another one, invalid, or of another user.
    """
    token = _bare(token)
    if len(token) > TOKEN_CHARACTERS:
        reason = f"the token is over {TOKEN_CHARACTERS} characters"
        raise Unauthenticated(reason, fault="too_long")
    try:
        claims = _claims(token, secret)
    except jwt.InvalidSignatureError:
        reason = "the token's signature is wrong"
        raise Unauthenticated(reason, fault="signature") from None
    except _UNDECODABLE:
        reason = "the token cannot be read"
        raise Unauthenticated(reason, fault="unreadable") from None
    times = check_times(claims, time.time(), leeway_s, max_lifetime_s)
    if "sub" in claims:
        reason = "the token has a sub, so it has to have the other key"
        raise Unauthenticated(reason, fault="key")
    user = claims.get("user_id")
    if isinstance(user, bool) or not isinstance(user, int | str):
        raise Unauthenticated("the token has no user_id", fault="incomplete")
    identity = Identity(parse_user(str(user)), *times)
    if claimed_user is not None and claimed_user != identity.user:
        raise Unauthenticated(
            "the token is of another user than the one named", fault="other_user"
        )
    return identity


def _bare(token: str) -> str:
    scheme, _, rest = token.strip().partition(" ")
    return rest.strip() if scheme.lower() == "bearer" else token.strip()


def _claims(token: str, secret: str) -> Mapping[str, Any]:
    with warnings.catch_warnings():
        # The key is as short as the other system made it; the settings say so.
        warnings.simplefilter("ignore")
        claims: Mapping[str, Any] = jwt.decode(
            token,
            secret,
            algorithms=["HS256"],
            options={
                "verify_aud": False,
                "verify_sub": False,
                "verify_exp": False,
                "verify_nbf": False,
                "verify_iat": False,
            },
        )
    return claims
