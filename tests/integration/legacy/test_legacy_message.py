"""
Tests of a real Connect with a scripted legacy Message, and with wsmsg and legacy
clients: every message arrives, whatever happens to that Message.
"""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

from tests.asyncio_case import listed
from tests.conformance.peer_message import ScriptedMessage
from tests.integration.cases import IntegrationTestCase, eventually, with_daemons
from wsmsg.client import Client, MessageReceived, PresenceChanged
from wsmsg.errors import Unavailable, Unsupported, WsmsgError

PATIENCE_S = 30


class Talker:
    """
    A client of wsmsg that records its messages.
    """

    def __init__(self, client: Client) -> None:
        self.client = client
        self.received: list[MessageReceived] = []
        self.online: dict[int, bool] = {}
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        async for event in self.client.events():
            if isinstance(event, MessageReceived):
                self.received.append(event)
                self.client.mark_read(
                    event.conversation, event.seq, message_id=event.message_id
                )
            elif isinstance(event, PresenceChanged):
                self.online[event.user] = event.online

    @property
    def contents(self) -> list[str]:
        return [message.content for message in self.received]

    async def close(self) -> None:
        await self.client.close()
        await self._reading


class LegacyMessageCase(IntegrationTestCase):
    """
    A Connect and a scripted Message, which the test starts.
    """

    alone = True
    peer: ClassVar[str] = "auto"

    async def begin(self, *, message_first: bool = True) -> None:
        self.theirs = ScriptedMessage()
        self.at_end(self.theirs.kill)
        connect = self.installation.connect
        connect.extra.update(
            {
                "discovery": f"static:127.0.0.1:{self.theirs.rpc_port}",
                "upstream.peer": self.peer,
                "upstream.stalled_s": 1,
                "retry.cap_s": 0.3,
                "send_timeout_s": 4,
                "resync_spread_s": 0.2,
            }
        )
        if message_first:
            await self.theirs.start()
        await connect.start()
        if message_first:
            await connect.ready()

    async def talker(self, user: int, **more: Any) -> Talker:
        installation = self.installation
        client = Client(installation.url, installation.token(user), "phone", **more)
        talker = Talker(client)
        self.at_end(talker.close)
        await asyncio.wait_for(client.connect(), PATIENCE_S)
        return talker

    async def eventually(self, what: str, test: Any) -> None:
        await eventually(what, test, PATIENCE_S)

    async def send_text(self, talker: Talker, to: int, text: str) -> None:
        await asyncio.wait_for(talker.client.send(to, text), PATIENCE_S)


class LegacyMessageTests(LegacyMessageCase):
    """
    A legacy Message that Connect detects by its behaviour.
    """

    @with_daemons
    async def test_chat(self) -> None:
        """
        Two clients talk in order, and each message arrives once; a message marked as
        seen is acknowledged to Message; the welcome says that the server has no
        sequence numbers.
        """
        await self.begin()
        one, two = await self.talker(1001), await self.talker(1002, codec="json")
        assert one.client.limits is not None
        self.assertTrue(one.client.limits.unnumbered)
        texts = [f"text {n}" for n in range(50)]
        for text in texts:
            await self.send_text(one, 1002, text)
        await self.send_text(two, 1001, "and back")
        await self.eventually("all", lambda: two.contents == texts)
        await self.eventually("back", lambda: one.contents == ["and back"])
        store = self.theirs.store
        await self.eventually("read", lambda: not store.unread(1002))
        with self.assertRaises(Unsupported):
            await listed(one.client.history("u:1001:1002"))
        with self.assertRaises(Unsupported):
            await one.client.create_group("Us", [1002])
        self.assertEqual(two.received[0].seq, 0)
        status, ready = await self.installation.connect.get("/readyz")
        self.assertEqual(status, 200)
        self.assertEqual(ready["dependencies"][0]["about"], "a legacy Message")
        self.assertTrue(self.installation.logged("a legacy Message"))

    @with_daemons
    async def test_presence(self) -> None:
        """
        A user at this Connect is shown online, and offline after leaving.
        """
        await self.begin()
        one = await self.talker(1001)
        one.client.watch([1002])
        two = await self.talker(1002)
        await self.eventually("online", lambda: one.online.get(1002) is True)
        await two.close()
        await self.eventually("offline", lambda: one.online.get(1002) is False)

    @with_daemons
    async def test_killed(self) -> None:
        """
        A Message that is killed and restarted gets what clients sent meanwhile.
        """
        await self.begin()
        one, two = await self.talker(1001), await self.talker(1002)
        await self.send_text(one, 1002, "before")
        await self.theirs.kill()
        await self.installation.connect.ready(False)
        sending = asyncio.create_task(self.send_text(one, 1002, "meanwhile"))
        await self.theirs.start()
        await sending
        await self.send_text(one, 1002, "after")
        await self.eventually(
            "all three", lambda: two.contents == ["before", "meanwhile", "after"]
        )

    @with_daemons
    async def test_away_for_long(self) -> None:
        """
        While Message is away for longer than the send timeout, sends are rejected; the
        client sends them again until they are accepted.
        """
        await self.begin()
        one, two = await self.talker(1001), await self.talker(1002)
        await self.theirs.kill()
        sending = asyncio.create_task(self.send_text(one, 1002, "patience"))
        stats = "sends_expired"
        await self.eventually("a refusal", lambda: self._stat(stats))
        self.assertFalse(sending.done())
        await self.theirs.start()
        await sending
        await self.eventually("it", lambda: two.contents == ["patience"])

    async def _stat(self, name: str) -> int:
        _, status = await self.installation.connect.get("/status")
        return int(status["connect"]["upstream"][name])

    @with_daemons
    async def test_frozen(self) -> None:
        """
        Connect detects and reports a Message that freezes with its connections open;
        what clients sent meanwhile is accepted when it thaws.
        """
        await self.begin()
        one, two = await self.talker(1001), await self.talker(1002)
        await self.send_text(one, 1002, "before")
        self.theirs.freeze()
        sending = asyncio.create_task(self.send_text(one, 1002, "meanwhile"))
        await self.installation.connect.until_logged("did not answer for")
        self.assertFalse(sending.done())
        self.theirs.thaw()
        await sending
        await self.eventually("it", lambda: "meanwhile" in two.contents)

    @with_daemons
    async def test_late(self) -> None:
        """
        A Message that starts after Connect and its clients is used; the clients are
        asked to reconnect, and their new welcome says that there are no sequence
        numbers.
        """
        await self.begin(message_first=False)
        one, two = await self.talker(1001), await self.talker(1002)
        assert one.client.limits is not None
        self.assertFalse(one.client.limits.unnumbered)
        sending = asyncio.create_task(self.send_text(one, 1002, "early"))
        await self.theirs.start()
        await sending
        await self.eventually(
            "no numbers",
            lambda: all(
                t.client.limits and t.client.limits.unnumbered for t in (one, two)
            ),
        )
        await self.send_text(one, 1002, "late")
        await self.eventually("it", lambda: "late" in two.contents)

    @with_daemons
    async def test_stopped(self) -> None:
        """
        Connect stops cleanly and in time, even while its Message is frozen.
        """
        await self.begin()
        one = await self.talker(1001)
        self.theirs.freeze()
        sending = asyncio.create_task(one.client.send(1002, "x"))
        self.assertEqual(await self.installation.connect.terminate(), 0)
        await one.close()
        with self.assertRaises(WsmsgError) as caught:
            await sending
        self.assertIsInstance(caught.exception, Unavailable)


class PinnedMessageTests(LegacyMessageCase):
    """
    A legacy Message that is declared in the settings.
    """

    peer = "legacy"

    @with_daemons
    async def test_late(self) -> None:
        """
        The first welcome says that there are no sequence numbers, so clients stay
        connected; their sends wait for Message.
        """
        await self.begin(message_first=False)
        one, two = await self.talker(1001), await self.talker(1002)
        assert one.client.limits is not None
        self.assertTrue(one.client.limits.unnumbered)
        sending = asyncio.create_task(self.send_text(one, 1002, "early"))
        await self.theirs.start()
        await sending
        await self.eventually("it", lambda: two.contents == ["early"])
        self.assertEqual(self.theirs.strange, [])
        self.assertEqual(self.installation.logged("closes after"), [])


class LegacyPairTests(IntegrationTestCase):
    """
    A Connect that is set to a legacy Message, at a Message of ours that sees a legacy
    Connect.
    """

    message: ClassVar[dict[str, Any]] = {"legacy.callers": "127.0.0.1"}
    connect: ClassVar[dict[str, Any]] = {"upstream.peer": "legacy"}

    @with_daemons
    async def test_chat(self) -> None:
        """
        The two work together in the legacy protocol, and no message is lost.
        """
        installation = self.installation
        talkers = []
        for user in (self.user(), self.user()):
            client = Client(installation.url, installation.token(user), "phone")
            talkers.append(Talker(client))
            self.at_end(talkers[-1].close)
            await asyncio.wait_for(client.connect(), PATIENCE_S)
        one, two = talkers
        texts = [f"text {n}" for n in range(100)]
        for text in texts:
            await asyncio.wait_for(one.client.send(two.client.user, text), PATIENCE_S)
        await eventually("all", lambda: two.contents == texts, PATIENCE_S)
        _, status = await installation.connect.get("/status")
        self.assertEqual(status["connect"]["upstream"]["acks_shed"], 0)
        await eventually("confirmed", self._confirmed, PATIENCE_S)

    async def _confirmed(self) -> bool:
        _, status = await self.installation.connect.get("/status")
        return bool(status["connect"]["upstream"]["acks_confirmed"] >= 100)
