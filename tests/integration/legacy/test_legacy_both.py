"""
Tests of a real Connect between legacy clients and a scripted legacy Message.
"""

from __future__ import annotations

from tests.conformance.contract import DEBUG_TOKEN, TEXT, WSMessage, sender_of
from tests.conformance.peer_client import ScriptedClient
from tests.integration.cases import with_daemons
from tests.integration.legacy.test_legacy_message import LegacyMessageCase


class LegacyOnBothSidesTests(LegacyMessageCase):
    """
    Legacy clients do not notice that the Connect is not a legacy one.
    """

    async def client(self, user: int) -> ScriptedClient:
        client = ScriptedClient(user, self.installation.connect.port("listen"))
        self.at_end(client.drop)
        await client.login()
        return client

    async def begin(self, *, message_first: bool = True) -> None:
        self.installation.connect.extra["token.debug_token"] = DEBUG_TOKEN
        await super().begin(message_first=message_first)

    @with_daemons
    async def test_recording(self) -> None:
        """
        The recorded chat: a message reaches Message, and the other client with its id;
        the acknowledgement reaches Message.
        """
        await self.begin()
        one, two = await self.client(1001), await self.client(1002)
        await one.send_text(1002, "hello from 1001")
        received = await two.received.find(lambda m: m.message_type == TEXT, "it", 0)
        self.assertEqual(
            (sender_of(received), received.content), (1001, "hello from 1001")
        )
        stored = self.theirs.store.of(1002, 0)
        self.assertEqual([s.message.message_id for s in stored], [received.message_id])
        ack = await self.theirs.expect("ack")
        self.assertEqual((ack.user_id, ack.message_id), (1002, received.message_id))
        result = await self.theirs.expect("push_result")
        self.assertEqual((result.success, result.target_user_id), (True, 1002))
        await self.eventually("read", lambda: not self.theirs.store.unread(1002))

    @with_daemons
    async def test_with_ours(self) -> None:
        """
        Legacy clients and wsmsg clients talk to each other, and in a group that Message
        knows.
        """
        await self.begin()
        legacy, ours = await self.client(1001), await self.talker(1002)
        await legacy.send_text(1002, "to ours")
        await self.eventually("it", lambda: ours.contents == ["to ours"])
        await self.send_text(ours, 1001, "to theirs")
        await self.eventually("it", lambda: legacy.texts() == ["to theirs"])
        self.theirs.groups[5] = [1001, 1002, 1003]
        await ours.client.send(group=5, content="to all")
        await self.eventually("it", lambda: legacy.texts() == ["to theirs", "to all"])

    @with_daemons
    async def test_killed(self) -> None:
        """
        Connect holds the messages of a legacy client while its Message is down, and
        they arrive in order when it is back.
        """
        await self.begin()
        one, two = await self.client(1001), await self.client(1002)
        await one.send_text(1002, "before")
        await self.eventually("it", lambda: two.texts() == ["before"])
        await self.eventually("accepted", self._accepted)
        await self.theirs.kill()
        for n in range(20):
            await one.send_text(1002, f"meanwhile {n}")
        await self.eventually("all held", self._held)
        await self.theirs.start()
        wanted = ["before", *(f"meanwhile {n}" for n in range(20))]
        await self.eventually("all", lambda: len(two.texts()) >= len(wanted))
        self.assertEqual(two.texts(), wanted)

    async def _accepted(self) -> bool:
        _, status = await self.installation.connect.get("/status")
        return bool(status["connect"]["upstream"]["sends_accepted"])

    async def _held(self) -> bool:
        _, status = await self.installation.connect.get("/status")
        return bool(status["connect"]["legacy"]["sends_held"] == 20)

    @with_daemons
    async def test_same_id(self) -> None:
        """
        Two messages with the same id, which a legacy Message may create, are both
        delivered; a message that is pushed twice is delivered once.
        """
        await self.begin()
        two = await self.client(1002)
        for content in ("first", "second", "first"):
            fields = {"from": 7, "to": 1002, "content": content, "message_id": 5}
            await self.theirs.push(WSMessage(**fields, message_type=TEXT))
        fields = {"from": 7, "to": 1002, "content": "last", "message_id": 6}
        await self.theirs.push(WSMessage(**fields, message_type=TEXT))
        await self.eventually("the last", lambda: "last" in two.texts())
        self.assertEqual(two.texts(), ["first", "second", "last"])
