"""
Tests for L{wsmsg.message.rpc}, over loopback.
"""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import grpc.aio
from grpc_health.v1 import health_pb2, health_pb2_grpc
from twisted.internet.defer import Deferred

from tests.message.rpc_case import RpcCase, run
from wsmsg.message.rpc import MessageRpc
from wsmsg.model import Message
from wsmsg.rpc import rest_pb2, rest_pb2_grpc

Request = rest_pb2.MessageStreamRequest


class RpcTests(RpcCase):
    """
    A Connect with a stream to a real server.
    """

    async def refusal(self, *requests: Request) -> grpc.aio.AioRpcError:
        async with self.channel() as channel:
            call = rest_pb2_grpc.MessageServiceStub(channel).MessageStream()
            for request in requests:
                await call.write(request)
            if not requests:
                await call.done_writing()
            try:
                await call.read()
            except grpc.aio.AioRpcError as e:
                return e
        return self.fail("the stream was not refused")

    def test_a_send(self) -> Deferred[Any]:
        """
        A send is answered on its stream once it is durable.
        """

        async def check() -> None:
            async with self.channel() as channel:
                call = rest_pb2_grpc.MessageServiceStub(channel).MessageStream()
                await call.write(self.subscribe())
                welcome = (await call.read()).welcome
                self.assertEqual(
                    (welcome.message_service_id, welcome.incarnation), ("m", "life")
                )
                self.assertFalse(welcome.resumed)
                send = rest_pb2.SendRequest(
                    id=7, sender=1, client_id="a", conversation="u:1:2", content="hi"
                )
                bad = rest_pb2.SendRequest(
                    id=8, sender=3, client_id="a", conversation="u:1:2", content="hi"
                )
                await call.write(
                    Request(batch=rest_pb2.ConnectBatch(sends=[send, bad]))
                )
                [refused] = (await call.read()).batch.results
                self.assertEqual((refused.id, refused.code), (8, "forbidden"))
                self.journal.appends[0][1].callback(None)
                [accepted] = (await call.read()).batch.results
                self.assertEqual((accepted.id, accepted.time_ms), (7, 1000))

        return run(check())

    def test_a_push(self) -> Deferred[Any]:
        """
        A user who is announced is acknowledged, and receives pushes.
        """

        async def check() -> None:
            async with self.channel() as channel:
                call = rest_pb2_grpc.MessageServiceStub(channel).MessageStream()
                await call.write(self.subscribe())
                await call.read()
                delta = rest_pb2.PresenceDelta(
                    number=1, online=[2], snapshot=rest_pb2.PresenceDelta.WHOLE
                )
                await call.write(Request(batch=rest_pb2.ConnectBatch(presence=delta)))
                self.assertEqual((await call.read()).batch.presence_applied, 1)
                settled: asyncio.Future[None] = asyncio.Future()
                message = Message("u:1:2", 1, "a", 7, "hi", 1, 5, 1)
                self.links.push([message], lambda: settled.set_result(None))
                batch = (await call.read()).batch
                self.assertEqual(batch.pushes[0].message.content, "hi")
                await call.write(
                    Request(batch=rest_pb2.ConnectBatch(pushed=batch.number))
                )
                await settled

        return run(check())

    def test_queries(self) -> Deferred[Any]:
        """
        Several queries are answered in one call.
        """

        async def check() -> None:
            async with self.channel() as channel:
                message = Message("u:1:2", 1, "a", 7, "hi", 1, 5, 1)
                self.store.messages[message.identity] = message
                item = rest_pb2.QueryItem(
                    page=rest_pb2.PageQuery(user=1, conversation="u:1:2")
                )
                answer = await rest_pb2_grpc.QueryServiceStub(channel).Query(
                    rest_pb2.QueryRequest(items=[item, item])
                )
                self.assertEqual(len(answer.answers), 2)
                self.assertEqual(answer.answers[1].page.messages[0].content, "hi")

        return run(check())

    def test_bad_beginnings(self) -> Deferred[Any]:
        """
        A stream that does not begin with a valid subscribe is rejected with a reason.
        """

        async def check() -> None:
            for request, code in (
                (Request(batch=rest_pb2.ConnectBatch()), "INVALID_ARGUMENT"),
                (Request(), "INVALID_ARGUMENT"),
                (self.subscribe(link_version=9), "UNIMPLEMENTED"),
                (self.subscribe(connect_service_id=""), "INVALID_ARGUMENT"),
                (self.subscribe(incarnation=""), "INVALID_ARGUMENT"),
            ):
                error = await self.refusal(request)
                self.assertEqual(error.code().name, code)
                self.assertTrue(error.details())
            error = await self.refusal()
            self.assertEqual(error.code().name, "INVALID_ARGUMENT")

        return run(check())

    def test_not_a_batch(self) -> Deferred[Any]:
        """
        A second subscribe ends the stream.
        """

        async def check() -> None:
            async with self.channel() as channel:
                call = rest_pb2_grpc.MessageServiceStub(channel).MessageStream()
                await call.write(self.subscribe())
                await call.read()
                await call.write(self.subscribe())
                with self.assertRaises(grpc.aio.AioRpcError) as raised:
                    await call.read()
                self.assertIn("not a batch", raised.exception.details())
                self.assertEqual(self.streams.open, 0)

        return run(check())

    def test_draining(self) -> Deferred[Any]:
        """
        A Message that stops leaves sends unanswered, ends its streams and rejects new
        ones.
        """

        async def check() -> None:
            async with self.channel() as channel:
                stub = rest_pb2_grpc.MessageServiceStub(channel)
                call = stub.MessageStream()
                await call.write(self.subscribe())
                await call.read()
                self.core.drain()
                send = rest_pb2.SendRequest(
                    id=7, sender=1, client_id="a", conversation="u:1:2", content="hi"
                )
                await call.write(Request(batch=rest_pb2.ConnectBatch(sends=[send])))
                self.links.hang_up_all("stopping")
                with self.assertRaises(grpc.aio.AioRpcError) as raised:
                    await call.read()
                self.assertEqual(raised.exception.details(), "stopping")
                self.assertEqual(self.journal.appends, [])
                again = stub.MessageStream()
                await again.write(self.subscribe())
                with self.assertRaises(grpc.aio.AioRpcError) as raised:
                    await again.read()
                self.assertEqual(raised.exception.code(), grpc.StatusCode.UNAVAILABLE)

        return run(check())

    def test_port_in_use(self) -> Deferred[Any]:
        """
        A port that another server uses is an error, and is not shared silently.
        """

        async def check() -> None:
            async with self.channel():
                other = MessageRpc(
                    self.streams,
                    None,  # type: ignore[arg-type]
                    self.load_unversioned,
                    self.forwarder,
                )
                with self.assertRaises(OSError) as raised:
                    await other.start(self.rpc.address)
                self.assertIn(self.rpc.address, str(raised.exception))

        return run(check())

    def test_health(self) -> Deferred[Any]:
        """
        The standard health service answers.
        """

        async def check() -> None:
            async with self.channel() as channel:
                await self.rpc.health.set("", health_pb2.HealthCheckResponse.SERVING)
                answer = await health_pb2_grpc.HealthStub(channel).Check(
                    health_pb2.HealthCheckRequest()
                )
                self.assertEqual(answer.status, health_pb2.HealthCheckResponse.SERVING)

        return run(check())
