"""
Tokens that end, with real daemons.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, ClassVar

from tests.conformance.contract import TEXT, WEBSOCKET_PATH, ws_message
from tests.conformance.websocket import dial
from tests.integration.cases import eventually, metric, with_daemons
from tests.integration.installation import http_delete
from tests.integration.legacy.cases import LegacyTestCase
from wsmsg.client import Client
from wsmsg.errors import Close
from wsmsg.protocol import client_pb2 as pb


class ExpiryTests(LegacyTestCase):
    """
    Sessions end when their tokens do.
    """

    connect: ClassVar[dict[str, Any]] = {
        **LegacyTestCase.connect,
        "token.leeway_s": 0.5,
    }

    def token(self, user: int, lives_s: float) -> str:
        """
        Return a token of the user that lives so long.
        """
        return self.installation.token(user, exp=time.time() + lives_s)

    def assert_near(self, found: float, wanted: float, by: float) -> None:
        """
        Check that two times differ by no more than this.
        """
        self.assertLess(abs(found - wanted), by)

    @with_daemons
    async def test_session_ends_at_exp(self) -> None:
        """
        The welcome says when the token expires; the server reminds the client, and
        closes the session with 4501 at the expiry.
        """
        for json_ in (False, True):
            user = self.user()
            begun = time.time()
            device = await self.dial(user, token=self.token(user, 5), json_=json_)
            welcome = await device.greet()
            self.assert_near(welcome.expires / 1000, begun + 5, 1)
            reminder = await device.expect("expiring")
            self.assertEqual(reminder.expires, welcome.expires)
            self.assertEqual(await device.closed(), Close.UNAUTHENTICATED)
            self.assert_near(time.time(), welcome.expires / 1000 + 1, 1.5)

    @with_daemons
    async def test_refresh_goes_on(self) -> None:
        """
        A session that refreshes its token goes on; a token of another user, a forged
        one and one that has expired change nothing, and each answer says why.
        """
        one, two = self.user(), self.user()
        device = await self.dial(one, token=self.token(one, 5))
        await device.greet()
        for token, reason in (
            (self.token(two, 60), "another user"),
            (self.token(one, -60), "expired"),
            (self.token(one, 60)[:-5] + "AAAAA", "signature"),
        ):
            await device.send_frame(refresh=pb.Refresh(token=token, id=reason))
            error = await device.expect("error", id=reason)
            self.assertEqual(error.code, "unauthenticated")
            self.assertIn(reason, error.reason)
        await device.send_frame(refresh=pb.Refresh(token=self.token(one, 60)))
        refreshed = await device.expect("refreshed")
        self.assert_near(refreshed.expires / 1000, time.time() + 60, 3)
        old = await self.dial(two, token=self.token(two, 5))
        await old.greet()
        self.assertEqual(await old.closed(), Close.UNAUTHENTICATED)
        self.assertTrue((await device.send(two, "c", "still here")).time)

    @with_daemons
    async def test_refresh_flood(self) -> None:
        """
        A flood of refreshes is refused, and others are served meanwhile.
        """
        one, two = await self.device(self.user()), await self.device(self.user())
        token = self.token(one.user, 60)
        for n in range(500):
            await one.send_frame(refresh=pb.Refresh(token=token, id=str(n)))
        self.assertTrue((await two.send(one.user, "c", "hi")).time)
        await one.pong()
        self.assertLessEqual(len(one.all("refreshed")), 8)
        errors = {error.code for error in one.all("error")}
        self.assertEqual(errors, {"rate_limited"})

    @with_daemons
    async def test_python_client_refreshes(self) -> None:
        """
        The Python client refreshes its token by itself, over several expiries on one
        connection.
        """
        user, other = self.user(), self.user()
        given = 0

        def token() -> str:
            nonlocal given
            given += 1
            return self.token(user, 5)

        before = await metric(self.installation.connect, "wsmsg_connect_welcomed_total")
        async with Client(self.installation.url, token) as client:
            await eventually("three tokens", lambda: given >= 4)
            await client.send(other, "on the first connection")
        after = await metric(self.installation.connect, "wsmsg_connect_welcomed_total")
        self.assertEqual(after - before, 1)

    @with_daemons
    async def test_legacy_sessions_end(self) -> None:
        """
        The session of a legacy client ends when its token does.
        """
        user = self.user()
        client = await self.client(user, token=self.token(user, 3))
        await client.ends.until(lambda: bool(client.ends.items), "the end")
        self.assertEqual(client.ends.items, [Close.UNAUTHENTICATED])


class ClosedForAFaultTests(LegacyTestCase):
    """
    Clients that were closed for what they did.
    """

    connect: ClassVar[dict[str, Any]] = {
        **LegacyTestCase.connect,
        "token.leeway_s": 0.5,
    }

    async def speak_on(
        self, lives_s: float, close: Close, end: Callable[[int], Awaitable[object]]
    ) -> None:
        """
        Let a legacy client whose connection was closed ignore that, and send on until
        the connection is gone: nothing of that reaches anybody.

        @param end: has the connection closed.
        """
        user, friend = self.user(), await self.client()
        token = self.installation.token(user, exp=time.time() + lives_s)
        headers = {"Authorization": token, "User-ID": str(user)}
        socket = await dial(self.port, WEBSOCKET_PATH, headers)
        name = f'wsmsg_connect_closes_total{{reason="{close.name}"}}'
        connect = self.installation.connect
        before = await metric(connect, name)
        await socket.send(text(friend.user, "before"))
        await friend.expect("before")
        await end(user)

        async def closed() -> bool:
            return await metric(connect, name) > before

        await eventually("the close", closed)
        begun, sent = time.monotonic(), 0
        with self.assertRaises(OSError):
            while time.monotonic() < begun + 60:
                await socket.send(text(friend.user, "after"))
                sent += 1
                await asyncio.sleep(0.01)  # until the other side ends the connection
        self.assertGreater(sent, 5)
        self.assertLess(time.monotonic() - begun, 8)
        other = await self.client()
        await other.send_text(friend.user, "of another")
        await friend.expect("of another")
        self.assertEqual(friend.texts(), ["before", "of another"])

    @property
    def port(self) -> int:
        return self.installation.connect.port("listen")

    @with_daemons
    async def test_kicked(self) -> None:
        """
        A legacy client whose session was ended by a service is not heard any more.
        """
        port = self.installation.message.port("listen")

        async def kick(user: int) -> None:
            status, _ = await http_delete(port, f"/api/v1/users/{user}/sessions")
            self.assertEqual(status, 200)

        await self.speak_on(600, Close.KICKED, kick)

    @with_daemons
    async def test_expired(self) -> None:
        """
        A legacy client whose token has expired is not heard any more.
        """

        async def wait(user: int) -> None:
            return

        await self.speak_on(5, Close.UNAUTHENTICATED, wait)


def text(to: int, content: str) -> bytes:
    """
    Return an encoded text message.
    """
    said = ws_message(to=to, content=content, message_type=TEXT)
    data: bytes = said.SerializeToString()
    return data
