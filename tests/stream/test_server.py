"""
The life of a gRPC server.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from typing import Any

import grpc.aio
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from tests.integration.installation import free_ports
from wsmsg.stream.options import server_options
from wsmsg.stream.server import GrpcServer, on_loop


class BareServer(GrpcServer):
    """
    A server with no service of its own.
    """

    def add_to(self, server: grpc.aio.Server) -> None:
        pass

    def options(self) -> Sequence[tuple[str, int]]:
        return server_options(10.0)


class LifeTests(TestCase):
    """
    L{GrpcServer}: a daemon that is stopped while it starts.
    """

    async def stopped_after(self, turns: int) -> None:
        """
        Start a server, stop it after so many turns of the loop, and check that nothing
        of it is left.
        """
        loop, (port,) = asyncio.get_running_loop(), free_ports(1)
        told: list[dict[str, Any]] = []
        loop.set_exception_handler(lambda _, about: told.append(about))
        server = BareServer()
        starting = on_loop(server.start(f"127.0.0.1:{port}"))
        starting.addErrback(lambda failure: failure.trap(asyncio.CancelledError))
        for _ in range(turns):
            await asyncio.sleep(0)
        starting.cancel()
        await server.stop(0)
        for _ in range(10):
            await asyncio.sleep(0)
        self.assertEqual(told, [])
        with socket.socket() as peer:
            refused = await loop.run_in_executor(
                None, peer.connect_ex, ("127.0.0.1", port)
            )
        self.assertNotEqual(refused, 0, f"after {turns} turns the server still listens")

    def test_stopped_at_start(self) -> Deferred[None]:
        """
        A server that is stopped at any step of its start ends without an error, and its
        port is free.
        """

        async def check() -> None:
            loop = asyncio.get_running_loop()
            before = loop.get_exception_handler()
            try:
                for turns in range(6):
                    await self.stopped_after(turns)
            finally:
                loop.set_exception_handler(before)

        return on_loop(check())
