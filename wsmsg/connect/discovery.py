"""
Where the Messages are.

One module for each way to find out, named for it; L{discovery_of} chooses by URL.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred
from zope.interface import Interface

#: Told all addresses (C{host:port}) whenever they have changed.
Changed = Callable[[frozenset[str]], object]


class IDiscovery(Interface):
    """
    Finds the Messages and goes on looking.
    """

    def start(changed: Changed) -> None:
        """
        Begin to look.

        @param changed: called with all addresses there are, first as soon as they
            are known (perhaps at once), then after each change.
        """

    def stop() -> Deferred[None]:
        """
        Look no more.

        @return: a Deferred that fires when nothing is left; never fails.
        """


def discovery_of(url: str) -> IDiscovery:
    """
    The discovery that a URL of the settings means.

    @raise ValueError: with a sentence for the operator.
    """
    # By name, so that a way which is not used costs no import.
    from wsmsg.connect.discovery_static import StaticDiscovery

    return StaticDiscovery(url)
