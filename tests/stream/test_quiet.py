"""
Tests of streams to peers that send no welcome, over real gRPC on loopback.
"""

from __future__ import annotations

import asyncio
from typing import Any

from twisted.trial.unittest import TestCase

from tests.stream import test_endpoint
from tests.stream.test_endpoint import Recorders, soon, welcome
from wsmsg.peers.channel import open_unproven
from wsmsg.rpc import rest_pb2
from wsmsg.stream.errors import StreamFailed
from wsmsg.stream.probe import serves

_STREAM = "/rest.MessageService/MessageStream"
_QUERY = "/rest.QueryService/Query"


async def silent(context: Any) -> None:
    await context.read()
    while await context.read():
        pass


class QuietTests(TestCase):
    """
    Acceptance of a stream without a welcome.
    """

    timeout = 30
    server: Any
    serve: Any = test_endpoint.StreamEndpointTests.serve
    endpoint: Any = test_endpoint.StreamEndpointTests.endpoint
    fails: Any = test_endpoint.StreamEndpointTests.fails

    def quiet(self, port: int, **options: Any) -> Any:
        return self.endpoint(
            port,
            quiet_s=0.05,
            keepalive_s=0,
            speaks=lambda message: message.HasField("push_event"),
            **options,
        )

    async def opened(self, port: int, **options: Any) -> Any:
        recorders = Recorders()
        stream = await self.quiet(port, **options).connect(recorders)
        self.addCleanup(self.close, stream)
        return stream

    async def close(self, stream: Any) -> None:
        stream.transport.abortConnection("the test is over")
        await stream.lost

    async def test_quiet(self) -> None:
        """
        A peer that keeps the stream open and answers calls has taken the stream; later
        messages are read, and echoes are answered.
        """
        go_on = asyncio.Event()

        async def speaks_late(context: Any) -> None:
            await context.read()
            await go_on.wait()
            event = rest_pb2.MessagePushEvent(target_user_id=7)
            await context.write(rest_pb2.MessageStreamResponse(push_event=event))
            await context.read()

        stream = await self.opened(await self.serve(speaks_late))
        self.assertEqual(stream.received, [])
        await stream.transport.echo(5.0)
        go_on.set()
        await soon(self._heard(stream))
        self.assertEqual(stream.received[0].push_event.target_user_id, 7)

    async def _heard(self, stream: Any) -> None:
        while not stream.received:
            await asyncio.sleep(0.005)

    async def test_welcomes_all_the_same(self) -> None:
        """
        A welcome in time is one, and an event of the legacy protocol opens the stream
        as well.
        """
        event = rest_pb2.MessagePushEvent(target_user_id=7)
        pushed = rest_pb2.MessageStreamResponse(push_event=event)
        for first in (welcome(), pushed):

            async def speaks(context: Any, first: Any = first) -> None:
                await context.read()
                await context.write(first)
                await context.read()

            stream = await self.opened(await self.serve(speaks))
            self.assertEqual(stream.received, [first])

    async def test_refused(self) -> None:
        """
        A peer that ends the stream, or begins with something else, has not taken it.
        """

        async def ends(context: Any) -> None:
            await context.read()

        async def babbles(context: Any) -> None:
            await context.read()
            await context.write(rest_pb2.MessageStreamResponse())
            await context.read()

        reason = await self.fails(self.quiet(await self.serve(ends)))
        self.assertIn("the peer ended it", reason)
        reason = await self.fails(self.quiet(await self.serve(babbles)))
        self.assertIn("not a welcome", reason)

    async def test_frozen(self) -> None:
        """
        A peer that answers nothing is not taken for a quiet one.
        """
        sockets: list[Any] = []

        async def mute(reader: Any, writer: Any) -> None:
            sockets.append(writer)
            await reader.read()

        server = await soon(asyncio.start_server(mute, "127.0.0.1", 0))
        self.addCleanup(server.close)
        port = server.sockets[0].getsockname()[1]
        reason = await self.fails(self.quiet(port, welcome_timeout_s=0.3))
        self.assertIn("no welcome in 0.3 s", reason)
        for writer in sockets:
            writer.close()

    async def test_serves(self) -> None:
        """
        A probe shows whether a method is served, without any effect.
        """
        port = await self.serve(silent)
        self.assertFalse(
            await soon(serves(open_unproven, f"127.0.0.1:{port}", _QUERY, 5.0))
        )
        await soon(self.server.stop(0))
        with self.assertRaises(StreamFailed) as caught:
            await soon(serves(open_unproven, f"127.0.0.1:{port}", _QUERY, 5.0))
        self.assertEqual(str(caught.exception), "connection refused")
