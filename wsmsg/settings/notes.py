"""
Notes on settings that are allowed and break a promise: an operator may mean it.
"""

from __future__ import annotations

from collections.abc import Iterator

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
    Find for how long users are shown online who are not.
    """
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


def _note(keys: str, what: str, seconds: float) -> str:
    return (
        f"{keys}: a user whose {what} is shown online for up to {seconds:.1f} s, "
        f"longer than {OFFLINE_S:g} s"
    )
