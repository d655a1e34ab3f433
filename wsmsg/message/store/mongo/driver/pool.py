"""
Connections to MongoDB by txmongo, and what txmongo lacks: the reason of a failed
connection, the outcome of the login, SCRAM-SHA-256 (RFC 5802, RFC 7677), certificates
by host name.

Importing this module imports the reactor.
"""

from __future__ import annotations

import hmac
import secrets
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from hashlib import pbkdf2_hmac, sha256
from typing import Any

import attrs
from OpenSSL.SSL import Connection, Error
from pymongo.saslprep import saslprep
from pymongo.uri_parser import parse_uri
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.internet.protocol import connectionDone
from twisted.internet.ssl import PrivateCertificate, optionsForClientTLS
from twisted.logger import Logger
from twisted.python.failure import Failure
from txmongo import connection, protocol
from txmongo.connection import ConnectionPool
from txmongo.protocol import MongoAuthenticationError, MongoProtocol, Msg
from zope.interface import implementer

from wsmsg.dependency.retry import Backoff
from wsmsg.dependency.tls import trust_root
from wsmsg.settings.urls.mongo import MongoUrl

# txmongo uses its first delay as the limit for connecting, and for the hello, as well.
_LEAST_DELAY_S = 1.0
# After so many failures the delay is the longest.
_MANY = 1000
_NO_SUCH_MECHANISM = 334
#: The server chooses the iterations; fewer than this would expose the password.
_LEAST_ITERATIONS = 4096


class Refused(Exception):
    """
    The login failed, with the reason.
    """


class Scram:
    """
    One login, from the side of the client.

    @param nonce: random, printable, without a comma.
    """

    def __init__(self, user: str, password: str, nonce: str) -> None:
        name = user.replace("=", "=3D").replace(",", "=2C")
        self._password = saslprep(password).encode()
        self._nonce = nonce
        self._bare = f"n={name},r={nonce}"
        self._expected = b""

    def first(self) -> bytes:
        """
        Return the first message of the client.
        """
        return b"n,," + self._bare.encode()

    def proof(self, reply: bytes) -> bytes:
        """
        Return the answer to the first message of the server.
        """
        parts = _parts(reply)
        nonce = parts.get("r", "")
        if not nonce.startswith(self._nonce) or nonce == self._nonce:
            raise Refused("the server did not use our nonce")
        rounds = int(parts.get("i", "0"))
        if rounds < _LEAST_ITERATIONS:
            raise Refused(f"the server wants {rounds} iterations, which is too few")
        salted = pbkdf2_hmac("sha256", self._password, b64decode(parts["s"]), rounds)
        final = f"c=biws,r={nonce}"
        spoken = f"{self._bare},{reply.decode()},{final}".encode()
        key = _hmac(salted, b"Client Key")
        signature = _hmac(sha256(key).digest(), spoken)
        proof = bytes(a ^ b for a, b in zip(key, signature, strict=True))
        self._expected = _hmac(_hmac(salted, b"Server Key"), spoken)
        return f"{final},p={b64encode(proof).decode()}".encode()

    def check(self, reply: bytes) -> None:
        """
        Check by the last message of the server that it knows the password as well.

        @raise Refused: it does not.
        """
        signature = b64decode(_parts(reply).get("v", ""))
        if not hmac.compare_digest(signature, self._expected):
            raise Refused("the server could not prove that it knows the password")


def _parts(reply: bytes) -> Mapping[str, str]:
    items = (item.partition("=") for item in reply.decode().split(","))
    return {name: value for name, _, value in items}


def _hmac(key: bytes, text: bytes) -> bytes:
    return hmac.new(key, text, sha256).digest()


class Pool(ConnectionPool):  # type: ignore[misc]
    """
    A few connections to one server or replica set.

    @ivar refusal: why the server refused the login; empty: it did not.
    @ivar problem: why the last connection that failed did.
    @ivar failures: the number of connections that failed.
    @ivar cause: the reason of a loss that only the connection knows, for its factory.
    """

    def __init__(self, url: MongoUrl, backoff: Backoff) -> None:
        _quiet()
        first_s = max(_LEAST_DELAY_S, backoff(1))
        self.refusal = ""
        self.problem = ""
        self.failures = 0
        self.cause = ""
        self._on_failure: Callable[[], object] = lambda: None
        super().__init__(
            _plain(url),
            pool_size=url.pool_size,
            ssl_context_factory=_ByHost(url) if url.tls else None,
            retry_delay=first_s,
            max_delay=max(first_s, backoff(_MANY)),
        )
        # The pinger dials each host by its address, for which no certificate is valid,
        # and then ends the good connections.  MongoConnection pings instead.
        getattr(self, "_ConnectionPool__pinger_discovery").stop()  # noqa: B009
        if url.user:
            self.authenticate(url.auth_source, url.user, url.password, url.mechanism)
        for factory in self.getprotocols():
            factory.protocol = _Protocol
            self._watch(factory)

    def on_failure(self, call: Callable[[], object]) -> None:
        """
        Call C{call} after each failure of a connection.
        """
        self._on_failure = call

    def logged_in(self, *, refusal: str) -> None:
        """
        Note the outcome of a login.
        """
        self.refusal = refusal

    def connection_failed(self, cause: str) -> None:
        """
        Note the reason of a loss, before txmongo reports the loss.
        """
        self.cause = cause

    def abort(self) -> Deferred[None]:
        """
        Abort all connections at once, with the commands in flight.

        @return: a Deferred that fires in the next turn of the reactor.
        """
        for factory in self.getprotocols():
            if factory.instance is not None:
                factory.instance.transport.abortConnection()
        ended: Deferred[None] = self.disconnect()
        return ended

    def _watch(self, factory: Any) -> None:
        # There is no other way to learn the reason: txmongo does not report it.
        for name in ("clientConnectionFailed", "clientConnectionLost"):
            setattr(factory, name, self._noting(getattr(factory, name)))

    def _noting(self, told: Callable[..., None]) -> Callable[..., None]:
        def ended(connector: Any, reason: Failure) -> None:
            where = connector.getDestination()
            why = self.cause or reason.getErrorMessage()
            self.problem, self.cause = f"{where.host}:{where.port}: {why}", ""
            self.failures += 1
            told(connector, reason)
            self._on_failure()

        return ended


class _Protocol(MongoProtocol):  # type: ignore[misc]
    """
    A connection that reports the outcome of the login, and of the greeting, to its
    pool.
    """

    _lost = False

    def fail(self, reason: object) -> None:
        # What fails after a loss fails by it, and connectionLost knows the cause.
        if not self._lost:
            self.factory.pool.connection_failed(str(reason))
        super().fail(reason)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._lost = True
        if reason.check(Error):
            self.factory.pool.connection_failed(f"TLS: {reason.getErrorMessage()}")
        super().connectionLost(reason)

    def authenticate(
        self, database: str, user: str, password: str, mechanism: str
    ) -> Deferred[None]:
        return Deferred.fromCoroutine(
            self._authenticate(database, user, password, mechanism)
        )

    async def _authenticate(
        self, database: str, user: str, password: str, mechanism: str
    ) -> None:
        pool = self.factory.pool
        try:
            await self._log_in(database, user, password, mechanism)
        except (MongoAuthenticationError, Refused) as e:
            pool.logged_in(refusal=str(e))
            raise
        except KeyError:
            # txmongo's own methods expect keys that a refusal lacks.
            pool.logged_in(refusal="the login was refused")
            raise
        pool.logged_in(refusal="")

    async def _log_in(
        self, database: str, user: str, password: str, mechanism: str
    ) -> None:
        if mechanism in ("DEFAULT", "SCRAM-SHA-256"):
            known = await self._scram(database, Scram(user, password, _nonce()))
            if known:
                return
            if mechanism != "DEFAULT":
                raise Refused("the user cannot log in with SCRAM-SHA-256")
            mechanism = "SCRAM-SHA-1"
        await super().authenticate(database, user, password, mechanism)

    async def _scram(self, database: str, scram: Scram) -> bool:
        # Returns False if the user or the server lacks the mechanism.
        reply = await self._say(
            {
                "saslStart": 1,
                "mechanism": "SCRAM-SHA-256",
                "payload": scram.first(),
                "options": {"skipEmptyExchange": True},
                "$db": database,
            }
        )
        if not reply["ok"] and reply.get("code") in (_NO_SUCH_MECHANISM, 2):
            return False
        turn = {
            "saslContinue": 1,
            "conversationId": _of(reply, "conversationId"),
            "$db": database,
        }
        reply = await self._say({**turn, "payload": scram.proof(_of(reply, "payload"))})
        scram.check(_of(reply, "payload"))
        if not reply["done"]:
            reply = await self._say({**turn, "payload": b""})
            if not _of(reply, "done"):
                raise Refused("the login did not end")
        return True

    async def _say(self, command: dict[str, Any]) -> dict[str, Any]:
        options = self.factory.pool.codec_options
        message = Msg.create(command, codec_options=options)
        reply: dict[str, Any] = await self.send_msg(message, options, None, check=False)
        return reply


class _ForDevelopers:
    """
    The functions of L{twisted.python.log} that txmongo calls.  The dependency reports a
    loss once, with its reason; txmongo reports each connection, and each failure of one
    as an error with a traceback.
    """

    _log = Logger()

    def msg(self, *texts: object, **_: Any) -> None:
        self._log.debug("{text}", text=" ".join(map(str, texts)))

    def err(self, what: object = None, why: object = None, **_: Any) -> None:
        self._log.debug("{text}", text=str(why or what))


def _quiet() -> None:
    """
    Have what txmongo logs at the level debug, from now on.
    """
    connection.log = protocol.log = _ForDevelopers()
    # "Starting factory ...", once for each connection.
    connection._Connection.noisy = False


@implementer(IOpenSSLClientConnectionCreator)
class _ByHost:
    """
    TLS that checks the certificate for the name of the host that is dialled.
    """

    def __init__(self, url: MongoUrl) -> None:
        self._trust = trust_root(url.ca_file)
        self._key = None
        if url.key_file:
            with open(url.key_file, "rb") as f:
                self._key = PrivateCertificate.loadPEM(f.read())

    def clientConnectionForTLS(self, tlsProtocol: Any) -> Connection:
        # The host that txmongo's factory is dialling.
        host = tlsProtocol.factory.wrappedFactory.connector.host
        creator = optionsForClientTLS(host, self._trust, self._key)
        made: Connection = creator.clientConnectionForTLS(tlsProtocol)
        return made


def resolved(url: MongoUrl) -> MongoUrl:
    """
    Return the URL with the hosts that DNS has now.  Blocks.

    @raise pymongo.errors.PyMongoError: DNS has none.
    """
    ((name, _),) = url.hosts
    found = parse_uri(f"mongodb+srv://{name}/")
    told = {k.lower(): v for k, v in found["options"].items()}
    return attrs.evolve(
        url,
        hosts=tuple(found["nodelist"]),
        replica_set=url.replica_set or told.get("replicaset", ""),
    )


def _plain(url: MongoUrl) -> str:
    hosts = ",".join(f"[{h}]:{p}" if ":" in h else f"{h}:{p}" for h, p in url.hosts)
    options = "w=majority&journal=true"
    if url.replica_set:
        options += f"&replicaSet={url.replica_set}"
    return f"mongodb://{hosts}/?{options}"


def _nonce() -> str:
    return secrets.token_urlsafe(24)


def _of(reply: dict[str, Any], key: str) -> Any:
    if not reply.get("ok") or key not in reply:
        raise Refused(reply.get("errmsg", "the login was refused"))
    return reply[key]
