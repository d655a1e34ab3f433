"""
Message's public HTTP: health, and the API for services below C{/api/v1}.

It believes whoever calls it: the settings keep its listener on loopback, unless the
operator trusts the network.
"""

from __future__ import annotations

from collections.abc import Sequence

from twisted.web.resource import Resource

from wsmsg.daemon.admin import QuietSite, add_health
from wsmsg.daemon.health import Health
from wsmsg.message.web_api import Api, Route


def public_site(health: Health, routes: Sequence[Route]) -> QuietSite:
    """
    The site of C{listen}.

    @param routes: of the API, below C{/api/v1/}.
    """
    root = Resource()
    add_health(root, health)
    versions = Resource()
    root.putChild(b"api", versions)
    versions.putChild(b"v1", Api(routes))
    return QuietSite(root)
