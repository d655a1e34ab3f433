"""
Connect's gRPC surface: C{ConnectService.OnlineStatus}, health, reflection.
"""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import grpc.aio
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import aio as health_aio
from grpc_reflection.v1alpha import reflection
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from wsmsg.connect.online import MOST_USERS, OnlineStatus
from wsmsg.errors import WsmsgError
from wsmsg.rpc import rest_pb2, rest_pb2_grpc

#: An id takes at most ten bytes; the rest is room for a clear refusal.
REQUEST_BYTES = 20 * MOST_USERS

_CALLS = 100
_OPTIONS = [
    # A second server on the port is an error, not a silent share of its calls.
    ("grpc.so_reuseport", 0),
    ("grpc.max_receive_message_length", REQUEST_BYTES),
    ("grpc.max_concurrent_streams", _CALLS),
]


class ConnectRpc(rest_pb2_grpc.ConnectServiceServicer):
    """
    The gRPC server on Connect's C{rpc_listen}.

    @ivar health: the standard gRPC health service, to be told of readiness
        (L{wsmsg.daemon.rpc_health.follow_readiness}).
    @ivar address: where it listens, once it does.
    """

    _log = Logger()

    services = (rest_pb2.DESCRIPTOR.services_by_name["ConnectService"].full_name,)

    def __init__(self, online: OnlineStatus) -> None:
        self.health = health_aio.HealthServicer()
        self.address = ""
        self._online = online
        self._server: grpc.aio.Server | None = None

    async def start(self, listen: str) -> None:
        """
        Serve.  The asyncio loop must be running.

        @param listen: C{host:port}.
        @raise OSError: the address cannot be had.
        """
        server = grpc.aio.server(options=_OPTIONS)
        rest_pb2_grpc.add_ConnectServiceServicer_to_server(self, server)
        health_pb2_grpc.add_HealthServicer_to_server(self.health, server)
        health = health_pb2.DESCRIPTOR.services_by_name["Health"].full_name
        reflection.enable_server_reflection(
            (*self.services, health, reflection.SERVICE_NAME), server
        )
        try:
            port = server.add_insecure_port(listen)
        except RuntimeError as e:
            raise OSError(f"cannot listen on {listen} (rpc_listen): {e}") from e
        self.address = f"{listen.rpartition(':')[0]}:{port}"
        await server.start()
        self._server = server

    async def stop(self, grace_s: float) -> None:
        """
        Take no more calls; those that run may finish within the grace.
        """
        server, self._server = self._server, None
        if server is not None:
            await server.stop(grace_s)

    async def OnlineStatus(
        self, request: rest_pb2.OnlineStatusRequest, context: Any
    ) -> rest_pb2.OnlineStatusResponse:
        """
        Which of these users are online.
        """
        try:
            status = await self._status(list(request.user_ids))
        except WsmsgError as e:
            await context.abort(getattr(grpc.StatusCode, e.grpc_code), e.reason)
        except Exception:  # noqa: BLE001 - a guard
            self._log.failure("answering OnlineStatus")
            await context.abort(grpc.StatusCode.INTERNAL, "internal error")
        return rest_pb2.OnlineStatusResponse(status=status)

    async def _status(self, users: list[int]) -> dict[int, bool]:
        answering = Deferred.fromCoroutine(self._online.of(users))
        return await answering.asFuture(asyncio.get_running_loop())
