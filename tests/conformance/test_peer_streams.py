"""
Tests of the stream between the scripted Connect and the scripted Message.
"""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import grpc.aio

from tests.conformance.cases import PeerTestCase, on_asyncio
from tests.conformance.contract import (
    GetHistoryRequest,
    GetHistoryResponse,
    SendWSMessageRequest,
    SendWSMessageResponse,
    ws_message,
)
from tests.conformance.plain_http import ask


class StreamTests(PeerTestCase):
    """
    Every event that either peer can cause on the other's stream.
    """

    @on_asyncio
    async def test_every_stream(self) -> None:
        """
        A push goes to each subscribed stream once, even if it subscribed twice, and to
        no other.
        """
        message = await self.message()
        first = await self.connect(message, listens=False)
        second = await self.connect(message, listens=False, subscribes=2)
        third = await self.connect(message, listens=False, subscribes=0)
        await third.send_text(1001, 1002, "served all the same")
        await first.expect("served all the same")
        await message.push(ws_message(sender=1, to=2, content="next"))
        for connect in (first, second):
            await connect.expect("next")
            contents = [push.message.content for push in connect.pushes]
            self.assertEqual(contents, ["served all the same", "next"])
        self.assertEqual(len(third.pushes), 0)

    @on_asyncio
    async def test_push_result(self) -> None:
        """
        Connect reports the result of a push only for users who are connected to it.
        """
        message = await self.message()
        connect = await self.connect(message, listens=False)
        connect.here = {1002}
        await connect.send_text(1001, 1003, "away")
        await connect.send_text(1001, 1002, "here")
        result = await message.expect("push_result")
        self.assertEqual(result.target_user_id, 1002)
        self.assertEqual(len(message.all("push_result")), 1)

    @on_asyncio
    async def test_history(self) -> None:
        """
        History has pages from 1 on, oldest first; page 0 is an error.
        """
        message = await self.message()
        connect = await self.connect(message, listens=False)
        for n in range(5):
            request = SendWSMessageRequest(
                msg=ws_message(sender=1001, to=1002, content=f"{n}", message_type=1)
            )
            data = await connect.call("SendWSMessage", request)
            self.assertTrue(SendWSMessageResponse.FromString(data).success)
        await connect.expect("4")
        request = GetHistoryRequest(user_id=1002, page=2, size=2)
        page = GetHistoryResponse.FromString(
            await connect.call("GetHistoryMessages", request)
        )
        self.assertEqual([m.content for m in page.messages], ["2", "3"])
        self.assertEqual((page.total, page.page, page.size), (5, 2, 2))
        with self.assertRaises(grpc.aio.AioRpcError):
            await connect.call("GetHistoryMessages", GetHistoryRequest(user_id=1002))

    @on_asyncio
    async def test_killed(self) -> None:
        """
        Streams end when Message is killed; it restarts on the same ports with its
        stored messages, and serves each Connect that dials again.
        """
        message = await self.message()
        connect = await self.connect(message, listens=False)
        await connect.send_text(1001, 1002, "before")
        await connect.expect("before")
        await message.restart()
        [(code, _)] = await connect.ends.count(1)
        self.assertIn(code, ("UNAVAILABLE", "CANCELLED", "UNKNOWN"))
        await connect.hang_up()
        await connect.connect()
        await message.subscribed()
        await connect.send_text(1001, 1002, "after")
        await connect.expect("after")
        self.assertEqual(len(message.store.unread(1002)), 2)
        self.assertEqual((await ask(message.http_port, "GET", "/health")).status, 200)

    @on_asyncio
    async def test_frozen(self) -> None:
        """
        A frozen Message neither answers nor closes anything until it is thawed.
        """
        message = await self.message()
        connect = await self.connect(message, listens=False)
        message.freeze()
        await connect.send_text(1001, 1002, "anybody?")
        with self.assertRaises(TimeoutError):
            await ask(message.http_port, "GET", "/health", limit_s=0.2)
        self.assertEqual((len(connect.pushes), len(connect.ends)), (0, 0))
        message.thaw()
        await connect.expect("anybody?")

    @on_asyncio
    async def test_message_stops_reading(self) -> None:
        """
        A writer has to wait once Message stops reading; when Message reads again,
        nothing is missing.
        """
        message = await self.message()
        connect = await self.connect(message, listens=False)
        message.stop_reading()
        writing = asyncio.ensure_future(self._write_much(connect))
        done, _ = await asyncio.wait([writing], timeout=1)
        self.assertEqual(done, set())
        message.read_on()
        await writing
        last = await message.received.find(lambda h: "the end" in str(h.event))
        self.assertEqual(last.kind, "send_message")
        self.assertEqual(len(message.all("send_message")), 65)

    async def _write_much(self, connect: Any) -> None:
        for _ in range(64):
            await connect.send_text(1001, 1002, "x" * 100_000)
        await connect.send_text(1001, 1002, "the end")

    @on_asyncio
    async def test_connect_stops_reading(self) -> None:
        """
        A Connect that stopped reading receives nothing until it reads again, and then
        everything.
        """
        message = await self.message()
        connect = await self.connect(message, listens=False)
        other = await self.connect(message, listens=False)
        connect.stop_reading()
        await other.send_text(1001, 1002, "one")
        await other.send_text(1001, 1002, "two")
        await other.expect("two")
        self.assertLess(len(connect.pushes), 2)
        connect.read_on()
        await connect.expect("two")

    @on_asyncio
    async def test_garbage(self) -> None:
        """
        Both sides record bytes that are not a message, and the stream continues.
        """
        message = await self.message()
        connect = await self.connect(message, listens=False)
        await connect.write(b"\x08")
        await connect.write(bytes.fromhex("5200"))
        await message.broken.count(1)
        await message.expect("")
        await message.tell_all(b"\x08")
        await message.tell_all(bytes.fromhex("5a00"))
        await connect.others.count(2)
        self.assertEqual((message.strange, connect.strange), ([10], [11]))
        await connect.send_text(1001, 1002, "still here")
        await connect.expect("still here")

    @on_asyncio
    async def test_close_send(self) -> None:
        """
        A Connect that closes its half of the stream is no longer subscribed.
        """
        message = await self.message()
        connect = await self.connect(message, listens=False)
        await connect.close_send()
        self.assertEqual(await connect.ends.count(1), [("OK", "")])
        self.assertEqual(message.subscribers, [])
