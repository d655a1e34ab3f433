"""
What goes together of the settings about Redis.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from wsmsg.settings.urls.address import is_loopback, parse_address
from wsmsg.settings.urls.redis import RedisUrl, is_redis, read_redis_url
from wsmsg.settings.values import Common, ConnectSettings, MessageSettings

#: The keys that do not go together, and why.
Clash = tuple[tuple[str, ...], str]


def registry_url(settings: MessageSettings) -> RedisUrl | None:
    """
    Where the list of Messages is; L{None}: there is none.
    """
    url = settings.registry or settings.presence
    if not is_redis(url):
        return None
    return read_redis_url(url, settings.presence_password.get_secret_value())


def connect_redis(settings: ConnectSettings) -> Iterator[Clash]:
    """
    Of Connect: the discovery, and the Redis of deployed Connects.
    """
    password = settings.discovery_password.get_secret_value()
    keys = ("discovery", "discovery_password")
    if is_redis(settings.discovery):
        yield from _login(settings, keys, settings.discovery, password)
    elif password:
        yield keys, "only a Redis has a password"
    legacy = settings.legacy
    password = legacy.redis_password.get_secret_value()
    keys = ("legacy.redis", "legacy.redis_password")
    if legacy.redis:
        yield from _login(settings, keys, legacy.redis, password)
    elif password:
        yield keys, "there is no Redis that it is for"


def message_redis(settings: MessageSettings) -> Iterator[Clash]:
    """
    Of Message: presence, and the place in the list.
    """
    password = settings.presence_password.get_secret_value()
    urls = {"presence": settings.presence, "registry": settings.registry}
    for key, url in urls.items():
        if is_redis(url):
            yield from _login(settings, (key, "presence_password"), url, password)
    listed = any(is_redis(url) for url in urls.values())
    if password and not listed:
        yield ("presence", "presence_password"), "only a Redis has a password"
    if is_redis(settings.registry or settings.presence):
        yield from _advertised(settings)
    elif settings.advertise:
        yield ("advertise", "registry"), "there is no list to be in"


def _login(
    settings: Common, keys: tuple[str, str], text: str, password: str
) -> Iterator[Clash]:
    try:
        url = read_redis_url(text, password)
    except ValueError as e:
        yield keys, str(e)
        return
    if url.user and not url.password:
        yield keys, f"there is no password for the user {url.user!r}"
    host = url.address.host
    open_ = not url.tls and not is_loopback(host) and not settings.trust_network
    if url.password and open_:
        yield (
            keys,
            f"the password would be shown to the network of {host}; use rediss://, or "
            "set trust_network = true",
        )


def _advertised(settings: MessageSettings) -> Iterator[Clash]:
    key = "advertise" if settings.advertise else "rpc_listen"
    text = settings.advertise or settings.rpc_listen
    if not text:
        yield (
            ("rpc_listen", "registry"),
            'nobody can reach this Message; set rpc_listen, or registry = "none"',
        )
        return
    host, port = parse_address(text)
    if _unspecified(host) or not port:
        yield (
            (key, "registry"),
            f"Connects cannot dial {text}; set advertise to the host and port at which "
            'they reach this Message, or registry = "none"',
        )


def _unspecified(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False
