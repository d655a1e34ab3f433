"""
The URL of a Redis, read without a network::

    redis://user:password@host:6379/0?prefix=wsmsg:
    rediss://host:6380/0?ca=/path/to/authorities.pem        the same with TLS

An option that would have no effect is a mistake.  No mistake repeats the URL, because
it may have a password in it.
"""

from __future__ import annotations

import os
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

import attrs

from wsmsg.settings.urls.address import Address, parse_address
from wsmsg.settings.urls.extras import check_extra

REDIS = "redis://host:port/0?prefix=wsmsg:"
_SCHEMES = ("redis", "rediss")
_PORT = 6379
_PREFIX = "wsmsg:"
_MOST_PREFIX = 100
_MOST_DB = 9999


@attrs.frozen(kw_only=True)
class RedisUrl:
    """
    The address of a Redis, the login, and the prefix of the keys.

    @ivar user: empty: the default user.
    @ivar password: empty: no login.
    @ivar prefix: the beginning of every key that wsmsg uses.
    @ivar ca_file: certificate authorities; empty: those of the system.
    """

    address: Address
    db: int
    prefix: str
    user: str
    password: str = attrs.field(repr=False)
    tls: bool
    ca_file: str

    @property
    def place(self) -> str:
        """
        The address and the database, without the login, for logs.
        """
        return f"{self.address}/{self.db}"


def is_redis(url: str) -> bool:
    """
    Return L{True} for the URL of a Redis.
    """
    return url.partition(":")[0] in _SCHEMES


def read_redis_url(url: str, password: str = "") -> RedisUrl:
    """
    Read the URL.

    @param password: of the user, if the URL has none.
    @raise ValueError: a sentence for the operator.
    """
    check_extra("redis")
    try:
        parts = urlsplit(url)
    except ValueError:
        raise ValueError(f"it is not {REDIS}") from None
    if parts.scheme not in _SCHEMES or not url.startswith(f"{parts.scheme}://"):
        raise ValueError(f"it is not {REDIS}")
    login, _, place = parts.netloc.rpartition("@")
    user, _, given = login.partition(":")
    if given and password:
        raise ValueError("redis: the password is given twice, one is in the URL")
    options = _options(parts)
    tls = parts.scheme == "rediss"
    if options.get("ca") and not tls:
        raise ValueError("redis: ca is for TLS; use rediss://")
    return RedisUrl(
        address=_address(place),
        db=_db(parts.path),
        prefix=_prefix(options.get("prefix", _PREFIX)),
        user=unquote(user),
        password=unquote(given) or password,
        tls=tls,
        ca_file=_readable(options.get("ca", "")),
    )


def _address(place: str) -> Address:
    if not place:
        raise ValueError(f"redis: there is no host, as in {REDIS}")
    has_port = ":" in place.rpartition("]")[2]
    address = parse_address(place if has_port else f"{place}:{_PORT}")
    if not address.port:
        raise ValueError("redis: port 0 cannot be dialled")
    return address


def _db(path: str) -> int:
    text = path.removeprefix("/") or "0"
    if not (text.isascii() and text.isdigit() and int(text) <= _MOST_DB):
        raise ValueError(
            f"redis: {text!r} is not the number of a database, as in {REDIS}"
        )
    return int(text)


def _options(parts: SplitResult) -> dict[str, str]:
    if parts.fragment:
        raise ValueError("redis: nothing may follow a '#'")
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    options = dict(pairs)
    for name in options:
        if name not in ("prefix", "ca"):
            raise ValueError(f"redis: the option {name} is not supported")
    if len(options) < len(pairs):
        raise ValueError("redis: an option is given twice")
    return options


def _prefix(text: str) -> str:
    if not text or len(text) > _MOST_PREFIX or not text.isprintable() or " " in text:
        raise ValueError(
            f"redis: a prefix has 1 to {_MOST_PREFIX} characters and no spaces"
        )
    return text


def _readable(path: str) -> str:
    if path and not os.access(path, os.R_OK):
        raise ValueError(f"redis: ca: {path} is not a readable file")
    return path
