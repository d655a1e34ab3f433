"""
Tests of streams over real gRPC on loopback.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import grpc.aio
from twisted.application.internet import ClientService
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.protocol import Factory
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase

from tests.ports import KeptPort
from tests.stalls import Span
from wsmsg.errors import Unavailable
from wsmsg.peers.channel import open_unproven
from wsmsg.prove.faults.proxy import Proxy
from wsmsg.rpc import rest_pb2
from wsmsg.stream.endpoint import StreamEndpoint
from wsmsg.stream.errors import StreamFailed, StreamLost
from wsmsg.stream.options import server_options

Request = rest_pb2.MessageStreamRequest
Response = rest_pb2.MessageStreamResponse
Behaviour = Callable[[Any], Awaitable[None]]

METHOD = "/rest.MessageService/MessageStream"


def soon(awaitable: Awaitable[Any]) -> Deferred[Any]:
    return Deferred.fromFuture(asyncio.ensure_future(awaitable))


class Recorder:
    """
    A protocol that records its messages.
    """

    def __init__(self) -> None:
        self.received: list[Any] = []
        self.queue: list[Any] = []
        self.lost: Deferred[str] = Deferred()
        self.transport: Any = None
        self.fails = False

    def makeConnection(self, transport: Any) -> None:
        self.transport = transport

    def messageReceived(self, message: Any) -> None:
        self.received.append(message)
        if self.fails:
            raise RuntimeError("a bug")

    def drain(self) -> Any:
        return self.queue.pop(0) if self.queue else None

    def connectionLost(self, reason: Failure) -> None:
        reason.trap(StreamLost)
        self.lost.callback(reason.getErrorMessage())


class Recorders(Factory):
    """
    A factory of L{Recorder}s.
    """

    noisy = False

    def __init__(self) -> None:
        self.made: list[Recorder] = []

    def buildProtocol(self, addr: Any) -> Any:
        self.made.append(Recorder())
        return self.made[-1]


def welcome() -> Response:
    return Response(welcome=rest_pb2.LinkWelcome(incarnation="m1"))


async def echo(context: Any) -> None:
    """
    Send a welcome, then answer each frame with a push batch of the same size.
    """
    await context.read()
    await context.write(welcome())
    while (request := await context.read()) is not grpc.aio.EOF:
        number = len(request.batch.sends)
        await context.write(Response(batch=rest_pb2.PushBatch(number=number)))


class StreamEndpointTests(TestCase):
    """
    Attempts that succeed and that fail, and streams that are lost.
    """

    async def serve(self, behaviour: Behaviour, port: int = 0) -> int:
        async def method(requests: Any, context: Any) -> None:
            await behaviour(context)

        handler = grpc.stream_stream_rpc_method_handler(
            method, Request.FromString, Response.SerializeToString
        )
        self.server = grpc.aio.server(options=server_options(1.0))
        self.server.add_generic_rpc_handlers(
            (
                grpc.method_handlers_generic_handler(
                    "rest.MessageService", {"MessageStream": handler}
                ),
            )
        )
        port = self.server.add_insecure_port(f"127.0.0.1:{port}")
        await soon(self.server.start())
        self.addCleanup(lambda: soon(self.server.stop(0)))
        return port

    def endpoint(self, port: int, **options: Any) -> StreamEndpoint:
        options.setdefault("welcome_timeout_s", 5.0)
        return StreamEndpoint(
            open_unproven,
            f"127.0.0.1:{port}",
            METHOD,
            request=Request,
            response=Response,
            hello=lambda: Request(subscribe=rest_pb2.SubscribeRequest()),
            welcomed=lambda message: message.HasField("welcome"),
            **options,
        )

    async def fails(self, endpoint: StreamEndpoint) -> str:
        failure = await self.assertFailure(endpoint.connect(Recorders()), StreamFailed)
        return str(failure)

    async def test_carries(self) -> None:
        """
        The welcome opens a stream, frames go both ways, and the peer sees the end.
        """
        port = await self.serve(echo)
        recorder = await self.endpoint(port).connect(Recorders())
        self.assertEqual(recorder.received, [welcome()])
        recorder.queue.append(Request(batch=rest_pb2.ConnectBatch()))
        recorder.transport.flush_soon()
        sends = [rest_pb2.SendRequest(id=1), rest_pb2.SendRequest(id=2)]
        recorder.queue.append(Request(batch=rest_pb2.ConnectBatch(sends=sends)))
        recorder.transport.loseConnection()
        self.assertEqual(await recorder.lost, "closed by this node")
        numbers = [r.batch.number for r in recorder.received[1:]]
        self.assertEqual(numbers, [0, 2])

    async def test_refused(self) -> None:
        """
        If nothing listens, the reason is that the connection was refused.
        """
        port = await self.serve(echo)
        await soon(self.server.stop(0))
        self.assertEqual(await self.fails(self.endpoint(port)), "connection refused")

    async def test_calls_of_a_lost_stream(self) -> None:
        """
        A call on the connection of a lost stream fails as unavailable.
        """
        port = await self.serve(echo)
        recorder = await self.endpoint(port).connect(Recorders())
        recorder.transport.loseConnection()
        await recorder.lost
        asked = recorder.transport.query(METHOD, Request(), Response, 5.0)
        await self.assertFailure(asked, Unavailable)
        await self.assertFailure(recorder.transport.echo(5.0), StreamFailed)

    async def test_silent(self) -> None:
        """
        An attempt fails if the peer takes the stream and sends nothing.
        """
        began, ended = asyncio.Event(), asyncio.Event()

        async def silent(context: Any) -> None:
            began.set()
            try:
                while await context.read() is not grpc.aio.EOF:
                    pass
            finally:
                ended.set()

        port = await self.serve(silent)
        limit = 0.1
        while not began.is_set():  # a busy machine may not get there in time
            reason = await self.fails(self.endpoint(port, welcome_timeout_s=limit))
            self.assertEqual(reason, f"no welcome in {limit} s")
            limit *= 2
        await soon(ended.wait())  # what the attempt opened is closed

    async def test_ends_early(self) -> None:
        """
        An attempt fails with the peer's reason if the peer ends the stream before its
        welcome.
        """

        async def refuse(context: Any) -> None:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "Message is stopping")

        port = await self.serve(refuse)
        reason = await self.fails(self.endpoint(port))
        self.assertEqual(reason, "unavailable: Message is stopping")

        async def leave(context: Any) -> None:
            await context.read()

        port = await self.serve(leave)
        reason = await self.fails(self.endpoint(port))
        self.assertEqual(reason, "no welcome: the peer ended it (OK)")

    async def test_not_a_welcome(self) -> None:
        """
        An attempt fails if the first message of the peer is not a welcome.
        """

        async def push(context: Any) -> None:
            await context.write(Response(batch=rest_pb2.PushBatch(number=1)))
            await context.read()
            await context.read()

        port = await self.serve(push)
        reason = await self.fails(self.endpoint(port))
        self.assertEqual(reason, "the peer's first message is not a welcome")

    async def test_no_such_service(self) -> None:
        """
        A server without the service has another reason than a missing server.
        """
        port = await self.serve(echo)
        endpoint = self.endpoint(port)
        endpoint._method = "/rest.Other/Stream"
        self.assertIn("unimplemented", await self.fails(endpoint))

    async def test_cancelled(self) -> None:
        """
        A cancelled attempt leaves nothing open.
        """
        ended: Deferred[None] = Deferred()
        came: Deferred[None] = Deferred()

        async def silent(context: Any) -> None:
            await context.read()
            came.callback(None)
            try:
                await context.read()
            finally:
                ended.callback(None)

        port = await self.serve(silent)
        attempt = self.endpoint(port).connect(Recorders())
        await came
        attempt.cancel()
        try:
            await attempt
        except (CancelledError, asyncio.CancelledError):
            pass
        else:
            self.fail("the attempt succeeded")
        await ended

    async def test_not_wanted(self) -> None:
        """
        A stream without a protocol is closed, and the attempt fails.
        """
        ended: Deferred[None] = Deferred()

        async def wait(context: Any) -> None:
            try:
                await context.read()
                # Cancelled here already where the other side is quick.
                await context.write(welcome())
                await context.read()
            finally:
                ended.callback(None)

        class Nothing(Factory):
            def buildProtocol(self, addr: Any) -> Any:
                return None

        port = await self.serve(wait)
        attempt = self.endpoint(port).connect(Nothing())
        await self.assertFailure(attempt, StreamFailed)
        await ended

    async def test_aborted(self) -> None:
        """
        C{abortConnection} passes its reason to the protocol.
        """
        port = await self.serve(echo)
        recorder = await self.endpoint(port).connect(Recorders())
        recorder.transport.abortConnection("protocol error: nonsense")
        self.assertEqual(await recorder.lost, "protocol error: nonsense")

    async def test_protocol_fails(self) -> None:
        """
        A protocol that raises loses its stream, and the bug is logged.
        """
        port = await self.serve(echo)
        recorder = await self.endpoint(port).connect(Recorders())
        recorder.fails = True
        recorder.queue.append(Request(batch=rest_pb2.ConnectBatch()))
        recorder.transport.flush_soon()
        self.assertIn("a bug of wsmsg", await recorder.lost)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    async def test_reconnects(self) -> None:
        """
        A lost stream is replaced once the peer is back.
        """
        from twisted.internet import reactor

        kept = KeptPort()
        self.addCleanup(kept.close)
        port = await self.serve(echo, kept.number)
        recorders = Recorders()
        service = ClientService(
            self.endpoint(port), recorders, retryPolicy=lambda n: 0.02
        )
        service.startService()
        first = await service.whenConnected()
        await soon(self.server.stop(0))
        await first.lost  # type: ignore[attr-defined]
        await self.serve(echo, port)
        second = await service.whenConnected()
        self.assertIsNot(first, second)
        turn: Deferred[None] = Deferred()
        reactor.callLater(0, turn.callback, None)
        await turn
        await service.stopService()
        self.assertTrue(second.lost.called)  # type: ignore[attr-defined]

    async def test_half_open(self) -> None:
        """
        It takes at most 5 s to notice that the network drops all packets to a peer.
        """
        port = await self.serve(echo)
        proxy = await soon(Proxy.open(port))
        self.addCleanup(lambda: soon(proxy.close()))
        endpoint = self.endpoint(proxy.port, keepalive_s=0.4)
        recorder = await endpoint.connect(Recorders())
        proxy.swallow()
        span = Span()
        self.assertEqual(
            await recorder.lost, "the peer is silent (no answer to a ping)"
        )
        span.check(5.0)
