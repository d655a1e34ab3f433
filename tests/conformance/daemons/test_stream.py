"""
Tests of our Message with a legacy Connect, event by event of the stream.
"""

from __future__ import annotations

from typing import Any

import grpc
import grpc.aio

from tests.conformance.contract import (
    NEW_MESSAGE,
    TEXT,
    GetHistoryRequest,
    GetHistoryResponse,
    SendWSMessageRequest,
    SendWSMessageResponse,
    fields_of,
    strange,
    ws_message,
)
from tests.conformance.daemons.cases import LegacyPeersTestCase
from tests.conformance.sequences import REFUSED, of_kind
from tests.integration.cases import eventually, with_daemons


class StreamTests(LegacyPeersTestCase):
    """
    The events of C{MessageStream}, one by one.
    """

    async def known(self, connect: Any) -> None:
        """
        Wait until our Message has registered the stream for pushes, since subscribing
        has no answer.
        """
        user = self.user()
        n = 0

        async def pushed() -> bool:
            nonlocal n
            n += 1
            await connect.send_text(self.user(), user, f"known {n}")
            return bool(len(connect.pushes))

        await eventually("a push", pushed)
        await connect.expect(f"known {n}")

    @with_daemons
    async def test_stream_subscribe(self) -> None:
        """
        A subscribe has no answer; the next event is a push of the contract.
        """
        connect = await self.legacy_connect()
        await connect.send_text(self.user(), self.user(), "the first thing")
        await connect.expect("the first thing")
        self.assertEqual(len(connect.pushes), 1)
        self.assertEqual((list(connect.others), connect.strange), ([], []))

    @with_daemons
    async def test_stream_send_message(self) -> None:
        """
        A message from a legacy client is stored once, with all its fields.
        """
        connect = await self.legacy_connect()
        one, other = self.user(), self.client()
        await connect.send_text(one, other.user, "stored")
        await connect.expect("stored")
        [found] = await other.unread()
        self.assertEqual((found["from"], found["content"]), (one, "stored"))

    @with_daemons
    async def test_stream_push_event(self) -> None:
        """
        A push names its user, has the message with an id, and is a C{new_message}.
        """
        connect = await self.legacy_connect()
        one, other = self.user(), self.user()
        sent = await connect.send_text(one, other, "pushed")
        push = await connect.expect("pushed")
        fields = fields_of(push)
        self.assertGreater(fields["message"].pop("message_id"), 0)
        self.assertLess(abs(fields["message"].pop("timestamp") - sent.timestamp), 60)
        message = {"from": one, "to": other, "content": "pushed", "message_type": TEXT}
        wanted = {"target_user_id": other, "message": message}
        self.assertEqual(fields, {**wanted, "event_type": NEW_MESSAGE})
        self.assertEqual(strange(push), [])

    @with_daemons
    async def test_stream_push_event_to_all(self) -> None:
        """
        Every legacy Connect gets every push, once, and so does a wsmsg Connect.
        """
        first, second = [await self.legacy_connect() for _ in range(2)]
        await self.known(first)
        await self.known(second)
        ours = await self.device(self.user())
        await first.send_text(self.user(), ours.user, "for one of ours")
        for connect in (first, second):
            await connect.expect("for one of ours")
        await ours.expect("deliver")
        for connect in (first, second):
            contents = [p.message.content for p in connect.pushes]
            self.assertEqual(contents.count("for one of ours"), 1)

    @with_daemons
    async def test_stream_push_event_from_ours(self) -> None:
        """
        A message from a client of our Connect reaches a user at the legacy Connect.
        """
        connect = await self.legacy_connect()
        await self.known(connect)
        one, other = await self.connected(), self.user()
        await one.send_text(other, "from ours")
        push = await connect.expect("from ours")
        self.assertEqual(push.target_user_id, other)

    @with_daemons
    async def test_stream_push_result(self) -> None:
        """
        Results, good or bad and for any user, are accepted, and the next push arrives.
        """
        connect = await self.legacy_connect()
        user = self.user()
        for target in (user, 0, -1, 2**63 - 1):
            await connect.push_result(target)
            await connect.push_result(target, False, "closed")
        await connect.send_text(self.user(), user, "after results")
        await connect.expect("after results")
        self.assertEqual(list(connect.ends), [])

    @with_daemons
    async def test_stream_ack(self) -> None:
        """
        An acknowledgement marks the message as read, and is confirmed with its id and
        C{ack_id}.
        """
        connect = await self.legacy_connect()
        other = self.client()
        await connect.send_text(self.user(), other.user, "to be read")
        push = await connect.expect("to be read")
        await connect.ack(other.user, push.message, ack_id="k1")
        [confirm] = await connect.confirms.count(1)
        self.assertEqual(
            fields_of(confirm),
            {
                "ack_id": "k1",
                "message_id": push.message.message_id,
                "confirmed": True,
            },
        )
        self.assertEqual(strange(confirm), [])
        self.assertEqual(await other.unread(), [])

    @with_daemons
    async def test_stream_ack_of_others(self) -> None:
        """
        An acknowledgement of a message to another user, or of none, is not confirmed
        and changes nothing.
        """
        connect = await self.legacy_connect()
        other = self.client()
        await connect.send_text(self.user(), other.user, "not to be read")
        push = await connect.expect("not to be read")
        await connect.ack(self.user(), push.message)
        await connect.ack(other.user, ws_message(message_id=12345))
        await connect.ack(other.user, push.message)
        confirms = await connect.confirms.count(3)
        by_id = sorted((c.message_id, c.confirmed) for c in confirms)
        message_id = push.message.message_id
        wanted = sorted([(12345, False), (message_id, False), (message_id, True)])
        self.assertEqual(by_id, wanted)

    @with_daemons
    async def test_stream_failure(self) -> None:
        """
        A message that cannot be accepted comes back as a failure with its sender, a
        reason and the message unchanged.
        """
        connect = await self.legacy_connect()
        one = self.user()
        sent = await connect.send_text(one, 0, "to nobody")
        [failure] = await connect.failures.count(1)
        self.assertEqual(failure.original_sender, one)
        self.assertTrue(failure.failure_reason)
        self.assertEqual(failure.original_message, sent)
        self.assertEqual(strange(failure), [])

    @with_daemons
    async def test_stream_before_subscribe(self) -> None:
        """
        A Connect that sends before it subscribes, or never subscribes, is served;
        Message pushes to subscribers only.
        """
        subscribed = await self.legacy_connect()
        await self.known(subscribed)
        never = await self.legacy_connect(subscribes=0)
        await never.send_text(self.user(), self.user(), "from one that never did")
        push = await subscribed.expect("from one that never did")
        await never.ack(push.target_user_id, push.message)
        [confirm] = await never.confirms.count(1)
        self.assertTrue(confirm.confirmed)
        self.assertEqual(len(never.pushes), 0)

    @with_daemons
    async def test_stream_subscribe_twice(self) -> None:
        """
        A Connect that subscribes twice on a stream gets each push once, or an error for
        the second subscribe.
        """
        connect = await self.legacy_connect(subscribes=2)
        await connect.send_text(self.user(), self.user(), "once")
        await connect.expect("once")
        await connect.send_text(self.user(), self.user(), "the end")
        await connect.expect("the end")
        contents = [p.message.content for p in connect.pushes]
        self.assertEqual(contents, ["once", "the end"])

    @with_daemons
    async def test_stream_group(self) -> None:
        """
        A message to a group is pushed for each member but the sender.
        """
        connect = await self.legacy_connect()
        one, two, three = [self.user() for _ in range(3)]
        made = await self.ask(
            "/api/v1/groups",
            {"client_id": "s", "owner": one, "name": "n", "members": [two, three]},
        )
        group = int(made.document["group"])
        await connect.send_text(one, 0, "all of you", group_id=group)
        await connect.pushes.until(
            lambda: len(self._to_all(connect)) >= 2, "two pushes"
        )
        await connect.send_text(one, two, "after")
        await connect.expect("after")
        self.assertEqual(sorted(self._to_all(connect)), [two, three])

    def _to_all(self, connect: Any) -> list[int]:
        return [
            p.target_user_id
            for p in connect.pushes
            if p.message.content == "all of you"
        ]

    @with_daemons
    async def test_stream_sequences(self) -> None:
        """
        With each field of each event absent, zero, negative and huge, the stream
        continues.
        """
        connect = await self.legacy_connect()
        for sequence in of_kind("MessageStreamRequest"):
            if "subscribe" not in sequence.fields:
                await connect.write(sequence.data)
        await connect.send_text(self.user(), self.user(), "still served")
        await connect.expect("still served")
        self.assertEqual((list(connect.ends), connect.strange), ([], []))

    @with_daemons
    async def test_stream_no_event(self) -> None:
        """
        Bytes that are not an event end that stream with a status that gives the reason;
        other streams continue.
        """
        other = await self.legacy_connect()
        await self.known(other)
        for sequence in REFUSED:
            if sequence.kind != "MessageStreamRequest":
                continue
            connect = await self.legacy_connect()
            await connect.write(sequence.data)
            [(code, details)] = await connect.ends.count(1)
            self.assertEqual(code, "INVALID_ARGUMENT", sequence.title)
            self.assertTrue(details)
        await other.send_text(self.user(), self.user(), "still served")
        await other.expect("still served")
        self.assertEqual(list(other.ends), [])

    @with_daemons
    async def test_stream_close_send(self) -> None:
        """
        A Connect that closes its half of the stream is unsubscribed, and the stream
        ends with status OK.
        """
        connect = await self.legacy_connect()
        await connect.close_send()
        self.assertEqual(await connect.ends.count(1), [("OK", "")])


class UnaryTests(LegacyPeersTestCase):
    """
    C{SendWSMessage} and C{GetHistoryMessages}.
    """

    @with_daemons
    async def test_rpc_send_ws_message(self) -> None:
        """
        A message sent by the unary call reaches the clients, and is stored when the
        call returns.
        """
        connect = await self.legacy_connect()
        one, other = self.user(), await self.connected(acknowledges=False)
        request = SendWSMessageRequest(
            msg=ws_message(
                sender=one, to=other.user, content="by a call", message_type=TEXT
            )
        )
        answer = SendWSMessageResponse.FromString(
            await connect.call("SendWSMessage", request)
        )
        self.assertEqual((answer.success, strange(answer)), (True, []))
        await other.expect("by a call")

    @with_daemons
    async def test_rpc_send_ws_message_bad(self) -> None:
        """
        A message that cannot be accepted is refused: either C{success} is false and a
        reason is given, or the call fails with a status.
        """
        connect = await self.legacy_connect()
        for sequence in of_kind("SendWSMessageRequest"):
            msg = sequence.fields.get("msg", {})
            if msg.get("from", 0) > 0 and msg.get("to", 0) > 0:
                continue  # a message, if it has no type as well
            try:
                data = await connect.call("SendWSMessage", sequence.data)
            except grpc.aio.AioRpcError as e:
                self.assertEqual(e.code(), grpc.StatusCode.INVALID_ARGUMENT)
            else:
                answer = SendWSMessageResponse.FromString(data)
                self.assertEqual(answer.success, False, sequence.title)
                self.assertTrue(answer.message)

    @with_daemons
    async def test_rpc_get_history_messages(self) -> None:
        """
        History has pages from 1 on, oldest first, with the total.
        """
        connect = await self.legacy_connect()
        one, other = self.user(), self.user()
        for n in range(5):
            await connect.send_text(one, other, f"{n}")
        await connect.expect("4")
        for user in (one, other):
            request = GetHistoryRequest(user_id=user, page=2, size=2)
            page = GetHistoryResponse.FromString(
                await connect.call("GetHistoryMessages", request)
            )
            self.assertEqual([m.content for m in page.messages], ["2", "3"])
            self.assertEqual((page.total, page.page, page.size), (5, 2, 2))
            self.assertEqual(strange(page), [])

    @with_daemons
    async def test_rpc_get_history_messages_bad(self) -> None:
        """
        Page 0, negative pages and invalid users are refused with a reason.
        """
        connect = await self.legacy_connect()
        user = self.user()
        for fields in (
            {"user_id": user, "page": 0, "size": 10},
            {"user_id": user, "page": -1, "size": 10},
            {"user_id": user, "page": 1, "size": -1},
            {"user_id": -1, "page": 1, "size": 10},
        ):
            with self.assertRaises(grpc.aio.AioRpcError) as caught:
                await connect.call("GetHistoryMessages", GetHistoryRequest(**fields))
            error = caught.exception
            self.assertEqual(error.code(), grpc.StatusCode.INVALID_ARGUMENT, fields)
            self.assertTrue(error.details())
