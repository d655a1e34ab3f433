"""
Tests of legacy Connects at two Messages, each of which delivers a part of the
conversations.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from tests.conformance.peer_connect import ScriptedConnect
from tests.integration.cases import IntegrationTestCase, eventually, with_daemons
from tests.integration.installation import DaemonProcess, Installation
from tests.stack.cluster import Cluster
from tests.stack.servers import needs

_CONVERSATIONS = 60


@needs("kafka", "mongo", "redis")
class RelayTests(IntegrationTestCase):
    """
    Two Messages on the shared servers, without a Connect of ours.
    """

    timeout = 180
    alone = True
    installation: Cluster

    def _installed(self) -> Installation:
        return Cluster(messages=2, connects=1, message={"legacy.callers": "127.0.0.1"})

    async def legacy(self, daemon: DaemonProcess) -> ScriptedConnect:
        """
        Return a legacy Connect with a stream to this Message.
        """
        peer = ScriptedConnect(daemon.port("rpc_listen"))
        self.at_end(peer.kill)
        await peer.connect()
        return peer

    async def relaying(self, daemon: DaemonProcess) -> bool:
        """
        Tell whether this Message relays what the other one delivers.
        """
        _, status = await daemon.get("/status")
        assert isinstance(status, dict)
        relay = status["message"].get("legacy_relay")  # since the first legacy peer
        found: list[dict[str, Any]] = relay["messages"] if relay else []
        return [m["state"] for m in found] == ["up"]

    @with_daemons
    async def test_two(self) -> None:
        """
        Each legacy Connect gets every message once, as its sender wrote it, whichever
        Message delivers it, also after one of the two was killed and restarted.
        """
        one, two = self.installation.messages
        for daemon in (one, two):
            await daemon.start()
        for daemon in (one, two):
            await daemon.ready()
            await daemon.until_logged("assigned partitions")  # each has a share
        connects = [await self.legacy(daemon) for daemon in (one, two)]
        for daemon in (one, two):
            await eventually("it relays", partial(self.relaying, daemon), 30)
        first = self.user()
        pairs = [
            (first + 1000 + 2 * n, first + 1001 + 2 * n) for n in range(_CONVERSATIONS)
        ]
        written = {"timestamp": -5, "message_type": 0, "ack_id": "k"}
        for sender, to in pairs:
            connect = connects[sender % 4 // 2]
            await connect.send_text(sender, to, f"hi {to}", **written)
        for connect in connects:
            for _, to in pairs:
                got = (await connect.expect(f"hi {to}")).message
                self.assertEqual((got.timestamp, got.ack_id), (-5, "k"))
                self.assertEqual(got.message_type, 0)
        for connect in connects:
            heard = [p.message.message_id for p in connect.pushes]
            self.assertEqual(len(heard), len(set(heard)))
            self.assertEqual(len(heard), _CONVERSATIONS)
        delivered = [await self.stored(daemon) for daemon in (one, two)]
        self.assertTrue(all(delivered), delivered)  # otherwise it proves nothing
        await two.kill()
        await connects[1].hang_up()
        await two.start()
        await two.ready()
        await eventually("it relays", lambda: self.relaying(one), 60)
        for sender, to in pairs:
            await connects[0].send_text(sender, to, f"again {to}")
        for _, to in pairs:
            await connects[0].expect(f"again {to}")

    async def stored(self, daemon: DaemonProcess) -> int:
        """
        Return the number of messages that this Message has delivered.
        """
        _, text = await daemon.get("/metrics")
        for line in str(text).splitlines():
            if line.startswith("wsmsg_message_stored_total "):
                return int(float(line.split()[1]))
        return 0
