"""
Notes on settings that are allowed, and break a promise or let others in: an operator
may mean it.
"""

from __future__ import annotations

from collections.abc import Iterator

from wsmsg.settings.tokens import TokenSettings
from wsmsg.settings.urls.address import is_loopback, parse_address
from wsmsg.settings.values import ConnectSettings, MessageSettings

#: Within this time a user whose connection, Connect or machine died is offline.
OFFLINE_S = 5.0
#: A silent client is dead after so many heartbeats, at most
#: (L{wsmsg.connect.edge.heartbeat}).
DEAD_BEATS = 2.25
#: A silent peer of a stream is dead after so many keepalives, at most.
DEAD_KEEPALIVES = 2


def notes(connect: ConnectSettings, message: MessageSettings) -> Iterator[str]:
    """
    Find for how long users are shown online who are not, and whose tokens are believed.
    """
    for section, token, listen in (
        ("[connect] token", connect.token, connect.listen),
        ("[message] http.token", message.http.token, message.listen),
    ):
        yield from _parties(section, token, listen)
    grace_s = message.link_grace_s
    client_s = DEAD_BEATS * connect.heartbeat_s + grace_s
    if client_s > OFFLINE_S:
        yield _note(
            f"[connect] heartbeat_s = {connect.heartbeat_s:g} and [message] "
            f"link_grace_s = {grace_s:g}",
            "connection died, and then its Connect,",
            client_s,
        )
    connect_s = DEAD_KEEPALIVES * message.keepalive_s + grace_s
    if connect_s > OFFLINE_S:
        yield _note(
            f"[message] keepalive_s = {message.keepalive_s:g} and "
            f"link_grace_s = {grace_s:g}",
            "Connect is silent",
            connect_s,
        )


def _parties(section: str, token: TokenSettings, listen: str) -> Iterator[str]:
    """
    Find a public key that signs for others as well, where others can come.
    """
    if not (token.public_key or token.jwks) or not _is_open(listen):
        return
    missing = [name for name in ("audience", "issuer") if not getattr(token, name)]
    if missing:
        yield (
            f"{section}: {' and '.join(missing)} are not set, and {listen} is reachable"
            " from other machines: every token that this key signs, for whatever"
            " service, lets its bearer in"
        )


def _is_open(listen: str) -> bool:
    if not listen:
        return False
    return listen.startswith("systemd:") or not is_loopback(parse_address(listen).host)


def _note(keys: str, what: str, seconds: float) -> str:
    return (
        f"{keys}: a user whose {what} is shown online for up to {seconds:.1f} s, "
        f"longer than {OFFLINE_S:g} s"
    )
