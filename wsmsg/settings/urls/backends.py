"""
The URLs that choose what stands behind a daemon, read and checked.

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

Each reader raises L{ValueError} with a sentence for the operator.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from wsmsg.settings.urls.address import Address, parse_address
from wsmsg.settings.urls.redis import is_redis, read_redis_url


def check_sqlite(url: str) -> str:
    """
    C{sqlite:} (a file in the data folder) or C{sqlite:///absolute/path}.
    """
    rest = _after(url, "sqlite", "sqlite: or sqlite:///path")
    if rest and (not rest.startswith("///") or rest.endswith("/")):
        raise ValueError(f"{url!r} is neither sqlite: nor sqlite:///path/to/a/file")
    return url


class KafkaUrl(NamedTuple):
    """
    What a C{kafka:} URL says.
    """

    brokers: tuple[Address, ...]
    topic: str


_KAFKA = "kafka://host:port,host:port/topic"
#: What Kafka takes as the name of a topic.
_TOPIC = re.compile(r"[A-Za-z0-9._-]{1,249}")


def check_store(url: str) -> str:
    """
    C{sqlite:}, C{sqlite:///absolute/path} or C{mongodb://host:port/database}.
    """
    if url.partition(":")[0] not in ("mongodb", "mongodb+srv"):
        return check_sqlite(url)
    from wsmsg.settings.urls.mongo import read_mongo_url

    read_mongo_url(url)
    return url


def without_password(url: str) -> str:
    """
    The URL as others may see it.
    """
    return re.sub(r"(//[^/@]*?):[^/]*@", r"\1:**********@", url)


def check_journal(url: str) -> str:
    """
    C{sqlite:}, C{sqlite:///absolute/path} or C{kafka://host:port,host:port/topic}.
    """
    if url.partition(":")[0] == "kafka":
        kafka_url(url)
        return url
    return check_sqlite(url)


def kafka_url(url: str) -> KafkaUrl:
    """
    Brokers, any of which leads to the others, and the topic; C{wsmsg.messages} where
    the URL names none.
    """
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
            raise ValueError(f"{url!r}: nobody can be reached at port 0")
    if not brokers or len(set(brokers)) < len(brokers):
        raise ValueError(f"{url!r} names no broker, or one twice")
    return KafkaUrl(brokers, check_topic(topic or "wsmsg.messages"))


def check_topic(name: str) -> str:
    """
    A name that Kafka takes.
    """
    if not _TOPIC.fullmatch(name) or name in (".", ".."):
        raise ValueError(
            f"{name!r} is no topic: up to 249 of letters, digits, '.', '_' and '-'"
        )
    return name


def check_presence(url: str) -> str:
    """
    C{memory:} or C{redis://host:port/0?prefix=wsmsg:}.
    """
    if is_redis(url):
        read_redis_url(url)
        return url
    if _after(url, "memory", "memory:"):
        raise ValueError(f"{url!r}: nothing may follow memory:")
    return url


def check_redis(url: str) -> str:
    """
    C{redis://host:port/0}, or nothing.
    """
    if url:
        read_redis_url(url)
    return url


def check_registry(url: str) -> str:
    """
    C{redis://host:port/0?prefix=wsmsg:}, C{none}, or nothing.
    """
    if url not in ("", "none"):
        read_redis_url(url)
    return url


def check_discovery(url: str) -> str:
    """
    C{static:host:port,host:port}, C{dns:name:port}, C{dns:_service._proto.name} or
    C{redis://host:port/0?prefix=wsmsg:}.
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
    The addresses in C{static:host:port,host:port}, in their order.
    """
    rest = _after(url, "static", "static:host:port,host:port")
    targets = tuple(parse_address(t.strip()) for t in rest.split(",") if t.strip())
    if not targets:
        raise ValueError(f"{url!r} names no address")
    for target in targets:
        if not target.port:
            raise ValueError(f"{url!r}: nobody can be reached at port 0")
    if len(set(targets)) < len(targets):
        raise ValueError(f"{url!r} names an address twice")
    return targets


def sqlite_path(url: str, data_dir: Path, name: str) -> Path:
    """
    The file that a C{sqlite:} URL means.

    @param name: of the file in the data folder where the URL names none.
    """
    rest = check_sqlite(url).removeprefix("sqlite:")
    return Path(rest[2:]) if rest else data_dir / name


def _after(url: str, scheme: str, wanted: str) -> str:
    given, colon, rest = url.partition(":")
    if given != scheme or not colon:
        raise ValueError(f"{url!r} is not {wanted}")
    return rest
