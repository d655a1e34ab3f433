"""
The standard gRPC health service (C{grpc.health.v1}), with the daemon's readiness.
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
    The part of C{grpc_health.v1.health.aio.HealthServicer} that L{follow_readiness}
    uses.
    """

    def set(self, service: str, status: int) -> Awaitable[object]: ...


def follow_readiness(
    health: Health, servicer: HealthServicer, services: Sequence[str] = ()
) -> None:
    """
    Keep the servicer's status at SERVING while the daemon is ready, and at NOT_SERVING
    otherwise.  The asyncio reactor has to be installed.

    @param services: the full names of the services; the empty name, which stands for
        the server, is always set.
    """

    async def set_status(ready: bool) -> None:
        for name in ("", *services):
            await servicer.set(name, SERVING if ready else NOT_SERVING)

    def changed(ready: bool) -> None:
        # One call at a time, so that the last status is the last that is set.
        setting.addCallback(
            lambda _: Deferred.fromFuture(asyncio.ensure_future(set_status(ready)))
        )
        setting.addErrback(lambda f: _log.failure("setting gRPC health", failure=f))

    setting: Deferred[None] = Deferred()
    setting.callback(None)
    health.on_change(changed)
    changed(health.ready)
