"""
Several Messages and Connects on the shared Kafka, MongoDB and Redis.
"""

from __future__ import annotations

from typing import Any

from tests.integration.installation import DaemonProcess, Installation, free_ports
from tests.stack.servers import (
    kafka_address,
    mongo_address,
    redis_address,
    unique,
)

_LISTENERS = ("listen", "rpc_listen", "admin_listen")
_PARTITIONS = 8


class Cluster(Installation):
    """
    Several Messages and Connects that find each other through the registry alone.

    @ivar messages: the Messages.
    @ivar connects: the Connects.
    @param servers: the host and port of a Kafka, a MongoDB and a Redis; by default the
        shared ones.
    @param message: settings of every Message.
    @param connect: settings of every Connect.
    """

    def __init__(
        self,
        *,
        messages: int = 2,
        connects: int = 2,
        servers: tuple[str, str, str] | None = None,
        message: dict[str, Any] | None = None,
        connect: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        name = unique("cluster")
        if servers is None:
            servers = kafka_address(), mongo_address(), redis_address()
        kafka, mongo, redis_server = servers
        self.journal = f"kafka://{kafka}/{name}"
        self.store = f"mongodb://{mongo}/{name}"
        redis = f"redis://{redis_server}/0?prefix={name}:"
        of_message = {
            "journal": self.journal,
            "store": self.store,
            "presence": redis,
            "kafka.create_topics": "true",
            "kafka.partitions": _PARTITIONS,
            "kafka.group": name,
            "kafka.dead_letters": f"{name}.dead-letters",
            **(message or {}),
        }
        ports = free_ports(len(_LISTENERS) * (messages + connects))
        self.messages = [
            self._daemon("message", n, ports, of_message) for n in range(messages)
        ]
        of_connect = {"discovery": redis, **(connect or {})}
        self.connects = [
            self._daemon("connect", n, ports, of_connect) for n in range(connects)
        ]
        self.message, self.connect = self.messages[0], self.connects[0]

    def _daemon(
        self, kind: str, n: int, ports: list[int], extra: dict[str, Any]
    ) -> DaemonProcess:
        name = f"{kind}-{n + 1}"
        listeners = {f"{name}.{listener}": ports.pop() for listener in _LISTENERS}
        return DaemonProcess(name, self.folder, listeners, {"node": name, **extra})

    @property
    def urls(self) -> list[str]:
        return [
            f"ws://127.0.0.1:{connect.port('listen')}/api/v1/connect/ws"
            for connect in self.connects
        ]

    @property
    def url(self) -> str:
        return self.urls[0]

    @property
    def daemons(self) -> list[DaemonProcess]:
        return [*self.messages, *self.connects]
