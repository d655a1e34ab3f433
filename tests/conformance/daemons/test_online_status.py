"""
Tests of C{OnlineStatus} of our Connect, as legacy peers and services call it.
"""

from __future__ import annotations

from tests.conformance.contract import (
    ONLINE_STATUS_PATH,
    OnlineStatusRequest,
    OnlineStatusResponse,
    fields_of,
    strange,
)
from tests.conformance.daemons.cases import LegacyPeersTestCase
from tests.conformance.plain_http import ask
from tests.conformance.sequences import of_kind
from tests.conformance.streams import call, channel_to
from tests.integration.cases import with_daemons


class OnlineStatusTests(LegacyPeersTestCase):
    """
    Queries while one user is connected by a wsmsg client.
    """

    @with_daemons
    async def test_rpc_online_status(self) -> None:
        """
        The answer has every requested user, online or not.
        """
        here, away = self.user(), self.user()
        await self.device(here)
        channel = channel_to(self.installation.connect.port("rpc_listen"))
        self.at_end(channel.close)
        request = OnlineStatusRequest(user_ids=[here, away])
        data = await call(channel, "ConnectService", "OnlineStatus", request)
        answer = OnlineStatusResponse.FromString(data)
        self.assertEqual(fields_of(answer), {"status": {here: True, away: False}})
        self.assertEqual(strange(answer), [])

    @with_daemons
    async def test_rpc_online_status_sequences(self) -> None:
        """
        Users in any encoding are answered; a number that no user can have is offline.
        """
        channel = channel_to(self.installation.connect.port("rpc_listen"))
        self.at_end(channel.close)
        for sequence in of_kind("OnlineStatusRequest"):
            users = sequence.fields.get("user_ids", [])
            asking = call(channel, "ConnectService", "OnlineStatus", sequence.data)
            answer = OnlineStatusResponse.FromString(await asking)
            status = fields_of(answer).get("status", {})
            self.assertEqual(status, dict.fromkeys(users, False), sequence.title)

    @with_daemons
    async def test_http_online_status(self) -> None:
        """
        HTTP gives the same answer, with users as strings, since JSON has no other keys.
        """
        here, away = self.user(), self.user()
        await self.device(here)
        port = self.installation.connect.port("listen")
        document = {"user_ids": [here, away]}
        answer = await ask(port, "POST", ONLINE_STATUS_PATH, document)
        self.assertEqual(answer.status, 200)
        wanted = {str(here): True, str(away): False}
        self.assertEqual(answer.document, {"status": wanted})
