"""
The standard gRPC health service, following a daemon's readiness.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from typing import Protocol

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from wsmsg.monitoring.health import Health

_log = Logger()

# C{grpc.health.v1.HealthCheckResponse.ServingStatus}.
SERVING = 1
NOT_SERVING = 2


class HealthServicer(Protocol):
    """
    What we need of C{grpc_health.v1.health.aio.HealthServicer}.
    """

    def set(self, service: str, status: int) -> Awaitable[object]: ...


def follow_readiness(
    health: Health, servicer: HealthServicer, services: Sequence[str] = ()
) -> None:
    """
    Have the servicer say SERVING while the daemon is ready, NOT_SERVING else.
    The asyncio reactor must be installed.

    @param services: full names beside the empty one, which is the whole server.
    """

    async def tell(ready: bool) -> None:
        for name in ("", *services):
            await servicer.set(name, SERVING if ready else NOT_SERVING)

    def changed(ready: bool) -> None:
        # The servicer's locks are asyncio's; one after the other keeps the order.
        told.addCallback(
            lambda _: Deferred.fromFuture(asyncio.ensure_future(tell(ready)))
        )
        told.addErrback(lambda f: _log.failure("gRPC health was not set", failure=f))

    told: Deferred[None] = Deferred()
    told.callback(None)
    health.on_change(changed)
    changed(health.ready)
