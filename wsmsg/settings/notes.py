"""
Notes on settings that are allowed, and break a promise or let others in: an operator
may mean it.
"""

from __future__ import annotations

from collections.abc import Iterator

from wsmsg.settings.legacy import ConnectLegacySettings
from wsmsg.settings.tokens import TokenSettings
from wsmsg.settings.urls.address import is_loopback, parse_address
from wsmsg.settings.urls.backends import (
    read_journal_url,
    read_store_url,
    static_targets,
)
from wsmsg.settings.urls.dns import read_dns_url
from wsmsg.settings.urls.mongo import MongoUrl
from wsmsg.settings.urls.redis import is_redis, read_redis_url
from wsmsg.settings.values import Common, ConnectSettings, MessageSettings

_PEERS = "set peer.ca, and tls.rpc_listen of the Messages"

#: Within this time a user whose connection, Connect or machine died is offline.
OFFLINE_S = 5.0
#: A silent client is dead after so many heartbeats, at most
#: (L{wsmsg.connect.edge.heartbeat}).
DEAD_BEATS = 2.25
#: A silent peer of a stream is dead after so many keepalives, at most.
DEAD_KEEPALIVES = 2


def notes(connect: ConnectSettings, message: MessageSettings) -> Iterator[str]:
    """
    Find for how long users are shown online who are not, whose tokens are believed, and
    what the network can read, and who cannot log in with a name.
    """
    for table, settings in (("[connect]", connect), ("[message]", message)):
        for note in in_clear(settings):
            yield f"{table} {note}"
    for section, token, listen in (
        ("[connect] token", connect.token, connect.listen),
        ("[message] http.token", message.http.token, message.listen),
    ):
        yield from _parties(section, token, listen)
    yield from _lifetimes(connect.token, message.http.token)
    yield from _names(connect, message)
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


def in_clear(settings: Common) -> Iterator[str]:
    """
    Find servers beyond this machine that a daemon dials without TLS.
    """
    match settings:
        case ConnectSettings():
            dialled = _dialled_by_connect(settings)
        case MessageSettings():
            dialled = _dialled_by_message(settings)
        case _:
            return
    told = set()
    for key, host, remedy in dialled:
        if not is_loopback(host) and (key, host) not in told:
            told.add((key, host))
            yield (
                f"{key}: {host} is dialled without TLS, so the network can read and "
                f"change what passes; {remedy}"
            )


#: The setting that names a server, its host, and how to dial it with TLS.
_Dialled = Iterator[tuple[str, str, str]]


def _dialled_by_connect(settings: ConnectSettings) -> _Dialled:
    yield from _redis("discovery", settings.discovery)
    yield from _redis("legacy.redis", settings.legacy.redis)
    if settings.peer.ca:
        return
    url = settings.discovery
    if url.startswith("dns:"):
        yield "discovery", read_dns_url(url).name, _PEERS
    elif url.startswith("static:"):
        for target in static_targets(url):
            yield "discovery", target.host, _PEERS
    else:
        yield from _listed("discovery", url)


def _dialled_by_message(settings: MessageSettings) -> _Dialled:
    if settings.journal.startswith("kafka:") and not settings.kafka.tls:
        for broker in read_journal_url(settings.journal).addresses:
            yield "journal", broker.host, "set kafka.tls"
    store = read_store_url(settings.store, settings.store_password.get_secret_value())
    if isinstance(store, MongoUrl) and not store.tls:
        for host, _ in store.hosts:
            yield "store", host, "set tls=true in its URL"
    for key in ("presence", "registry"):
        yield from _redis(key, getattr(settings, key))
    key = "registry" if settings.registry else "presence"
    url = getattr(settings, key)
    if is_redis(url) and not settings.peer.ca:
        yield from _listed(key, url)


def _listed(key: str, url: str) -> _Dialled:
    """
    Find Messages in the list of a Redis; one on this machine may list Messages of this
    machine only.
    """
    if not is_loopback(read_redis_url(url).address.host):
        yield key, "each Message in the list of this Redis", _PEERS


def _redis(key: str, text: str) -> _Dialled:
    if is_redis(text) and not (url := read_redis_url(text)).tls:
        yield key, url.address.host, "use rediss://"


def _names(connect: ConnectSettings, message: MessageSettings) -> Iterator[str]:
    """
    Find names of users that work nowhere, or not for all clients.
    """
    if connect.users.names != message.users.names:
        one, other = ("[connect]", "[message]")
        if message.users.names:
            one, other = other, one
        yield (
            f"{one} users.names = true, and {other} users.names = false: nobody can"
            " log in with a name"
        )
    elif connect.users.names and connect.legacy != ConnectLegacySettings():
        yield (
            "[connect] users.names = true with legacy.*: clients without a subprotocol"
            " need tokens whose subject is a number, and have numbers for users with"
            " names"
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


def _lifetimes(connect: TokenSettings, message: TokenSettings) -> Iterator[str]:
    """
    Find revocations that Message forgets while Connect accepts tokens they concern.
    """
    longest_s, kept_s = connect.max_lifetime_s, message.max_lifetime_s
    if kept_s and not 0 < longest_s <= kept_s:
        yield (
            f"[message] http.token.max_lifetime_s = {kept_s:g} and [connect] "
            f"token.max_lifetime_s = {longest_s:g}: Message forgets that tokens were "
            "revoked before Connect refuses them as too old; set both to the same"
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
