"""
Tests of the streams and calls of legacy Connects, over loopback.
"""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import grpc.aio
from twisted.internet.defer import Deferred

from tests.message.legacy.cases import (
    LegacyCase,
    Request,
    ack,
    said,
    send,
    subscribe,
    text,
)
from wsmsg.errors import Unavailable
from wsmsg.events.group_change import GroupChange
from wsmsg.model import INT64_MAX, Message
from wsmsg.rpc import rest_pb2


class StreamTests(LegacyCase):
    """
    The events of a legacy Connect, and those that it receives.
    """

    def test_push(self) -> Deferred[Any]:
        """
        A message reaches the other member on each subscribed stream, as the contract
        has it, and is settled when it is written to all streams.
        """

        async def check(stub: Any) -> None:
            calls = [await self.subscribed(stub, f"connect-{n}") for n in (1, 2)]
            settled = self.push(said(1))
            for call in calls:
                event = (await call.read()).push_event
                self.assertEqual(
                    (event.target_user_id, event.event_type), (2, "new_message")
                )
                self.assertEqual(
                    event.message,
                    text(1, 2, "m1", message_id=1001, timestamp=5),
                )
            await self.until(lambda: settled)

        return self.check(check)

    def test_as_written(self) -> Deferred[Any]:
        """
        Time, type and acknowledgement id of a message are passed on as its sender wrote
        them, from the stream and from a unary call; history has no acknowledgement id.
        """

        async def check(stub: Any) -> None:
            call = await self.subscribed(stub)
            odd: Any = {"timestamp": -(2**63), "message_type": 0, "ack_id": "k 1"}
            sent = text(**odd, message_id=77)
            await call.write(send(**odd, message_id=77))
            await self.until(lambda: len(self.ingress_saw()) == 1)
            request = rest_pb2.SendWSMessageRequest(msg=sent)
            asked = asyncio.ensure_future(_answer(stub.SendWSMessage(request)))
            await self.until(lambda: len(self.ingress_saw()) == 2)
            self.assertTrue((await asked).success)
            for seq, accepted in enumerate(self.ingress_saw(), 1):
                stored = accepted.numbered(seq)
                self.store.messages[stored.identity] = stored
                self.push(stored)
                pushed = (await call.read()).push_event.message
                self.assertEqual(pushed.message_id, stored.message_id)
                pushed.message_id = 77
                self.assertEqual(pushed, sent)
            page = rest_pb2.GetHistoryRequest(user_id=1, page=1, size=10)
            sent.ack_id = ""
            for message in (await stub.GetHistoryMessages(page)).messages:
                message.message_id = 77
                self.assertEqual(message, sent)

        return self.check(check)

    def test_ack_id_refused(self) -> Deferred[Any]:
        """
        A message whose acknowledgement id is too long fails with the reason, on the
        stream and in a unary call.
        """

        async def check(stub: Any) -> None:
            call = await self.opened(stub, send(ack_id="x" * 1025))
            failure = (await call.read()).failure
            self.assertIn("ack_id has 1025 bytes", failure.failure_reason)
            request = rest_pb2.SendWSMessageRequest(msg=text(ack_id="a\0b"))
            answer = await stub.SendWSMessage(request)
            self.assertFalse(answer.success)
            self.assertIn("ack_id has the character", answer.message)

        return self.check(check)

    def test_group_not_stored_yet(self) -> Deferred[Any]:
        """
        A page of a group that may have been accepted, and is not stored yet, is
        unavailable, and not forbidden.
        """

        async def check(stub: Any) -> None:
            self.on_their_way.add("g:5")
            for user, group, code in (
                (1, 5, "UNAVAILABLE"),
                (0, 5, "UNAVAILABLE"),
                (1, 6, "PERMISSION_DENIED"),
                (0, 6, "NOT_FOUND"),
            ):
                request = rest_pb2.GetHistoryRequest(
                    user_id=user, group_id=group, page=1, size=5
                )
                with self.assertRaises(grpc.aio.AioRpcError) as raised:
                    await stub.GetHistoryMessages(request)
                self.assertEqual(raised.exception.code().name, code)

        return self.check(check)

    def test_recipients(self) -> Deferred[Any]:
        """
        The sender receives only messages to themself; all other members of a group
        receive its messages; nobody receives events and recalled messages.
        """

        async def check(stub: Any) -> None:
            call = await self.subscribed(stub)
            self.push(
                said(1, "u:3:3", 3),
                said(2, kind=1001),
                said(3, kind=1003, content=""),
                said(4, "g:5", 7),
                said(5, kind=7),
                in_groups={("g:5", 4): frozenset({7, 8, 9})},
            )
            events = [(await call.read()).push_event for _ in range(4)]
            told = [
                (e.target_user_id, e.message.to, e.message.group_id) for e in events
            ]
            self.assertEqual(told[0], (3, 3, 0))
            self.assertEqual(sorted(told[1:3]), [(8, 0, 5), (9, 0, 5)])
            self.assertEqual(told[3], (2, 2, 0))
            self.assertEqual(events[3].message.message_type, 1)

        return self.check(check)

    def test_send(self) -> Deferred[Any]:
        """
        A send is accepted before and after subscribe, without an answer; two equal
        sends are two messages.
        """

        async def check(stub: Any) -> None:
            group = (GroupChange(True, "five", add=(9,)), 9, {9: 1})
            self.store.groups["g:5"] = group
            call = await self.opened(
                stub, send(), send(), subscribe(), send(1, 0, group_id=5)
            )
            await self.until(lambda: len(self.ingress_saw()) >= 2)
            first, second = self.ingress_saw()[:2]
            self.assertEqual(
                (first.conversation, first.sender, first.content), ("u:1:2", 1, "hi")
            )
            self.assertNotEqual(first.client_id, second.client_id)
            failure = (
                await call.read()
            ).failure  # of the group, of which 1 is no member
            self.assertEqual(failure.original_sender, 1)
            self.assertEqual(failure.original_message.group_id, 5)
            self.assertTrue(failure.failure_reason)

        return self.check(check)

    def ingress_saw(self) -> list[Message]:
        """
        Return the messages that were appended, and make them durable.
        """
        for _, done in self.journal.appends:
            if not done.called:
                done.callback(None)
        return [m for batch, _ in self.journal.appends for m in batch]

    def test_acks(self) -> Deferred[Any]:
        """
        An acknowledgement is confirmed if there is such a message to the user, before
        and after subscribe.
        """

        async def check(stub: Any) -> None:
            self.seen[2] = {1001}
            call = await self.opened(stub, ack(1001, 2, "x"), ack(1001, 3), ack(7, 2))
            for n in (0, -1, INT64_MAX):
                await call.write(ack(n, 2))
                await call.write(ack(1001, n))
            confirms = [(await call.read()).ack_confirm for _ in range(9)]
            [good] = [c for c in confirms if c.confirmed]
            self.assertEqual((good.ack_id, good.message_id), ("x", 1001))

        return self.check(check)

    def test_push_results(self) -> Deferred[Any]:
        """
        Push results are counted and change nothing: links settle by acknowledgement,
        legacy streams by writing.
        """

        async def check(stub: Any) -> None:
            call = await self.subscribed(stub)
            ours = stub.MessageStream()
            await ours.write(self.subscribe())
            await ours.read()
            delta = rest_pb2.PresenceDelta(
                number=1, online=[2], snapshot=rest_pb2.PresenceDelta.WHOLE
            )
            await ours.write(Request(batch=rest_pb2.ConnectBatch(presence=delta)))
            await ours.read()
            settled = self.push(said(1))
            await call.read()
            for success in (False, True):
                result = rest_pb2.PushResultRequest(success=success, target_user_id=2)
                await call.write(Request(push_result=result))
            await self.until(lambda: self.legacy.counts()["push_failures"] == 1)
            self.assertEqual(settled, [])
            batch = (await ours.read()).batch
            await ours.write(Request(batch=rest_pb2.ConnectBatch(pushed=batch.number)))
            await self.until(lambda: settled)

        return self.check(check)

    def test_subscribes(self) -> Deferred[Any]:
        """
        Subscribing twice, by the same name or another one, has the effect of
        subscribing once. A subscribe with the name of another Connect, legacy or not,
        takes nothing from it.
        """

        async def check(stub: Any) -> None:
            ours = stub.MessageStream()
            await ours.write(self.subscribe(connect_service_id="c"))
            await ours.read()
            first = await self.subscribed(stub, "connect-1")
            for name in ("connect-1", "connect-9", "c"):
                await first.write(subscribe(name))
            second = await self.subscribed(stub, "connect-9")
            await first.write(ack(1, 1))  # all before it was taken by now
            self.assertFalse((await first.read()).ack_confirm.confirmed)
            self.push(said(1), said(2))
            for call in (first, second):
                ids = [(await call.read()).push_event.message.message_id for _ in "ab"]
                self.assertEqual(ids, [1001, 1002])
            self.assertEqual(self.streams.open, 1)
            self.assertEqual(self.legacy.subscribers, 2)

        return self.check(check)

    def test_only_while_subscribed(self) -> Deferred[Any]:
        """
        Message loads the plug-in once, for the first legacy peer, and Links calls it
        only while a legacy Connect is subscribed.
        """

        async def check(stub: Any) -> None:
            self.assertEqual((self.loads, self.links.push_listeners), (0, []))
            one = await self.opened(stub, send())
            self.assertEqual((self.loads, self.links.push_listeners), (1, []))
            two = await self.subscribed(stub)
            self.assertEqual(self.loads, 1)
            self.assertEqual(self.links.push_listeners, [self.legacy.push])
            for call in (one, two):
                await call.done_writing()
            await self.until(lambda: not self.legacy.streams)
            self.assertEqual(self.links.push_listeners, [])

        return self.check(check)

    def test_end(self) -> Deferred[Any]:
        """
        A peer that ends its side still receives its answers; events that wait for a
        peer that is gone are settled.
        """

        async def check(stub: Any) -> None:
            call = await self.subscribed(stub)
            await call.write(send(0))
            await call.done_writing()
            self.assertIn("from", (await call.read()).failure.failure_reason)
            self.assertEqual(await self.ending(call), ("OK", ""))
            await self.until(lambda: not self.legacy.streams)
            self.assertTrue(self.push(said(1)))

        return self.check(check)

    def test_stopping(self) -> Deferred[Any]:
        """
        A Message that stops reports the sends that it has not accepted, ends the
        streams, and rejects new ones.
        """

        async def check(stub: Any) -> None:
            call = await self.subscribed(stub)
            await call.write(send())
            await self.until(lambda: self.journal.appends)
            self.journal.appends[0][1].errback(Unavailable("the journal is away"))
            await self.until(self.legacy.sends_held)
            self.core.drain()
            self.legacy.hang_up_all("Message is stopping")
            failure = (await call.read()).failure
            self.assertEqual(failure.failure_reason, "Message is stopping")
            self.assertEqual(failure.original_message, text())
            ended = await self.ending(call)
            self.assertEqual(ended, ("UNAVAILABLE", "Message is stopping"))
            call = stub.MessageStream()
            await call.write(subscribe())
            self.assertEqual((await self.ending(call))[0], "UNAVAILABLE")

        return self.check(check)

    def test_unary(self) -> Deferred[Any]:
        """
        The unary send succeeds once its message is durable; else it returns the reason.
        """

        async def check(stub: Any) -> None:
            request = rest_pb2.SendWSMessageRequest(msg=text())
            asked = asyncio.ensure_future(_answer(stub.SendWSMessage(request)))
            await self.until(lambda: self.journal.appends)
            self.assertFalse(asked.done())
            self.journal.appends[0][1].callback(None)
            self.assertTrue((await asked).success)
            for bad in (text(0), text(1, 0), text(message_type=2), text(content="\0")):
                request = rest_pb2.SendWSMessageRequest(msg=bad)
                answer = await stub.SendWSMessage(request)
                self.assertFalse(answer.success)
                self.assertTrue(answer.message)

        return self.check(check)

    def test_unary_for_now(self) -> Deferred[Any]:
        """
        A unary send that is refused for now fails with a status, as it may be repeated.
        """

        async def check(stub: Any) -> None:
            request = rest_pb2.SendWSMessageRequest(msg=text())
            asked = asyncio.ensure_future(_answer(stub.SendWSMessage(request)))
            await self.until(lambda: self.journal.appends)
            self.journal.appends[0][1].errback(Unavailable("the journal is away"))
            with self.assertRaises(grpc.aio.AioRpcError) as raised:
                await asked
            self.assertEqual(raised.exception.code().name, "UNAVAILABLE")
            self.assertEqual(raised.exception.details(), "the journal is away")

        return self.check(check)

    def test_history(self) -> Deferred[Any]:
        """
        A page of old messages follows the contract; an invalid page is an error with a
        reason.
        """

        async def check(stub: Any) -> None:
            for message in (said(1), said(2), said(1, "u:1:3", 3)):
                self.store.messages[message.identity] = message
            request = rest_pb2.GetHistoryRequest(user_id=1, page=1, size=10)
            answer = await stub.GetHistoryMessages(request)
            self.assertEqual((answer.total, answer.page, answer.size), (3, 1, 10))
            self.assertEqual(len(answer.messages), 3)
            request = rest_pb2.GetHistoryRequest(user_id=1, page=1)
            answer = await stub.GetHistoryMessages(request)
            self.assertEqual((answer.size, len(answer.messages)), (200, 3))
            for user, page, size in ((1, 0, 5), (1, 1, -1), (0, 1, 5), (-1, 1, 5)):
                request = rest_pb2.GetHistoryRequest(user_id=user, page=page, size=size)
                with self.assertRaises(grpc.aio.AioRpcError) as raised:
                    await stub.GetHistoryMessages(request)
                self.assertEqual(raised.exception.code().name, "INVALID_ARGUMENT")
                self.assertTrue(raised.exception.details())

        return self.check(check)


async def _answer(call: Any) -> Any:
    return await call
