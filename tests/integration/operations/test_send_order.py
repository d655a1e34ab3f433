"""
A client that is far away, and sends more than its rate.
"""

from __future__ import annotations

from typing import Any, ClassVar

from tests.integration.cases import IntegrationTestCase, with_daemons
from wsmsg.prove.clients.raw import RawClient
from wsmsg.prove.faults.proxy import Proxy

_LATE_S = 0.6
_MESSAGES = 60


class FarClientTests(IntegrationTestCase):
    """
    Everything of the sender is on the way for 0.6 s each way.
    """

    connect: ClassVar[dict[str, Any]] = {
        "limits.sends_per_s": 20,
        "limits.sends_burst": 20,
    }

    @with_daemons
    async def test_order(self) -> None:
        """
        Messages that are rejected for the rate, and those behind them, are read in the
        order in which they were sent first.
        """
        sender, recipient = self.user(), self.user()
        proxy = await Proxy.open(self.installation.connect.port("listen"), _LATE_S)
        self.at_end(proxy.close)
        near = self.installation.url
        path = near.partition("//")[2].partition("/")[2]
        url = f"ws://127.0.0.1:{proxy.port}/{path}"
        reader = self.person(recipient)
        writer = RawClient([url], self.installation.token(sender), sender, "far")
        writer.start()
        self.at_end(writer.stop)
        await writer.until(lambda: writer.connects > 0)
        sent = [f"message {n}" for n in range(_MESSAGES)]
        for content in sent:
            await writer.send(recipient, content)
        await writer.until(lambda: writer.idle)
        conversation = f"u:{sender}:{recipient}"
        taken = await reader.until_taken(conversation, _MESSAGES)
        self.assertEqual([m.content for m in taken], sent)
        self.assertTrue(writer.rejected)
        self.assertEqual(writer.problems + reader.problems, [])
