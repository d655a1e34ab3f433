"""
Going back to the legacy system, in the order of the migration guide.
"""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

from tests.conformance.peer_client import ScriptedClient
from tests.conformance.peer_connect import ScriptedConnect
from tests.conformance.peer_message import ScriptedMessage
from tests.integration.cases import eventually, with_daemons
from tests.integration.legacy.cases import LegacyTestCase
from wsmsg.client import Client

_PATIENCE_S = 40
_PACE_S = 0.02


class GoingBackTests(LegacyTestCase):
    """
    Users write while our Message is replaced by the legacy one.
    """

    alone: ClassVar[bool] = True
    message: ClassVar[dict[str, Any]] = {"legacy.callers": "127.0.0.1"}
    connect: ClassVar[dict[str, Any]] = {
        **LegacyTestCase.connect,
        "upstream.peer": "auto",
    }

    async def begin(self) -> None:
        installation = self.installation
        await installation.start()
        self.port = installation.message.port("rpc_listen")
        self.target = await self.client()
        self.sent: dict[int, list[str]] = {}
        self.writing = True

    async def write_from_client(self, client: ScriptedClient) -> None:
        """
        Write from a legacy client at our Connect, all the time.
        """
        texts = self.sent.setdefault(client.user, [])
        while self.writing:
            texts.append(f"{client.user} {len(texts)}")
            await client.send_text(self.target.user, texts[-1])
            await asyncio.sleep(_PACE_S)  # the pace of a person who writes fast

    async def write_from_ours(self, client: Client, user: int) -> None:
        """
        Write from a client of wsmsg, each text when the one before is accepted.
        """
        texts = self.sent.setdefault(user, [])
        while self.writing:
            texts.append(f"{user} {len(texts)}")
            await client.send(self.target.user, texts[-1])
            await asyncio.sleep(_PACE_S)  # as above

    async def legacy_connect(self, port: int, user: int) -> ScriptedConnect:
        connect = ScriptedConnect(port)
        self.at_end(connect.kill)
        connect.here.add(user)
        await connect.connect()
        return connect

    @with_daemons
    async def test_order(self) -> None:
        """
        Legacy Connects stop first, then our Message, then the legacy Message starts and
        the legacy Connects after it: no message is lost, and those of each user arrive
        in order. (A legacy Message may be sent one twice, as it knows no client ids.)
        """
        await self.begin()
        installation, user = self.installation, self.user()
        old = await self.legacy_connect(self.port, user)
        writer, ours = await self.client(), self.user()
        client = Client(installation.url, installation.token(ours), "phone")
        self.at_end(client.close)
        await asyncio.wait_for(client.connect(), _PATIENCE_S)
        writing = [
            asyncio.create_task(self.write_from_client(writer)),
            asyncio.create_task(self.write_from_ours(client, ours)),
        ]
        self.sent[user] = [f"{user} {n}" for n in range(20)]
        for text in self.sent[user]:
            await old.send_text(user, self.target.user, text)
        await self.target.expect(self.sent[user][-1])
        await old.hang_up()
        self.assertEqual(await installation.message.terminate(), 0)
        await self.some_more(writer.user)
        theirs = ScriptedMessage(self.port)
        self.at_end(theirs.kill)
        await theirs.start()
        await installation.connect.ready()
        new = await self.legacy_connect(self.port, user)
        await theirs.subscribed(2)
        await self.some_more(writer.user)
        await self.some_more(ours)
        self.writing = False
        await asyncio.gather(*writing)
        await new.send_text(user, self.target.user, f"{user} 20")
        self.sent[user].append(f"{user} 20")
        for sender, texts in self.sent.items():
            await self.target.expect(texts[-1])
            got = dict.fromkeys(self.target.texts(sender))
            self.assertEqual(list(got), texts)

    async def some_more(self, user: int) -> None:
        """
        Wait until a user has written ten texts more.
        """
        wanted = len(self.sent[user]) + 10
        await eventually(
            "more texts", lambda: len(self.sent[user]) >= wanted, _PATIENCE_S
        )
