"""
Connect's gRPC server, over real connections to loopback.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any, TypeVar

import grpc
import grpc.aio
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from tests.connect.websocket.port_in_memory import FixedUpstream
from wsmsg.connect.edge.online_status import MOST_USERS, OnlineStatus
from wsmsg.connect.edge.rpc import ConnectRpc
from wsmsg.errors import Unavailable
from wsmsg.rpc import rest_pb2, rest_pb2_grpc

T = TypeVar("T")


def on_loop(awaitable: Awaitable[T]) -> Deferred[T]:
    """
    Await something of asyncio's in a test of Twisted's.
    """
    return Deferred.fromFuture(asyncio.ensure_future(awaitable))


class ConnectRpcTests(TestCase):
    """
    L{ConnectRpc}.
    """

    def setUp(self) -> Any:
        return Deferred.fromCoroutine(self._set_up())

    async def _set_up(self) -> None:
        self.upstream = FixedUpstream([1002])
        self.rpc = ConnectRpc(OnlineStatus({1001}, self.upstream))
        await on_loop(self.rpc.start("127.0.0.1:0"))
        self.channel = grpc.aio.insecure_channel(
            self.rpc.address, options=[("grpc.use_local_subchannel_pool", 1)]
        )
        self.stub: Any = rest_pb2_grpc.ConnectServiceStub(self.channel)

    def tearDown(self) -> Any:
        return Deferred.fromCoroutine(self._tear_down())

    async def _tear_down(self) -> None:
        await on_loop(self.channel.close())
        await on_loop(self.rpc.stop(0))

    async def status(self, *users: int) -> dict[int, bool]:
        """
        Return the online status of these users.
        """
        request = rest_pb2.OnlineStatusRequest(user_ids=users)
        answer = await on_loop(self.stub.OnlineStatus(request, timeout=60))
        return dict(answer.status)

    async def refused(self, *users: int) -> grpc.aio.AioRpcError:
        """
        Ask for these users, and return the error.
        """
        d = Deferred.fromCoroutine(self.status(*users))
        error: grpc.aio.AioRpcError = await self.assertFailure(d, grpc.aio.AioRpcError)
        return error

    async def test_online(self) -> None:
        """
        Users are online if they have a session here, or elsewhere according to Message.
        """
        self.assertEqual(
            await self.status(1001, 1002, 1003), {1001: True, 1002: True, 1003: False}
        )
        self.assertEqual(self.upstream.asked, [[1002, 1003]])
        self.assertEqual(await self.status(), {})

    async def test_alone(self) -> None:
        """
        While Message is away or fails, users with a session here are online.
        """
        self.upstream.up = False
        self.assertEqual(await self.status(1001, 1002), {1001: True, 1002: False})
        self.upstream.up = True
        self.upstream.fails = Unavailable("gone")
        self.assertEqual(await self.status(1001, 1002), {1001: True, 1002: False})

    async def test_bad(self) -> None:
        """
        Too many users are refused with the reason.
        """
        error = await self.refused(*range(1, MOST_USERS + 2))
        self.assertEqual(error.code(), grpc.StatusCode.INVALID_ARGUMENT)
        self.assertIn("more than 10000", error.details())
        error = await self.refused(*range(1, 200_000))
        self.assertEqual(error.code(), grpc.StatusCode.RESOURCE_EXHAUSTED)

    async def test_every_asked_user(self) -> None:
        """
        The answer has every number that was asked for: unknown users, and numbers that
        no user can have, which Message is not asked for.
        """
        asked = [1001, 1003, 1003, 0, -1, -(2**63), 2**63 - 1]
        expected = {user: user == 1001 for user in asked}
        self.assertEqual(await self.status(*asked), expected)
        self.assertEqual(self.upstream.asked, [[1003, 2**63 - 1]])
        many = list(range(1002, 1002 + MOST_USERS))
        self.assertEqual(len(await self.status(*many)), MOST_USERS)

    async def test_bug(self) -> None:
        """
        A bug is answered with INTERNAL without details, and is logged.
        """
        self.upstream.fails = ZeroDivisionError("secret")
        error = await self.refused(1002)
        self.assertEqual(error.code(), grpc.StatusCode.INTERNAL)
        self.assertNotIn("secret", error.details())
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    async def test_port_in_use(self) -> None:
        """
        A port that another server uses is an error that names it.
        """
        second = ConnectRpc(OnlineStatus(set(), self.upstream))
        starting: Deferred[Any] = on_loop(second.start(self.rpc.address))
        error = await self.assertFailure(starting, OSError)
        self.assertIn(self.rpc.address, str(error))

    async def test_health(self) -> None:
        """
        The health service reports the status that it was given.
        """
        health: Any = self.rpc.health
        await on_loop(health.set("", health_pb2.HealthCheckResponse.SERVING))
        stub: Any = health_pb2_grpc.HealthStub(self.channel)
        answer = await on_loop(stub.Check(health_pb2.HealthCheckRequest(), timeout=60))
        self.assertEqual(answer.status, health_pb2.HealthCheckResponse.SERVING)

    async def test_reflection(self) -> None:
        """
        Reflection lists the service.
        """
        stub: Any = reflection_pb2_grpc.ServerReflectionStub(self.channel)
        request = reflection_pb2.ServerReflectionRequest(list_services="")

        async def ask() -> list[str]:
            call = stub.ServerReflectionInfo(iter([request]), timeout=60)
            async for answer in call:
                return [s.name for s in answer.list_services_response.service]
            return []

        self.assertIn("rest.ConnectService", await on_loop(ask()))
