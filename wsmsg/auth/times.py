"""
The times in a token: when it expires, from when it is valid, when it was issued.

RFC 7519 allows numbers with a fraction, and no other type.  A time beyond the year 9999
is refused: whoever writes milliseconds by mistake gets a reason, not a session that
never ends.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from wsmsg.errors import Unauthenticated

#: The last second of the year 9999.
LATEST_S = 253_402_300_799


class TokenTimes(NamedTuple):
    """
    The times of a token that is valid now, in unix seconds.

    @ivar issued_s: 0 if the token does not say.
    """

    expires_s: float
    issued_s: float


def check_times(
    claims: Mapping[str, Any], now_s: float, leeway_s: float, max_lifetime_s: float = 0
) -> TokenTimes:
    """
    Check C{exp}, C{nbf} and C{iat} of a token.

    @param max_lifetime_s: the longest time from its issue, and from now, to its expiry;
        0: any.
    @raise Unauthenticated: one of them is not a time, or says that the token is not
        valid now; or there is a longest lifetime and no C{iat}.  Without that, a token
        could be older than its revocation, which is forgotten after the longest
        lifetime.
    """
    expires_s = _time(claims, "exp")
    begins_s, issued_s = _time(claims, "nbf"), _time(claims, "iat")
    if expires_s is None:
        raise Unauthenticated("the token has no exp", fault="incomplete")
    if expires_s + leeway_s <= now_s:
        raise Unauthenticated("the token has expired", fault="expired")
    if max(begins_s or 0, issued_s or 0) > now_s + leeway_s:
        raise Unauthenticated("the token is not valid yet", fault="too_early")
    if max_lifetime_s and issued_s is None:
        reason = "the token has no iat, which a longest lifetime (max_lifetime_s) needs"
        raise Unauthenticated(reason, fault="incomplete")
    lifetime_s = expires_s - min(now_s + leeway_s, issued_s or 0.0)
    if 0 < max_lifetime_s < lifetime_s:
        raise Unauthenticated(
            f"the token lives for longer than {max_lifetime_s:g} s (max_lifetime_s)",
            fault="lifetime",
        )
    return TokenTimes(float(expires_s), float(issued_s or 0))


def _time(claims: Mapping[str, Any], name: str) -> float | None:
    value = claims.get(name)
    if value is None:
        return None
    # A comparison with NaN is false.
    if type(value) in (int, float) and 0 <= value <= LATEST_S:
        return float(value)
    raise Unauthenticated(
        f"the token's {name} is not a time: a number of seconds since 1970, at most up "
        "to the year 9999",
        fault="unreadable",
    )
