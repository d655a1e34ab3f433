"""
Who may call Message's HTTP API, how often, and how many at a time.

Without keys everybody who reaches the listener is believed, and the settings keep it
on loopback.  With keys one of them has to come with each call (C{Authorization: Bearer
<key>}), or, where a call is about one user, a token of that user.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum
from typing import Any

import attrs
from twisted.internet.interfaces import IReactorTime

from wsmsg.auth.identity import Authenticate
from wsmsg.errors import (
    Forbidden,
    RateLimited,
    Unauthenticated,
    Unavailable,
    WsmsgError,
)
from wsmsg.flow.token_bucket import TokenBucket
from wsmsg.settings.http import HttpSettings
from wsmsg.settings.tokens import TokenSettings

#: Of how many keys and addresses the rates are remembered.
REMEMBERED = 10_000

_BUSY_MS = 1000
_HEADER = 8192


class AccessLevel(Enum):
    """
    Whom a call is for.
    """

    #: Anybody.
    ANYBODY = "anybody"
    #: Services, which have a key.
    SERVICES = "services"
    #: Services, and the user whom it is about.
    USERS = "users"


@attrs.frozen
class Caller:
    """
    Who calls.

    @ivar token: what has to prove that a user does; empty: a service, which may speak
        for everybody.
    """

    token: str = attrs.field(default="", repr=False)
    authenticate: Authenticate | None = None

    def prove(self, user: int) -> None:
        """
        Hear that the call is about this user.

        @raise WsmsgError: C{Unauthenticated} or C{Forbidden}: for somebody else.
        """
        if not self.token:
            return
        assert self.authenticate is not None
        if self.authenticate(self.token, user).user != user:
            raise Forbidden("the token is of another user")


#: Who calls where nobody is asked.
OPEN = Caller()


class Access:
    """
    Lets calls in.

    @ivar settings: as they are now; see L{adopt}.
    @ivar in_flight: calls that are being answered.
    @ivar draining: whether no more are let in.
    @param make_authenticate: makes what believes users' tokens, when the first one
        comes: L{WsmsgError}, if there is nothing to check them with.
    """

    def __init__(
        self,
        settings: HttpSettings,
        clock: IReactorTime,
        make_authenticate: Callable[[TokenSettings], Authenticate],
    ) -> None:
        self.in_flight = 0
        self.turned_away = 0
        self.draining = False
        self._clock = clock
        self._make_authenticate = make_authenticate
        self._buckets: dict[str, TokenBucket] = {}
        self.adopt(settings)

    def adopt(self, settings: HttpSettings) -> None:
        """
        Go by these settings from now on.
        """
        self.settings = settings
        self._keys = [key.get_secret_value().encode() for key in settings.keys]
        self._authenticate: Authenticate | None = None

    @contextmanager
    def entering(self, request: Any, opening: AccessLevel) -> Iterator[Caller]:
        """
        Let a call in, until the context ends.

        @raise WsmsgError: it is not let in.
        """
        if self.draining:
            raise Unavailable("this Message is stopping", _BUSY_MS)
        key, token = self._credentials(request)
        self._rate(key, request)
        if self.in_flight >= self.settings.requests_in_flight:
            self.turned_away += 1
            raise Unavailable(f"{self.in_flight} requests are being answered", _BUSY_MS)
        caller = self._caller(key, token, opening)
        self.in_flight += 1
        try:
            yield caller
        finally:
            self.in_flight -= 1

    def _credentials(self, request: Any) -> tuple[int, str]:
        # The number of the key, from 1; 0: it is none, but perhaps a token.
        header = (request.getHeader("authorization") or "")[:_HEADER].strip()
        scheme, _, rest = header.partition(" ")
        bearer = rest.strip() if scheme.lower() == "bearer" else header
        given = bearer.encode("utf-8", "surrogateescape")
        found = 0
        for number, key in enumerate(self._keys, 1):
            if hmac.compare_digest(given, key):
                found = number
        return found, "" if found else header

    def _rate(self, key: int, request: Any) -> None:
        address = getattr(request.getClientAddress(), "host", "")
        name = f"key {key}" if key else f"address {address}"
        settings, now = self.settings, self._clock.seconds()
        bucket = self._buckets.pop(name, None)
        if bucket is None:
            bucket = TokenBucket(now, settings.requests_burst)
        self._buckets[name] = bucket  # at the end: who was quiet longest is the first
        if len(self._buckets) > REMEMBERED:
            del self._buckets[next(iter(self._buckets))]
        if not bucket.take(now, settings.requests_per_s, settings.requests_burst):
            self.turned_away += 1
            wait_s = bucket.wait_s(now, settings.requests_per_s)
            raise RateLimited(
                f"more than {settings.requests_per_s} requests a second",
                max(1, int(wait_s * 1000)),
            )

    def _caller(self, key: int, token: str, opening: AccessLevel) -> Caller:
        if not self._keys or key or opening is AccessLevel.ANYBODY:
            return OPEN
        if opening is AccessLevel.USERS and token:
            return Caller(token, self._believes)
        self.turned_away += 1
        raise Unauthenticated(
            "a key that is known has to be in the Authorization header, as Bearer <key>"
        )

    def _believes(self, token: str, user: int | None) -> Any:
        if self._authenticate is None:
            self._authenticate = self._make_authenticate(self.settings.token)
        try:
            return self._authenticate(token, user)
        except WsmsgError:
            self.turned_away += 1
            raise
