"""
The URL of a store in MongoDB, read without a network.

An option that would have no effect is a mistake.  No mistake repeats the URL, because
it may have a password in it.
"""

from __future__ import annotations

from typing import Any

import attrs

from wsmsg.settings.urls.address import Address
from wsmsg.settings.urls.extras import check_extra

_SRV = "mongodb+srv://"
_PLAIN = "mongodb://"

#: Options that have an effect, in lower case, as in the mistakes of pymongo.
_HEEDED = {
    "authmechanism",
    "authsource",
    "journal",
    "maxpoolsize",
    "replicaset",
    "ssl",
    "timeoutms",
    "tls",
    "tlscafile",
    "tlscertificatekeyfile",
    "w",
}
#: Options that are often given to drivers, and are ignored here.
_HARMLESS = {"appname", "retryreads", "retrywrites"}
_X509 = "MONGODB-X509"
_MECHANISMS = {"DEFAULT", "SCRAM-SHA-1", "SCRAM-SHA-256", _X509}
_TIMEOUT_S = 5.0
_POOL = 4
_PORT = 27017


@attrs.frozen
class MongoUrl:
    """
    The hosts of a store, the login and the options.

    @ivar hosts: pairs of name and port; with C{srv} the one name to look up.
    @ivar srv: the DNS has the hosts.
    @ivar auth_source: the database that the user belongs to.
    @ivar timeout_s: time limit for one operation.
    @ivar pool_size: number of connections.
    """

    hosts: tuple[tuple[str, int], ...]
    srv: bool
    database: str
    user: str
    password: str = attrs.field(repr=False)
    auth_source: str
    mechanism: str
    replica_set: str
    tls: bool
    ca_file: str
    key_file: str
    timeout_s: float
    pool_size: int

    @property
    def addresses(self) -> tuple[Address, ...]:
        """
        The servers; none where DNS has them.
        """
        return () if self.srv else tuple(Address(*host) for host in self.hosts)

    @property
    def problem(self) -> str:
        """
        A mistake that shows only together with the password; C{""}: none.
        """
        if self.user and not self.password and self.mechanism != _X509:
            return f"there is no password for the user {self.user!r}"
        return ""

    @property
    def place(self) -> str:
        """
        The hosts and the database, without the login, for logs.
        """
        return ",".join(f"{h}:{p}" for h, p in self.hosts) + "/" + self.database


def read_mongo_url(url: str, password: str = "") -> MongoUrl:
    """
    Read the URL.

    @param password: of the user, if the URL has none.
    @raise ValueError: a sentence for the operator.
    """
    check_extra("mongo")
    parsed = _parsed(url)
    options = {name.lower(): value for name, value in parsed["options"].items()}
    _check_options(options)
    user, database = parsed["username"] or "", parsed["database"] or "wsmsg"
    mechanism = options.get("authmechanism", "DEFAULT")
    _check_login(url, user, parsed["password"], password, mechanism)
    srv = url.startswith(_SRV)
    x509 = mechanism == _X509
    known_by = "$external" if x509 else parsed["database"] or "admin"
    return MongoUrl(
        hosts=tuple((host, port or _PORT) for host, port in parsed["nodelist"]),
        srv=srv,
        database=database,
        user=user,
        password=parsed["password"] or password,
        auth_source=options.get("authsource", known_by),
        mechanism=mechanism,
        replica_set=options.get("replicaset", ""),
        tls=bool(options.get("tls", options.get("ssl", srv))),
        ca_file=options.get("tlscafile", ""),
        key_file=options.get("tlscertificatekeyfile", ""),
        timeout_s=options.get("timeoutms") or _TIMEOUT_S,
        pool_size=options.get("maxpoolsize") or _POOL,
    )


def _parsed(url: str) -> dict[str, Any]:
    from pymongo.errors import PyMongoError
    from pymongo.uri_parser import parse_uri

    if not url.startswith((_SRV, _PLAIN)):
        raise ValueError("it is not mongodb://host:port/database")
    plain = _PLAIN + url.removeprefix(_SRV).removeprefix(_PLAIN)
    try:
        parsed: dict[str, Any] = parse_uri(plain)
    except OSError as e:
        raise ValueError(f"mongodb: {e.filename}: {e.strerror}") from None
    except (PyMongoError, ValueError) as e:
        raise ValueError(f"mongodb: {str(e)[:200]}") from None
    hosts = parsed["nodelist"]
    if url.startswith(_SRV) and (len(hosts) > 1 or hosts[0][1] != _PORT):
        raise ValueError("mongodb+srv: takes one DNS name, without a port")
    return parsed


def _check_options(options: dict[str, Any]) -> None:
    for name in options:
        if name not in _HEEDED | _HARMLESS:
            raise ValueError(f"mongodb: the option {name} is not supported")
    if options.get("w", "majority") != "majority" or not options.get("journal", True):
        raise ValueError("mongodb: writes are always w=majority and journal=true")
    mechanism = options.get("authmechanism", "DEFAULT")
    if mechanism not in _MECHANISMS:
        raise ValueError(f"mongodb: authMechanism {mechanism} is not supported")
    files = {"tlscafile", "tlscertificatekeyfile"} & set(options)
    if files and not options.get("tls", options.get("ssl", True)):
        raise ValueError("mongodb: certificate files have no effect with tls=false")


def _check_login(
    url: str, user: str, given: str | None, password: str, mechanism: str
) -> None:
    if given and password:
        raise ValueError("mongodb: a password is in the URL and in store_password")
    if password and not user:
        raise ValueError("mongodb: there is a store_password and no user in the URL")
    if mechanism.startswith("SCRAM") and not user:
        raise ValueError(f"mongodb: authMechanism {mechanism} needs a user")
