"""
The checks of a token, one by one, each with its result in words.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any, Literal

import attrs
import jwt

from wsmsg.auth.identity import parse_user, subject_of
from wsmsg.auth.jwt import Authenticator
from wsmsg.auth.user_id_tokens import authenticate_user_id, names_user_id
from wsmsg.errors import Unauthenticated
from wsmsg.settings.tokens import TokenSettings
from wsmsg.text.counted import counted
from wsmsg.text.escape import harmless


@attrs.frozen
class TokenCheck:
    """
    The result of one check.
    """

    result: Literal["ok", "wrong", "note"]
    name: str
    text: str


def explain(
    token: str,
    settings: TokenSettings,
    authenticator: Authenticator,
    now_s: float,
    *,
    names: bool = False,
) -> Iterator[TokenCheck]:
    """
    Yield the checks of a token.  The last one is the answer of Connect itself.

    @param token: without the word C{Bearer}.
    @param names: whether a subject may be a name.
    """
    try:
        header = jwt.get_unverified_header(token)
        claims = jwt.decode(token, options={"verify_signature": False})
    except (jwt.PyJWTError, ValueError, TypeError, RecursionError):
        size, dots = counted(len(token), "character"), counted(token.count("."), "dot")
        text = f"this is no JWT: it has {size} and {dots}"
        yield TokenCheck("wrong", "form", text)
    else:
        yield TokenCheck("ok", "form", f"a JWT of {len(token)} characters")
        yield _algorithm(header.get("alg"), authenticator.algorithms)
        if settings.jwks:
            yield _key_id(header.get("kid"))
        yield _subject(claims, names=names)
        yield from _times(claims, settings.leeway_s, now_s)
        yield from _lifetime(claims, settings.max_lifetime_s)
        for name, word, wanted in (
            ("issuer", "iss", settings.issuer),
            ("audience", "aud", settings.audience),
        ):
            yield _party(name, word, claims.get(word), wanted)
    try:
        identity = authenticator.authenticate(token)
    except Unauthenticated as error:
        yield TokenCheck("wrong", "Connect", f"refuses it: {error.reason}")
    else:
        who = harmless(identity.name) or str(identity.user)
        yield TokenCheck("ok", "Connect", f"accepts it as user {who}")


def explain_user_id(
    token: str, secret: str, settings: TokenSettings
) -> Iterator[TokenCheck]:
    """
    Yield the answer of Connect to a legacy client with a token that has C{user_id} in
    place of C{sub}; nothing for other tokens.

    @param secret: C{legacy.token_secret}.
    """
    if not names_user_id(token):
        return
    if not secret:
        text = "refused: the settings have no connect.legacy.token_secret"
        yield TokenCheck("wrong", "legacy clients", text)
        return
    try:
        user = authenticate_user_id(
            token,
            secret,
            settings.leeway_s,
            max_lifetime_s=settings.max_lifetime_s,
        ).user
    except Unauthenticated as error:
        text = f"refused, by connect.legacy.token_secret: {error.reason}"
        yield TokenCheck("wrong", "legacy clients", text)
    else:
        yield TokenCheck("ok", "legacy clients", f"accepted from user {user}")


def _algorithm(given: object, accepted: tuple[str, ...]) -> TokenCheck:
    if given in accepted:
        return TokenCheck("ok", "algorithm", str(given))
    text = f"{given!r}, and the settings accept {' and '.join(accepted) or 'none'}"
    return TokenCheck("wrong", "algorithm", text)


def _key_id(kid: object) -> TokenCheck:
    if isinstance(kid, str) and kid:
        return TokenCheck("ok", "key", f"kid is {kid[:80]!r}")
    return TokenCheck("note", "key", "there is no kid: the issuer must have one key")


def _subject(claims: Mapping[str, Any], *, names: bool) -> TokenCheck:
    if "sub" not in claims:
        near = [name for name in ("user_id", "uid", "user") if name in claims]
        hint = f"; it has {near[0]}, which only legacy clients may use" if near else ""
        return TokenCheck("wrong", "subject", f"there is no sub{hint}")
    subject = claims["sub"]
    if not isinstance(subject, str):
        kind = type(subject).__name__
        text = f"sub must be a string, and is of the type {kind}"
        return TokenCheck("wrong", "subject", text)
    try:
        if not names:
            return TokenCheck("ok", "subject", f"user {parse_user(subject)}")
        found = subject_of(subject)
        who = f"named {harmless(found.name)!r}" if found.name else str(found.user)
        return TokenCheck("ok", "subject", f"user {who}")
    except Unauthenticated as error:
        return TokenCheck("wrong", "subject", f"{subject[:40]!r}: {error.reason}")


def _times(
    claims: Mapping[str, Any], leeway_s: float, now_s: float
) -> Iterator[TokenCheck]:
    for word, name, wrong_if_past in (
        ("exp", "expiry", True),
        ("nbf", "beginning", False),
        ("iat", "issue", False),
    ):
        if word not in claims:
            if word == "exp":
                yield TokenCheck("wrong", name, "there is no exp")
            continue
        value = claims[word]
        if isinstance(value, bool) or not isinstance(value, int | float):
            text = f"{word} must be a number of seconds, and is {str(value)[:40]!r}"
            yield TokenCheck("wrong", name, text)
            continue
        away_s = float(value) - now_s
        text = f"{word} is {_when(float(value))}, {_span(away_s)}"
        late = -away_s if wrong_if_past else away_s
        result: Literal["ok", "wrong"] = "wrong" if late > leeway_s else "ok"
        if late > 0:
            text += f"; clocks may differ by {leeway_s:g} s (token.leeway_s)"
        yield TokenCheck(result, name, text)


def _lifetime(claims: Mapping[str, Any], most_s: float) -> Iterator[TokenCheck]:
    issued, expires = claims.get("iat"), claims.get("exp")
    if most_s and issued is None:
        text = "there is no iat, which token.max_lifetime_s needs"
        yield TokenCheck("wrong", "lifetime", text)
    if not most_s or not isinstance(issued, int) or not isinstance(expires, int):
        return
    text = f"{expires - issued} s; at most {most_s:g} s (token.max_lifetime_s)"
    wrong = expires - issued > most_s
    yield TokenCheck("wrong" if wrong else "ok", "lifetime", text)


def _party(name: str, word: str, given: object, wanted: str) -> TokenCheck:
    if not wanted:
        text = "not checked, as the settings name none"
        return TokenCheck("note", name, text)
    found = given if isinstance(given, list) else [given]
    if wanted in found:
        return TokenCheck("ok", name, wanted)
    has = (
        f"{word} is {str(given)[:80]!r}" if given is not None else f"there is no {word}"
    )
    return TokenCheck("wrong", name, f"{has}, and the settings ask for {wanted!r}")


def _when(seconds: float) -> str:
    try:
        return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(seconds))
    except (OverflowError, ValueError, OSError):
        return f"{seconds:g}"


def _span(seconds: float) -> str:
    whole = abs(int(seconds))
    units = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))
    unit, size = next((u for u in units if whole >= 2 * u[1]), units[-1])
    text = f"{whole // size} {unit}"
    return f"in {text}" if seconds > 0 else f"{text} ago"
