"""
Connect's gRPC surface: C{ConnectService.OnlineStatus}, health, reflection.
"""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import grpc.aio
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from wsmsg.connect.edge.online_status import MOST_USERS, OnlineStatus
from wsmsg.errors import WsmsgError
from wsmsg.peers.guard import PeerGuard
from wsmsg.rpc import rest_pb2, rest_pb2_grpc
from wsmsg.stream.server import GrpcServer

#: An id takes at most ten bytes.  The rest lets a request with too many users in, so
#: that it gets a clear error.
REQUEST_BYTES = 20 * MOST_USERS

_CALLS = 100
_OPTIONS = [
    ("grpc.max_receive_message_length", REQUEST_BYTES),
    ("grpc.max_concurrent_streams", _CALLS),
]


class ConnectRpc(GrpcServer, rest_pb2_grpc.ConnectServiceServicer):
    """
    The gRPC server on Connect's C{rpc_listen}.

    @param shared: whether other workers serve on the port as well.
    """

    _log = Logger()

    services = (rest_pb2.DESCRIPTOR.services_by_name["ConnectService"].full_name,)

    def __init__(
        self,
        online: OnlineStatus,
        guard: PeerGuard | None = None,
        *,
        shared: bool = False,
    ) -> None:
        super().__init__(guard)
        self._online = online
        self._shared = shared

    def add_to(self, server: grpc.aio.Server) -> None:
        rest_pb2_grpc.add_ConnectServiceServicer_to_server(self, server)

    def options(self) -> list[tuple[str, int]]:
        return [("grpc.so_reuseport", int(self._shared)), *_OPTIONS]

    async def OnlineStatus(
        self, request: rest_pb2.OnlineStatusRequest, context: Any
    ) -> rest_pb2.OnlineStatusResponse:
        """
        Return which of these users are online.
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
