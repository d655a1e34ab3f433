"""
Where the Messages are.

One module for each way to find out, named for it; L{discovery_of} chooses by URL.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from zope.interface import Attribute, Interface

from wsmsg.dependency.retry import retry_policy
from wsmsg.settings.urls.redis import is_redis, read_redis_url
from wsmsg.settings.values import ConnectSettings

#: Told all addresses (C{host:port}) whenever they have changed.
Changed = Callable[[frozenset[str]], object]


class IDiscovery(Interface):
    """
    Finds the Messages and goes on looking.  While it cannot look, what it found last
    stays.
    """

    dependency = Attribute(
        """
        The L{wsmsg.dependency.state.Dependency} that tells its state, not required;
        L{None} where nothing can be missing.
        """
    )

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


def discovery_of(settings: ConnectSettings, reactor: Any) -> IDiscovery:
    """
    The discovery that the URL in the settings means.

    @raise ValueError: with a sentence for the operator.
    """
    # By name, so that a way which is not used costs no import.
    url = settings.discovery
    if url.startswith("dns:"):
        from wsmsg.connect.discovery.dns import DnsDiscovery

        return DnsDiscovery(url, reactor)
    if is_redis(url):
        from wsmsg.connect.discovery.redis import RedisDiscovery

        password = settings.discovery_password.get_secret_value()
        return RedisDiscovery(
            read_redis_url(url, password),
            reactor,
            retry=retry_policy(settings.retry),
        )
    from wsmsg.connect.discovery.static import StaticDiscovery

    return StaticDiscovery(url)
