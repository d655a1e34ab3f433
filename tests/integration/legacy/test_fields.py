"""
Tests of the fields that a legacy sender wrote: legacy recipients get them unchanged,
and nothing depends on them.
"""

from __future__ import annotations

import time
from typing import Any, ClassVar

from tests.conformance.contract import (
    GetHistoryRequest,
    GetHistoryResponse,
    SendWSMessageRequest,
    SendWSMessageResponse,
    sender_of,
    ws_message,
)
from tests.conformance.peer_client import ScriptedClient
from tests.conformance.peer_connect import ScriptedConnect
from tests.conformance.streams import call, channel_to
from tests.integration.cases import eventually, with_daemons
from tests.integration.installation import http_post
from tests.integration.legacy.cases import LegacyTestCase

#: Times by the clock of a sender, of which none may be changed.
TIMES = (1795447835, 0, -1, -(2**63), 2**63 - 1, 253402300800)


class FieldsCase(LegacyTestCase):
    """
    Base class with legacy Connects.
    """

    message: ClassVar[dict[str, Any]] = {"legacy.callers": "127.0.0.1"}
    connect: ClassVar[dict[str, Any]] = {
        **LegacyTestCase.connect,
        "legacy.callers": "127.0.0.1",
        "legacy.presence": False,
    }

    async def legacy_connect(self, *users: int) -> ScriptedConnect:
        """
        Return a subscribed legacy Connect with these users.
        """
        peer = ScriptedConnect(self.installation.message.port("rpc_listen"))
        self.at_end(peer.kill)
        peer.here |= set(users)
        await peer.connect()

        async def subscribed() -> bool:
            _, status = await self.installation.message.get("/status")
            named = [n["node"] for n in status["message"].get("legacy", [])]
            return peer.node in named

        await eventually("the legacy Connect is subscribed", subscribed)
        return peer

    async def call(self, name: str, request: Any) -> Any:
        """
        Make a unary call of the legacy contract.
        """
        channel = channel_to(self.installation.message.port("rpc_listen"))
        try:
            return await call(channel, "MessageService", name, request)
        finally:
            await channel.close()

    async def post(self, name: str, body: Any) -> Any:
        """
        Make a request of the legacy HTTP contract.
        """
        port = self.installation.message.port("listen")
        status, answer = await http_post(port, f"/api/v1/messages/{name}", body)
        self.assertEqual(status, 200, answer)
        return answer

    def assert_as_written(self, got: Any, sent: Any) -> None:
        """
        Check that a message arrived as it was sent, but with an id of ours.
        """
        self.assertGreater(got.message_id, 0)
        wanted = type(sent)()
        wanted.CopyFrom(sent)
        wanted.message_id = got.message_id
        self.assertEqual(got.SerializeToString(), wanted.SerializeToString())


class FieldsTests(FieldsCase):
    """
    Legacy peers of every kind, with daemons that stay up.
    """

    async def recipients(self) -> tuple[ScriptedClient, ScriptedConnect]:
        """
        Return a client of a user, and a legacy Connect that has the user as well.
        """
        client = await self.client(acknowledges=False)
        return client, await self.legacy_connect(client.user)

    def odd(self, sender: int, to: int) -> list[Any]:
        """
        Return messages with every odd time, with and without type and C{ack_id}.
        """
        return [
            ws_message(
                sender=sender,
                to=to,
                content=f"{time_s} {kind} {len(ack_id)}",
                timestamp=time_s,
                message_type=kind,
                ack_id=ack_id,
            )
            for time_s in TIMES
            for kind, ack_id in ((1, ""), (0, "k-1"), (1, "\u65e5 " + "x" * 1000))
        ]

    async def expect_all(
        self, client: ScriptedClient, peer: ScriptedConnect, sent: list[Any]
    ) -> None:
        """
        Check that both recipients get all messages as they were written, in order.
        """
        for message in sent:
            self.assert_as_written(await client.expect(message.content), message)
            pushed = await peer.expect(message.content)
            self.assert_as_written(pushed.message, message)
        contents = [m.content for m in sent]
        self.assertEqual([m.content for m in client.received], contents)
        ids = [m.message_id for m in client.received]
        self.assertEqual(ids, sorted(ids))

    @with_daemons
    async def test_from_a_client(self) -> None:
        """
        Time, type and C{ack_id} of a legacy client reach legacy clients and legacy
        Connects as it wrote them.
        """
        client, peer = await self.recipients()
        sender = await self.client()
        sent = self.odd(sender.user, client.user)
        for message in sent:
            await sender.write(message.SerializeToString())
        await self.expect_all(client, peer, sent)

    @with_daemons
    async def test_from_a_stream(self) -> None:
        """
        So do those that a legacy Connect sends on its stream.
        """
        client, peer = await self.recipients()
        sent = self.odd(self.user(), client.user)
        for message in sent:
            await peer.send(message)
        await self.expect_all(client, peer, sent)

    @with_daemons
    async def test_from_a_call(self) -> None:
        """
        So do those of C{SendWSMessage}.
        """
        client, peer = await self.recipients()
        sent = self.odd(self.user(), client.user)
        for message in sent:
            request = SendWSMessageRequest(msg=message)
            answer = await self.call("SendWSMessage", request)
            self.assertTrue(SendWSMessageResponse.FromString(answer).success)
        await self.expect_all(client, peer, sent)

    @with_daemons
    async def test_from_http(self) -> None:
        """
        So do those of C{send}; one that says nothing of them is of type 1, and now.
        """
        client, peer = await self.recipients()
        sent = self.odd(self.user(), client.user)
        for m in sent:
            body = {
                "from": sender_of(m),
                "to": m.to,
                "content": m.content,
                "timestamp": m.timestamp,
                "message_type": m.message_type,
                "ack_id": m.ack_id,
            }
            await self.post("send", body)
        await self.expect_all(client, peer, sent)
        body = {"from": self.user(), "to": client.user, "content": "least"}
        await self.post("send", body)
        least = await client.expect("least")
        self.assertLess(abs(least.timestamp - time.time()), 60)
        self.assertEqual((least.message_type, least.ack_id), (1, ""))

    @with_daemons
    async def test_in_a_group(self) -> None:
        """
        So do those of a message to a group.
        """
        client, peer = await self.recipients()
        sender = await self.client()
        port = self.installation.message.port("listen")
        wanted = {
            "client_id": f"fields-{sender.user}",
            "owner": sender.user,
            "name": "crew",
            "members": [client.user],
        }
        _, made = await http_post(port, "/api/v1/groups", wanted)
        group = int(made["group"])
        sent = self.odd(sender.user, 0)
        for message in sent:
            message.group_id = group
            await sender.write(message.SerializeToString())
        await self.expect_all(client, peer, sent)

    @with_daemons
    async def test_old_messages(self) -> None:
        """
        C{unread}, C{history} and C{GetHistoryMessages} have the sender's time and type,
        and no C{ack_id}, in the order of acceptance; an impossible date is that of
        acceptance.
        """
        client, _ = await self.recipients()
        sender = await self.client()
        sent = self.odd(sender.user, client.user)
        for message in sent:
            await sender.write(message.SerializeToString())
        await client.expect(sent[-1].content)
        unread = (await self.post("unread", {"user_id": client.user}))["messages"]
        page = await self.post("history", {"user_id": client.user})
        dates = {
            1795447835: "2026-11-23T15:30:35Z",
            0: "1970-01-01T00:00:00Z",
            -1: "1969-12-31T23:59:59Z",
        }
        for found in (unread, page["messages"]):
            self.assertEqual(
                [(m["content"], m["msg_type"]) for m in found],
                [(m.content, m.message_type) for m in sent],
            )
            for message, m in zip(found, sent, strict=True):
                self.assertNotIn("ack_id", message)
                second = message["updated_at"][:19] + "Z"
                date = dates.get(m.timestamp, second)
                self.assertEqual(message["created_at"], date)
        asked = GetHistoryRequest(user_id=client.user, page=1, size=20)
        answer = await self.call("GetHistoryMessages", asked)
        old = GetHistoryResponse.FromString(answer).messages
        for got, wrote in zip(old, sent, strict=True):
            wrote.ack_id = ""
            self.assert_as_written(got, wrote)

    @with_daemons
    async def test_ours(self) -> None:
        """
        Clients of wsmsg see the time of acceptance, whatever a legacy sender wrote, and
        read the messages in their order.
        """
        device = await self.device(self.user())
        sender = await self.client()
        sent = self.odd(sender.user, device.user)
        for message in sent:
            await sender.write(message.SerializeToString())
        for seq, message in enumerate(sent, 1):
            got = await device.expect("deliver", content=message.content)
            self.assertLess(abs(got.time / 1000 - time.time()), 120)
            self.assertEqual((got.seq, got.kind), (seq, 1))

    @with_daemons
    async def test_of_ours(self) -> None:
        """
        Messages of clients of wsmsg reach legacy clients as texts, with the second of
        their acceptance and no C{ack_id}.
        """
        client, peer = await self.recipients()
        device = await self.device(self.user())
        answer = await device.send(client.user, "a", "of ours")
        pushed = (await peer.expect("of ours")).message
        for got in (await client.expect("of ours"), pushed):
            self.assertEqual(got.timestamp, answer.time // 1000)
            self.assertEqual((got.message_type, got.ack_id), (1, ""))

    @with_daemons
    async def test_same_ack_id(self) -> None:
        """
        Two messages with the same C{ack_id}, time and content are two messages.
        """
        client, _ = await self.recipients()
        sender = await self.client()
        for _ in range(2):
            await sender.send_text(client.user, "twice", ack_id="k", timestamp=5)
        await client.received.until(lambda: len(client.received) == 2, "two")
        self.assertEqual(len({m.message_id for m in client.received}), 2)

    @with_daemons
    async def test_ack_id_too_long(self) -> None:
        """
        An C{ack_id} of over 1024 bytes is refused with the reason: logged for a client,
        a failure for a stream, an answer for a call. Whatever comes after it is served.
        """
        client, peer = await self.recipients()
        sender = await self.client()
        for ack_id in ("x" * 1025, "a\0b"):
            bad = await sender.send_text(client.user, "bad", ack_id=ack_id)
            await peer.send(bad)
            answer = await self.call("SendWSMessage", SendWSMessageRequest(msg=bad))
            refused = SendWSMessageResponse.FromString(answer)
            self.assertIn("ack_id has ", refused.message)
            self.assertFalse(refused.success)
        for failure in await peer.failures.count(2):
            self.assertIn("ack_id has ", failure.failure_reason)
        await sender.send_text(client.user, "good")
        await peer.send_text(self.user(), client.user, "good as well")
        for content in ("good", "good as well"):
            await client.expect(content)
        self.assertNotIn("bad", client.texts())
        self.assertNotEqual(self.installation.logged("ack_id has 1025 bytes"), [])

    @with_daemons
    async def test_clock_of_the_sender(self) -> None:
        """
        A message of a sender whose clock is ten minutes slow stays unread, as in the
        legacy system: recipients acknowledge what is younger than five minutes.
        """
        slow = await self.client(now=lambda: time.time() - 600)
        right, recipient = await self.client(), await self.client()
        await slow.send_text(recipient.user, "late")
        await right.send_text(recipient.user, "now")
        await recipient.expect("late")
        await recipient.expect("now")

        async def one_is_read() -> bool:
            answer = await self.post("unread", {"user_id": recipient.user})
            return [m["content"] for m in answer["messages"] or ()] == ["late"]

        await eventually("the message of the right clock is read", one_is_read)


class RestartTests(FieldsCase):
    """
    These fields are durable.
    """

    alone = True
    connect: ClassVar[dict[str, Any]] = {
        **FieldsCase.connect,
        "legacy.redeliver": True,
    }

    @with_daemons
    async def test_killed(self) -> None:
        """
        After a kill of Message, a client that connects is given the messages that it
        has not acknowledged as their sender wrote them.
        """
        await self._running()
        sender, away = await self.client(), self.user()
        sent = []
        for n, time_s in enumerate(TIMES):
            more: Any = {"timestamp": time_s, "message_type": n % 2, "ack_id": f"k{n}"}
            sent.append(await sender.send_text(away, f"m{n}", **more))

        async def stored() -> bool:
            answer = await self.post("unread", {"user_id": away})
            return bool(answer["total"] == len(sent))

        await eventually("all are stored", stored)
        message = self.installation.message
        await message.kill()
        await message.start()
        await message.ready()
        client = await self.client(away, acknowledges=False)
        for one in sent:
            self.assert_as_written(await client.expect(one.content), one)
