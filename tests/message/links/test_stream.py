"""
Tests of the streams of Connects that replace each other, or end at any moment.
"""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
from twisted.internet.defer import Deferred

from tests.message.rpc_case import Request, RpcCase, run
from wsmsg.model import Message
from wsmsg.rpc import rest_pb2, rest_pb2_grpc

ONLINE = rest_pb2.PresenceDelta(
    number=1, online=[2], snapshot=rest_pb2.PresenceDelta.WHOLE
)


class SilentContext:
    """
    The context of a gRPC call whose peer neither writes nor reads.

    @ivar writing: resolved once Message writes.
    """

    def __init__(self) -> None:
        self.writing: asyncio.Future[None] = asyncio.Future()
        self._never: asyncio.Future[Any] = asyncio.Future()

    def peer(self) -> str:
        return "ipv4:192.0.2.1:1"

    async def read(self) -> Any:
        return await self._never

    async def write(self, _: object) -> None:
        if not self.writing.done():
            self.writing.set_result(None)
        await self._never

    def set_code(self, _: object) -> None:
        pass

    set_details = set_code


class StreamTests(RpcCase):
    """
    Streams of one incarnation of a Connect.
    """

    def test_resumes_over_an_open_stream(self) -> Deferred[Any]:
        """
        A Connect that resumes while Message still holds its old stream, because only
        one side of the connection was reset, is answered and receives pushes on the
        new stream.
        """

        async def check() -> None:
            async with self.channel() as channel:
                stub = rest_pb2_grpc.MessageServiceStub(channel)
                old = stub.MessageStream()
                await old.write(self.subscribe())
                await old.read()
                await old.write(Request(batch=rest_pb2.ConnectBatch(presence=ONLINE)))
                self.assertEqual((await old.read()).batch.presence_applied, 1)
                for _ in range(5):
                    new = stub.MessageStream()
                    await new.write(self.subscribe(resume_incarnation="life"))
                    self.assertTrue((await new.read()).welcome.resumed)
                    await old.code()  # Message has ended the old stream
                    await asyncio.sleep(0.05)
                    await new.write(
                        Request(batch=rest_pb2.ConnectBatch(presence=ONLINE))
                    )
                    async with asyncio.timeout(2):
                        self.assertEqual((await new.read()).batch.presence_applied, 1)
                    old = new
                self.links.push(
                    [Message("u:1:2", 1, "a", 7, "hi", 1, 5, 1)], lambda: None
                )
                async with asyncio.timeout(2):
                    batch = (await old.read()).batch
                self.assertEqual(batch.pushes[0].message.content, "hi")
                self.assertEqual(self.streams.open, 1)

        return run(check())

    def test_second_address(self) -> Deferred[Any]:
        """
        A Connect that finds this Message under a second address is refused there while
        its first stream is open, which stays; once the Connect has lost that, though
        Message still holds it, the second address is served.
        """

        async def check() -> None:
            async with self.channel() as channel:
                stub = rest_pb2_grpc.MessageServiceStub(channel)
                first = stub.MessageStream()
                await first.write(self.subscribe(stream=1, other_streams=[2]))
                await first.read()
                second = stub.MessageStream()
                await second.write(self.subscribe(stream=2, other_streams=[1]))
                self.assertEqual(await second.code(), grpc.StatusCode.ALREADY_EXISTS)
                await first.write(Request(batch=rest_pb2.ConnectBatch(presence=ONLINE)))
                self.assertEqual((await first.read()).batch.presence_applied, 1)
                third = stub.MessageStream()
                await third.write(self.subscribe(stream=3))
                self.assertFalse((await third.read()).welcome.resumed)
                self.assertEqual(await first.code(), grpc.StatusCode.UNAVAILABLE)

        return run(check())

    def test_dialled_at_once(self) -> Deferred[Any]:
        """
        A Connect dials both addresses of a Message at once: the stream that was dialled
        first and arrives second does not end the other one.
        """

        async def check() -> None:
            async with self.channel() as channel:
                stub = rest_pb2_grpc.MessageServiceStub(channel)
                second = stub.MessageStream()
                await second.write(self.subscribe(stream=2, other_streams=[1]))
                await second.read()
                first = stub.MessageStream()
                await first.write(self.subscribe(stream=1))
                self.assertEqual(await first.code(), grpc.StatusCode.ALREADY_EXISTS)
                await second.write(
                    Request(batch=rest_pb2.ConnectBatch(presence=ONLINE))
                )
                self.assertEqual((await second.read()).batch.presence_applied, 1)

        return run(check())

    def test_restarted_connect(self) -> Deferred[Any]:
        """
        A Connect that restarts, and whose numbers of streams begin anew, is served.
        """

        async def check() -> None:
            async with self.channel() as channel:
                stub = rest_pb2_grpc.MessageServiceStub(channel)
                first = stub.MessageStream()
                await first.write(self.subscribe(stream=1))
                await first.read()
                again = stub.MessageStream()
                await again.write(
                    self.subscribe(incarnation="j", stream=2, other_streams=[1])
                )
                self.assertTrue((await again.read()).HasField("welcome"))

        return run(check())

    def test_cancelled_before_the_welcome(self) -> Deferred[Any]:
        """
        A Connect that is gone before Message could write the welcome leaves nothing:
        after the grace time its users are offline and its link is given up.
        """

        async def check() -> None:
            async with self.channel() as channel:
                call = rest_pb2_grpc.MessageServiceStub(channel).MessageStream()
                await call.write(self.subscribe())
                await call.read()
                await call.write(Request(batch=rest_pb2.ConnectBatch(presence=ONLINE)))
                await call.read()
                context = SilentContext()
                hello = self.subscribe(resume_incarnation="life").subscribe
                again = asyncio.ensure_future(self.streams.serve(hello, context))
                await context.writing
                again.cancel()
                await asyncio.wait({again})
                await asyncio.sleep(0.05)
                self.assertEqual(self.links.status(), [])
                self.assertEqual(self.links.routes.of(2), set())
                self.assertEqual(self.streams.open, 0)

        return run(check())

    def test_clock_is_forgotten(self) -> Deferred[Any]:
        """
        The clock of a Connect counts while the Connect has a stream; then Message
        forgets it, however many Connects come and go.
        """

        async def check() -> None:
            async with self.channel() as channel:
                stub = rest_pb2_grpc.MessageServiceStub(channel)
                for name in ("c1", "c2"):
                    stream = stub.MessageStream()
                    hello = {"connect_service_id": name, "unix_ms": 60_000}
                    await stream.write(self.subscribe(**hello))
                    await stream.read()
                    self.assertIn(f"{name} by +60.0 s", self.core.clocks.reason())
                    await stream.done_writing()
                    await stream.code()
                    self.assertEqual(self.core.clocks.reason(), "")

        return run(check())

    def test_replaced_before_the_welcome(self) -> Deferred[Any]:
        """
        A stream whose welcome cannot be written ends at once when its Connect begins
        another stream, and does not take the link from that.
        """

        async def check() -> None:
            async with self.channel() as channel:
                context = SilentContext()
                hello = self.subscribe().subscribe
                old = asyncio.ensure_future(self.streams.serve(hello, context))
                await context.writing
                new = rest_pb2_grpc.MessageServiceStub(channel).MessageStream()
                await new.write(self.subscribe())
                await new.read()
                async with asyncio.timeout(2):
                    await old
                await new.write(Request(batch=rest_pb2.ConnectBatch(presence=ONLINE)))
                async with asyncio.timeout(2):
                    self.assertEqual((await new.read()).batch.presence_applied, 1)

        return run(check())
