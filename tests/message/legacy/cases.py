"""
Legacy Connects on real streams over loopback, for tests that need some.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import grpc
import grpc.aio
from twisted.internet import reactor
from twisted.internet.defer import Deferred, succeed

from tests.message.presence.doubles import RecordingPresence
from tests.message.rpc_case import RpcCase, run
from wsmsg.message.legacy.plugin import LegacyPlugin
from wsmsg.message.queries.queries import Queries
from wsmsg.message.rpc import UnversionedPeers
from wsmsg.model import Mark, Message
from wsmsg.rpc import rest_pb2, rest_pb2_grpc
from wsmsg.settings.values import MessageSettings

Request = rest_pb2.MessageStreamRequest


def text(sender: int = 1, to: int = 2, content: str = "hi", **more: Any) -> Any:
    """
    Return a message as a legacy client makes it.
    """
    fields = {"from": sender, "to": to, "content": content, "message_type": 1, **more}
    return rest_pb2.WSMessage(**fields)


def send(*args: Any, **more: Any) -> Request:
    """
    Return the event in which a legacy Connect sends such a message.
    """
    msg = text(*args, **more)
    return Request(send_message=rest_pb2.SendWSMessageRequest(msg=msg))


def ack(message_id: int, user: int, ack_id: str = "") -> Request:
    """
    Return the acknowledgement of a message by a user.
    """
    fields: dict[str, Any] = {"ack_id": ack_id}
    return Request(
        ack=rest_pb2.MessageAckRequest(message_id=message_id, user_id=user, **fields)
    )


def subscribe(name: str = "connect-1") -> Request:
    """
    Return the first event of a legacy Connect.
    """
    return Request(subscribe=rest_pb2.SubscribeRequest(connect_service_id=name))


def said(number: int, conversation: str = "u:1:2", sender: int = 1, **more: Any) -> Any:
    """
    Return a stored message.
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


class LegacyCase(RpcCase):
    """
    A Message with the legacy plug-in.
    """

    settings = MessageSettings()
    raw_channel: Any

    async def start(self) -> None:
        self.seen: dict[int, set[int]] = {}
        self.loads = 0
        await super().start()
        self.on_their_way: set[str] = set()
        queries = Queries(
            self.store,
            RecordingPresence(),
            self.links.routes,
            page=9,
            may_be_unstored=self.may_be_unstored,
        )
        self.plugin = LegacyPlugin(
            self.core,
            self.store,
            self.mark,
            queries,
            reactor,
            self.settings,
            backoff=lambda failures: 0.02,
        )
        self.legacy = self.plugin.connects

    def load_unversioned(self) -> UnversionedPeers:
        """
        Serve legacy peers.
        """
        self.loads += 1
        return self.plugin

    async def may_be_unstored(self, conversation: str, user: int) -> bool:
        """
        Know the groups in C{self.on_their_way}, which are on their way.
        """
        return conversation in self.on_their_way

    def mark(self, user: int, marks: Sequence[Mark]) -> Deferred[list[bool]]:
        """
        Know the messages in C{self.seen}.
        """
        known = self.seen.get(user, set())
        return succeed([m.message_id in known for m in marks])

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
        Open a stream, and write these events on it.
        """
        before = self.legacy.streams
        call = stub.MessageStream()
        for request in requests:
            await call.write(request)
        async with asyncio.timeout(10):
            while self.legacy.streams == before:
                await asyncio.sleep(0)
        return call

    async def subscribed(self, stub: Any, name: str = "connect-1") -> Any:
        """
        Open a stream that is subscribed.
        """
        before = self.legacy.subscribers
        call = await self.opened(stub, subscribe(name))
        await self.until(lambda: self.legacy.subscribers > before)
        return call

    async def until(self, true: Callable[[], object]) -> None:
        """
        Wait until a condition holds.
        """
        async with asyncio.timeout(15):
            while not true():
                await asyncio.sleep(0)

    def push(self, *messages: Message, in_groups: Any = None) -> list[None]:
        """
        Push messages as the journal reader does.

        @return: has one item once they are settled.
        """
        settled: list[None] = []
        self.links.push(messages, lambda: settled.append(None), in_groups)
        return settled

    async def ending(self, call: Any) -> tuple[str, str]:
        """
        Return the code and the reason with which a stream ended.
        """
        try:
            while await call.read() is not grpc.aio.EOF:
                pass
        except grpc.aio.AioRpcError:
            pass
        return (await call.code()).name, await call.details()
