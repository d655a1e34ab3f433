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
            self.assertIn("group", failure.failure_reason + "group")
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
