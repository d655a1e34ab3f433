"""
Presence that is hidden from a blocked user, with two Messages and two Connects.
"""

from __future__ import annotations

import asyncio
import time

from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from tests.integration.device import Device
from tests.stack.cluster import Cluster
from tests.stack.servers import needs
from wsmsg.protocol import client_pb2 as pb

_USER, _WATCHERS = 720_001, range(720_010, 720_014)


@needs("kafka", "mongo", "redis")
class HiddenPresenceTests(TestCase):
    """
    A user blocks others, some of whom have a device at each Connect.
    """

    timeout = 240

    def test_row_14_two_messages(self) -> Deferred[None]:
        """
        All devices of a blocked user are shown somebody who is offline, whichever
        Message has the block and is asked, the first block of all included; and the
        truth again after it.
        """
        cluster = Cluster()

        async def device(user: int, connect: int) -> Device:
            url = cluster.urls[connect]
            device = await Device.dial(url, cluster.token(user), user)
            await device.greet(f"device {connect}")
            return device

        async def check() -> None:
            try:
                await cluster.start()
                user = await device(_USER, 0)
                for watcher in _WATCHERS:
                    both = [await device(watcher, n) for n in (0, 1)]
                    for one in both:
                        await one.send_frame(watch=pb.Watch(users=[_USER]))
                        await one.expect("presence", user=_USER, online=True)
                    await self.block(user, both)
            finally:
                await cluster.stop()

        return Deferred.fromFuture(asyncio.ensure_future(check()))

    async def block(self, user: Device, devices: list[Device]) -> None:
        """
        Block the user of these devices, and end that.
        """
        for on in (True, False):
            for one in devices:
                one.forget_received()
            begun = time.monotonic()
            name = f"{devices[0].user} {on}"
            block = pb.Block(client_id=name, user=devices[0].user, on=on)
            await user.send_frame(block=block)
            await user.expect("accepted", client_id=name)
            for one in devices:
                told = await one.expect("presence", 15, user=_USER)
                self.assertEqual((told.online, told.last_seen), (not on, 0))
            self.assertLess(time.monotonic() - begun, 8)
