"""
Whether given settings can be used: each by itself, then those that go together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

import attrs
from pydantic import ValidationError

from wsmsg.settings.keys import is_list, is_secret, keys_of, nested
from wsmsg.settings.mistakes import Mistake, plain_reason
from wsmsg.settings.redis_rules import connect_redis, message_redis
from wsmsg.settings.token_rules import connect_tokens, message_http
from wsmsg.settings.urls.address import Address, is_loopback, parse_address
from wsmsg.settings.urls.backends import kafka_url
from wsmsg.settings.urls.mongo import read_mongo_url
from wsmsg.settings.values import Common, ConnectSettings, MessageSettings

S = TypeVar("S", bound=Common)

#: The keys that do not go together, and why.
Clash = tuple[tuple[str, ...], str]


@attrs.frozen
class Given:
    """
    A value that somebody gave.

    @ivar key: dotted, without its table.
    @ivar text: whether the value is text to be read, as everywhere but in a file.
    """

    key: str
    value: object = attrs.field(repr=False)
    source: str = attrs.field(kw_only=True)
    text: bool = attrs.field(kw_only=True)


def check(
    settings_type: type[S], given: Iterable[Given], mistakes: list[Mistake]
) -> S | None:
    """
    Make the settings.

    @param given: one for each key that is given, all of them known keys.
    @param mistakes: is added to.
    @return: L{None} where there is a mistake, be it of before.
    """
    by_key = {g.key: g for g in given}
    wrong = dict(_wrong_values(settings_type, by_key))
    for key, reason in wrong.items():
        mistakes.append(Mistake(by_key[key].source, key, reason))
    sound = {k: _read(settings_type, g) for k, g in by_key.items() if k not in wrong}
    settings = settings_type.model_validate(nested(sound))
    for keys, reason in clashes(settings):
        if not any(key in wrong for key in keys):
            named = [by_key[key].source for key in keys if key in by_key]
            source = ", ".join(dict.fromkeys(named)) or "defaults"
            mistakes.append(Mistake(source, ", ".join(keys), reason))
    return None if mistakes else settings


def _wrong_values(
    settings_type: type[Common], by_key: dict[str, Given]
) -> Iterator[tuple[str, str]]:
    fields = keys_of(settings_type)
    values: dict[str, object] = {}
    for key, given in by_key.items():
        if isinstance(given.value, bool) and fields[key].annotation is not bool:
            # pydantic would take true for 1.
            yield key, "must not be true or false"
        else:
            values[key] = _read(settings_type, given)
    try:
        settings_type.model_validate(nested(values))
    except ValidationError as e:
        for error in e.errors():
            key = _key(error["loc"], fields)
            yield key, plain_reason(error, secret=is_secret(fields[key]))


def _key(loc: tuple[int | str, ...], fields: Iterable[str]) -> str:
    """
    The setting that an error's place is in: a list's member is not one.
    """
    known = frozenset(fields)
    path = [str(step) for step in loc]
    while path and ".".join(path) not in known:
        path.pop()
    return ".".join(path)


def _read(settings_type: type[Common], given: Given) -> object:
    if not given.text or not is_list(keys_of(settings_type)[given.key]):
        return given.value
    return [part.strip() for part in str(given.value).split(",") if part.strip()]


def clashes(settings: Common) -> Iterator[Clash]:
    """
    What is wrong between settings that are each right.
    """
    yield from _open_listeners(settings)
    yield from _same_address(settings)
    for rule in _RULES.get(type(settings), ()):
        yield from rule(settings)


def _open_listeners(settings: Common) -> Iterator[Clash]:
    if settings.trust_network:
        return
    for key in settings.TRUSTED:
        text = getattr(settings, key)
        if text and not is_loopback(parse_address(text).host):
            yield (
                (key,),
                f"{text} can be reached by others, and this listener believes whoever "
                "calls it; listen on 127.0.0.1, or set trust_network = true if the "
                "network lets only trusted machines through",
            )


def _same_address(settings: Common) -> Iterator[Clash]:
    seen: dict[Address, str] = {}
    for key in ("listen", "rpc_listen", "admin_listen"):
        text = getattr(settings, key)
        if not text or text.startswith("systemd:"):
            continue
        address = parse_address(text)
        if address.port and address in seen:
            yield (seen[address], key), f"both are {text}"
        seen.setdefault(address, key)


def _connect_limits(settings: ConnectSettings) -> Iterator[Clash]:
    limits = settings.limits
    if limits.content_bytes >= limits.frame_bytes:
        yield (
            ("limits.content_bytes", "limits.frame_bytes"),
            f"a message's content ({limits.content_bytes} bytes) must be smaller than "
            f"the frame it comes in ({limits.frame_bytes} bytes)",
        )
    if limits.outbox_soft_bytes >= limits.outbox_hard_bytes:
        yield (
            ("limits.outbox_soft_bytes", "limits.outbox_hard_bytes"),
            f"the soft mark ({limits.outbox_soft_bytes}) must be below the hard mark "
            f"({limits.outbox_hard_bytes})",
        )


def _retry(settings: Common) -> Iterator[Clash]:
    retry = settings.retry
    if retry.first_s > retry.cap_s:
        yield (
            ("retry.first_s", "retry.cap_s"),
            f"the first delay ({retry.first_s} s) is longer than the longest "
            f"({retry.cap_s} s)",
        )


def _message_files(settings: MessageSettings) -> Iterator[Clash]:
    if settings.journal == settings.store != "sqlite:":
        yield ("journal", "store"), "the journal and the store are one file; use two"


def _message_store(settings: MessageSettings) -> Iterator[Clash]:
    password = settings.store_password.get_secret_value()
    keys = ("store", "store_password")
    if settings.store.startswith("sqlite:"):
        if password:
            yield keys, "an embedded store has no password"
        return
    try:
        url = read_mongo_url(settings.store, password)
    except ValueError as e:
        yield keys, str(e)
        return
    if url.user and not url.password and url.mechanism != "MONGODB-X509":
        yield keys, f"there is no password for the user {url.user!r}"


def _message_kafka(settings: MessageSettings) -> Iterator[Clash]:
    kafka = settings.kafka
    if bool(kafka.sasl) != bool(kafka.username):
        yield (
            ("kafka.sasl", "kafka.username"),
            "name the mechanism and the user, or neither",
        )
    if kafka.sasl and not kafka.password.get_secret_value():
        yield ("kafka.sasl", "kafka.password"), f"{kafka.sasl} needs a password"
    if bool(kafka.tls_cert) != bool(kafka.tls_key):
        yield (
            ("kafka.tls_cert", "kafka.tls_key"),
            "a certificate and its key go together",
        )
    if (kafka.tls_ca or kafka.tls_cert) and not kafka.tls:
        yield ("kafka.tls", "kafka.tls_ca"), "files for TLS are given, and tls is off"
    if not settings.journal.startswith("kafka:"):
        return
    url = kafka_url(settings.journal)
    if url.topic == kafka.dead_letters:
        yield (
            ("journal", "kafka.dead_letters"),
            "messages and dead letters are one topic; use two",
        )
    open_hosts = [b.host for b in url.brokers if not is_loopback(b.host)]
    in_clear = kafka.sasl == "PLAIN" and not kafka.tls
    if in_clear and open_hosts and not settings.trust_network:
        yield (
            ("kafka.sasl", "kafka.tls"),
            "PLAIN without TLS shows the password to the network of "
            f"{open_hosts[0]}; set kafka.tls = true, use SCRAM, or set "
            "trust_network = true",
        )


_RULES: dict[type[Common], tuple[Callable[..., Iterator[Clash]], ...]] = {
    ConnectSettings: (_retry, _connect_limits, connect_tokens, connect_redis),
    MessageSettings: (
        _retry,
        _message_kafka,
        _message_files,
        _message_store,
        message_redis,
        message_http,
    ),
}
