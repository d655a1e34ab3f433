"""
Tokens that are revoked, with two Messages on one store and two Connects.
"""

from __future__ import annotations

import asyncio
import time

import websockets
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from tests.integration.device import Device
from tests.integration.installation import http_delete
from tests.stack.cluster import Cluster
from tests.stack.servers import needs
from wsmsg.errors import Close

_USER = 710_001


@needs("kafka", "mongo", "redis")
class RevocationTests(TestCase):
    """
    Revocations through one of two Messages.
    """

    timeout = 240

    def setUp(self) -> None:
        self.cluster = Cluster()

    def test_reaches_every_connect(self) -> Deferred[None]:
        """
        Sessions with older tokens end at both Connects within a second.  A Connect that
        begins anew while that Message is away learns it from the other Message, also
        when that one had to read it from the store.
        """

        async def check() -> None:
            try:
                await self.cluster.start()
                await self.revoke()
                await self.without_the_first()
            finally:
                await self.cluster.stop()

        return Deferred.fromFuture(asyncio.ensure_future(check()))

    async def dial(self, connect: int, token: str) -> Device:
        """
        Return a device of the user, which has not sent hello.
        """
        return await Device.dial(self.cluster.urls[connect], token, _USER)

    async def revoke(self) -> None:
        """
        Revoke the user's tokens, of which both Connects have a session.
        """
        self.token = self.cluster.token(_USER, iat=int(time.time()) - 5)
        devices = [await self.dial(n, self.token) for n in (0, 1)]
        for n, device in enumerate(devices):
            await device.greet(f"device {n}")
        port = self.cluster.messages[0].port("listen")
        begun = time.monotonic()
        status, _ = await http_delete(port, f"/api/v1/users/{_USER}/tokens")
        self.assertEqual(status, 200)
        for device in devices:
            self.assertEqual(await device.closed(), Close.UNAUTHENTICATED)
        self.assertLess(time.monotonic() - begun, 1)
        await self.assert_refused()

    async def without_the_first(self) -> None:
        """
        Begin the second Message and both Connects anew, without the first Message.
        """
        first, second = self.cluster.messages
        await first.kill()
        for daemon in (second, *self.cluster.connects):
            await daemon.kill()
            await daemon.start()
        for daemon in (second, *self.cluster.connects):
            await daemon.ready()
        await self.assert_refused()

    async def assert_refused(self) -> None:
        """
        The token is refused at both Connects.
        """
        for n in (0, 1):
            with self.assertRaises(websockets.InvalidStatus) as caught:
                await self.dial(n, self.token)
            self.assertEqual(caught.exception.response.status_code, 401)
