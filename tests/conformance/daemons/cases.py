"""
Base classes of the tests with our daemons, which start the scripted peers.
"""

from __future__ import annotations

import asyncio
from typing import Any

from tests.conformance.contract import DEBUG_TOKEN
from tests.conformance.peer_client import ScriptedClient
from tests.conformance.peer_connect import ScriptedConnect
from tests.conformance.peer_message import ScriptedMessage
from tests.conformance.plain_http import Answer, ask
from tests.integration.cases import IntegrationTestCase
from tests.integration.installation import Installation


class LegacyPeersTestCase(IntegrationTestCase):
    """
    Legacy peers with our Connect and our Message.
    """

    message = {"legacy.callers": "127.0.0.1"}
    connect = {
        "token.debug_token": DEBUG_TOKEN,
        "legacy.presence": True,
        "legacy.callers": "127.0.0.1",
    }

    def client(self, user: int = 0, **more: Any) -> ScriptedClient:
        """
        Return a test client of our Connect that is not connected yet.
        """
        client = ScriptedClient(
            user or self.user(),
            self.installation.connect.port("listen"),
            self.installation.message.port("listen"),
            **more,
        )
        self.at_end(client.drop)
        return client

    async def connected(self, user: int = 0, **more: Any) -> ScriptedClient:
        """
        Return a connected test client of our Connect.
        """
        client = self.client(user, **more)
        await client.login()
        return client

    async def legacy_connect(self, **more: Any) -> ScriptedConnect:
        """
        Return a scripted Connect with a stream to our Message.
        """
        target = self.installation.message.port("rpc_listen")
        connect = ScriptedConnect(target, **more)
        self.at_end(connect.kill)
        await connect.connect()
        return connect

    async def ask(
        self, path: str, document: Any = None, *, method: str = "POST", **more: Any
    ) -> Answer:
        """
        Send a request to our Message's HTTP API.
        """
        port = self.installation.message.port("listen")
        return await ask(port, method, path, document, **more)


class LegacyMessageTestCase(LegacyPeersTestCase):
    """
    A legacy Message with our Connect, both started for one test alone.
    """

    alone = True
    theirs: ScriptedMessage

    async def begin(self) -> None:
        """
        Start both, and wait until Connect is subscribed.
        """
        self.theirs = ScriptedMessage()
        self.at_end(self.theirs.kill)
        await self.theirs.start()
        self.installation = Installation(
            connect={**self.connect, "upstream.peer": "auto"},
            upstream=self.theirs.rpc_port,
        )
        daemon = self.installation.connect
        await daemon.start()
        await asyncio.gather(daemon.ready(), self.theirs.subscribed())

    def client(self, user: int = 0, **more: Any) -> ScriptedClient:
        """
        Return a test client of our Connect that uses the scripted Message's HTTP API.
        """
        client = super().client(user, **more)
        client.http_port = self.theirs.http_port
        return client
