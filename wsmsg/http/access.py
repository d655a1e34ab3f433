"""
Access control for an HTTP API: keys and users' tokens, rates, requests in flight.

Without keys every caller is trusted but web pages (L{wsmsg.http.pages}), and the
settings keep the listener on loopback.
With keys each call needs one (C{Authorization: Bearer <key>}) that has the scope of the
call or, if it is about one user and its route allows that, a token of that user.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import Enum
from typing import Any

import attrs
from twisted.internet.interfaces import IReactorTime

from wsmsg.auth.api_keys import NO_KEYS, ApiKey, Keyring, given_secret
from wsmsg.auth.identity import Identity
from wsmsg.auth.scopes import Scope
from wsmsg.errors import (
    Forbidden,
    RateLimited,
    Unauthenticated,
    Unavailable,
    WsmsgError,
)
from wsmsg.flow.token_bucket import TokenBucket
from wsmsg.http.errors import Conventions
from wsmsg.http.pages import Pages, readable_by_all
from wsmsg.http.proxies import Proxies
from wsmsg.settings.http import HttpSettings
from wsmsg.settings.tokens import TokenSettings
from wsmsg.text.counted import counted, plural

#: The most keys and addresses whose rates are kept.
MOST_RATES = 10_000

_WAIT_MS = 1000
_REMEDY = "; or make a key (wsmsg key new), and send it"
_HEADER_CHARACTERS = 8192

#: Identifies the bearer of a token as this user.  Raises L{WsmsgError}, mostly
#: C{Unauthenticated}: the token is invalid, revoked, or of another user.
Identify = Callable[[str, int], Awaitable[Identity]]


class AccessLevel(Enum):
    """
    The callers that a route is for.
    """

    #: All callers, at any rate and while the daemon stops: health checks.
    UNLIMITED = "unlimited"
    #: All callers.
    ANYBODY = "anybody"
    #: Services, which have a key.
    SERVICES = "services"
    #: Services, and the user whom a call is about.
    USERS = "users"


@attrs.frozen
class Caller:
    """
    The sender of a request.

    @ivar token: the token that proves who the user is; empty: a service, which may
        act for every user.
    @ivar is_foreign: whether the request may come from a page of another site, which
        only routes without any access control are told.
    @ivar user: the user whose token it is that admitted the request; 0: none.
    @ivar name: the key's name, or what stands in its place in the audit, in brackets.
    """

    token: str = attrs.field(default="", repr=False)
    authenticate: Identify | None = None
    is_foreign: bool = attrs.field(default=False, kw_only=True)
    user: int = attrs.field(default=0, kw_only=True)
    name: str = attrs.field(default="(anybody)", kw_only=True)

    async def check_user(self, user: int) -> None:
        """
        Check that the caller may act for a user.

        @raise WsmsgError: C{Unauthenticated} or C{Forbidden}: it may not.
        """
        if not self.token:
            return
        assert self.authenticate is not None
        if (await self.authenticate(self.token, user)).user != user:
            raise Forbidden("the token is of another user")


#: A caller that may act for every user.
OPEN = Caller()
FOREIGN = Caller(is_foreign=True)
#: The name of callers that have a user's token.
USER = "(user)"
#: The name of callers that have shown nothing that is known.
UNKNOWN = "(unknown)"


class Access:
    """
    Admits requests.

    @ivar settings: the current ones; see L{apply_settings}.
    @ivar in_flight: requests that are being answered.
    @ivar rejected: requests over a rate or a limit, or without a key.
    @ivar draining: whether no more requests are admitted.
    @param hosts: names of the listener; see L{wsmsg.http.pages.Pages}.
    @param proxies: addresses and networks of proxies; see L{Proxies}.
    @param make_authenticate: makes what checks users' tokens, when the first one
        comes; raises L{WsmsgError} if there is nothing to check them with.
    @param keys: returns the keys as they are now.
    """

    def __init__(
        self,
        settings: HttpSettings,
        clock: IReactorTime,
        make_authenticate: Callable[[TokenSettings], Identify],
        hosts: Sequence[str] = (),
        *,
        proxies: Sequence[str] = (),
        keys: Callable[[], Keyring] = lambda: NO_KEYS,
    ) -> None:
        self.in_flight = 0
        self.rejected = 0
        self.draining = False
        self._clock = clock
        self._make_authenticate = make_authenticate
        self._keys = keys
        self._buckets: dict[str, TokenBucket] = {}
        self.apply_settings(settings, hosts, proxies)

    def apply_settings(
        self,
        settings: HttpSettings,
        hosts: Sequence[str] = (),
        proxies: Sequence[str] = (),
    ) -> None:
        """
        Apply other settings to the requests that follow.
        """
        self.settings = settings
        self._pages = Pages(settings.origins, hosts, remedy=_REMEDY)
        self.proxies = Proxies(proxies)
        self._authenticate: Identify | None = None

    def read_keys(self) -> None:
        """
        Make what checks users' tokens anew, with the keys as they are then.
        """
        self._authenticate = None

    def drain(self) -> None:
        """
        Admit no more requests.
        """
        self.draining = True

    def who(self, request: Any) -> tuple[str, str]:
        """
        Return the name and the address of the sender of a request, for the audit.
        """
        key = self._key(_header(request))
        if key is not None:
            name = key.name
        elif not self._keys().asks:
            name = OPEN.name
        else:
            name = UNKNOWN
        return name, self._address(request)

    @contextmanager
    def admit(
        self, request: Any, level: AccessLevel, scope: Scope | None = None
    ) -> Iterator[Caller]:
        """
        Admit a request, until the context ends.

        @param scope: the one that a key needs.
        @raise WsmsgError: it is not admitted.
        """
        if level is AccessLevel.UNLIMITED:
            yield FOREIGN if self._pages.is_foreign(request) else OPEN
            return
        if self.draining:
            raise Unavailable("this daemon is stopping", _WAIT_MS)
        asks = self._keys().asks
        if not asks:
            self._check_page(request)
        header, address = _header(request), self._address(request)
        key = self._key(header)
        self._check_rate(f"address {address}" if key is None else f"key {key.name}")
        if self.in_flight >= self.settings.requests_in_flight:
            self.rejected += 1
            are = plural(self.in_flight, "request is", "requests are")
            raise Unavailable(f"{self.in_flight} {are} being answered", _WAIT_MS)
        if key is not None:
            self._check_key(key, scope, address)
            caller = Caller(name=key.name)
        elif not asks or level is AccessLevel.ANYBODY:
            caller = OPEN
        else:
            caller = self._user(header, level)
        self.in_flight += 1
        try:
            yield caller
        finally:
            self.in_flight -= 1

    def readable(self, request: Any, conventions: Conventions) -> Mapping[str, str]:
        """
        Return the headers by which pages may read an answer.
        """
        by_all = readable_by_all(conventions, asks_key=self._keys().asks)
        return self._pages.readable(request, by_all=by_all)

    def _check_page(self, request: Any) -> None:
        try:
            self._pages.check(request)
        except WsmsgError:
            self.rejected += 1
            raise

    def _key(self, header: str) -> ApiKey | None:
        keys = self._keys()
        return keys.find(given_secret(header)) if header and keys.asks else None

    def _address(self, request: Any) -> str:
        address = _peer(request)
        headers = request.requestHeaders.getRawHeaders(b"x-forwarded-for", ())
        return self.proxies.behind(address, headers)

    def _check_key(self, key: ApiKey, scope: Scope | None, address: str) -> None:
        try:
            key.check(scope, address)
        except WsmsgError:
            self.rejected += 1
            raise

    def _check_rate(self, name: str) -> None:
        settings, now = self.settings, self._clock.seconds()
        bucket = self._buckets.pop(name, None)
        if bucket is None:
            bucket = TokenBucket(now, settings.requests_burst)
        self._buckets[name] = bucket  # the first is the one unused for longest
        if len(self._buckets) > MOST_RATES:
            del self._buckets[next(iter(self._buckets))]
        if not bucket.take(now, settings.requests_per_s, settings.requests_burst):
            self.rejected += 1
            wait_s = bucket.wait_s(now, settings.requests_per_s)
            raise RateLimited(
                f"more than {counted(settings.requests_per_s, 'request')} a second",
                max(1, int(wait_s * 1000)),
            )

    def _user(self, token: str, level: AccessLevel) -> Caller:
        if level is AccessLevel.USERS and token:
            return Caller(token, self._check_token, name=USER)
        self.rejected += 1
        raise Unauthenticated(
            "the Authorization header has to be Bearer <key>, with a valid key"
        )

    async def _check_token(self, token: str, user: int) -> Identity:
        if self._authenticate is None:
            self._authenticate = self._make_authenticate(self.settings.token)
        try:
            return await self._authenticate(token, user)
        except WsmsgError:
            self.rejected += 1
            raise


def _peer(request: Any) -> str:
    """
    Return the address of the other end, or that which the PROXY protocol has told.
    """
    told: str = getattr(getattr(request, "channel", None), "address", "")
    return told or getattr(request.getClientAddress(), "host", "")


def _header(request: Any) -> str:
    """
    Return what a request has to prove who sends it.
    """
    header: str = request.getHeader("authorization") or ""
    return header[:_HEADER_CHARACTERS].strip()
