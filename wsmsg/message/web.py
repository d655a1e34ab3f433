"""
Message's public HTTP: health for now; the API for services hangs below it later.
"""

from __future__ import annotations

from twisted.web.resource import Resource

from wsmsg.daemon.admin import QuietSite, add_health
from wsmsg.daemon.health import Health


def public_site(health: Health) -> QuietSite:
    """
    The site of C{listen}.
    """
    root = Resource()
    add_health(root, health)
    return QuietSite(root)
