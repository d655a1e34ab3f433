"""
The decision to reconnect after a lost connection: when, and to which address.

Delays have full jitter: a delay is a random time below a bound that doubles from
attempt to attempt, so that clients that lost the same server do not return at once.  A
server that sends C{goaway} spreads its clients itself, and its delay is used as it is.
C{Retry-After} is a lower bound of the delay.

Somebody else may answer in the server's place: a captive portal, a proxy whose backend
is away, a maintenance page.  So an answer ends the attempts only if it is the server's.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from urllib.parse import urlsplit, urlunsplit

import attrs

from wsmsg.errors import (
    ERRORS,
    BadFrame,
    Close,
    Forbidden,
    Internal,
    Kicked,
    Replaced,
    Stale,
    TooLarge,
    Unauthenticated,
    Unavailable,
    WsmsgError,
    reconnect_allowed,
)

_BY_CLOSE: dict[int, type[WsmsgError]] = {
    Close.UNAUTHENTICATED: Unauthenticated,
    Close.FORBIDDEN: Forbidden,
    Close.REPLACED: Replaced,
    Close.KICKED: Kicked,
    Close.STALE: Stale,
    Close.TOO_LARGE: TooLarge,
    Close.BAD_FRAME: BadFrame,
    Close.BUG: Internal,
}

#: HTTP statuses below 500 that are temporary.
_PASSING = frozenset({408, 425, 429})

#: Longest C{Retry-After} of the server that is heeded; one that somebody else sent is
#: bounded by C{cap_s}.
_RETRY_AFTER_S = 300.0

_CLOSES = frozenset(Close)


@attrs.frozen(kw_only=True)
class Ended:
    """
    The end of a connection, or of an attempt to connect.

    Attributes:
        reason: one line for a person.
        close_code: of the WebSocket; 1006 if there was none.
        http_status: of an answer to the handshake other than 101.
        code: the name of the error in that answer (`wsmsg.errors`); empty: the answer
            is not the server's own.
        retry_after_s: seconds for which that answer asks the client to wait.
        lived_s: seconds since the server had authenticated the user.
    """

    reason: str
    close_code: int = 1006
    http_status: int = 0
    code: str = ""
    retry_after_s: float = 0.0
    lived_s: float = 0.0


@attrs.frozen
class Again:
    """
    Connect to `url` in `delay_s` seconds.
    """

    url: str
    delay_s: float
    reason: str


@attrs.frozen
class Never:
    """
    Do not reconnect.
    """

    error: WsmsgError


class Reconnect:
    """
    The policy of reconnecting.

    Args:
        url: the server's address, unless the server names others.
        first_s: the bound of the first delay; `cap_s`: of any delay.
        settled_s: a connection that lived for so long ends a series of failures.
    """

    def __init__(
        self,
        url: str,
        *,
        first_s: float = 0.25,
        cap_s: float = 15.0,
        settled_s: float = 5.0,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self.url = url
        self._first_s = first_s
        self._cap_s = cap_s
        self._settled_s = settled_s
        self._uniform = uniform
        self._others: list[str] = []
        self._failures = 0
        self._bugs = 0
        self._refusals = 0
        self._move_at: float | None = None

    def told_to_move(self, at: float, alternatives: tuple[str, ...]) -> None:
        """
        Process `goaway`: leave at this time, perhaps for one of these addresses.
        """
        self._move_at = at
        moved = (moved_url(self.url, other) for other in alternatives)
        self._others = [url for url in moved if url and url != self.url]

    @property
    def move_at(self) -> float | None:
        """
        The time at which to leave a connection that is still up.
        """
        return self._move_at

    def welcomed(self) -> None:
        """
        Record that the server has authenticated the user.
        """
        self._refusals = 0
        self._others = []

    def ended(self, how: Ended, now: float) -> Again | Never:
        """
        Decide after the end of a connection.
        """
        if how.lived_s >= self._settled_s:
            self._failures = self._bugs = 0
        final = self._final(how)
        if final is not None:
            return Never(final)
        move_at, self._move_at = self._move_at, None
        if move_at is not None:
            return Again(self._next_url(), max(0.0, move_at - now), how.reason)
        bound = min(self._cap_s, self._first_s * 2 ** min(self._failures, 30))
        self._failures += 1
        delay_s = self._asked_s(how) + self._uniform(0.0, bound)
        return Again(self._next_url(), delay_s, how.reason)

    def _asked_s(self, how: Ended) -> float:
        longest_s = _RETRY_AFTER_S if how.code else self._cap_s
        return min(how.retry_after_s, longest_s)

    def _next_url(self) -> str:
        return self._others.pop(0) if self._others else self.url

    def _final(self, how: Ended) -> WsmsgError | None:
        error = _error_of(how)
        if isinstance(error, Unauthenticated):
            # The token may have expired meanwhile: try a fresh one once.
            self._refusals += 1
            return error if self._refusals > 1 else None
        if how.close_code == Close.BUG:
            # A message of this client may be the cause.
            self._bugs += 1
            return error if self._bugs > 1 else None
        return error


def _error_of(how: Ended) -> WsmsgError | None:
    if how.http_status:
        error = ERRORS.get(how.code)
        if error is None or error.retry:
            return None
        if how.http_status >= 500 or how.http_status in _PASSING:
            return None
        return error(how.reason)
    if how.close_code < 4000 and how.close_code not in _CLOSES:
        return None  # a proxy closed the connection
    if how.close_code != Close.BUG and reconnect_allowed(how.close_code):
        return None
    return _BY_CLOSE.get(how.close_code, Unavailable)(how.reason)


def moved_url(url: str, alternative: str) -> str | None:
    """
    Return the address that an alternative stands for: a URL, or `host:port` for the
    same path.  Return `None` if it is invalid, or would send the token over a weaker
    connection.
    """
    here = urlsplit(url)
    if "://" not in alternative:
        alternative = urlunsplit(here._replace(netloc=alternative))
    try:
        there = urlsplit(alternative)
        if not there.hostname or there.port == 0:
            return None
    except ValueError:  # invalid brackets or port
        return None
    if there.scheme not in ("ws", "wss") or (here.scheme, there.scheme) == (
        "wss",
        "ws",
    ):
        return None
    return alternative
