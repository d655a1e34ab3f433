"""
The URLs that choose the backends of a daemon, read and checked.

========== ===================================
setting    URL
========== ===================================
journal    C{sqlite:}, C{sqlite:///path}
journal    C{kafka://host:port/topic}
store      C{sqlite:}, C{sqlite:///path}
store      C{mongodb://host:port/db}
presence   C{memory:}
presence   C{redis://host:port/0?prefix=p:}
discovery  C{static:host:port,host:port}
discovery  C{dns:name:port}, C{dns:_s._p.n}
discovery  C{redis://host:port/0?prefix=p:}
========== ===================================

Each function returns the URL, or raises L{ValueError} with a sentence for the operator.
A new kind of journal or store is a reader of its URL and a line in C{_JOURNALS} or
C{_STORES}.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol, TypeVar

from wsmsg.settings.urls.address import Address, parse_address
from wsmsg.settings.urls.extras import check_extra
from wsmsg.settings.urls.mongo import read_mongo_url
from wsmsg.settings.urls.redis import is_redis, read_redis_url


class BackendUrl(Protocol):
    """
    The URL of a journal or a store, as the checks and the doctor read it.
    """

    @property
    def addresses(self) -> Sequence[Address]:
        """
        The servers, of which one is enough; none for a file, or where DNS has them.
        """

    @property
    def problem(self) -> str:
        """
        A mistake that shows only together with the password; C{""}: none.
        """


class FileUrl(NamedTuple):
    """
    A C{sqlite:} URL.

    @ivar path: C{""}: a file in the data folder.
    """

    path: str

    @property
    def addresses(self) -> Sequence[Address]:
        return ()

    @property
    def problem(self) -> str:
        return ""


R = TypeVar("R")


def check_sqlite(url: str) -> str:
    """
    Check C{sqlite:} (a file in the data directory) or C{sqlite:///absolute/path}.
    """
    rest = _after(url, "sqlite", "sqlite: or sqlite:///path")
    if rest and (not rest.startswith("///") or rest.endswith("/")):
        raise ValueError(f"{url!r} is neither sqlite: nor sqlite:///path/to/a/file")
    return url


class KafkaUrl(NamedTuple):
    """
    The parts of a C{kafka:} URL.
    """

    brokers: tuple[Address, ...]
    topic: str

    @property
    def addresses(self) -> Sequence[Address]:
        return self.brokers

    @property
    def problem(self) -> str:
        return ""


_KAFKA = "kafka://host:port,host:port/topic"
#: A topic name, by the rules of Kafka.
_TOPIC = re.compile(r"[A-Za-z0-9._-]{1,249}")


def check_store(url: str) -> str:
    """
    Check C{sqlite:}, C{sqlite:///absolute/path} or C{mongodb://host:port/database}.
    """
    read_store_url(url)
    return url


def read_store_url(url: str, password: str = "") -> BackendUrl:
    """
    Read the URL of a store.

    @param password: C{store_password}.
    """
    return _reader(_STORES, url)(url, password)


def read_journal_url(url: str) -> BackendUrl:
    """
    Read the URL of a journal.
    """
    return _reader(_JOURNALS, url)(url)


def _reader(readers: Mapping[str, R], url: str) -> R:
    scheme, colon, _ = url.partition(":")
    if not colon or scheme not in readers:
        known = ", ".join(f"{name}:" for name in readers)
        raise ValueError(f"{url!r} begins with none of {known}")
    return readers[scheme]


def check_journal(url: str) -> str:
    """
    Check C{sqlite:}, C{sqlite:///absolute/path} or
    C{kafka://host:port,host:port/topic}.
    """
    read_journal_url(url)
    return url


def kafka_url(url: str) -> KafkaUrl:
    """
    Return the brokers, any of which leads to the others, and the topic, by default
    C{wsmsg.messages}.
    """
    check_extra("kafka")
    scheme, _, rest = url.partition("://")
    hosts, _, topic = rest.partition("/")
    if scheme != "kafka" or not hosts:
        raise ValueError(f"{url!r} is not {_KAFKA}")
    if "@" in hosts:
        raise ValueError("a kafka: URL has no user; use kafka.username and .password")
    if "?" in rest or "#" in rest:
        raise ValueError(f"{url!r}: nothing follows the topic; see kafka.* for options")
    brokers = tuple(parse_address(b.strip()) for b in hosts.split(",") if b.strip())
    for broker in brokers:
        if not broker.port:
            raise ValueError(f"{url!r}: port 0 cannot be dialled")
    if not brokers or len(set(brokers)) < len(brokers):
        raise ValueError(f"{url!r} names no broker, or one twice")
    return KafkaUrl(brokers, check_topic(topic or "wsmsg.messages"))


def check_topic(name: str) -> str:
    """
    Check a topic name by the rules of Kafka.
    """
    if not _TOPIC.fullmatch(name) or name in (".", ".."):
        raise ValueError(
            f"{name!r} is not a topic: up to 249 of letters, digits, '.', '_' and '-'"
        )
    return name


def check_presence(url: str) -> str:
    """
    Check C{memory:} or C{redis://host:port/0?prefix=wsmsg:}.
    """
    if is_redis(url):
        read_redis_url(url)
        return url
    if _after(url, "memory", "memory:"):
        raise ValueError(f"{url!r}: nothing may follow memory:")
    return url


def check_redis(url: str) -> str:
    """
    Check C{redis://host:port/0}, or an empty text.
    """
    if url:
        read_redis_url(url)
    return url


def check_registry(url: str) -> str:
    """
    Check C{redis://host:port/0?prefix=wsmsg:}, C{none}, or an empty text.
    """
    if url not in ("", "none"):
        read_redis_url(url)
    return url


def check_discovery(url: str) -> str:
    """
    Check C{static:host:port,host:port}, C{dns:name:port}, C{dns:_service._proto.name}
    or C{redis://host:port/0?prefix=wsmsg:}.
    """
    if is_redis(url):
        read_redis_url(url)
        return url
    if url.partition(":")[0] == "dns":
        from wsmsg.settings.urls.dns import check_dns

        return check_dns(url)
    static_targets(url)
    return url


def static_targets(url: str) -> tuple[Address, ...]:
    """
    Return the addresses in C{static:host:port,host:port}, in their order.
    """
    rest = _after(url, "static", "static:host:port,host:port")
    targets = tuple(parse_address(t.strip()) for t in rest.split(",") if t.strip())
    if not targets:
        raise ValueError(f"{url!r} names no address")
    for target in targets:
        if not target.port:
            raise ValueError(f"{url!r}: port 0 cannot be dialled")
    if len(set(targets)) < len(targets):
        raise ValueError(f"{url!r} names an address twice")
    return targets


def sqlite_path(url: str, data_dir: Path, name: str) -> Path:
    """
    Return the path of the file of a C{sqlite:} URL.

    @param name: the file in the data directory if the URL has no path.
    """
    rest = check_sqlite(url).removeprefix("sqlite:")
    return Path(rest[2:]) if rest else data_dir / name


def _file_url(url: str) -> FileUrl:
    return FileUrl(check_sqlite(url).removeprefix("sqlite:"))


def _store_file_url(url: str, password: str) -> FileUrl:
    if password:
        raise ValueError("an embedded store has no password")
    return _file_url(url)


_JOURNALS: Mapping[str, Callable[[str], BackendUrl]] = {
    "sqlite": _file_url,
    "kafka": kafka_url,
}
_STORES: Mapping[str, Callable[[str, str], BackendUrl]] = {
    "sqlite": _store_file_url,
    "mongodb": read_mongo_url,
    "mongodb+srv": read_mongo_url,
}


def _after(url: str, scheme: str, wanted: str) -> str:
    given, colon, rest = url.partition(":")
    if given != scheme or not colon:
        raise ValueError(f"{url!r} is not {wanted}")
    return rest
