"""
Tokens that are revoked, with real daemons.
"""

from __future__ import annotations

import time
from typing import Any, ClassVar

import websockets

from tests.conformance.websocket import Refused
from tests.integration.cases import with_daemons
from tests.integration.device import Device
from tests.integration.installation import DaemonProcess, free_ports, http_delete
from tests.integration.legacy.cases import LegacyTestCase
from wsmsg.errors import Close
from wsmsg.protocol import client_pb2 as pb


class RevocationTests(LegacyTestCase):
    """
    C{DELETE /api/v1/users/{user}/tokens}.
    """

    connect: ClassVar[dict[str, Any]] = LegacyTestCase.connect

    async def delete(self, path: str) -> Any:
        """
        Send a DELETE to Message's HTTP API.
        """
        port = self.installation.message.port("listen")
        status, document = await http_delete(port, f"/api/v1/users/{path}")
        self.assertEqual(status, 200, document)
        return document

    def token(self, user: int, ago_s: float) -> str:
        return self.installation.token(user, iat=time.time() - ago_s)

    async def assert_refused(self, user: int, token: str) -> None:
        """
        Check that the token is refused in a handshake, in hello, and from a legacy
        client.
        """
        with self.assertRaises(websockets.InvalidStatus) as caught:
            await self.dial(user, token=token)
        self.assertEqual(caught.exception.response.status_code, 401)
        device = await Device.dial(self.installation.url, None)
        self.at_end(device.close)
        await device.send_frame(hello=pb.Hello(token=token, device="x"))
        self.assertEqual(await device.closed(), Close.UNAUTHENTICATED)
        with self.assertRaises(Refused):
            await self.stranger(user, token=token).login()

    @with_daemons
    async def test_revoked_tokens_end_and_stay_out(self) -> None:
        """
        Within a second, the sessions of older tokens end with 4501; older tokens are
        refused everywhere, also after a kill of everything.  Later tokens are taken.
        """
        user, other = self.user(), await self.device(self.user())
        old, bare = self.token(user, 10), self.installation.token(user)
        sessions = [
            await self.device(user, str(n), token=token)
            for n, token in enumerate((old, bare))
        ]
        legacy = await self.client(user, token=old)
        begun = time.monotonic()
        answer = await self.delete(f"{user}/tokens?before={int(time.time()) - 5}")
        self.assertEqual(answer["connects"], 1)
        for session in sessions:
            self.assertEqual(await session.closed(), Close.UNAUTHENTICATED)
        await legacy.ends.until(lambda: bool(legacy.ends.items), "the end")
        self.assertLess(time.monotonic() - begun, 1)
        new = self.token(user, 0)
        for token in (old, bare):
            await self.assert_refused(user, token)
        await self.device(user, token=new)
        self.assertFalse(other.over)
        for daemon in self.installation.daemons:
            await daemon.kill()
            await daemon.start()
        for daemon in self.installation.daemons:
            await daemon.ready()
        await self.assert_refused(user, old)
        await self.device(user, token=new)

    @with_daemons
    async def test_ended_and_revoked_at_once(self) -> None:
        """
        The end of a session can revoke the token, which then does not log in again.
        """
        user = self.user()
        token = self.token(user, 1)
        device = await self.device(user, token=token)
        await self.delete(f"{user}/sessions?revoke=true&reason=bye")
        self.assertEqual(await device.closed(), Close.KICKED)
        await self.assert_refused(user, token)

    @with_daemons
    async def test_missed_while_away(self) -> None:
        """
        A Connect that was away when tokens were revoked knows it when its stream is
        back, and a session that began meanwhile ends.
        """
        user = self.user()
        token = self.token(user, 10)
        [port] = free_ports(1)
        ports = {f"connect-2.{k}": p for k, p in self.two(port).items()}
        upstream = self.installation.ports["upstream"]
        second = DaemonProcess(
            "connect-2", self.installation.folder, {**ports, "upstream": upstream}
        )
        await second.start()
        self.at_end(second.kill)
        await second.ready()
        url = f"ws://127.0.0.1:{second.port('listen')}/api/v1/connect/ws"
        device = await self.dial(user, token=token, url=url)
        await device.greet()
        await self.installation.message.kill()
        late = await self.dial(user, token=token, url=url)
        await late.greet("tablet")
        await self.installation.message.start()
        await self.installation.message.ready()
        await self.delete(f"{user}/tokens")
        for session in (device, late):
            self.assertEqual(await session.closed(), Close.UNAUTHENTICATED)
        with self.assertRaises(websockets.InvalidStatus):
            await self.dial(user, token=token, url=url)

    def two(self, port: int) -> dict[str, int]:
        """
        Return the ports of a second Connect.
        """
        rpc, admin = free_ports(2)
        return {"listen": port, "rpc_listen": rpc, "admin_listen": admin}

    @with_daemons
    async def test_bad_times(self) -> None:
        """
        A time that is none, or in the future, is refused and changes nothing.
        """
        user = self.user()
        device = await self.device(user)
        port = self.installation.message.port("listen")
        for before in ("soon", "-5", "1.5", int(time.time()) + 3600, 10**17):
            path = f"/api/v1/users/{user}/tokens?before={before}"
            status, document = await http_delete(port, path)
            self.assertEqual((status, document["code"]), (400, "bad_request"))
        status, _ = await http_delete(port, f"/api/v1/users/{user}/sessions?revoke=1")
        self.assertEqual(status, 400)
        await device.pong()
