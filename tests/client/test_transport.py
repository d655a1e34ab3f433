"""
Tests for L{wsmsg.client.transport}, with a real server on loopback.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from http import HTTPStatus

from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from tests.asyncio_case import AsyncioCase
from wsmsg.client.transport import ClientTransport, CodecName, Lost, websocket_dial
from wsmsg.protocol import frames
from wsmsg.protocol import json as codec_json
from wsmsg.protocol import protobuf as codec_protobuf

CODECS = {"protobuf": codec_protobuf.CODEC, "json": codec_json.CODEC}


class TransportTests(AsyncioCase):
    """
    One WebSocket, as frames.
    """

    async def serve(
        self,
        serving: Callable[[ServerConnection], Awaitable[None]],
        *,
        codec: str = "protobuf",
        refuse: HTTPStatus | None = None,
        body: str = "",
    ) -> str:
        self.requests: list[Request] = []

        def look(connection: ServerConnection, request: Request) -> Response | None:
            self.requests.append(request)
            return connection.respond(refuse, body) if refuse else None

        logger = logging.getLogger("tests.websockets")
        logger.propagate = False
        server = await serve(
            serving,
            "127.0.0.1",
            0,
            subprotocols=[Subprotocol(CODECS[codec].subprotocol)],
            process_request=look,
            logger=logger,
        )
        self.addAsyncCleanup(server.wait_closed)
        self.addCleanup(server.close)
        port = next(iter(server.sockets)).getsockname()[1]
        return f"ws://127.0.0.1:{port}/api/v1/connect/ws"

    async def dial(self, url: str, codec: CodecName = "protobuf") -> ClientTransport:
        link = await websocket_dial(codec)(url, "secret")
        self.addCleanup(link.abort)
        return link

    async def _both_ways(self, name: CodecName) -> None:
        codec = CODECS[name]

        async def serving(connection: ServerConnection) -> None:
            data = await connection.recv(decode=False)
            assert isinstance(data, bytes)
            frame = codec.decode(data)
            assert isinstance(frame, frames.Ping)
            answer = codec.encode(frames.Pong(frame.nonce + "!"))
            await connection.send(answer, text=not codec.binary)

        link = await self.dial(await self.serve(serving, codec=name), name)
        await link.send([frames.Ping("ä")])
        self.assertEqual(await link.receive(), frames.Pong("ä!"))
        self.assertEqual(self.requests[0].headers["Authorization"], "Bearer secret")

    async def test_protobuf(self) -> None:
        """
        Frames go both ways as protobuf, and the token in the handshake.
        """
        await self._both_ways("protobuf")

    async def test_json(self) -> None:
        """
        Frames go both ways as JSON, and the token in the handshake.
        """
        await self._both_ways("json")

    async def test_close_code(self) -> None:
        """
        The reader learns the server's close code and reason.
        """

        async def serving(connection: ServerConnection) -> None:
            await connection.close(4503, "a newer login")

        link = await self.dial(await self.serve(serving))
        with self.assertRaises(Lost) as caught:
            await link.receive()
        how = caught.exception.how
        self.assertEqual(how.close_code, 4503)
        self.assertEqual(how.reason, "replaced (4503): a newer login")

    async def test_broken(self) -> None:
        """
        A connection that breaks without a close frame is lost for the reader and the
        writer.
        """

        async def serving(connection: ServerConnection) -> None:
            connection.transport.abort()

        link = await self.dial(await self.serve(serving))
        with self.assertRaises(Lost) as caught:
            await link.receive()
        self.assertEqual(caught.exception.how.close_code, 1006)
        with self.assertRaises(Lost):
            await link.send([frames.Ping()])

    async def test_refused(self) -> None:
        """
        The reason of a refused handshake has the status and the detail of the
        server's problem document, or the text that a proxy answers instead.
        """

        async def serving(connection: ServerConnection) -> None:
            pass

        unauthorized = HTTPStatus.UNAUTHORIZED
        for body, said in (
            ('{"title": "Unauthorized", "detail": "not you"}', ": not you"),
            ("not you\n", ": not you"),
            ('{"detail": 1}', ': {"detail": 1}'),
            ("[" * 9999, ": " + "[" * 200),
            ("", ""),
        ):
            url = await self.serve(serving, refuse=unauthorized, body=body)
            with self.assertRaises(Lost) as caught:
                await self.dial(url)
            how = caught.exception.how
            self.assertEqual(how.http_status, 401)
            self.assertEqual(how.reason, f"{url} answered 401{said}")

    async def test_nobody_there(self) -> None:
        """
        If nothing listens at the address, the reason says so in one line.
        """
        with self.assertRaises(Lost) as caught:
            await self.dial("ws://127.0.0.1:1/")
        how = caught.exception.how
        self.assertEqual(how.reason, "ws://127.0.0.1:1/: connection refused")

    async def test_other_protocol(self) -> None:
        """
        The client leaves a server with another protocol at once.
        """

        async def serving(connection: ServerConnection) -> None:
            await connection.wait_closed()

        url = await self.serve(serving, codec="json")
        with self.assertRaises(Lost):
            await self.dial(url, "protobuf")
