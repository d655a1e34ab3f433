"""
Checks of the servers that a settings file names: each must be reachable from here.  A
check connects and sends nothing; the daemons find out whether a login works.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Sequence

from wsmsg.cli.doctor.checks import Finding
from wsmsg.settings.rules import registry_url
from wsmsg.settings.urls.address import Address
from wsmsg.settings.urls.backends import read_journal_url, read_store_url
from wsmsg.settings.urls.redis import is_redis, read_redis_url
from wsmsg.settings.values import ConnectSettings, MessageSettings

_CONNECT_S = 1.0

#: Returns why an address is unreachable, or an empty string.
Reach = Callable[[Address], str]

#: The key of the setting, and the addresses, one of which is enough.
Backend = tuple[str, Sequence[Address]]


def reach(address: Address) -> str:
    """
    Connect and disconnect.
    """
    try:
        socket.create_connection(address, timeout=_CONNECT_S).close()
    except OSError as e:
        return e.strerror or str(e)
    return ""


def backends(
    connect: ConnectSettings, message: MessageSettings, reach: Reach = reach
) -> Iterator[Finding]:
    """
    Check the servers that the settings name.
    """
    named = [*_of_message(message), *_of_connect(connect)]
    if not named:
        yield Finding("ok", "servers", "the settings name none: all is embedded")
    for name, addresses in named:
        yield _found(name, addresses, reach)


def _found(name: str, addresses: Sequence[Address], reach: Reach) -> Finding:
    reasons = {address: reach(address) for address in addresses}
    there = [str(address) for address, reason in reasons.items() if not reason]
    missing = [f"{address}: {reason}" for address, reason in reasons.items() if reason]
    if not there:
        remedy = f"start it, open the network to it, or correct {name}"
        return Finding("problem", name, "; ".join(missing), remedy)
    if missing:
        remedy = "one is enough; repair this one before the other is lost as well"
        return Finding("warning", name, "; ".join(missing), remedy)
    return Finding("ok", name, f"{', '.join(there)} reachable")


def _of_message(settings: MessageSettings) -> Iterator[Backend]:
    password = settings.store_password.get_secret_value()
    urls = {
        "message.journal": read_journal_url(settings.journal),
        "message.store": read_store_url(settings.store, password),
    }
    for name, url in urls.items():
        if url.addresses:
            yield name, url.addresses
    if is_redis(settings.presence):
        yield "message.presence", [read_redis_url(settings.presence, "").address]
    registry = registry_url(settings)
    if registry is not None and settings.registry:
        yield "message.registry", [registry.address]


def _of_connect(settings: ConnectSettings) -> Iterator[Backend]:
    if is_redis(settings.discovery):
        yield "connect.discovery", [read_redis_url(settings.discovery, "").address]
    if settings.legacy.redis:
        legacy = read_redis_url(settings.legacy.redis, "")
        yield "connect.legacy.redis", [legacy.address]
