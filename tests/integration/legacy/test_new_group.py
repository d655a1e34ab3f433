"""
Tests of groups that were accepted a moment before a legacy peer asks for them.
"""

from __future__ import annotations

import asyncio

from tests.conformance.contract import GetHistoryRequest, GetHistoryResponse
from tests.conformance.plain_http import ask
from tests.conformance.streams import call, channel_to
from tests.integration.cases import with_daemons
from tests.integration.legacy.test_fields import FieldsCase
from wsmsg.model import group_of

_GROUPS = 40


class NewGroupTests(FieldsCase):
    """
    Reads that begin as soon as the creation is accepted.
    """

    @with_daemons
    async def test_at_once(self) -> None:
        """
        History of a group is there as soon as its creation is accepted, over HTTP and
        gRPC, for a member and a service.
        """
        device = await self.device(self.user())
        daemon = self.installation.message
        channel = channel_to(daemon.port("rpc_listen"))
        self.at_end(channel.close)

        async def by_http(group: int) -> None:
            body = {"user_id": device.user, "group_id": group}
            path, port = "/api/v1/messages/history", daemon.port("listen")
            answer = await ask(port, "POST", path, body)
            self.assertEqual(answer.status, 200, answer.body)

        async def by_rpc(group: int, user: int) -> None:
            asked = GetHistoryRequest(user_id=user, group_id=group, page=1, size=5)
            data = await call(channel, "MessageService", "GetHistoryMessages", asked)
            self.assertEqual(GetHistoryResponse.FromString(data).total, 1)

        for n in range(_GROUPS):
            client_id = f"new-{n}"
            await device.send_frame(
                create_group={"client_id": client_id, "name": "crew", "members": [7]}
            )
            await device.expect("accepted", client_id=client_id)
            group = group_of(device.user, client_id)
            await asyncio.gather(
                by_http(group), by_rpc(group, device.user), by_rpc(group, 0)
            )
