"""
Routes of the chat page on the public port.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from wsmsg.http.routes import Route
from wsmsg.http.static.routes import static_routes
from wsmsg.settings.urls.address import is_loopback, parse_address
from wsmsg.settings.values import ConnectSettings


def chat_routes(settings: ConnectSettings) -> Sequence[Route]:
    """
    Return the routes of the chat page, none if it is not to be served.
    """
    if settings.pages == "off" or (settings.pages == "auto" and _is_exposed(settings)):
        return ()
    return static_routes(Path(__file__).parent, index="/chat", below="/chat/")


def _is_exposed(settings: ConnectSettings) -> bool:
    """
    Return whether callers on other machines may reach the public port, perhaps through
    a proxy on this machine.
    """
    listen = settings.listen
    if settings.proxies or settings.proxy_protocol or settings.hosts:
        return True
    return listen.startswith("systemd:") or not is_loopback(parse_address(listen).host)
