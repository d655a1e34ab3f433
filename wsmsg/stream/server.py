"""
The base of the daemons' gRPC servers, with the standard health service and reflection,
on a port of its own.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

import grpc.aio
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import aio as health_aio
from grpc_reflection.v1alpha import reflection
from twisted.internet.defer import Deferred

from wsmsg.peers.guard import PeerGuard

T = TypeVar("T")


class GrpcServer(ABC):
    """
    One server; a subclass adds its services in L{add_to}.

    @param guard: the check of every call; L{None}: all callers are served.
    @ivar health: the health service, which
        L{wsmsg.monitoring.grpc_health.follow_readiness} keeps up to date.
    @ivar address: C{host:port}, once the server listens.
    @ivar services: the full names of the services, for health and reflection.
    """

    services: Sequence[str] = ()

    def __init__(self, guard: PeerGuard | None = None) -> None:
        self.guard = guard
        self.health = health_aio.HealthServicer()
        self.address = ""
        self._server: grpc.aio.Server | None = None
        self._starting: asyncio.Task[None] | None = None

    @abstractmethod
    def add_to(self, server: grpc.aio.Server) -> None:
        """
        Add the services of the subclass.
        """

    @abstractmethod
    def options(self) -> Sequence[tuple[str, int]]:
        """
        Return the channel arguments.  C{grpc.so_reuseport} must be 0 among them, unless
        workers share the port, so that a second server on the port fails instead of
        silently sharing the calls.
        """

    async def start(self, listen: str, credentials: Any = None) -> None:
        """
        Serve.  The asyncio loop must be running.

        @param listen: C{host:port}.
        @param credentials: for TLS; L{None}: none.
        @raise OSError: the server cannot listen on the address.
        """
        guards = () if self.guard is None else (self.guard,)
        server = grpc.aio.server(options=self.options(), interceptors=guards)
        self.add_to(server)
        if self.guard is not None:
            self.guard.add_to(server)
        health_pb2_grpc.add_HealthServicer_to_server(self.health, server)
        health = health_pb2.DESCRIPTOR.services_by_name["Health"].full_name
        reflection.enable_server_reflection(
            (*self.services, health, reflection.SERVICE_NAME), server
        )
        try:
            if credentials is None:
                port = server.add_insecure_port(listen)
            else:
                port = server.add_secure_port(listen, credentials)
        except RuntimeError as e:
            raise OSError(f"cannot listen on {listen} (rpc_listen): {e}") from e
        self.address = f"{listen.rpartition(':')[0]}:{port}"
        self._server = server
        # A daemon that is stopped meanwhile cancels this.  The start of grpc.aio must
        # not be cancelled: it raises InvalidStateError then, and nobody stops it.
        self._starting = asyncio.ensure_future(server.start())
        await asyncio.shield(self._starting)

    async def stop(self, grace_s: float) -> None:
        """
        Refuse new calls, and let running calls finish; also if L{start} was cancelled.

        @param grace_s: how long they may take.
        """
        server, self._server = self._server, None
        if server is not None and self._starting is not None:
            await asyncio.wait({self._starting})
            await server.stop(grace_s)


def on_loop(coroutine: Coroutine[Any, Any, T]) -> Deferred[T]:
    """
    Run a coroutine on the asyncio loop.

    @return: a Deferred that fires with its result.
    """
    return Deferred.fromFuture(asyncio.ensure_future(coroutine))
