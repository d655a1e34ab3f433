"""
HTTP on the public port: C{online_status}, health and readiness.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import attrs
import msgspec
from twisted.internet.interfaces import IReactorTime
from twisted.web.server import Request

from wsmsg.auth.api_keys import NO_KEYS, Keyring, given_secret
from wsmsg.auth.identity import Authenticate, parse_user
from wsmsg.auth.scopes import Scope
from wsmsg.connect.edge.admission import Admission
from wsmsg.connect.edge.online_status import OnlineStatus
from wsmsg.errors import BadRequest, Forbidden, Unauthenticated
from wsmsg.http.access import OPEN, USER, AccessLevel, Caller
from wsmsg.http.errors import NATIVE, PLAIN, Conventions
from wsmsg.http.forms import Answer
from wsmsg.http.pages import Pages, readable_by_all
from wsmsg.http.proxies import Proxies
from wsmsg.http.resource import Api
from wsmsg.http.routes import Call, Reply, Route
from wsmsg.http.server.rates import RequestRates
from wsmsg.http.server.site import FixedLimits, QuietSite
from wsmsg.monitoring.admin import liveness_route
from wsmsg.monitoring.health import Health
from wsmsg.settings.urls.address import is_loopback, parse_address
from wsmsg.settings.values import ConnectSettings

#: As long as the numbers of 10,000 users may be.
BODY_BYTES = 256 * 1024
IDLE_S = 10.0

_REMEDY = "; or send a user's token or an API key as Authorization"

# Admission limits the connections.
_LIMITS = FixedLimits(body_bytes=BODY_BYTES, receive_s=IDLE_S, connections=2**31)


class HealthView(Answer):
    """
    The daemon is alive.

    @ivar time: in unix seconds.
    """

    status: str
    time: int


class ReadinessView(Answer):
    """
    The daemon can serve clients, or cannot.

    @ivar degraded: it serves clients although a dependency is not up.
    """

    ready: bool
    degraded: bool


class OnlineStatusForm(msgspec.Struct):
    """
    The users of a request for their online status.

    @ivar user_ids: at most 10,000 users; above 2^53 they may be strings.
    """

    user_ids: list[int | str]


class OnlineStatusView(Answer):
    """
    Users, and whether each of them is online.
    """

    status: dict[str, bool]


class EdgeCalls:
    """
    The calls of the public port.

    @param unix_s: returns the unix time.
    """

    def __init__(
        self, online: OnlineStatus, health: Health, unix_s: Callable[[], float]
    ) -> None:
        self._online = online
        self._health = health
        self._unix_s = unix_s

    def routes(self) -> Sequence[Route]:
        """
        Return the routes.
        """
        health = [
            Route(
                f"GET {name}",
                answer,
                dict.fromkeys(statuses, view),
                access=AccessLevel.UNLIMITED,
                conventions=PLAIN,
                root="/",
            )
            for name, answer, view, statuses in (
                ("health", self.healthy, HealthView, (200,)),
                ("readyz", self.ready, ReadinessView, (200, 503)),
            )
        ]
        online_status = Route(
            "POST connect/online_status",
            self.online_status,
            {200: OnlineStatusView},
            body=OnlineStatusForm,
            scope=Scope.PRESENCE,
            access=AccessLevel.USERS,
            conventions=PLAIN,
        )
        return [liveness_route(), *health, online_status]

    async def healthy(self, call: Call) -> Reply:
        """
        Say that the daemon is alive, as the legacy Connect does.
        """
        now = int(self._unix_s())
        return Reply(200, HealthView(status="ok", time=now))

    async def ready(self, call: Call) -> Reply:
        """
        Say whether the daemon can serve clients, without the names and addresses of its
        dependencies: anybody can call this.
        """
        health = self._health
        degraded = health.ready and health.degraded
        view = ReadinessView(ready=health.ready, degraded=degraded)
        return Reply(200 if health.ready else 503, view)

    async def online_status(self, call: Call) -> Reply:
        """
        Tell which users are online.
        """
        users = [_parse(user) for user in call.body_as(OnlineStatusForm).user_ids]
        status = await self._online.of(users, call.caller.user)
        shown = {str(user): online for user, online in status.items()}
        return Reply(200, OnlineStatusView(status=shown))


def edge_access(
    settings: ConnectSettings, authenticate: Authenticate, keys: Callable[[], Keyring]
) -> EdgeAccess:
    """
    Make the access control.  Beyond loopback, and where there are API keys, callers
    need a token or a key.
    """
    listen = settings.listen
    is_local = not listen.startswith("systemd:") and is_loopback(
        parse_address(listen).host
    )
    return EdgeAccess(settings, authenticate, asks_token=not is_local, keys=keys)


class EdgeAccess:
    """
    Admits requests with a user's token, or with an API key, to routes for users.  On
    loopback, only requests that may come from a page of another site need one, unless
    there are keys.

    @ivar requests_per_s: the sustained rate of requests from one address.
    @param asks_token: whether each request needs a token or a key.
    @param keys: returns the keys as they are now.
    """

    def __init__(
        self,
        settings: ConnectSettings,
        authenticate: Authenticate,
        *,
        asks_token: bool,
        keys: Callable[[], Keyring] = lambda: NO_KEYS,
    ) -> None:
        self._authenticate = authenticate
        self._is_exposed = asks_token
        self._keys = keys
        self.apply_settings(settings)

    def apply_settings(self, settings: ConnectSettings) -> None:
        """
        Apply other settings to the requests that follow.
        """
        self.requests_per_s = settings.limits.http_per_s
        self._pages = Pages(settings.origins, settings.hosts, remedy=_REMEDY)
        self._proxies = Proxies(settings.proxies)

    @contextmanager
    def admit(
        self, request: Request, level: AccessLevel, scope: Scope | None
    ) -> Iterator[Caller]:
        """
        Admit a request (L{wsmsg.http.resource.Gate}).
        """
        yield self._caller(request, scope) if level is AccessLevel.USERS else OPEN

    def who(self, request: Request) -> tuple[str, str]:
        """
        Return the name and the address of a caller, for the audit.
        """
        key = self._keys().find(given_secret(_header(request, b"authorization") or ""))
        return key.name if key else OPEN.name, self._address(request)

    def readable(self, request: Request, conventions: Conventions) -> Mapping[str, str]:
        """
        Return the headers by which pages may read an answer.
        """
        by_all = readable_by_all(conventions, asks_key=self._asks_token)
        return self._pages.readable(request, by_all=by_all)

    @property
    def _asks_token(self) -> bool:
        return self._is_exposed or self._keys().asks

    def _caller(self, request: Request, scope: Scope | None) -> Caller:
        token = _header(request, b"authorization")
        key = self._keys().find(given_secret(token)) if token else None
        if key is not None:
            key.check(scope, self._address(request))
            return Caller(name=key.name)
        if token is None and self._asks_token:
            reason = "the Authorization header must have a user's token or an API key"
            raise Unauthenticated(reason, fault="missing")
        if not self._asks_token:
            try:
                self._pages.check(request)
                return OPEN
            except Forbidden:
                if token is None:
                    raise
        claimed = _header(request, b"user-id")
        identity = self._authenticate(
            token or "", None if claimed is None else parse_user(claimed)
        )
        return Caller(name=USER, user=identity.user)

    def _address(self, request: Request) -> str:
        # Several clients may use one connection of a proxy, each with its own header.
        address: str = request.channel.address  # type: ignore[attr-defined]
        headers = request.requestHeaders.getRawHeaders(b"x-forwarded-for", ())
        return self._proxies.behind(address, headers)


def edge_site(
    online: OnlineStatus,
    health: Health,
    admission: Admission,
    clock: IReactorTime,
    *,
    access: EdgeAccess,
    pages: Sequence[Route] = (),
    unix_s: Callable[[], float] = time.time,
) -> QuietSite:
    """
    Make the HTTP side of the public port.

    @param pages: the routes of pages that it serves besides.
    @param unix_s: returns the unix time.
    """
    routes = [*EdgeCalls(online, health, unix_s).routes(), *pages]
    return QuietSite(
        Api(routes, access, unmatched=attrs.evolve(NATIVE, any_page=True)),
        clock,
        lambda: _LIMITS,
        name="HTTP on the public port",
        idle_s=IDLE_S,
        rates=RequestRates(lambda: access.requests_per_s, admission.counted_as),
        on_closed=lambda channel: admission.release(channel.address),
    )


def _header(request: Request, name: bytes) -> str | None:
    value: bytes | None = request.getHeader(name)
    return None if value is None else value.decode("latin-1")


def _parse(user: int | str) -> int:
    try:
        return user if isinstance(user, int) else parse_user(user)
    except Unauthenticated as e:
        raise BadRequest(f"user_ids: {e.reason}") from e
