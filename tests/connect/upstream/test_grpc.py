"""
Tests of Connect's upstream with a small Message, over real gRPC on loopback.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import grpc.aio
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from tests.connect.upstream.recording_edge import RecordingEdge
from tests.ports import KeptPort
from tests.stalls import Span
from wsmsg.connect.upstream.endpoint import grpc_endpoints
from wsmsg.connect.upstream.interface import NewSend, SendAnswer
from wsmsg.connect.upstream.upstream import Upstream
from wsmsg.peers.channel import open_unproven
from wsmsg.prove.faults.proxy import Proxy
from wsmsg.rpc import rest_pb2, rest_pb2_grpc
from wsmsg.settings.values import ConnectSettings
from wsmsg.stream.options import server_options


def soon(awaitable: Awaitable[Any]) -> Deferred[Any]:
    return Deferred.fromFuture(asyncio.ensure_future(awaitable))


class SmallMessage(
    rest_pb2_grpc.MessageServiceServicer, rest_pb2_grpc.QueryServiceServicer
):
    """
    A Message that accepts each send and pushes it to its sender, and resumes streams
    of its own incarnation.

    @ivar holds: whether it leaves sends unanswered.
    @ivar came: the client ids of all sends, in the order of arrival.
    """

    def __init__(self, incarnation: str) -> None:
        self.incarnation = incarnation
        self.hellos: list[rest_pb2.SubscribeRequest] = []
        self.came: list[str] = []
        self.holds = False
        self.number = 0
        self.contexts: list[Any] = []

    async def MessageStream(self, requests: Any, context: Any) -> None:
        hello = (await context.read()).subscribe
        self.hellos.append(hello)
        self.contexts.append(context)
        welcome = rest_pb2.LinkWelcome(
            incarnation=self.incarnation,
            link_version=1,
            resumed=hello.resume_incarnation == self.incarnation,
            heartbeat_ms=1500,
        )
        if not welcome.resumed:
            self.number = 0
        await context.write(rest_pb2.MessageStreamResponse(welcome=welcome))
        while (request := await context.read()) is not grpc.aio.EOF:
            batch = request.batch
            self.came += [send.client_id for send in batch.sends]
            answer = rest_pb2.MessageStreamResponse()
            answer.batch.presence_applied = batch.presence.number
            if batch.sends and not self.holds:
                self.answer(batch, answer.batch)
            await context.write(answer)

    def answer(self, batch: rest_pb2.ConnectBatch, answer: rest_pb2.PushBatch) -> None:
        self.number += 1
        answer.number = self.number
        for send in batch.sends:
            answer.results.add(id=send.id, time_ms=7)
            pushed = rest_pb2.ChatMessage(content=send.content, seq=1)
            answer.pushes.add(message=pushed, targets=[send.sender])

    async def Query(self, request: Any, context: Any) -> rest_pb2.QueryResponse:
        page = rest_pb2.QueryAnswer(page=rest_pb2.PageAnswer(head=3))
        return rest_pb2.QueryResponse(answers=[page] * len(request.items))


class UpstreamGrpcTests(TestCase):
    """
    Streams to servers that stop, restart and fall silent.
    """

    async def serve(self, message: SmallMessage, port: int = 0) -> int:
        self.server = server = grpc.aio.server(options=server_options(1.0))
        rest_pb2_grpc.add_MessageServiceServicer_to_server(message, server)
        rest_pb2_grpc.add_QueryServiceServicer_to_server(message, server)
        port = server.add_insecure_port(f"127.0.0.1:{port}")
        await soon(server.start())
        self.addCleanup(lambda: soon(server.stop(0)))
        return port

    def kept_port(self) -> int:
        """
        Return a port that servers can leave and take again.
        """
        kept = KeptPort()
        self.addCleanup(kept.close)
        return kept.number

    def connect(self, port: int) -> Upstream:
        from twisted.internet import reactor

        self.edge = RecordingEdge()
        self.edge.there = [1]
        self.upstream = Upstream(
            ConnectSettings(discovery=f"static:127.0.0.1:{port}"),
            reactor,
            self.edge,
            node="connect-1",
            incarnation="c1",
            give_up=self.fail,
            endpoints=grpc_endpoints(open_unproven),
        )
        self.upstream.startService()
        self.addCleanup(self.upstream.stopService)
        return self.upstream

    async def until(self, condition: Callable[[], object]) -> None:
        async def wait() -> None:
            while not condition():
                await asyncio.sleep(0.005)

        await soon(wait())

    def send(self, name: str) -> Deferred[SendAnswer]:
        answered: Deferred[SendAnswer] = Deferred()
        new = NewSend(1, name, "u:1:2", f"text of {name}", 1)
        self.upstream.send(new, answered.callback)
        return answered

    async def test_there_and_back(self) -> None:
        """
        A send is answered and pushed, a login is acknowledged, and a read is answered.
        """
        upstream = self.connect(await self.serve(SmallMessage("m1")))
        answer = await self.send("one")
        self.assertEqual(answer.time_ms, 7)
        self.assertTrue(await upstream.user_joined(5))
        page = await upstream.reads.page(1, "u:1:2", 0, 10)
        self.assertEqual((page.messages, page.head, page.more), ([], 3, False))
        self.assertEqual([t[0] for t in self.edge.calls], ["resync", "push"])

    async def test_connect_first(self) -> None:
        """
        Sends made before Message is up are accepted once it is.
        """
        port = self.kept_port()
        upstream = self.connect(port)
        answers = [self.send("one"), self.send("two")]
        errors: set[str] = set()

        def failed() -> bool:
            errors.update(d.snapshot().last_error for d in upstream.dependencies())
            return bool(errors - {""})

        await self.until(failed)
        self.assertEqual(errors - {""}, {"connection refused"})
        message = SmallMessage("m1")
        await self.serve(message, port)
        for answer in answers:
            self.assertEqual((await answer).time_ms, 7)
        self.assertEqual(message.came, ["one", "two"])

    async def test_restart(self) -> None:
        """
        A Message that restarts gets the unanswered sends first, in order, and all
        sessions resync.
        """
        old, new = SmallMessage("m1"), SmallMessage("m2")
        old.holds = True
        port = await self.serve(old, self.kept_port())
        self.connect(port)
        answers = [self.send("one"), self.send("two")]
        await self.until(lambda: len(old.came) == 2)
        await soon(self.server.stop(0))
        await self.until(lambda: not self.upstream.up)
        answers.append(self.send("three"))
        self.edge.calls.clear()
        await self.serve(new, port)
        for answer in answers:
            await answer
        self.assertEqual(new.came, ["one", "two", "three"])
        self.assertEqual(new.hellos[0].resume_incarnation, "m1")
        self.assertIn(("resync", "Message restarted", 0.0), self.edge.calls)

    async def test_resume(self) -> None:
        """
        A lost stream to a Message that is alive is resumed after the last batch.
        """
        message = SmallMessage("m1")
        self.connect(await self.serve(message))
        await self.send("one")
        message.holds = True
        answer = self.send("two")
        await self.until(lambda: len(message.came) == 2)
        message.holds = False
        self.upstream._choice.up[0].drop("for the test")
        self.assertEqual((await answer).time_ms, 7)
        self.assertEqual(message.hellos[1].resume_incarnation, "m1")
        self.assertEqual(message.hellos[1].resume_from, 1)
        self.assertEqual(message.came, ["one", "two", "two"])

    async def test_half_open(self) -> None:
        """
        Connect notices within 5 s that the network drops all packets to a Message.
        """
        port = await self.serve(SmallMessage("m1"))
        proxy = await soon(Proxy.open(port))
        self.addCleanup(lambda: soon(proxy.close()))
        upstream = self.connect(proxy.port)
        await self.send("one")
        proxy.swallow()
        span = Span()
        await self.until(lambda: not upstream.up)
        span.check(5.0)
        self.assertIn("silent", upstream.dependencies()[0].snapshot().last_error)
