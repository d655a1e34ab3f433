"""
Rules between settings: combinations that are wrong although each value is valid.

A rule is a generator of L{Conflict}s.  L{conflicts} runs the rules of one daemon.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

from wsmsg.settings.base import PORT_STEP
from wsmsg.settings.kafka import KafkaSettings
from wsmsg.settings.listeners import (
    debug_token,
    http_open,
    peer_conflicts,
    tls_conflicts,
    trusting,
    trusting_listeners,
)
from wsmsg.settings.public_key import key_algorithm
from wsmsg.settings.tokens import PUBLIC_ALGORITHMS, TokenSettings
from wsmsg.settings.urls.address import Address, is_loopback, parse_address
from wsmsg.settings.urls.backends import kafka_url, read_store_url
from wsmsg.settings.urls.origins import host_problems, origin_problems
from wsmsg.settings.urls.redis import RedisUrl, is_redis, read_redis_url
from wsmsg.settings.values import Common, ConnectSettings, MessageSettings

#: The keys that conflict, and the reason.
Conflict = tuple[tuple[str, ...], str]

_LEAST_SECRET_BYTES = 32
#: Characters of the name of a node.
_MOST_NAME = 64
_LAST_PORT, _LAST_NODE = 65535, 255


def conflicts(settings: Common) -> Iterator[Conflict]:
    """
    Check the rules of these settings.
    """
    for rule in _RULES.get(type(settings), _COMMON):
        yield from rule(settings)


def registry_url(settings: MessageSettings) -> RedisUrl | None:
    """
    The Redis with the list of Messages, or L{None} where Message is in no list.
    """
    url = settings.registry or settings.presence
    if not is_redis(url):
        return None
    return read_redis_url(url, settings.presence_password.get_secret_value())


def _different_addresses(settings: Common) -> Iterator[Conflict]:
    seen: dict[Address, str] = {}
    for key in ("listen", "rpc_listen", "admin_listen"):
        text = getattr(settings, key)
        if not text or text.startswith("systemd:"):
            continue
        address = parse_address(text)
        if address.port and address in seen:
            yield (seen[address], key), f"both are {text}"
        seen.setdefault(address, key)


def _consent_hook(settings: MessageSettings) -> Iterator[Conflict]:
    rules = {"contact": settings.consent.contact, "presence": settings.consent.presence}
    for name, rule in rules.items():
        if rule == "hook" and not settings.consent.hook_url:
            yield (
                (f"consent.{name}", "consent.hook_url"),
                "the hook is to be asked, and consent.hook_url does not say where",
            )


def _retry(settings: Common) -> Iterator[Conflict]:
    retry = settings.retry
    if retry.first_s > retry.cap_s:
        yield (
            ("retry.first_s", "retry.cap_s"),
            f"the first delay ({retry.first_s} s) is longer than the longest "
            f"({retry.cap_s} s)",
        )


def _workers(settings: Common) -> Iterator[Conflict]:
    if settings.workers == 1:
        return
    if getattr(settings, "listen", "").startswith("systemd:"):
        yield (
            ("workers", "listen"),
            "a socket of systemd belongs to one process; listen on host:port, or let "
            "systemd run a unit for each process (docs/how-to/systemd.md)",
        )
    longest = f"{settings.node}-{settings.workers}"
    if len(longest) > _MOST_NAME:
        yield (
            ("workers", "node"),
            f"the name of a worker, {longest}, has more than {_MOST_NAME} characters",
        )


def _message_workers(settings: MessageSettings) -> Iterator[Conflict]:
    if settings.workers == 1:
        return
    for key, embedded, server in (
        ("journal", "sqlite:", "kafka:"),
        ("store", "sqlite:", "mongodb:"),
        ("presence", "memory:", "redis:"),
    ):
        if getattr(settings, key).startswith(embedded):
            yield (
                ("workers", key),
                f"{embedded} belongs to one process, so several Messages cannot share "
                f"it; set {key} to a {server} URL, or workers to 1",
            )
    further = settings.workers - 1
    for key in ("rpc_listen", "advertise"):
        text = getattr(settings, key)
        if text and parse_address(text).port + further * PORT_STEP > _LAST_PORT:
            yield (
                ("workers", key),
                f"each worker is {PORT_STEP} ports after the one before, and there are "
                f"not so many after {text}",
            )
    if settings.node_number + further > _LAST_NODE:
        yield ("workers", "node_number"), f"a worker would be above {_LAST_NODE}"


def _connect_limits(settings: ConnectSettings) -> Iterator[Conflict]:
    limits = settings.limits
    if limits.content_bytes >= limits.frame_bytes:
        yield (
            ("limits.content_bytes", "limits.frame_bytes"),
            f"the content of a message ({limits.content_bytes} bytes) must be smaller "
            f"than its frame ({limits.frame_bytes} bytes)",
        )
    if limits.outbox_soft_bytes >= limits.outbox_hard_bytes:
        yield (
            ("limits.outbox_soft_bytes", "limits.outbox_hard_bytes"),
            f"the soft mark ({limits.outbox_soft_bytes}) must be below the hard mark "
            f"({limits.outbox_hard_bytes})",
        )


def _connect_origins(settings: ConnectSettings) -> Iterator[Conflict]:
    return _of("origins", origin_problems(settings.origins))


def _http_origins(settings: MessageSettings) -> Iterator[Conflict]:
    return _of("http.origins", origin_problems(settings.http.origins))


def _hosts(settings: Common) -> Iterator[Conflict]:
    return _of("hosts", host_problems(settings.hosts))


def _of(key: str, problems: Iterator[str]) -> Iterator[Conflict]:
    return (((key,), problem) for problem in problems)


def _connect_tokens(settings: ConnectSettings) -> Iterator[Conflict]:
    return _tokens(settings, "token", settings.token)


def _connect_redis(settings: ConnectSettings) -> Iterator[Conflict]:
    password = settings.discovery_password.get_secret_value()
    keys = ("discovery", "discovery_password")
    if is_redis(settings.discovery):
        yield from _redis_login(settings, keys, settings.discovery, password)
    elif password:
        yield keys, "only a Redis has a password"
    legacy = settings.legacy
    password = legacy.redis_password.get_secret_value()
    keys = ("legacy.redis", "legacy.redis_password")
    if legacy.redis:
        yield from _redis_login(settings, keys, legacy.redis, password)
    elif password:
        yield keys, "a password is set, and legacy.redis is not"


def _message_files(settings: MessageSettings) -> Iterator[Conflict]:
    if settings.journal == settings.store != "sqlite:":
        yield ("journal", "store"), "the journal and the store are one file; use two"


def _message_bounds(settings: MessageSettings) -> Iterator[Conflict]:
    unsettled = settings.unsettled_records
    for key, records in (
        ("link_records", settings.link_records),
        ("legacy.unsettled", settings.legacy.unsettled),
    ):
        if records >= unsettled:
            yield (
                (key, "unsettled_records"),
                f"one Connect that does not acknowledge {records} pushes would hold up "
                f"all others, as reading waits at {unsettled} records",
            )


def _message_store(settings: MessageSettings) -> Iterator[Conflict]:
    password = settings.store_password.get_secret_value()
    try:
        problem = read_store_url(settings.store, password).problem
    except ValueError as e:
        problem = str(e)
    if problem:
        yield ("store", "store_password"), problem


def _kafka_login(settings: MessageSettings) -> Iterator[Conflict]:
    kafka = settings.kafka
    if bool(kafka.sasl) != bool(kafka.username):
        yield ("kafka.sasl", "kafka.username"), "set both, or neither"
    if kafka.sasl and not kafka.password.get_secret_value():
        yield ("kafka.sasl", "kafka.password"), f"{kafka.sasl} needs a password"
    if bool(kafka.tls_cert) != bool(kafka.tls_key):
        yield ("kafka.tls_cert", "kafka.tls_key"), "set both, or neither"
    if (kafka.tls_ca or kafka.tls_cert) and not kafka.tls:
        yield ("kafka.tls", "kafka.tls_ca"), "files for TLS are set, and tls is off"


def _kafka_journal(settings: MessageSettings) -> Iterator[Conflict]:
    if not settings.journal.startswith("kafka:"):
        return
    kafka, url = settings.kafka, kafka_url(settings.journal)
    if url.topic == kafka.dead_letters:
        yield (
            ("journal", "kafka.dead_letters"),
            "messages and dead letters are in one topic; use two",
        )
    hosts = [b.host for b in url.brokers if not is_loopback(b.host)]
    if _in_clear(kafka) and hosts and "journal" not in settings.trust_network:
        yield (
            ("kafka.sasl", "kafka.tls"),
            f"PLAIN without TLS shows the password to the network of {hosts[0]}; set "
            f"kafka.tls = true, use SCRAM, or {trusting('journal')}",
        )


def _in_clear(kafka: KafkaSettings) -> bool:
    return kafka.sasl == "PLAIN" and not kafka.tls


def _message_redis(settings: MessageSettings) -> Iterator[Conflict]:
    password = settings.presence_password.get_secret_value()
    urls = {"presence": settings.presence, "registry": settings.registry}
    for key, url in urls.items():
        if is_redis(url):
            keys = (key, "presence_password")
            yield from _redis_login(settings, keys, url, password)
    if password and not any(is_redis(url) for url in urls.values()):
        yield ("presence", "presence_password"), "only a Redis has a password"
    if is_redis(settings.registry or settings.presence):
        yield from _advertised(settings)
    elif settings.advertise:
        yield ("advertise", "registry"), "there is no list of Messages to be in"


def _redis_login(
    settings: Common, keys: tuple[str, str], text: str, password: str
) -> Iterator[Conflict]:
    try:
        url = read_redis_url(text, password)
    except ValueError as e:
        yield keys, str(e)
        return
    if url.user and not url.password:
        yield keys, f"there is no password for the user {url.user!r}"
    host = url.address.host
    is_trusted = is_loopback(host) or keys[0] in settings.trust_network
    if url.password and not (url.tls or is_trusted):
        yield (
            keys,
            f"the network of {host} can read the password; use rediss://, or "
            f"{trusting(keys[0])}",
        )


def _advertised(settings: MessageSettings) -> Iterator[Conflict]:
    key = "advertise" if settings.advertise else "rpc_listen"
    text = settings.advertise or settings.rpc_listen
    if not text:
        yield (
            ("rpc_listen", "registry"),
            'no Connect can reach this Message; set rpc_listen, or registry = "none"',
        )
        return
    host, port = parse_address(text)
    if _is_unspecified(host) or not port:
        yield (
            (key, "registry"),
            f"Connects cannot dial {text}; set advertise to the host and port at which "
            'they reach this Message, or registry = "none"',
        )


def _is_unspecified(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False


def _http_tokens(settings: MessageSettings) -> Iterator[Conflict]:
    return _tokens(settings, "http.token", settings.http.token)


def _tls(settings: Common) -> Iterator[Conflict]:
    yield from tls_conflicts(settings.tls)
    yield from peer_conflicts(settings.peer, settings.tls)


def _tokens(settings: Common, section: str, token: TokenSettings) -> Iterator[Conflict]:
    secret = token.secret.get_secret_value()
    if secret and len(secret.encode()) < _LEAST_SECRET_BYTES:
        reason = f"is too short: HS256 needs at least {_LEAST_SECRET_BYTES} bytes"
        yield (f"{section}.secret",), reason
    if secret.lstrip().startswith("-----BEGIN"):
        reason = "is a PEM key; HS256 needs a shared secret"
        yield (f"{section}.secret",), reason
    if missing := sorted(set(token.algorithms) - _algorithms(token)):
        names = ("algorithms", "secret", "public_key")
        yield (
            tuple(f"{section}.{name}" for name in names),
            f"{', '.join(missing)}: there is no key for it",
        )
    url = urlsplit(token.jwks)
    host, key = url.hostname or "", f"{section}.jwks"
    is_trusted = is_loopback(host) or key in settings.trust_network
    if url.scheme == "http" and not is_trusted:
        yield (
            (key,),
            f"the network of {host} can replace the keys; use https://, or "
            f"{trusting(key)}",
        )
    yield from debug_token(settings, section, token)


def _algorithms(token: TokenSettings) -> set[str]:
    """
    Return the algorithms that there are keys for.
    """
    secret = token.secret.get_secret_value()
    has = set() if token.public_key or token.jwks else {"HS256"}
    if secret:
        has.add("HS256")
    if token.public_key:
        has.add(key_algorithm(token.public_key))
    return has | set(PUBLIC_ALGORITHMS if token.jwks else ())


_Rule = Callable[[Any], Iterator[Conflict]]

_COMMON: tuple[_Rule, ...] = (
    trusting_listeners,
    _tls,
    _different_addresses,
    _retry,
    _hosts,
    _workers,
)

_RULES: dict[type[Common], tuple[_Rule, ...]] = {
    ConnectSettings: (
        *_COMMON,
        _connect_limits,
        _connect_origins,
        _connect_tokens,
        _connect_redis,
    ),
    MessageSettings: (
        *_COMMON,
        _consent_hook,
        _kafka_login,
        _kafka_journal,
        _message_files,
        _message_bounds,
        _message_store,
        _message_redis,
        _message_workers,
        http_open,
        _http_origins,
        _http_tokens,
    ),
}
