"""
What goes together of the settings about tokens, and of the keys of HTTP.
"""

from __future__ import annotations

from collections.abc import Iterator

from wsmsg.settings.public_key import key_algorithm
from wsmsg.settings.tokens import TokenSettings
from wsmsg.settings.urls.address import is_loopback, parse_address
from wsmsg.settings.values import Common, ConnectSettings, MessageSettings

#: The keys that do not go together, and why.
Clash = tuple[tuple[str, ...], str]

_SHORTEST = 16


def connect_tokens(settings: ConnectSettings) -> Iterator[Clash]:
    """
    Of Connect: the tokens of its clients.
    """
    yield from _tokens(settings, "token", settings.token)


def message_http(settings: MessageSettings) -> Iterator[Clash]:
    """
    Of Message: who may call its API.
    """
    keys = [key.get_secret_value() for key in settings.http.keys]
    if not keys and not _private(settings):
        yield (
            ("listen", "http.keys"),
            f"{settings.listen} can be reached by others, and without keys this "
            "listener believes whoever calls it; set http.keys, listen on 127.0.0.1, "
            "or set trust_network = true if the network lets only trusted machines "
            "through",
        )
    for number, key in enumerate(keys, 1):
        if len(key) < _SHORTEST:
            reason = f"has {len(key)} characters, and needs at least {_SHORTEST}"
            yield ("http.keys",), f"key {number} {reason}"
        elif not all("!" <= c <= "~" for c in key):
            reason = "has characters that cannot be in a header, or spaces"
            yield ("http.keys",), f"key {number} {reason}"
    if len(set(keys)) < len(keys):
        yield ("http.keys",), "a key is there twice"
    yield from _tokens(settings, "http.token", settings.http.token)


def _tokens(settings: Common, section: str, token: TokenSettings) -> Iterator[Clash]:
    secret = token.secret.get_secret_value()
    if secret and len(secret.encode()) < 32:
        yield (f"{section}.secret",), "is too short: HS256 needs at least 32 bytes"
    has = {"HS256"} if secret or not token.public_key else set()
    if token.public_key:
        has.add(key_algorithm(token.public_key))
    if missing := sorted(set(token.algorithms) - has):
        yield (
            (f"{section}.algorithms", f"{section}.secret", f"{section}.public_key"),
            f"{', '.join(missing)}: there is no key for it",
        )
    if token.debug_token.get_secret_value() and not _private(settings):
        yield (
            (f"{section}.debug_token", "listen"),
            f"whoever reaches {_listen(settings)} and knows the debug token is "
            "believed to be anyone; listen on 127.0.0.1, or set trust_network = true",
        )


def _private(settings: Common) -> bool:
    listen = _listen(settings)
    if settings.trust_network or not listen:
        return True
    if listen.startswith("systemd:"):
        return False
    return is_loopback(parse_address(listen).host)


def _listen(settings: Common) -> str:
    listen: str = getattr(settings, "listen", "")
    return listen
