"""
The public HTTP listener of Message: health, and the API for services below C{/api/v1}.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import attrs
from twisted.internet.interfaces import IProtocolFactory, IReactorTime

from wsmsg.auth.api_keys import NO_KEYS, Keyring
from wsmsg.auth.reread import NOTHING_READ, FileRead
from wsmsg.http.access import Access, Identify
from wsmsg.http.changes import Audit, unaudited
from wsmsg.http.openapi import Description
from wsmsg.http.resource import Api
from wsmsg.http.routes import MoreRoutes, Route
from wsmsg.http.server.proxied import ProxiedFactory
from wsmsg.http.server.site import FixedLimits, QuietSite
from wsmsg.message.http.consent import ConsentCalls
from wsmsg.message.http.dead_letters import DeadLetterCalls
from wsmsg.message.http.groups import GroupCalls
from wsmsg.message.http.life import LifeCalls
from wsmsg.message.http.messages import MessageCalls
from wsmsg.message.http.names import NameCalls, NamedRoutes
from wsmsg.message.http.presence import PresenceCalls
from wsmsg.message.http.refused import RefusedConnections
from wsmsg.message.http.users import Revoke, UserCalls
from wsmsg.message.ingress.interface import ISubmit
from wsmsg.message.journal.interface import IDeadLetters
from wsmsg.message.life.interface import ILives
from wsmsg.message.links.interface import ILinks
from wsmsg.message.queries.interface import IQueries
from wsmsg.message.store.interface import IMessageStore
from wsmsg.monitoring.admin import health_routes
from wsmsg.monitoring.health import Health
from wsmsg.monitoring.measures.histogram import Histogram
from wsmsg.monitoring.metrics import Metrics
from wsmsg.settings.tokens import TokenSettings
from wsmsg.settings.values import MessageSettings

# The longest body where no content needs a longer one.
_BODY_BYTES = 524288
# The most bytes of JSON for one of a content (\u003c), and those of the rest of a body.
_ESCAPED = 6
_BESIDE_CONTENT = 64 * 1024


@attrs.frozen
class ApiServices:
    """
    The parts of Message that the API uses.
    """

    store: IMessageStore
    submit: ISubmit
    queries: IQueries
    links: ILinks
    revoke: Revoke
    lives: ILives


class PublicHttp:
    """
    The API, its access control, and the site that serves both.

    @param make_authenticate: as for L{Access}.
    @param more: as for L{Api}.
    @param keys: returns the API keys as they are now.
    @param audit: records the calls that change something.
    @param room: the most connections that there are files for.
    @ivar site: serves them; see L{front}.
    @ivar seconds: the durations of the calls that were admitted.
    """

    def __init__(
        self,
        services: ApiServices,
        health: Health,
        clock: IReactorTime,
        settings: MessageSettings,
        make_authenticate: Callable[[TokenSettings], Identify],
        more: MoreRoutes = tuple,
        *,
        keys: Callable[[], Keyring] = lambda: NO_KEYS,
        audit: Audit = unaudited,
        room: int = 2**31,
    ) -> None:
        self._room = room
        self._access = Access(
            settings.http,
            clock,
            make_authenticate,
            settings.hosts,
            proxies=settings.proxies,
            keys=keys,
        )
        self.routes = routes_of(services, more, named=settings.users.names)
        routes = [*health_routes(health), *self.routes]
        self.seconds = Histogram()
        self._api = Api(
            routes,
            self._access,
            more=more,
            audit=audit,
            observe=self.seconds.observe,
        )
        self._limits = limits_of(settings, self._room)
        self.site = QuietSite(self._api, clock, lambda: self._limits, name="HTTP API")
        self.refused = RefusedConnections(clock)
        self._proxied = settings.proxy_protocol
        self._clock = clock

    def front(self, factory: IProtocolFactory) -> IProtocolFactory:
        """
        Return the factory of the listener behind proxies, as the settings have it.

        @param factory: that of the site, with its TLS.
        """
        if not self._proxied:
            return factory
        return ProxiedFactory(
            factory,
            self._clock,
            proxies=lambda: self._access.proxies,
            refused=self.refused.note,
            room=lambda: self._limits.connections - len(self.site),
        )

    def apply_settings(self, settings: MessageSettings) -> None:
        """
        Apply other settings.
        """
        self._access.apply_settings(settings.http, settings.hosts, settings.proxies)
        self._limits = limits_of(settings, self._room)

    def read_keys(self) -> Sequence[FileRead]:
        """
        Verify the tokens that follow by the keys as they are then.
        """
        self._access.read_keys()
        return NOTHING_READ

    def drain(self) -> None:
        """
        Answer the requests that have arrived, and refuse others.
        """
        self.refused.stop()
        self._access.drain()

    def register_metrics(self, metrics: Metrics) -> None:
        """
        Register the metrics of HTTP.
        """
        api, access = self._api, self._access
        counters: Sequence[tuple[str, str, Callable[[], int]]] = (
            ("http_requests", "HTTP requests", lambda: api.calls),
            (
                "http_failed",
                "HTTP requests answered with a status of 400 or above",
                lambda: api.failed,
            ),
            (
                "http_refused",
                "HTTP connections refused for their header of the PROXY protocol",
                lambda: self.refused.count,
            ),
            (
                "http_rejected",
                "HTTP requests over a rate or a limit, or without a valid key",
                lambda: access.rejected,
            ),
        )
        for name, text, read in counters:
            metrics.counter(f"wsmsg_message_{name}", text, read)
        metrics.histogram(
            "wsmsg_message_http_seconds",
            "Time that the answer to an admitted HTTP request takes",
            self.seconds,
        )
        metrics.gauge(
            "wsmsg_message_http_in_flight",
            "HTTP requests that are being answered",
            lambda: access.in_flight,
        )
        metrics.gauge(
            "wsmsg_message_http_connections",
            "Open HTTP connections",
            lambda: len(self.site),
        )


def limits_of(settings: MessageSettings, room: int) -> FixedLimits:
    """
    Return the limits of the listener.  Unless a setting says otherwise, a body may hold
    the longest content, however its sender escapes that in JSON.

    @param room: the most connections that there are files for.
    """
    http = settings.http
    needed = _ESCAPED * settings.content_bytes + _BESIDE_CONTENT
    return FixedLimits(
        body_bytes=http.body_bytes or max(_BODY_BYTES, needed),
        receive_s=http.receive_s,
        connections=min(http.connections, room),
    )


def routes_of(
    services: ApiServices, more: MoreRoutes = tuple, *, named: bool = False
) -> Sequence[Route]:
    """
    Return the routes of this package, and the route of their OpenAPI description.

    @param more: makes the other routes that the description has.
    @param named: whether users have names.
    """
    queries, links = services.queries, services.links
    users = UserCalls(
        services.store,
        queries,
        receipt=links.receipt,
        kick=links.kick,
        revoke=services.revoke,
    )
    groups = GroupCalls(services.store, services.submit, queries, keys=named)
    routes = [
        *MessageCalls(services.submit, queries).routes(),
        *users.routes(),
        *PresenceCalls(queries).routes(),
        *LifeCalls(services.lives).routes(),
        *groups.routes(),
        *ConsentCalls(services.store, services.submit, queries).routes(),
    ]
    some = NamedRoutes(queries).of(routes) if named else routes
    return Description([*some, *NameCalls(queries).routes()], more).routes


def admin_routes(letters: IDeadLetters, lives: ILives) -> Sequence[Route]:
    """
    Return the routes of this package on the admin listener.
    """
    return [*DeadLetterCalls(letters).routes(), *LifeCalls(lives).admin()]
