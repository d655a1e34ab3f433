"""
Addresses that the settings list.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred, succeed
from zope.interface import implementer

from wsmsg.connect.discovery.interface import Changed, IDiscovery
from wsmsg.dependency.state import Dependency
from wsmsg.settings.urls.backends import static_targets


@implementer(IDiscovery)
class StaticDiscovery:
    """
    The addresses in C{static:host:port,host:port}, which never change.

    @raise ValueError: the URL is wrong; the text says why, for the operator.
    """

    dependency: Dependency | None = None

    def __init__(self, url: str) -> None:
        self.addresses = frozenset(str(address) for address in static_targets(url))

    def start(self, changed: Changed) -> None:
        changed(self.addresses)

    def stop(self) -> Deferred[None]:
        return succeed(None)
