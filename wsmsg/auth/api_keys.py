"""
API keys: who calls an HTTP API, what for, and from where.

A text has one key a line, in four fields: the name, the scopes, the addresses, the hash
of the secret::

    billing  read,send  10.0.0.0/8,192.0.2.7  sha256:2c26b46b...
    reports  read       any                   sha256:486ea462...

Empty lines, and lines that begin with C{#}, are ignored.  The hash is SHA-256 without a
salt and without rounds: a secret has 256 random bits, so nobody can guess it from its
hash, and a slow hash would only give callers a way to keep the daemon busy.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

import attrs

from wsmsg.auth.scopes import GRANTED, Scope
from wsmsg.errors import Forbidden
from wsmsg.text.counted import counted

#: The most keys of one file.
MOST_KEYS = 1000
#: The least length of a secret that a person brings along.
LEAST_CHARACTERS = 16

_PREFIX = "wsmsg_"
_BYTES = 32
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_HASH = re.compile(r"sha256:[0-9a-f]{64}")
_ANY = "any"
_SHOWN = 40
# The name of the hash, and 32 bits of it.
_PREFIX_CHARACTERS = len("sha256:") + 8

Network = IPv4Network | IPv6Network


@attrs.frozen
class ApiKey:
    """
    One key, without its secret.

    @ivar name: names its bearer in the audit.
    @ivar networks: the addresses from which it may be used; none: from any.
    @ivar hash: of the secret, as the file has it.
    """

    name: str
    scopes: frozenset[Scope]
    networks: tuple[Network, ...]
    hash: str = attrs.field(repr=False)

    def check(self, scope: Scope | None, address: str) -> None:
        """
        Check that the key may be used for a call.

        @param scope: the one that the call needs, if it needs one.
        @param address: of the caller.
        @raise Forbidden: it may not.
        """
        if self.networks and not self._is_near(address):
            raise Forbidden(f"the key {self.name} may not be used from {address}")
        if scope is not None and scope not in self.scopes:
            raise Forbidden(
                f"the key {self.name} does not have the scope {scope.value}, which "
                "this call needs"
            )

    def _is_near(self, address: str) -> bool:
        try:
            found = ip_address(address)
        except ValueError:
            return False
        found = getattr(found, "ipv4_mapped", None) or found
        return any(found in network for network in self.networks)

    @property
    def line(self) -> str:
        """
        The line of the file, without its end.
        """
        names = ",".join(s.value for s in GRANTED if s in self.scopes)
        places = ",".join(map(str, self.networks)) or _ANY
        return f"{self.name}  {names}  {places}  {self.hash}"


@attrs.frozen
class Keyring:
    """
    The keys that a listener knows.

    @ivar keys: L{None}: the listener asks for no key.
    """

    keys: Sequence[ApiKey] | None = None
    _by_prefix: Mapping[str, Sequence[ApiKey]] = attrs.field(
        init=False, repr=False, eq=False
    )

    @_by_prefix.default
    def _index(self) -> Mapping[str, Sequence[ApiKey]]:
        found: dict[str, list[ApiKey]] = {}
        for key in self.keys or ():
            found.setdefault(key.hash[:_PREFIX_CHARACTERS], []).append(key)
        return found

    @property
    def asks(self) -> bool:
        """
        True if callers need a key.
        """
        return self.keys is not None

    def find(self, secret: str) -> ApiKey | None:
        """
        Return the key with this secret, if there is one.

        The time may tell that a hash begins like that of a key, which helps nobody to
        find a secret; the rest is compared in constant time.
        """
        given = hash_of(secret)
        for key in self._by_prefix.get(given[:_PREFIX_CHARACTERS], ()):
            if hmac.compare_digest(given, key.hash):
                return key
        return None


#: The keys of a listener that asks for none.
NO_KEYS = Keyring()


def new_key(
    name: str, scopes: Iterable[str], networks: Iterable[str] = (), secret: str = ""
) -> tuple[ApiKey, str]:
    """
    Make a key.

    @param secret: one that callers have already; empty: a new one.
    @return: the key, and its secret.
    @raise ValueError: a part of it is wrong.
    """
    if secret and (problem := secret_problem(secret)):
        raise ValueError(problem)
    secret = secret or _PREFIX + secrets.token_urlsafe(_BYTES)
    return _key(name, list(scopes), list(networks), hash_of(secret)), secret


def secret_problem(secret: str) -> str:
    """
    Return what is wrong with a secret that a person brings along; empty: nothing.
    """
    if len(secret) < LEAST_CHARACTERS:
        size = counted(len(secret), "character")
        return f"the secret has {size}, and needs {LEAST_CHARACTERS}"
    if not all("!" <= c <= "~" for c in secret):
        return "the secret has spaces, or characters that a header cannot have"
    return ""


def hash_of(secret: str) -> str:
    """
    Return the hash of a secret, as the file has it.
    """
    digest = hashlib.sha256(secret.encode("utf-8", "surrogateescape"))
    return f"sha256:{digest.hexdigest()}"


def given_secret(header: str) -> str:
    """
    Return what an C{Authorization} header has, bare or after C{Bearer}.
    """
    header = header.strip()
    scheme, _, rest = header.partition(" ")
    return rest.strip() if scheme.lower() == "bearer" else header


def parse_keys(text: str) -> Keyring:
    """
    Read the keys of a file.

    @raise ValueError: a line is wrong; the text begins with its number.
    """
    keys: dict[str, ApiKey] = {}
    hashes: set[str] = set()
    for number, line in enumerate(text.splitlines(), 1):
        if not (fields := line.split()) or fields[0].startswith("#"):
            continue
        try:
            key = _parse(fields)
            if key.name in keys:
                raise ValueError(f"there are two keys with the name {key.name}")
            if key.hash in hashes:
                raise ValueError(f"the key {key.name} has the secret of another key")
        except ValueError as e:
            raise ValueError(f"line {number}: {e}") from None
        keys[key.name] = key
        hashes.add(key.hash)
        if len(keys) > MOST_KEYS:
            raise ValueError(f"line {number}: there are more than {MOST_KEYS} keys")
    return Keyring(tuple(keys.values()))


def _parse(fields: list[str]) -> ApiKey:
    if len(fields) != 4:
        raise ValueError(
            f"has {counted(len(fields), 'field')}; a key has 4: its name, scopes, "
            "addresses and hash"
        )
    name, scopes, places, digest = fields
    if not _HASH.fullmatch(digest):
        raise ValueError(
            "the last field is not the hash of a secret, sha256: and 64 hexadecimal "
            "digits"
        )
    networks = [] if places == _ANY else places.split(",")
    return _key(name, scopes.split(","), networks, digest)


def _key(name: str, scopes: list[str], networks: list[str], digest: str) -> ApiKey:
    if not _NAME.fullmatch(name):
        raise ValueError(
            f"{_shown(name)} is not the name of a key: 1 to 64 letters, digits, '.', "
            "'_' and '-'"
        )
    if not scopes:
        raise ValueError(f"the key {name} has no scope")
    return ApiKey(
        name, frozenset(_scopes(scopes)), tuple(map(_network, networks)), digest
    )


def _scopes(names: list[str]) -> Iterator[Scope]:
    known = {scope.value: scope for scope in GRANTED}
    for name in names:
        if name not in known:
            raise ValueError(
                f"{_shown(name)} is not a scope; the scopes are {', '.join(known)}"
            )
        yield known[name]


def _network(text: str) -> Network:
    try:
        return ip_network(text)
    except ValueError as e:
        raise ValueError(
            f"{_shown(text)} is no address or network, as 10.1.0.0/16: {e}"
        ) from None


def _shown(text: str) -> str:
    return ascii(text[:_SHOWN])
