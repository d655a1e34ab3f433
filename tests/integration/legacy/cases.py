"""
Base class of the tests of legacy clients with real daemons.
"""

from __future__ import annotations

from typing import Any, ClassVar

from tests.conformance.contract import DEBUG_TOKEN
from tests.conformance.peer_client import ScriptedClient
from tests.integration.cases import IntegrationTestCase

#: The key of the legacy user service, of 11 bytes.
LEGACY_SECRET = "eleven byte"


class LegacyTestCase(IntegrationTestCase):
    """
    Base class that connects legacy clients.
    """

    connect: ClassVar[dict[str, Any]] = {
        "token.debug_token": DEBUG_TOKEN,
        "legacy.token_secret": LEGACY_SECRET,
        "legacy.heartbeat_s": 2.0,
        "legacy.presence": True,
        "limits.sends_per_s": 10_000,
        "limits.sends_burst": 10_000,
        "limits.frames_per_s": 10_000,
        "limits.frames_burst": 10_000,
    }

    async def client(self, user: int = 0, **more: Any) -> ScriptedClient:
        """
        Return a connected client, which is dropped after the test.
        """
        client = self.stranger(user, **more)
        await client.login()
        return client

    def stranger(self, user: int = 0, **more: Any) -> ScriptedClient:
        """
        Return a client that is not connected yet.
        """
        port = self.installation.connect.port("listen")
        client = ScriptedClient(user or self.user(), port, **more)
        self.at_end(client.drop)
        return client

    async def expect_exactly(self, client: ScriptedClient, wanted: list[str]) -> None:
        """
        Check that the client receives exactly these contents, in this order.
        """
        await client.received.until(
            lambda: len(client.texts()) >= len(wanted), f"all {len(wanted)}"
        )
        self.assertEqual(client.texts(), wanted)
