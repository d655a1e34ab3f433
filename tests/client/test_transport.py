"""
Tests for L{wsmsg.client.transport}, with a real server on loopback.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http import HTTPStatus

from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from tests.asyncio_case import AsyncioCase
from wsmsg.client.state.reconnect import Again, Ended, Reconnect
from wsmsg.client.transport.interface import ClientTransport, CodecName, Lost
from wsmsg.client.transport.refusal import refusal_of
from wsmsg.client.transport.websocket import websocket_dial
from wsmsg.errors import ERRORS, BadRequest, TooLarge
from wsmsg.http.errors import raw_error
from wsmsg.protocol import frames
from wsmsg.protocol import json as codec_json
from wsmsg.protocol import protobuf as codec_protobuf


async def _silent(connection: ServerConnection) -> None:
    await connection.wait_closed()


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
        headers: Mapping[str, str] | None = None,
    ) -> str:
        self.requests: list[Request] = []

        def look(connection: ServerConnection, request: Request) -> Response | None:
            self.requests.append(request)
            if refuse is None:
                return None
            response = connection.respond(refuse, body)
            for name, value in (headers or {}).items():
                if name in response.headers:
                    del response.headers[name]
                response.headers[name] = value
            return response

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

    async def _only_good(self, name: CodecName) -> None:
        codec = CODECS[name]

        async def serving(connection: ServerConnection) -> None:
            data = await connection.recv(decode=False)
            assert isinstance(data, bytes)
            read = codec.decode(data)
            assert isinstance(read, frames.Ping)
            answer = codec.encode(frames.Pong(read.nonce))
            await connection.send(answer, text=not codec.binary)

        link = await self.dial(await self.serve(serving, codec=name), name)
        good = frames.Ping("good")
        long = frames.Send("long", to=2, content="x" * 1000)
        half = frames.Send("half", to=2, content="\ud83d")
        refused = await link.send([long, half, good], 500)
        self.assertEqual(
            [(frame, type(error)) for frame, error in refused],
            [(long, TooLarge), (half, BadRequest)],
        )
        self.assertEqual(await link.receive(), frames.Pong("good"))

    async def test_frames_that_cannot_be_sent(self) -> None:
        """
        Number 30: a frame that is too long or that the codec refuses is returned, and
        the others are written.
        """
        await self._only_good("json")
        await self._only_good("protobuf")

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

    async def how_refused(
        self,
        status: HTTPStatus,
        body: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> Ended:
        url = await self.serve(_silent, refuse=status, body=body, headers=headers)
        with self.assertRaises(Lost) as caught:
            await self.dial(url)
        return caught.exception.how

    async def test_own_answer(self) -> None:
        """
        Number 31: an answer is the server's own if it is a problem document that has
        its status and a known code.
        """
        forbidden = HTTPStatus.FORBIDDEN
        for body, code in (
            ('{"status": 403, "code": "forbidden", "detail": "no"}', "forbidden"),
            ('{"status": 403, "code": "FORBIDDEN", "detail": "no"}', ""),
            ('{"status": 401, "code": "unauthenticated", "detail": "no"}', ""),
            ('{"code": "forbidden", "detail": "no"}', ""),
            ('{"status": 403, "code": "forbidden"}', ""),
            ('[{"status": 403, "code": "forbidden", "detail": "no"}]', ""),
            ("<html>Please log in</html>", ""),
        ):
            how = await self.how_refused(forbidden, body)
            self.assertEqual((how.http_status, how.code), (403, code), body)

    async def test_server_answers(self) -> None:
        """
        Number 31: the client recognizes the answers that Connect writes.
        """
        for error in ERRORS.values():
            raw = raw_error(error("no", 1500))
            head, _, body = raw.partition(b"\r\n\r\n")
            status = HTTPStatus(int(head.split()[1]))
            how = await self.how_refused(status, body.decode())
            self.assertEqual(how.code, error.code)

    async def test_redirect(self) -> None:
        """
        Number 31: a redirect to a web page, as of a captive portal, is an answer of
        somebody else.
        """
        for where in ("http://127.0.0.1:1/login", "https://portal.invalid/", "::", ""):
            how = await self.how_refused(HTTPStatus.FOUND, "", {"Location": where})
            decision = Reconnect("ws://127.0.0.1:1/").ended(how, 0.0)
            self.assertIsInstance(decision, Again, where)

    async def test_retry_after(self) -> None:
        """
        Number 31: Retry-After is read as seconds and as a date, by the clock of who
        answers; one that is neither is ignored.
        """
        now = "Fri, 31 Dec 1999 23:59:00 GMT"
        for said, seconds in (
            ("7", 7.0),
            ("0", 0.0),
            ("9" * 5000, 999999999999999999.0),
            ("Fri, 31 Dec 1999 23:59:59 GMT", 59.0),
            ("Friday, 31-Dec-99 23:59:59 GMT", 59.0),
            ("Fri Dec 31 23:59:59 1999", 59.0),
            ("Fri, 31 Dec 1999 23:00:00 GMT", 0.0),
            ("-5", 0.0),
            ("1.5", 0.0),
            ("\u00b2", 0.0),
            ("soon", 0.0),
            ("Fri, 99 Dec 1999 23:59:59 GMT", 0.0),
        ):
            refusal = refusal_of(503, b"", retry_after=said, date=now)
            self.assertEqual(refusal.retry_after_s, seconds, said)
        headers = {"Retry-After": "Fri, 31 Dec 1999 23:59:30 GMT", "Date": now}
        how = await self.how_refused(HTTPStatus.SERVICE_UNAVAILABLE, "", headers)
        self.assertEqual(how.retry_after_s, 30.0)
        later = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
        refusal = refusal_of(503, b"", retry_after=later, date="")
        self.assertTrue(60 < refusal.retry_after_s <= 90, refusal)

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
        The client leaves a WebSocket with another protocol at once, and tries again, as
        it is not the server's.
        """

        async def serving(connection: ServerConnection) -> None:
            await connection.wait_closed()

        url = await self.serve(serving, codec="json")
        with self.assertRaises(Lost) as caught:
            await self.dial(url, "protobuf")
        decision = Reconnect(url).ended(caught.exception.how, 0.0)
        self.assertIsInstance(decision, Again)
