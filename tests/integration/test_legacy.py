"""
Deployed clients at our daemons: they connect, send and hear as they always did, and
lose nothing.
"""

from __future__ import annotations

from typing import Any, ClassVar

from tests.conformance.peer_client import ScriptedClient
from tests.integration.cases import IntegrationTestCase, with_daemons
from tests.integration.device import Device

_TOKEN = "auth-debug"


class LegacyTestCase(IntegrationTestCase):
    """
    Knows how deployed clients come.
    """

    connect: ClassVar[dict[str, Any]] = {"token.debug_token": _TOKEN}

    async def client(self, user: int = 0, **more: Any) -> ScriptedClient:
        """
        One that is connected, and dropped after the test.
        """
        client = ScriptedClient(
            user or self.user(), self.installation.connect.port("listen"), **more
        )
        await client.login()
        self.at_end(client.drop)
        return client


class LegacyTests(LegacyTestCase):
    """
    With daemons that stay up.
    """

    @with_daemons
    async def test_two_talk(self) -> None:
        """
        What one says the other hears, with an id and all else as it was recorded; the
        sender hears nothing of it.
        """
        one, two = await self.client(), await self.client()
        said = await one.say(two.user, "hello from one")
        heard = await two.hears("hello from one")
        self.assertGreater(heard.message_id, 0)
        said.message_id = heard.message_id
        self.assertAlmostEqual(heard.timestamp, said.timestamp, delta=60)
        said.timestamp = heard.timestamp
        self.assertEqual(heard.SerializeToString(), said.SerializeToString())
        await two.say(one.user, "and back")
        await one.hears("and back")
        self.assertEqual(one.texts(), ["and back"])

    @with_daemons
    async def test_every_pairing(self) -> None:
        """
        Clients of every spelling hear each other, two of one user as well.
        """
        one, two = self.user(), self.user()
        clients: list[ScriptedClient | Device] = []
        for user in (one, two):
            clients.append(await self.client(user))
            clients.append(await self.device(user, "phone"))
            clients.append(await self.device(user, "browser", json_=True))
        for n, sender in enumerate(clients):
            to = two if sender.user == one else one
            text = f"from {n}"
            if isinstance(sender, Device):
                await sender.send(to, f"id-{n}", text)
            else:
                await sender.say(to, text)
            for client in clients:
                if isinstance(client, Device):
                    await client.hears("deliver", content=text)
                elif client.user == to:
                    await client.hears(text)
        for client in clients:
            if isinstance(client, ScriptedClient):
                wanted = [
                    f"from {n}"
                    for n in ((3, 4, 5) if client.user == one else (0, 1, 2))
                ]
                self.assertEqual(client.texts(), wanted)
