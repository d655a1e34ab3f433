"""
Tests of a legacy Connect and one of wsmsg at the same Message of wsmsg.
"""

from __future__ import annotations

from typing import Any, ClassVar

from tests.conformance.peer_connect import ScriptedConnect
from tests.integration.cases import (
    IntegrationTestCase,
    eventually,
    metric,
    with_daemons,
)
from wsmsg.model import conversation_of


class LegacyConnectTests(IntegrationTestCase):
    """
    Users of the legacy Connect talk with users of ours.
    """

    message: ClassVar[dict[str, Any]] = {"legacy.callers": "127.0.0.1"}

    async def legacy(self, *users: int, **more: Any) -> ScriptedConnect:
        """
        Return a subscribed legacy Connect with these users.
        """
        daemon = self.installation.message
        before = await self.subscribers()
        peer = ScriptedConnect(daemon.port("rpc_listen"), **more)
        self.at_end(peer.kill)
        peer.here |= set(users)
        await peer.connect()

        async def more_are() -> bool:
            return await self.subscribers() > before

        await eventually("the legacy Connect is subscribed", more_are)
        return peer

    async def subscribers(self) -> int:
        """
        Return the number of legacy streams that are subscribed.
        """
        _, status = await self.installation.message.get("/status")
        assert isinstance(status, dict)
        return sum(bool(n["node"]) for n in status["message"].get("legacy", []))

    @with_daemons
    async def test_both_ways(self) -> None:
        """
        A user of a legacy Connect and one of ours talk, both ways; each receives the
        other's messages once, and an acknowledged message is confirmed and read.
        """
        theirs, ours = self.user(), self.user()
        device = await self.device(ours)
        connect = await self.legacy(theirs)
        await connect.send_text(theirs, ours, "hello from there")
        received = await device.expect("deliver", content="hello from there")
        self.assertEqual(getattr(received, "from"), theirs)
        await device.send(theirs, "a", "hello from here")
        push = await connect.expect("hello from here")
        self.assertEqual(push.target_user_id, theirs)
        self.assertEqual(push.message.to, theirs)
        await connect.ack(theirs, push.message)
        [confirm] = await connect.confirms.count(1)
        self.assertEqual(
            (confirm.message_id, confirm.confirmed), (push.message.message_id, True)
        )
        receipt = await device.expect("receipt", user=theirs)
        self.assertEqual(receipt.conversation, conversation_of(theirs, ours))
        told = [p.message.content for p in connect.pushes if p.target_user_id == ours]
        self.assertEqual(
            told, ["hello from there"]
        )  # a legacy Connect does not announce its users
        self.assertEqual((connect.strange, list(connect.others)), ([], []))

    @with_daemons
    async def test_frozen(self) -> None:
        """
        While a legacy Connect does not read, Message accepts its sends and serves all
        others; when it reads again it gets the pending pushes.
        """
        theirs, ours = self.user(), self.user()
        device = await self.device(ours)
        frozen, other = await self.legacy(theirs), await self.legacy()
        frozen.stop_reading()
        sent = [f"{n} " + "x" * 1000 for n in range(300)]
        for n, content in enumerate(sent):
            await device.send(theirs, f"f{n}", content)
        for content in sent:
            await other.expect(content)
        await frozen.send_text(theirs, ours, "I cannot hear you")
        await device.expect("deliver", content="I cannot hear you")
        frozen.read_on()
        await frozen.expect(sent[-1])
        got = [p.message.content for p in frozen.pushes if p.target_user_id == theirs]
        self.assertEqual(got, sent)
        daemon = self.installation.message
        self.assertEqual(await metric(daemon, "wsmsg_message_legacy_cut_total"), 0)

    @with_daemons
    async def test_refused(self) -> None:
        """
        A message that can never be accepted is reported as failed, together with the
        message.
        """
        connect = await self.legacy()
        bad = await connect.send_text(self.user(), 0, "to nobody")
        [failure] = await connect.failures.count(1)
        self.assertEqual(
            failure.original_message.SerializeToString(), bad.SerializeToString()
        )
        self.assertIn("to is 0", failure.failure_reason)


class LifeTests(IntegrationTestCase):
    """
    Message stops and starts.
    """

    alone: ClassVar[bool] = True
    message: ClassVar[dict[str, Any]] = {"legacy.callers": "127.0.0.1"}

    @with_daemons
    async def test_stop_and_back(self) -> None:
        """
        A Message that stops ends the stream with UNAVAILABLE; what the legacy Connect
        had sent is stored when Message is back, and a new stream works.
        """
        daemon = self.installation.message
        await daemon.start()
        await daemon.ready()
        theirs, other = self.user(), self.user()
        connect = ScriptedConnect(daemon.port("rpc_listen"))
        self.at_end(connect.kill)
        connect.here |= {other}
        await connect.connect()
        await connect.send_text(theirs, other, "one")
        await connect.expect("one")
        await daemon.terminate()
        [(code, reason)] = await connect.ends.count(1)
        self.assertEqual((code, reason), ("UNAVAILABLE", "Message is stopping"))
        await connect.hang_up()
        await daemon.start()
        await daemon.ready()
        await connect.connect()
        await connect.send_text(theirs, other, "two")
        await connect.expect("two")
