"""
Deployed Connects on real streams over loopback.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import grpc.aio
from twisted.internet.defer import Deferred
from twisted.logger import capturedLogs

from tests.message.rpc_case import RpcCase, run
from wsmsg.errors import Unavailable
from wsmsg.model import INT64_MAX, Message
from wsmsg.rpc import rest_pb2, rest_pb2_grpc
from wsmsg.settings.deployed import DeployedSettings

Request = rest_pb2.MessageStreamRequest


def text(sender: int = 1, to: int = 2, content: str = "hi", **more: Any) -> Any:
    """
    A message as a deployed client makes it.
    """
    fields = {"from": sender, "to": to, "content": content, "message_type": 1, **more}
    return rest_pb2.WSMessage(**fields)


def send(*args: Any, **more: Any) -> Request:
    """
    The event of a deployed Connect that bears it.
    """
    msg = text(*args, **more)
    return Request(send_message=rest_pb2.SendWSMessageRequest(msg=msg))


def ack(message_id: int, user: int, ack_id: str = "") -> Request:
    """
    A user has seen a message.
    """
    fields: dict[str, Any] = {"ack_id": ack_id}
    return Request(
        ack=rest_pb2.MessageAckRequest(message_id=message_id, user_id=user, **fields)
    )


def subscribe(name: str = "connect-1") -> Request:
    """
    What it says first.
    """
    return Request(subscribe=rest_pb2.SubscribeRequest(connect_service_id=name))


def said(number: int, conversation: str = "u:1:2", sender: int = 1, **more: Any) -> Any:
    """
    A message of ours that is stored.
    """
    fields: dict[str, Any] = {"content": f"m{number}", "kind": 1, **more}
    return Message(
        conversation,
        sender,
        f"c{number}",
        1000 + number,
        time_ms=5999,
        seq=number,
        **fields,
    )


class DeployedCase(RpcCase):
    """
    What tests of streams share.
    """

    def check(self, test: Callable[[Any], Awaitable[None]]) -> Deferred[Any]:
        """
        Run a test with a channel to a Message.
        """

        async def on_channel() -> None:
            async with self.channel() as channel:
                self.raw_channel = channel
                await test(rest_pb2_grpc.MessageServiceStub(channel))

        return run(on_channel())

    async def opened(self, stub: Any, *requests: Request) -> Any:
        """
        A stream on which this was written and taken.
        """
        before = self.deployed.streams
        call = stub.MessageStream()
        for request in requests:
            await call.write(request)
        async with asyncio.timeout(10):
            while self.deployed.streams == before:
                await asyncio.sleep(0)
        return call

    async def subscribed(self, stub: Any, name: str = "connect-1") -> Any:
        """
        A stream that is subscribed.
        """
        before = self.deployed.subscribers
        call = await self.opened(stub, subscribe(name))
        await self.until(lambda: self.deployed.subscribers > before)
        return call

    async def until(self, true: Callable[[], object]) -> None:
        """
        Let the loop turn until something is so.
        """
        async with asyncio.timeout(15):
            while not true():
                await asyncio.sleep(0)

    def push(self, *messages: Message, audiences: Any = None) -> list[None]:
        """
        Push them as the reading does.

        @return: has one item once they are settled.
        """
        settled: list[None] = []
        self.links.push(messages, lambda: settled.append(None), audiences)
        return settled

    async def ending(self, call: Any) -> tuple[str, str]:
        """
        How a stream ended: its code and reason.
        """
        try:
            while await call.read() is not grpc.aio.EOF:
                pass
        except grpc.aio.AioRpcError:
            pass
        return (await call.code()).name, await call.details()


class StreamTests(DeployedCase):
    """
    What a deployed Connect says and is told.
    """

    def test_push(self) -> Deferred[Any]:
        """
        A message reaches the other member on each subscribed stream, as the contract
        spells it, and is settled when all streams have it.
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

    def test_who_is_told(self) -> Deferred[Any]:
        """
        The sender hears only what they say to themself; all other members of a group
        hear what is said in it; events and what was taken back reach nobody.
        """

        async def check(stub: Any) -> None:
            call = await self.subscribed(stub)
            self.push(
                said(1, "u:3:3", 3),
                said(2, kind=1001),
                said(3, kind=1003, content=""),
                said(4, "g:5", 7),
                said(5, kind=7),
                audiences={("g:5", 4): frozenset({7, 8, 9})},
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
        A message goes in as any other, before and after subscribe, and nothing is
        answered; equal ones are different messages.
        """

        async def check(stub: Any) -> None:
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
        What was given to the journal, which takes it at once.
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
        What their side reports of pushes is counted and changes nothing: our own link
        settles by its own acknowledgement, and theirs by what was written.
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
            await self.until(lambda: self.deployed.counts()["push_failures"] == 1)
            self.assertEqual(settled, [])
            batch = (await ours.read()).batch
            await ours.write(Request(batch=rest_pb2.ConnectBatch(pushed=batch.number)))
            await self.until(lambda: settled)

        return self.check(check)

    def test_subscribes(self) -> Deferred[Any]:
        """
        Subscribing twice, by the same name or another, is subscribing once; the name of
        another that lives, deployed or ours, takes nothing from it.
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
            self.assertEqual(self.rpc.streams, 1)
            self.assertEqual(self.deployed.subscribers, 2)

        return self.check(check)

    def test_end(self) -> Deferred[Any]:
        """
        A peer that ends its side still gets its answers; what waits for one that is
        gone is settled.
        """

        async def check(stub: Any) -> None:
            call = await self.subscribed(stub)
            await call.write(send(0))
            await call.done_writing()
            self.assertIn("from", (await call.read()).failure.failure_reason)
            self.assertEqual(await self.ending(call), ("OK", ""))
            await self.until(lambda: not self.deployed.streams)
            self.assertTrue(self.push(said(1)))

        return self.check(check)

    def test_stopping(self) -> Deferred[Any]:
        """
        A Message that stops tells what it has not accepted, and ends the streams; it
        takes no new ones.
        """

        async def check(stub: Any) -> None:
            call = await self.subscribed(stub)
            await call.write(send())
            await self.until(lambda: self.journal.appends)
            self.journal.appends[0][1].errback(Unavailable("the journal is away"))
            await self.until(self.deployed.sends_held)
            self.core.draining = True
            self.deployed.hang_up_all("Message is stopping")
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
        The unary send succeeds once its message is durable, else it says why not.
        """

        async def check(stub: Any) -> None:
            request = rest_pb2.SendWSMessageRequest(msg=text())
            asked = asyncio.ensure_future(_answer(stub.SendWSMessage(request)))
            await self.until(lambda: self.journal.appends)
            self.assertFalse(asked.done())
            self.journal.appends[0][1].callback(None)
            self.assertTrue((await asked).success)
            for bad in (text(0), text(1, 0), text(message_type=0), text(content="\0")):
                request = rest_pb2.SendWSMessageRequest(msg=bad)
                answer = await stub.SendWSMessage(request)
                self.assertFalse(answer.success)
                self.assertTrue(answer.message)

        return self.check(check)

    def test_history(self) -> Deferred[Any]:
        """
        A page of old messages is in the contract's words; one that cannot be is an
        error with a reason.
        """

        async def check(stub: Any) -> None:
            for message in (said(1), said(2), said(1, "u:1:3", 3)):
                self.store.messages[message.identity] = message
            request = rest_pb2.GetHistoryRequest(user_id=1, page=1, size=10)
            answer = await stub.GetHistoryMessages(request)
            self.assertEqual((answer.total, answer.page, answer.size), (3, 1, 10))
            self.assertEqual(len(answer.messages), 3)
            for user, page, size in ((1, 0, 5), (1, 1, 0), (0, 1, 5), (-1, 1, 5)):
                request = rest_pb2.GetHistoryRequest(user_id=user, page=page, size=size)
                with self.assertRaises(grpc.aio.AioRpcError) as raised:
                    await stub.GetHistoryMessages(request)
                self.assertEqual(raised.exception.code().name, "INVALID_ARGUMENT")
                self.assertTrue(raised.exception.details())

        return self.check(check)


async def _answer(call: Any) -> Any:
    return await call


class HostileTests(DeployedCase):
    """
    Peers that are broken; others who are there go on.
    """

    settings = DeployedSettings(records=2000, record_bytes=2**20, unsettled=100)

    def test_never_reads(self) -> Deferred[Any]:
        """
        For a peer that never reads a bounded number of events is held, then its stream
        is ended, which is told with how many pushes it did not get; meanwhile its sends
        are taken, and another peer gets everything, in order.
        """

        async def check(stub: Any) -> None:
            other = await self.subscribed(stub, "connect-2")
            frozen = await self.subscribed(stub, "connect-1")
            settled: list[None] = []
            most = 0
            with capturedLogs() as logs:
                for first in range(1, 100_001, 500):
                    batch = [
                        said(n, content="x" * 100) for n in range(first, first + 500)
                    ]
                    settled += self.push_of(batch, settled)
                    if first == 501:
                        await frozen.write(send())
                        await self.until(lambda: self.journal.appends)
                    got = [
                        (await other.read()).push_event.message.message_id
                        for _ in batch
                    ]
                    self.assertEqual(got, [m.message_id for m in batch])
                    most = max(most, self.deployed.held())
            self.assertLessEqual(most, 2500)
            self.assertEqual(self.deployed.cut, 1)
            await self.until(lambda: len(settled) == 200)
            [warned] = [e for e in logs if "does not read" in e["log_format"]]
            self.assertGreater(warned["pushes"], 1000)
            self.assertEqual(warned["node"], "connect-1")
            code, reason = await self.ending(frozen)
            self.assertEqual(code, "RESOURCE_EXHAUSTED")
            self.assertIn("not taken", reason)

        return self.check(check)

    test_never_reads.timeout = 120  # type: ignore[attr-defined]

    def push_of(self, batch: list[Message], settled: list[None]) -> list[None]:
        """
        Push a batch that is counted when it is settled.
        """
        self.links.push(batch, lambda: settled.append(None))
        return []

    def test_never_reads_answers(self) -> Deferred[Any]:
        """
        A peer that writes and never reads its answers is ended as well.
        """

        async def check(stub: Any) -> None:
            call = await self.opened(stub, send(0))
            while not self.deployed.cut:
                await call.write(send(0, content="x" * 900))
            ended = await self.ending(call)
            self.assertEqual(ended[0], "RESOURCE_EXHAUSTED", str(ended))
            self.assertEqual(self.deployed.cut, 1)
            await self.until(lambda: not self.deployed.streams)

        return self.check(check)

    def test_bad_names(self) -> Deferred[Any]:
        """
        A name that can be none, a subscribe of ours in the middle, or a batch ends the
        stream with a reason.
        """

        async def check(stub: Any) -> None:
            late = rest_pb2.SubscribeRequest(connect_service_id="c", link_version=1)
            for bad in (
                subscribe(""),
                subscribe("x" * 129),
                subscribe("a\nb"),
                Request(subscribe=late),
                Request(batch=rest_pb2.ConnectBatch()),
            ):
                call = stub.MessageStream()
                await call.write(ack(1, 1))
                await call.write(bad)
                code, reason = await self.ending(call)
                self.assertEqual(code, "INVALID_ARGUMENT")
                self.assertTrue(reason)
            await self.until(lambda: not self.deployed.streams)

        return self.check(check)

    def test_no_event(self) -> Deferred[Any]:
        """
        What is no event at all ends the stream; an event of later versions is nothing.
        """

        async def check(stub: Any) -> None:
            raw = self.raw_channel.stream_stream("/rest.MessageService/MessageStream")
            call = raw()
            await call.write(subscribe().SerializeToString())
            await call.write(b"\xaa\x06\x01x")  # field 101
            await call.write(ack(1, 1).SerializeToString())
            self.assertIn(b"\x10\x01", await call.read())
            await call.write(b"\xff\xff\xff")
            code, reason = await self.ending(call)
            self.assertNotEqual(code, "OK")
            self.assertTrue(reason)
            await self.until(lambda: not self.deployed.streams)

        return self.check(check)

    def test_fields(self) -> Deferred[Any]:
        """
        With each field absent, zero, negative or huge, and any type, a send is taken,
        ignored or told as failed, and the stream goes on.
        """

        async def check(stub: Any) -> None:
            call = await self.subscribed(stub)
            numbers = (0, -1, INT64_MAX, -(2**63))
            good = bad = 0
            for n in numbers:
                fields = ("message_id", "timestamp")
                for field in fields:
                    await call.write(send(**{field: n}))
                    good += 1
                await call.write(send(n))
                await call.write(send(1, n))
                await call.write(send(1, 2, group_id=n))
                good += 3 if n == INT64_MAX else 1 if not n else 0
                bad += 0 if n == INT64_MAX else 2 if not n else 3
            for kind in (0, -1, 5, 1001, 2**31 - 1, -(2**31)):
                await call.write(send(message_type=kind))
                bad += 1
            for kind in (2, 3, 4, 10):
                await call.write(send(message_type=kind))
            for content in ("\0", "x" * 1001):
                await call.write(send(content=content))
                bad += 1
            await call.write(send(ack_id="x" * 5000, content=""))
            good += 1
            await call.write(Request(send_message=rest_pb2.SendWSMessageRequest()))
            bad += 1
            await call.write(ack(1, 1))
            # The huge group has no members.
            good, bad = good - 1, bad + 1
            answers = [await call.read() for _ in range(bad + 1)]
            failures = [a.failure for a in answers if a.HasField("failure")]
            self.assertEqual(len(failures), bad)
            self.assertTrue(all(f.failure_reason for f in failures))
            await self.until(
                lambda: sum(len(batch) for batch, _ in self.journal.appends) == good
            )
            self.assertEqual(self.deployed.counts()["ignored"], 4)

        return self.check(check)
