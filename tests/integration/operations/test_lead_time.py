"""
Tests of the time between SIGTERM and the closing of the ports, and of clients that
ignore the end.
"""

from __future__ import annotations

import asyncio
import base64
import signal

from tests.connect.websocket.conformance.echo import TEXT, frame
from tests.integration.cases import IntegrationTestCase, eventually, with_daemons
from tests.integration.installation import DaemonProcess, http_get
from tests.stalls import Span

_LEAD_S = 60
_KEY = base64.b64encode(b"0123456789abcdef").decode()


class LeadTimeTests(IntegrationTestCase):
    """
    Daemons behind a balancer.
    """

    message = {"drain.lead_s": _LEAD_S}
    connect = {"drain.lead_s": _LEAD_S}

    async def stopping(self, daemon: DaemonProcess) -> None:
        """
        Send SIGTERM, and check that the daemon is not ready any more, on any port.
        """
        await daemon.signal(signal.SIGTERM)
        await daemon.ready(False)
        for listener in ("admin_listen", "listen"):
            status, _ = await http_get(daemon.port(listener), "/readyz")
            self.assertEqual(status, 503, listener)
            status, _ = await http_get(daemon.port(listener), "/healthz")
            self.assertEqual(status, 200, listener)

    @with_daemons
    async def test_connect(self) -> None:
        """
        A Connect that is stopped is not ready at once, and serves newcomers until a
        second signal; then it stops in order, with status 0.
        """
        connect = self.installation.connect
        early = await self.device(self.user())
        await self.stopping(connect)
        late = await self.device(self.user())
        self.assertTrue((await late.send(early.user, "c1", "hello")).time)
        self.assertEqual((await early.expect("deliver")).content, "hello")
        self.assertEqual(early.all("goaway") + late.all("goaway"), [])
        span = Span()
        self.assertEqual(await connect.terminate(), 0)
        span.check(5)
        for device in (early, late):
            self.assertEqual(await device.closed(), 1012)
            self.assertEqual(len(device.all("goaway")), 1)

    @with_daemons
    async def test_message(self) -> None:
        """
        A Message that is stopped accepts messages until a second signal; then it stops
        in order, with status 0.
        """
        message = self.installation.message
        one, two = await self.device(self.user()), await self.device(self.user())
        await self.stopping(message)
        self.assertTrue((await one.send(two.user, "c1", "hello")).time)
        self.assertEqual((await two.expect("deliver")).content, "hello")
        await message.signal(signal.SIGINT)
        self.assertEqual(await message.wait(), 0)


class IgnoredCloseTests(IntegrationTestCase):
    """
    Clients that neither go away nor answer a close.
    """

    async def open(self, subprotocol: str) -> None:
        """
        Log in, with a client that reads nothing afterwards.

        @param subprotocol: empty: as a legacy client.
        """
        installation, user = self.installation, self.user()
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", installation.connect.port("listen")
        )

        async def close() -> None:
            writer.close()

        self.at_end(close)
        lines = {
            "Host": "example.com",
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Key": _KEY,
            "Sec-WebSocket-Version": "13",
            "Authorization": f"Bearer {installation.token(user)}",
            "User-ID": str(user),
        }
        if subprotocol:
            lines["Sec-WebSocket-Protocol"] = subprotocol
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        writer.write(f"GET /api/v1/connect/ws HTTP/1.1\r\n{head}\r\n".encode())
        answer = await reader.readuntil(b"\r\n\r\n")
        self.assertTrue(answer.startswith(b"HTTP/1.1 101 "), answer)
        if subprotocol:
            writer.write(frame(TEXT, b'{"type": "hello", "device": "d"}'))
            await reader.readuntil(b"welcome")

    @with_daemons
    async def test_stop(self) -> None:
        """
        They hold the stop for two seconds at most, whichever protocol they
        have.
        """
        connect = self.installation.connect
        for subprotocol in ("wsmsg.v1.json", ""):
            await self.open(subprotocol)

        async def are_in() -> bool:
            _, status = await connect.get("/status")
            return bool(status["connect"]["users"] == 2)

        await eventually("two users", are_in)
        span = Span()
        self.assertEqual(await connect.terminate(), 0)
        span.check(3)
