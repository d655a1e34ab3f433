"""
Streams of Connects that a Message passes on to another one.
"""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
from twisted.internet.defer import Deferred

from tests.integration.installation import free_ports
from tests.message.rpc_case import Request, RpcCase, run
from wsmsg.model import Message
from wsmsg.rpc import rest_pb2, rest_pb2_grpc
from wsmsg.stream.contract import RELAY_STREAM, RELAY_TO

ONLINE = rest_pb2.PresenceDelta(
    number=1, online=[2], snapshot=rest_pb2.PresenceDelta.WHOLE
)


class ForwardTests(RpcCase):
    """
    A Message that passes streams on; here, to itself.
    """

    def relayed(self, channel: grpc.aio.Channel, address: str) -> Any:
        """
        Begin a stream to the Message at an address.
        """
        return channel.stream_stream(
            RELAY_STREAM,
            request_serializer=Request.SerializeToString,
            response_deserializer=rest_pb2.MessageStreamResponse.FromString,
        )(metadata=((RELAY_TO, address),))

    def test_both_ways(self) -> Deferred[Any]:
        """
        Frames pass both ways, and the end of the stream at either end ends it at the
        other.
        """

        async def check() -> None:
            async with self.channel() as channel:
                self.listed.append(self.rpc.address)
                call = self.relayed(channel, self.rpc.address)
                await call.write(self.subscribe())
                self.assertEqual((await call.read()).welcome.incarnation, "life")
                await call.write(Request(batch=rest_pb2.ConnectBatch(presence=ONLINE)))
                self.assertEqual((await call.read()).batch.presence_applied, 1)
                message = Message("u:1:2", 1, "a", 7, "hi", 1, 5, 1)
                self.links.push([message], lambda: None)
                pushed = (await call.read()).batch.pushes[0]
                self.assertEqual(pushed.message.content, "hi")
                self.assertEqual(self.forwarder.open, 1)
                call.cancel()
                while self.forwarder.open or self.streams.open:
                    await asyncio.sleep(0)
                again = self.relayed(channel, self.rpc.address)
                await again.write(self.subscribe())
                self.assertTrue((await again.read()).HasField("welcome"))
                self.streams.hang_up_all("stopping for the test")
                self.assertEqual(await again.code(), grpc.StatusCode.UNAVAILABLE)
                self.assertEqual(await again.details(), "stopping for the test")

        return run(check())

    def test_nobody_there(self) -> Deferred[Any]:
        """
        A stream to a Message that this one does not reach ends, with the reason.
        """

        async def check() -> None:
            async with self.channel() as channel:
                [port] = free_ports(1)
                call = self.relayed(channel, f"127.0.0.1:{port}")
                await call.write(self.subscribe())
                self.assertEqual(await call.code(), grpc.StatusCode.UNAVAILABLE)

        return run(check())

    def test_not_listed(self) -> Deferred[Any]:
        """
        Streams go to no address outside the list of Messages, if there is one.
        """

        async def check() -> None:
            async with self.channel() as channel:
                self.listed.append("10.0.0.1:22004")
                for address in (self.rpc.address, "", "x"):
                    call = self.relayed(channel, address)
                    self.assertEqual(
                        await call.code(), grpc.StatusCode.INVALID_ARGUMENT
                    )
                self.assertEqual(self.forwarder.open, 0)

        return run(check())

    def test_reaches(self) -> Deferred[Any]:
        """
        A Message says which others it reaches.
        """

        async def check() -> None:
            async with self.channel() as channel:
                stub = rest_pb2_grpc.RelayServiceStub(channel)
                [port] = free_ports(1)
                for address, reached in (
                    (self.rpc.address, True),
                    (f"127.0.0.1:{port}", False),
                ):
                    answer = await stub.Reaches(rest_pb2.ReachRequest(address=address))
                    self.assertEqual(answer.reached, reached)

        return run(check())
