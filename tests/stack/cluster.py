"""
Several Messages and Connects on the shared Kafka, MongoDB and Redis.
"""

from __future__ import annotations

from typing import Any

from tests.stack.servers import kafka_address, mongo_address, redis_address
from wsmsg.prove.deployment.cluster import ServedInstallation


class Cluster(ServedInstallation):
    """
    Several Messages and Connects that find each other through the registry alone.

    @param servers: the host and port of a Kafka, a MongoDB and a Redis; by default the
        shared ones.
    @param settings: as for the base class.
    """

    def __init__(
        self, *, servers: tuple[str, str, str] | None = None, **settings: Any
    ) -> None:
        if servers is None:
            servers = kafka_address(), mongo_address(), redis_address()
        super().__init__(servers, **settings)
