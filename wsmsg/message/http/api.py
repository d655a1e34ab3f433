"""
Message's public HTTP, put together: health, the contract of the deployed Message, and
our own API for services below C{/api/v1}.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import attrs
from twisted.web.resource import Resource

from wsmsg.http.access import Access
from wsmsg.http.openapi import Description
from wsmsg.http.routes import ROOT, Api, Route
from wsmsg.http.site import PublicSite
from wsmsg.message.http.groups import GroupCalls
from wsmsg.message.http.messages import MessageCalls
from wsmsg.message.http.reads import Reads
from wsmsg.message.http.users import UserCalls
from wsmsg.message.ingress.submit import SubmitAndWait
from wsmsg.message.links.links import Links
from wsmsg.message.queries.queries import Queries
from wsmsg.message.store.interface import IMessageStore
from wsmsg.monitoring.admin import add_health
from wsmsg.monitoring.health import Health
from wsmsg.monitoring.metrics import Metrics
from wsmsg.settings.values import MessageSettings


@attrs.frozen
class ApiServices:
    """
    What the calls stand on.
    """

    store: IMessageStore
    submit: SubmitAndWait
    queries: Queries
    links: Links


class PublicHttp:
    """
    All of it, with what it counts.

    @param make_authenticate: as for L{Access}.
    @param more_routes: routes besides those of L{routes_of}.
    """

    def __init__(
        self,
        behind: ApiServices,
        health: Health,
        clock: Any,
        settings: MessageSettings,
        make_authenticate: Callable[..., Any],
        more_routes: Sequence[Route] = (),
    ) -> None:
        self._access = Access(settings.http, clock, make_authenticate)
        self.routes = routes_of(behind, more_routes)
        below = [r for r in self.routes if r.root == ROOT]
        beside = [r for r in self.routes if r.root != ROOT]
        self._api = Api(below, self._access)
        root = Resource()
        add_health(root, health)
        root.putChild(b"health", Api(beside, self._access))
        versions = Resource()
        root.putChild(b"api", versions)
        versions.putChild(b"v1", self._api)
        self.site = PublicSite(root, clock, lambda: self._access.settings)

    def adopt(self, settings: MessageSettings) -> None:
        """
        Go by these settings from now on.
        """
        self._access.adopt(settings.http)

    def drain(self) -> None:
        """
        Answer what came, and nothing more.
        """
        self._access.draining = True

    def measure(self, metrics: Metrics) -> None:
        """
        Have the counts read where they are.
        """
        api, access = self._api, self._access
        counters: Sequence[tuple[str, str, Callable[[], int]]] = (
            ("http_requests", "HTTP requests", lambda: api.calls),
            ("http_refused", "HTTP requests refused", lambda: api.refused),
            (
                "http_turned_away",
                "HTTP requests over a rate, over a limit or without a key",
                lambda: access.turned_away,
            ),
        )
        for name, text, read in counters:
            metrics.counter(f"wsmsg_message_{name}", text, read)
        metrics.gauge(
            "wsmsg_message_http_in_flight",
            "HTTP requests that are being answered",
            lambda: access.in_flight,
        )
        metrics.gauge(
            "wsmsg_message_http_connections",
            "HTTP connections that are open",
            lambda: len(self.site),
        )


def routes_of(behind: ApiServices, more: Sequence[Route] = ()) -> Sequence[Route]:
    """
    Return all routes, and the route of their OpenAPI description.

    @param more: routes besides those of this package.
    """
    reads, links = Reads(behind.queries), behind.links
    users = UserCalls(behind.store, reads, receipt=links.receipt, kick=links.kick)
    return Description(
        [
            *MessageCalls(behind.submit, reads).routes(),
            *users.routes(),
            *GroupCalls(behind.store, behind.submit).routes(),
            *more,
        ]
    ).routes
