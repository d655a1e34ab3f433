"""
The routes of both daemons, for the tables and the descriptions that are made of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from wsmsg.connect.edge.http import EdgeCalls
from wsmsg.http.routes import Route
from wsmsg.message.http.api import ApiServices, routes_of
from wsmsg.message.legacy.http import LegacyHttpCalls
from wsmsg.monitoring.admin import health_routes


class _Nothing:
    """
    Stands in for whatever a route calls.
    """

    def __getattr__(self, name: str) -> Any:
        return self


_NOTHING: Any = _Nothing()


def message_routes() -> Sequence[Route]:
    """
    Return the routes of Message's public listener, where users have names.
    """
    services = ApiServices(*[_NOTHING] * 6)
    legacy = LegacyHttpCalls(*[_NOTHING] * 5, most_unread=_NOTHING)
    health = health_routes(_NOTHING)
    return [*routes_of(services, named=True), *legacy.routes(), *health]


def connect_routes() -> Sequence[Route]:
    """
    Return the routes of Connect's public listener.
    """
    return EdgeCalls(_NOTHING, _NOTHING, _NOTHING).routes()
