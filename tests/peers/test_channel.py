"""
A channel says nothing to a peer that has not proven itself, and believes no answer
without a proof.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
from pydantic import SecretStr
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from wsmsg.dependency.alarms import Alarms
from wsmsg.peers.channel import NotProven, PeerChannel, ProvenDialling
from wsmsg.peers.guard import PeerGuard
from wsmsg.peers.identity import PeerIdentity
from wsmsg.peers.refusals import Refusals
from wsmsg.peers.secrets import PROOF, new_nonce
from wsmsg.rpc import peer_pb2
from wsmsg.settings.upstream import PeerSettings

STREAM, ASK = "/t.T/Stream", "/t.T/Ask"
OLD, NEW = "o" * 32, "n" * 32


def run(coroutine: Any) -> Deferred[Any]:
    return Deferred.fromFuture(asyncio.ensure_future(coroutine))


def identity(*secrets: str) -> PeerIdentity:
    given = PeerSettings(secrets=tuple(SecretStr(s) for s in secrets))
    return PeerIdentity(given, Path("/nonexistent"))


class Server:
    """
    A server that answers everything, behind a guard or not.

    @ivar said: what it was told.
    @ivar proves: what answers C{Prove} if there is no guard.
    """

    def __init__(self, guard: PeerGuard | None = None) -> None:
        self.said: list[bytes] = []
        self.guard = guard
        self.proves: Any = None
        self.port = 0

    async def start(self) -> None:
        guards = () if self.guard is None else (self.guard,)
        self.server = grpc.aio.server(interceptors=guards)
        if self.guard is not None:
            self.guard.add_to(self.server)
        methods = {
            "Stream": grpc.stream_stream_rpc_method_handler(self._stream),
            "Ask": grpc.unary_unary_rpc_method_handler(self._ask),
        }
        handlers = [grpc.method_handlers_generic_handler("t.T", methods)]
        if self.proves is not None:
            prove = {"Prove": grpc.unary_unary_rpc_method_handler(self._prove)}
            handlers.append(
                grpc.method_handlers_generic_handler("rest.PeerService", prove)
            )
        self.server.add_generic_rpc_handlers(tuple(handlers))
        self.port = self.server.add_insecure_port(f"127.0.0.1:{self.port}")
        await self.server.start()

    async def _stream(self, _: Any, context: Any) -> None:
        while (frame := await context.read()) is not grpc.aio.EOF:
            self.said.append(frame)
            await context.write(b"heard " + frame)

    async def _ask(self, request: bytes, context: Any) -> bytes:
        self.said.append(request)
        return b"answered"

    async def _prove(self, request: bytes, context: Any) -> bytes:
        answer: bytes = self.proves(peer_pb2.ProveRequest.FromString(request))
        return answer


class ChannelTests(TestCase):
    """
    L{ProvenDialling} and L{PeerGuard}, over loopback.
    """

    timeout = 30

    def setUp(self) -> None:
        self.now_s = 1000.0
        self.alarms = Alarms(lambda: self.now_s)
        self.refusals = Refusals(self.alarms, lambda: self.now_s)

    def guard(self, *secrets: str) -> PeerGuard:
        return PeerGuard(
            identity(*secrets), self.refusals, lambda: self.now_s, callers=tuple
        )

    @asynccontextmanager
    async def dialled(
        self, server: Server, *secrets: str
    ) -> AsyncIterator[PeerChannel]:
        await server.start()
        self.dialling = ProvenDialling(identity(*secrets))
        try:
            channel = await self.dialling.open(f"127.0.0.1:{server.port}", (), 5.0)
            try:
                yield channel
            finally:
                await channel.close()
        finally:
            await server.server.stop(0)

    async def refusal(self, server: Server, *secrets: str) -> str:
        with self.assertRaises(NotProven) as raised:
            async with self.dialled(server, *secrets):
                self.fail("the peer was believed")
        self.assertEqual(server.said, [])
        return str(raised.exception)

    async def converse(self, channel: PeerChannel) -> None:
        call = channel.stream(STREAM)
        await channel.begun(call)
        await call.write(b"one")
        self.assertEqual(await call.read(), b"heard one")
        self.assertEqual(await channel.ask(ASK, b"q", bytes, 5.0), b"answered")
        await call.done_writing()
        self.assertIs(await call.read(), grpc.aio.EOF)

    def test_both_know(self) -> Deferred[Any]:
        """
        Two peers with a secret in common talk, by streams and by calls, whichever of
        them has a further secret.
        """

        async def talk() -> None:
            for here, there in (
                ((NEW,), (NEW,)),
                ((NEW, OLD), (OLD,)),
                ((OLD,), (NEW, OLD)),
            ):
                async with self.dialled(Server(self.guard(*there)), *here) as channel:
                    await self.converse(channel)
            self.assertEqual(self.refusals.counts, {})

        return run(talk())

    def test_other_secrets(self) -> Deferred[Any]:
        """
        Two peers without a secret in common say so on both sides, and nothing else.
        """

        async def talk() -> None:
            why = await self.refusal(Server(self.guard(OLD)), NEW)
            self.assertIn("knows none of our secrets", why)
            self.assertEqual(self.dialling.failures, {"secret": 1})
            self.assertEqual(self.refusals.counts, {"secret": 1})
            [alarm] = self.alarms.current
            self.assertEqual(alarm.name, "peer_refused")
            self.assertIn("127.0.0.1 calls: it has another secret", alarm.reason)
            self.now_s += 61
            self.refusals.look()
            self.assertEqual(self.alarms.current, ())

        return run(talk())

    def test_no_proof(self) -> Deferred[Any]:
        """
        A server that does not know what a proof is, is told nothing.
        """

        async def talk() -> None:
            why = await self.refusal(Server(), NEW)
            self.assertIn("offers no proof", why)
            self.assertEqual(self.dialling.failures, {"unproven": 1})

        return run(talk())

    def test_impostor(self) -> Deferred[Any]:
        """
        A server that makes up a proof, sends the question back, or repeats the answer
        that another dialler got, is told nothing and learns no secret.
        """
        kept: list[bytes] = []

        def made_up(request: peer_pb2.ProveRequest) -> bytes:
            answer = peer_pb2.ProveResponse(
                nonce=new_nonce(), key=request.keys[0], proof=new_nonce()
            )
            self.assertNotIn(NEW.encode(), request.SerializeToString())
            return answer.SerializeToString()

        def echoed(request: peer_pb2.ProveRequest) -> bytes:
            answer = peer_pb2.ProveResponse(
                nonce=request.nonce, key=request.keys[0], proof=request.nonce
            )
            return answer.SerializeToString()

        def repeated(_: peer_pb2.ProveRequest) -> bytes:
            return kept[0]

        async def talk() -> None:
            async with self.dialled(Server(self.guard(NEW)), NEW) as channel:
                request = peer_pb2.ProveRequest(
                    nonce=new_nonce(), keys=identity(NEW).secrets().ids
                )
                ask = channel.raw.unary_unary("/rest.PeerService/Prove")
                kept.append(await ask(request.SerializeToString()))
            for prove in (made_up, echoed, repeated, lambda _: b""):
                server = Server()
                server.proves = prove
                why = await self.refusal(server, NEW)
                self.assertIn("cannot prove that it knows our secret", why)
                self.assertEqual(self.dialling.failures, {"proof": 1})

        return run(talk())

    def test_replayed(self) -> Deferred[Any]:
        """
        The proof of one connection opens nothing on another connection.
        """

        async def talk() -> None:
            server = Server(self.guard(NEW))
            async with self.dialled(server, NEW) as channel:
                await self.converse(channel)
                said = list(server.said)
                # Otherwise both channels would use one connection.
                thief = grpc.aio.insecure_channel(
                    f"127.0.0.1:{server.port}",
                    options=[("grpc.use_local_subchannel_pool", 1)],
                )
                metadata = channel.metadata
                with self.assertRaises(grpc.aio.AioRpcError) as raised:
                    await thief.unary_unary(ASK)(b"stolen", metadata=metadata)
                self.assertEqual(raised.exception.code().name, "UNAUTHENTICATED")
                call = thief.stream_stream(STREAM)(metadata=metadata)
                self.assertEqual((await call.code()).name, "UNAUTHENTICATED")
                await thief.close()
                self.assertEqual(server.said, said)
            self.assertEqual(self.refusals.counts, {"proof": 2})

        return run(talk())

    def test_somebody_else_answers(self) -> Deferred[Any]:
        """
        A channel that connects again by itself, to somebody else at the address,
        believes no answer, and writes nothing on a stream.
        """

        async def talk() -> None:
            server = Server(self.guard(NEW))
            async with self.dialled(server, NEW) as channel:
                await self.converse(channel)
                await server.server.stop(0)
                impostor = Server()
                impostor.port = server.port
                await impostor.start()
                with self.assertRaises(NotProven):
                    await channel.ask(ASK, b"q", bytes, 5.0)
                call = channel.stream(STREAM)
                begun = asyncio.ensure_future(channel.begun(call))
                await asyncio.wait({begun}, timeout=0.2)
                # It has either sent nothing, so nothing is written; or no proof.
                if begun.done():
                    self.assertIsInstance(begun.exception(), NotProven)
                begun.cancel()
                call.cancel()
                self.assertEqual(impostor.said, [b"q"])
                await impostor.server.stop(0)

        return run(talk())

    def test_strangers(self) -> Deferred[Any]:
        """
        A caller without a proof is refused before its request is read, is counted, and
        cannot fill the log.
        """

        async def talk() -> None:
            server = Server(self.guard(NEW))
            await server.start()
            channel = grpc.aio.insecure_channel(f"127.0.0.1:{server.port}")
            for proof in ((), ((PROOF, b"x" * 72),)):
                for _ in range(50):
                    with self.assertRaises(grpc.aio.AioRpcError) as raised:
                        await channel.unary_unary(ASK)(b"let me in", metadata=proof)
                    self.assertEqual(raised.exception.code().name, "UNAUTHENTICATED")
            self.assertEqual(server.said, [])
            self.assertEqual(self.refusals.counts, {"unproven": 50, "proof": 50})
            self.assertEqual(self.alarms.current, ())
            await channel.close()
            await server.server.stop(0)

        return run(talk())
