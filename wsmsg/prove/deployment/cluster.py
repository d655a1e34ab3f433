"""
Several Messages and Connects on servers, which find each other through Redis alone.
"""

from __future__ import annotations

import secrets
from typing import Any

from wsmsg.prove.deployment.daemons import DaemonProcess, free_ports
from wsmsg.prove.deployment.installation import Installation

_LISTENERS = ("listen", "rpc_listen", "admin_listen")
_PARTITIONS = 8


class ServedInstallation(Installation):
    """
    Several Messages and Connects on Kafka, MongoDB and Redis, with names there that
    nobody else has.

    @ivar messages: the Messages.
    @ivar connects: the Connects.
    @param servers: the host and port of a Kafka, a MongoDB and a Redis.
    @param message: settings of every Message.
    @param connect: settings of every Connect.
    """

    def __init__(
        self,
        servers: tuple[str, str, str],
        *,
        messages: int = 2,
        connects: int = 2,
        message: dict[str, Any] | None = None,
        connect: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        name = f"prove-{secrets.token_hex(6)}"
        kafka, mongo, redis_server = servers
        self.journal = f"kafka://{kafka}/{name}"
        self.store = f"mongodb://{mongo}/{name}"
        redis = f"redis://{redis_server}/0?prefix={name}:"
        self._of = {
            "message": {
                "journal": self.journal,
                "store": self.store,
                "presence": redis,
                "kafka.create_topics": "true",
                "kafka.partitions": _PARTITIONS,
                "kafka.group": name,
                "kafka.dead_letters": f"{name}.dead-letters",
                **(message or {}),
            },
            "connect": {"discovery": redis, **(connect or {})},
        }
        self.messages = [self._daemon("message", n + 1) for n in range(messages)]
        self.connects = [self._daemon("connect", n + 1) for n in range(connects)]
        self.message, self.connect = self.messages[0], self.connects[0]

    def _daemon(self, kind: str, n: int) -> DaemonProcess:
        name = f"{kind}-{n}"
        ports = free_ports(len(_LISTENERS))
        listeners = {f"{name}.{listener}": ports.pop() for listener in _LISTENERS}
        settings = {"node": name, **self._of[kind]}
        return DaemonProcess(name, self.folder, listeners, settings)

    def spares(self) -> list[DaemonProcess]:
        return [
            self._daemon("message", len(self.messages) + 1),
            self._daemon("connect", len(self.connects) + 1),
        ]

    @property
    def urls(self) -> list[str]:
        return [connect.client_url for connect in self.connects]

    @property
    def url(self) -> str:
        return self.urls[0]

    @property
    def daemons(self) -> list[DaemonProcess]:
        return [*self.messages, *self.connects]
