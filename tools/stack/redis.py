"""
Redis, from the distribution.

Clients without a login may do everything, as may L{USER}, with a password; C{reader}
may only read, and L{GUEST} may only log in.  C{redis_tls} is the same with TLS.
"""

from __future__ import annotations

import socket
from pathlib import Path
from typing import ClassVar

from tools.stack.certificates import certificate_in
from tools.stack.packages import Say, StackError, missing, need
from tools.stack.server import GUEST, HOST, PASSWORD, USER, Server

_PROGRAMS = ("redis-server", "openssl")

READER = "reader"

#: Answers to a write by a server that is configured to refuse writes.
_AS_TOLD = ("READONLY", "OOM", "NOREPLICAS")


class Redis(Server):
    """
    One server.  Its options are those of its command line, such as C{--maxmemory 1mb}.
    """

    name = "redis"
    PORTS: ClassVar[dict[str, int]] = {"redis": 19379, "redis_tls": 19380}
    FIRST = "redis"

    @property
    def certificate(self) -> Path:
        """
        The authority that clients of C{redis_tls} trust.
        """
        return certificate_in(self.folder / "tls").certificate

    @classmethod
    def lacking(cls, cache: Path) -> list[str]:
        return missing(_PROGRAMS)

    @classmethod
    def install(cls, cache: Path, say: Say) -> None:
        need(_PROGRAMS, say)

    def command(self) -> list[str]:
        return ["redis-server", str(self.folder / "redis.conf"), *self.options]

    def prepare(self) -> None:
        data = self.folder / "data"
        data.mkdir(exist_ok=True)
        tls = certificate_in(self.folder / "tls")
        every = f">{PASSWORD} ~* &*"
        settings = [
            *(f"bind {HOST}", f"port {self.ports['redis']}", "daemonize no"),
            *(f"tls-port {self.ports['redis_tls']}", "tls-auth-clients no"),
            f"tls-cert-file {tls.certificate}",
            f"tls-key-file {tls.key}",
            f"tls-ca-cert-file {tls.certificate}",
            *(f"dir {data}", "appendonly yes", "appendfsync everysec", 'save ""'),
            f"user {USER} on {every} +@all",
            f"user {READER} on {every} +@read +@connection +@pubsub",
            f"user {GUEST} on {every} +@connection",
        ]
        (self.folder / "redis.conf").write_text("\n".join(settings) + "\n")

    def operate(self, limit_s: float) -> None:
        """
        Send C{SET} as L{USER}; a refusal that the options ask for counts too.
        """
        with socket.create_connection((HOST, self.port), limit_s) as s:
            with s.makefile("rwb") as lines:
                for command in (f"AUTH {USER} {PASSWORD}", "SET stack:ready 1 PX 1000"):
                    lines.write(command.encode() + b"\r\n")
                    lines.flush()
                    answer = lines.readline().decode().strip()
                    if answer != "+OK" and not answer.lstrip("-").startswith(_AS_TOLD):
                        raise StackError(answer or "closed the connection")
