"""
Tests of Connect's upstream with a scripted legacy Message, over real gRPC on loopback.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from tests.conformance.contract import MessageStreamResponse, WSMessage
from tests.conformance.peer_message import ScriptedMessage
from tests.connect.upstream.recording_edge import RecordingEdge
from tests.connect.upstream.test_grpc import SmallMessage, soon
from wsmsg.connect.legacy.upstream.plugin import LegacyUpstream
from wsmsg.connect.upstream.endpoint import grpc_endpoints
from wsmsg.connect.upstream.interface import NewSend, SendAnswer
from wsmsg.connect.upstream.upstream import Upstream
from wsmsg.model import Mark
from wsmsg.peers.channel import open_unproven
from wsmsg.rpc import rest_pb2_grpc
from wsmsg.settings.upstream import UpstreamSettings
from wsmsg.settings.values import ConnectSettings, RetrySettings
from wsmsg.stream.options import server_options

PATIENCE_S = 20.0


def said(sender: int, to: int, content: str, **more: Any) -> Any:
    return WSMessage(**{"from": sender}, to=to, content=content, message_type=1, **more)


class LegacyGrpcTests(TestCase):
    """
    Streams to a Message that speaks in single events.
    """

    timeout = 300

    def setUp(self) -> None:
        self.edge = RecordingEdge()
        self.edge.there = [1001, 1002]

    async def peer(self) -> ScriptedMessage:
        peer = ScriptedMessage()
        await soon(peer.start())
        self.addCleanup(lambda: soon(peer.kill()))
        return peer

    def connect(self, *ports: int, **upstream: Any) -> Upstream:
        from twisted.internet import reactor

        addresses = ",".join(f"127.0.0.1:{port}" for port in ports)
        upstream.setdefault("peer", "auto")
        upstream.setdefault("quiet_s", 0.05)
        upstream.setdefault("stalled_s", 1.0)
        self.upstream = Upstream(
            ConnectSettings(
                discovery=f"static:{addresses}",
                upstream=UpstreamSettings(**upstream),
                retry=RetrySettings(first_s=0.05, cap_s=0.1),
                send_timeout_s=10,
                stop_s=1,
            ),
            reactor,
            self.edge,
            node="connect-1",
            incarnation="c1",
            give_up=self.fail,
            endpoints=grpc_endpoints(open_unproven),
            unnumbered_mode=LegacyUpstream,
        )
        self.upstream.startService()
        self.addCleanup(self.upstream.stopService)
        return self.upstream

    async def until(self, condition: Callable[[], object]) -> None:
        async def wait() -> None:
            async with asyncio.timeout(PATIENCE_S):
                while not condition():
                    await asyncio.sleep(0.005)

        await soon(wait())

    async def soon(self, awaitable: Awaitable[Any]) -> Any:
        return await soon(asyncio.wait_for(awaitable, PATIENCE_S))

    def send(self, name: str, to: int = 1002, content: str = "") -> Deferred[Any]:
        answered: Deferred[SendAnswer] = Deferred()
        text = content or f"text of {name}"
        new = NewSend(1001, name, f"u:1001:{to}", text, 1)
        self.upstream.send(new, answered.callback)
        return answered

    def pushes(self) -> list[str]:
        return [told[1].content for told in self.edge.calls if told[0] == "push"]

    async def test_recording(self) -> None:
        """
        The events on the stream are those of the recording: subscribe, the message,
        its push, the push result, the acknowledgement, its confirmation.
        """
        peer = await self.peer()
        upstream = self.connect(peer.rpc_port, peer="legacy")
        self.assertTrue(upstream.unnumbered)
        answer = await self.send("one")
        self.assertGreater(answer.time_ms, 0)
        message = (await self.soon(peer.expect("send_message"))).msg
        self.assertEqual((message.to, message.content), (1002, "text of one"))
        self.assertEqual((message.message_type, message.message_id), (1, 0))
        self.assertLessEqual(abs(message.timestamp - answer.time_ms / 1000), 10)
        result = await self.soon(peer.expect("push_result"))
        self.assertEqual((result.success, result.target_user_id), (True, 1002))
        ((_, pushed, targets),) = [t for t in self.edge.calls if t[0] == "push"]
        self.assertEqual((pushed.seq, pushed.sender, targets), (0, 1001, (1002,)))
        self.assertEqual(pushed.conversation, "u:1001:1002")
        mark = Mark(1002, pushed.message_id)
        self.assertEqual(await upstream.reads.mark(1002, [mark]), [True])
        ack = await self.soon(peer.expect("ack"))
        self.assertEqual((ack.user_id, ack.message_id), (1002, pushed.message_id))
        await self.until(lambda: upstream.stats()["acks_confirmed"] == 1)
        self.assertEqual(peer.strange, [])
        self.assertEqual(peer.received[0].kind, "subscribe")
        self.assertEqual(peer.received[0].event.connect_service_id, "connect-1")

    async def test_recognised(self) -> None:
        """
        A Message without a welcome is recognised as a legacy one, once; log, status
        and readiness say so.
        """
        peer = await self.peer()
        upstream = self.connect(peer.rpc_port)
        self.assertFalse(upstream.unnumbered)
        await self.until(lambda: upstream.up)
        self.assertTrue(upstream.unnumbered)
        self.assertEqual(len(peer.streams), 1)
        (dependency,) = upstream.dependencies()
        self.assertEqual(dependency.snapshot().about, "a legacy Message")
        self.assertEqual([t[0] for t in self.edge.calls], ["reconnect_all"])

    async def test_order(self) -> None:
        """
        Many sends of a conversation arrive in order, and each is accepted.
        """
        peer = await self.peer()
        self.connect(peer.rpc_port)
        answers = [self.send(f"n{n}") for n in range(500)]
        for answer in answers:
            self.assertGreater((await answer).time_ms, 0)
        await self.until(lambda: len(peer.all("send_message")) == 500)
        contents = [event.msg.content for event in peer.all("send_message")]
        self.assertEqual(contents, [f"text of n{n}" for n in range(500)])

    async def test_killed(self) -> None:
        """
        A Message that dies and returns is dialled again; sends made meanwhile wait and
        are accepted then.
        """
        peer = await self.peer()
        upstream = self.connect(peer.rpc_port)
        await self.send("before")
        await self.soon(peer.kill())
        await self.until(lambda: not upstream.up)
        waiting = self.send("meanwhile")
        await self.soon(peer.start())
        self.assertGreater((await waiting).time_ms, 0)
        await self.until(lambda: len(peer.all("send_message")) == 2)
        self.assertTrue(upstream.unnumbered)

    async def test_frozen(self) -> None:
        """
        A Message that freezes with open connections is noticed in the time that the
        settings say, and dialled again; no send is accepted meanwhile, and all are
        afterwards.
        """
        peer = await self.peer()
        upstream = self.connect(peer.rpc_port)
        await self.send("before")
        peer.freeze()
        waiting = [self.send(f"n{n}") for n in range(10)]
        await self.until(lambda: not upstream.up)
        (dependency,) = upstream.dependencies()
        self.assertIn("did not answer for", dependency.snapshot().last_error)
        self.assertFalse([answer for answer in waiting if answer.called])
        peer.thaw()
        for answer in waiting:
            self.assertGreater((await answer).time_ms, 0)

    async def test_stops_reading(self) -> None:
        """
        A Message that no longer reads its stream is noticed as soon as nothing can be
        written, and dialled again; what it pushes meanwhile is delivered.
        """
        peer = await self.peer()
        upstream = self.connect(peer.rpc_port)
        await self.send("before")
        peer.stop_reading()
        # gRPC itself takes some megabytes for a server that does not read.
        big = "x" * 64_000
        answers = [self.send(f"n{n}", content=big) for n in range(100)]
        await self.soon(peer.push(said(7, 1002, "all the same", message_id=5)))
        await self.until(lambda: "all the same" in self.pushes())
        await self.until(lambda: len(peer.streams) > 1)
        (dependency,) = upstream.dependencies()
        self.assertIn("took nothing", dependency.snapshot().last_error)
        peer.read_on()
        for answer in answers:
            self.assertGreater((await answer).time_ms, 0)

    async def test_mute(self) -> None:
        """
        A Message that takes events but has stopped pushing is noticed and dialled
        again.
        """
        peer = await self.peer()
        upstream = self.connect(peer.rpc_port, stalled_s=0.5)
        await self.send("before")
        await self.until(self.pushes)
        peer.stop_reading()
        # What was about to be read still is.
        await self.send("the last")
        await self.send("into the void")
        await self.until(lambda: len(peer.streams) > 1)
        (dependency,) = upstream.dependencies()
        self.assertIn("pushed and confirmed nothing", dependency.snapshot().last_error)

    async def test_absent(self) -> None:
        """
        A push to a user who is not on this node gets no push result.
        """
        peer = await self.peer()
        upstream = self.connect(peer.rpc_port)
        await self.until(lambda: upstream.up)
        await self.soon(peer.push(said(7, 9999, "elsewhere", message_id=5)))
        await self.soon(peer.push(said(7, 1002, "here", message_id=6)))
        await self.soon(peer.expect("push_result"))
        results = [event.target_user_id for event in peer.all("push_result")]
        self.assertEqual(results, [1002])

    async def test_early_acknowledgement(self) -> None:
        """
        An acknowledgement that comes before its message is stored is repeated until it
        is confirmed.
        """
        peer = await self.peer()
        upstream = self.connect(peer.rpc_port)
        await self.until(lambda: upstream.up)
        peer.storing.close()
        await self.send("one")
        await self.until(self.pushes)
        message_id = self.edge.calls[-1][1].message_id
        upstream.reads.mark(1002, [Mark(1002, message_id)])
        await self.until(lambda: upstream.stats()["acks_early"])
        peer.storing.open()
        await self.until(lambda: upstream.stats()["acks_confirmed"])
        self.assertGreaterEqual(len(peer.all("ack")), 2)

    async def test_failure(self) -> None:
        """
        A failure of an unaccepted send rejects the send with the reason.
        """
        peer = await self.peer()
        upstream = self.connect(peer.rpc_port, stalled_s=10)
        await self.until(lambda: upstream.up)
        peer.serving.close()
        answer = self.send("one")
        await self.until(lambda: upstream.stats()["frames_written"])
        peer.serving.open()
        original = said(1001, 1002, "text of one")
        event = {
            "original_sender": 1001,
            "failure_reason": "no",
            "original_message": original,
        }
        for stream in peer.streams:
            await self.soon(stream.write(MessageStreamResponse(failure=event)))
        await self.until(lambda: upstream.stats()["failures"])
        got = await answer
        self.assertIn(got.code, ("bad_request", ""))

    async def test_mixed(self) -> None:
        """
        A legacy Message together with one of wsmsg is not used, and readiness says
        why.
        """
        import grpc.aio

        peer = await self.peer()
        server = grpc.aio.server(options=server_options(1.0))
        native = SmallMessage("m1")
        rest_pb2_grpc.add_MessageServiceServicer_to_server(native, server)
        rest_pb2_grpc.add_QueryServiceServicer_to_server(native, server)
        port = server.add_insecure_port("127.0.0.1:0")
        await soon(server.start())
        self.addCleanup(lambda: soon(server.stop(0)))
        upstream = self.connect(peer.rpc_port, port)

        def told() -> bool:
            errors = [d.snapshot().last_error for d in upstream.dependencies()]
            return any("sends no welcome although another" in error for error in errors)

        await self.until(told)
        await self.until(lambda: upstream.stats()["streams_up"] == 1)
        await self.until(lambda: not upstream.unnumbered)
        self.assertEqual((await self.send("one")).time_ms, 7)
