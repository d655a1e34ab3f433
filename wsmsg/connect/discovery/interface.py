"""
The contract of a discovery, and the choice of one by URL.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from zope.interface import Attribute, Interface

from wsmsg.connect.discovery.reach import MessageReach
from wsmsg.connect.discovery.ways import DOUBT_S, MessageWay
from wsmsg.dependency.retry import RetryPolicy
from wsmsg.settings.urls.redis import is_redis, read_redis_url
from wsmsg.settings.values import ConnectSettings

__all__ = [
    "DOUBT_S",
    "Changed",
    "IDiscovery",
    "MessageReach",
    "MessageWay",
    "discovery_of",
]

#: Receives all addresses (C{host:port}) after each change.
Changed = Callable[[frozenset[str]], object]


class IDiscovery(Interface):
    """
    Finds the addresses of the Messages, and watches them for changes.  While a
    discovery cannot look, the addresses that it found last stay valid.
    """

    dependency = Attribute(
        """
        The L{wsmsg.dependency.state.Dependency} with the state of the source, which is
        not required; L{None} for a source that cannot fail.
        """
    )

    def start(changed: Changed) -> None:
        """
        Begin to look.

        @param changed: called with all addresses as soon as they are known (perhaps
            at once), then after each change.
        """

    def stop() -> Deferred[None]:
        """
        Stop looking.

        @return: a Deferred that fires when no connection and no timer is left; never
            fails.
        """


def discovery_of(
    settings: ConnectSettings, reactor: Any, retry: RetryPolicy
) -> IDiscovery:
    """
    Return the discovery that the setting C{discovery} names.

    @param retry: the policy of the current settings.
    @raise ValueError: the URL is wrong; the text says why, for the operator.
    """
    # Imported here, so that a discovery which is not used costs no import.
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
            retry=retry,
        )
    from wsmsg.connect.discovery.static import StaticDiscovery

    return StaticDiscovery(url)
