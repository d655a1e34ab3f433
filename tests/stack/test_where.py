"""
The lives of messages on several Messages and Connects.
"""

from __future__ import annotations

import asyncio
import signal
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from tests.integration.cases import eventually
from tests.integration.device import Device
from tests.integration.installation import http_get
from tests.stack.cluster import Cluster
from tests.stack.servers import needs
from wsmsg.protocol import client_pb2 as pb


@needs("kafka", "mongo", "redis")
class WhereTests(TestCase):
    """
    Two Messages and two Connects.
    """

    timeout = 240

    def test_two_messages(self) -> Deferred[None]:
        """
        Each Message knows the whole life of a message, with its place in the journal,
        whichever of them accepted and pushed it; one that does not answer is named.
        """
        cluster = Cluster()

        async def check() -> None:
            try:
                await cluster.start()
                await self.whole(cluster)
            finally:
                await cluster.stop()

        return Deferred.fromFuture(asyncio.ensure_future(check()))

    async def whole(self, cluster: Cluster) -> None:
        devices = []
        for user, url in zip((1001, 1002), cluster.urls, strict=True):
            device = await Device.dial(url, cluster.token(user), user)
            await device.greet("phone")
            devices.append(device)
        sender, recipient = devices
        await sender.send_until_accepted(1002, "c1", "secret text")
        deliver = await recipient.expect("deliver")
        await recipient.send_frame(
            read=pb.Read(conversation=deliver.conversation, seq=deliver.seq)
        )
        ports = [m.port("listen") for m in cluster.messages]
        path = f"/api/v1/messages/{deliver.message_id}/life"
        found: list[Any] = []

        async def known() -> bool:
            found[:] = [(await http_get(port, path))[1] for port in ports]
            return all(
                len(life.get("nodes", ())) == 4
                and life["stages"][-1]["stage"] == "read"
                for life in found
            )

        await eventually("both Messages are asked all others", known)
        one, two = found
        self.assertEqual(one["stages"], two["stages"])
        stages = [s["stage"] for s in one["stages"]]
        self.assertEqual(
            list(dict.fromkeys(stages)),
            [
                *("received", "accepted", "appended", "stored", "pushed"),
                *("written", "answered", "delivered", "read"),
            ],
        )
        (appended,) = [s for s in one["stages"] if s["stage"] == "appended"]
        self.assertGreaterEqual(appended["offset"], 0)
        times = {s["stage"]: s["time"] for s in one["stages"]}
        self.assertNotIn(None, times.values())
        accepted, stored = times["accepted"], times["stored"]
        self.assertTrue(accepted <= times["appended"] <= stored <= times["read"], times)
        self.assertEqual(one["notes"], [])
        self.assertEqual(one["missing"], [])
        self.assertNotIn("secret", str(found))
        await cluster.messages[1].signal(signal.SIGSTOP)
        try:
            _, life = await http_get(ports[0], path)
        finally:
            await cluster.messages[1].signal(signal.SIGCONT)
        missing = [m["reason"] for m in life["missing"]]
        self.assertEqual(missing, ["no answer in 1 s"])
        for device in devices:
            await device.close()
