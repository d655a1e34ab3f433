"""
Addresses of the real servers: shared ones, and servers of one test.

The environment has the addresses of the shared servers, C{WSMSG_STACK_KAFKA=host:port}
and so on (see C{python -m tools.stack env}). An empty variable means that there is no
such server; a missing one, that the server is expected at its usual port.

Every server with users has L{USER} with all rights, L{GUEST} with none, and in Redis
L{READER}; all have the L{PASSWORD}.
"""

from __future__ import annotations

import atexit
import os
import secrets
import shutil
import socket
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Generic, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tools.stack.kafka import Kafka
from tools.stack.mongo import Mongo
from tools.stack.ports import free_ports
from tools.stack.redis import READER, Redis
from tools.stack.server import GUEST, HOST, PASSWORD, USER, Server
from tools.stack.stack import KINDS, default_cache, default_data

__all__ = [
    "GUEST",
    "PASSWORD",
    "READER",
    "USER",
    "Own",
    "kafka_address",
    "kafka_sasl_address",
    "kafka_ssl",
    "mongo_address",
    "mongo_url",
    "needs",
    "own_kafka",
    "own_mongo",
    "own_redis",
    "redis_address",
    "redis_tls",
    "redis_url",
    "unique",
]

C = TypeVar("C", bound=type)
S = TypeVar("S", bound=Server)

_LISTENERS = {
    listener: port for kind in KINDS.values() for listener, port in kind.PORTS.items()
}


def needs(*names: str) -> Callable[[C], C]:
    """
    Skip the tests of this class without these servers: C{kafka}, C{mongo}, C{redis}.
    """

    def decorate(case: C) -> C:
        reasons = [reason for name in names if (reason := _lacks(name))]
        if reasons:
            case.skip = _left_out("; ".join(reasons))  # type: ignore[attr-defined]
        return case

    return decorate


def kafka_address() -> str:
    """
    Return C{host:port} without TLS, for anonymous clients with all rights.
    """
    return _address("kafka")


def kafka_sasl_address() -> str:
    """
    Return C{host:port} for SASL_PLAINTEXT with PLAIN, for L{USER} and L{GUEST}.
    """
    return _address("kafka_sasl")


def kafka_ssl() -> tuple[str, Path]:
    """
    Return C{host:port} and the file of the trusted authority (C{ssl.ca.location}).
    """
    return _address("kafka_ssl"), _certificate("kafka")


def mongo_address() -> str:
    """
    Return C{host:port}.
    """
    return _address("mongo")


def redis_address() -> str:
    """
    Return C{host:port}.
    """
    return _address("redis")


def mongo_url(database: str = "") -> str:
    """
    Return C{mongodb://host:port/database}.
    """
    return f"mongodb://{mongo_address()}/{database}"


def redis_url(user: str = "") -> str:
    """
    Return C{redis://host:port}, with the name and the password of a user if one is
    given.
    """
    who = f"{user}:{PASSWORD}@" if user else ""
    return f"redis://{who}{redis_address()}"


def redis_tls() -> tuple[str, Path]:
    """
    Return C{host:port} and the file of the trusted authority.
    """
    return _address("redis_tls"), _certificate("redis")


def unique(what: str = "test") -> str:
    """
    Return a name that no other test has: of a topic, a group, a database; a key prefix.
    """
    return f"{what}-{secrets.token_hex(6)}"


class Own(Generic[S]):
    """
    A server for one test, on free ports, with a directory outside of the tree.

    Slow operations run in a thread and return a L{Deferred}; a test on asyncio alone
    uses C{await asyncio.to_thread(own.server.up)} and so on.

    @ivar server: with its C{address}, C{ports}, C{options}, C{log}, and the fields of
        its kind: C{certificate}, C{url}.
    """

    def __init__(self, kind: Callable[..., S], *options: str) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="wsmsg-own-"))
        ports = free_ports(kind.PORTS)  # type: ignore[attr-defined]
        self.server = kind(default_cache(), self._folder, ports, options)
        atexit.register(self.server.kill)

    @property
    def address(self) -> str:
        return self.server.address

    def start(self) -> Deferred[None]:
        """
        Start the server with its data, at the same ports.

        @return: a Deferred that fires when an operation of a client has succeeded.
        """
        return deferToThread(self.server.up, detached=False)

    def stop(self) -> Deferred[None]:
        """
        Stop the server cleanly.
        """
        return deferToThread(self.server.stop)

    def kill(self) -> None:
        """
        Send SIGKILL, and return when the process is gone.
        """
        self.server.kill()

    def suspend(self) -> None:
        """
        Suspend the server: it accepts connections and never answers.
        """
        self.server.process.suspend()

    def resume(self) -> None:
        self.server.process.resume()

    def remove(self) -> None:
        """
        End the server and remove its data.
        """
        self.server.kill()
        shutil.rmtree(self._folder, ignore_errors=True)
        atexit.unregister(self.server.kill)


async def own_kafka(
    case: SynchronousTestCase, *options: str, data: Path | None = None
) -> Own[Kafka]:
    """
    Start a Kafka for this test.

    @param options: broker settings, C{key=value}.
    @param data: an existing folder for its data; L{None}: one of its own.
    """
    own = _own(Kafka, *options)
    if data is not None:
        (own.server.folder / "data").symlink_to(data)
    return await _started(case, own)


async def own_redis(case: SynchronousTestCase, *options: str) -> Own[Redis]:
    """
    Start a Redis for this test.

    @param options: words of its command line.
    """
    return await _started(case, _own(Redis, *options))


async def own_mongo(
    case: SynchronousTestCase,
    *options: str,
    with_users: bool = False,
    with_tls: bool = False,
) -> Own[Mongo]:
    """
    Start a server with MongoDB's protocol for this test.

    @param with_users: clients must log in, as L{USER} or L{GUEST}.
    """
    own = _own(Mongo, *options)
    own.server.with_users = with_users
    own.server.with_tls = with_tls
    return await _started(case, own)


def _own(kind: type[S], *options: str) -> Own[S]:
    lacking = kind.lacking(default_cache())
    if lacking:
        reason = f"{kind.name} is not installed ({', '.join(lacking)})"
        raise SkipTest(_left_out(reason))
    return Own(kind, *options)


async def _started(case: SynchronousTestCase, own: Own[S]) -> Own[S]:
    case.addCleanup(own.remove)
    await own.start()
    return own


def _address(listener: str) -> str:
    reason = _lacks(listener)
    if reason:
        raise SkipTest(_left_out(reason))
    return _told(listener)


def _certificate(name: str) -> Path:
    given = os.environ.get(f"WSMSG_STACK_{name.upper()}_CERTIFICATE")
    return Path(given) if given else default_data() / name / "tls" / "cert.pem"


def _told(listener: str) -> str:
    usual = f"{HOST}:{_LISTENERS[listener]}"
    return os.environ.get(f"WSMSG_STACK_{listener.upper()}", usual)


@cache
def _lacks(listener: str) -> str:
    """
    Return the reason why there is no such server, or an empty string if there is one.
    """
    address = _told(listener)
    if not address:
        return f"{listener} is not installed"
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), 2).close()
    except OSError as e:
        return f"{listener} at {address}: {e.strerror or e}"
    return ""


def _left_out(reason: str) -> str:
    if os.environ.get("WSMSG_STACK") == "required":
        raise AssertionError(f"this run needs the servers: {reason}")
    return f"{reason}; make stack-install, make stack-up"
