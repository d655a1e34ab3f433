"""
Tests that the scripted peers behave as the recorded legacy ones.
"""

from __future__ import annotations

from typing import Any

from tests.conformance.cases import PeerTestCase, on_asyncio
from tests.conformance.contract import (
    DEBUG_TOKEN,
    HEARTBEAT,
    ONLINE_STATUS_PATH,
    WEBSOCKET_PATH,
    OnlineStatusRequest,
    OnlineStatusResponse,
    fields_of,
)
from tests.conformance.plain_http import ask
from tests.conformance.recording import (
    ACK,
    ACK_NOT_CONFIRMED,
    ACKNOWLEDGED,
    CONNECT_ID,
    MESSAGE_ID,
    PUSH,
    PUSH_RESULT,
    SEND,
    SENT_AT,
    SUBSCRIBE,
    TEXT_HEARD,
    TEXT_SENT,
    Recorded,
)
from tests.conformance.streams import call, channel_to
from tests.conformance.websocket import LOST, PING, Frame, Refused


def _then() -> float:
    return SENT_AT


def _recorded_id() -> int:
    return MESSAGE_ID


def _lines(*recorded: Recorded) -> list[tuple[str, bytes]]:
    ways = {"client to Connect": ">", "Connect to Message": ">"}
    return [(ways.get(r.direction, "<"), r.data) for r in recorded]


class RecordingTests(PeerTestCase):
    """
    The recorded chat, with the scripted client, Connect and Message.
    """

    @on_asyncio
    async def test_byte_for_byte(self) -> None:
        """
        One client says hello, the other receives and acknowledges it before it is
        stored: every payload equals the recorded one, in the recorded order.
        """
        message = await self.message(ids=_recorded_id, now=_then)
        connect = await self.connect(message, node=CONNECT_ID)
        one = await self.client(1001, connect, message, now=_then)
        other = await self.client(1002, connect, message, now=_then)
        message.storing.close()
        await one.send_text(1002, "hello from 1001")
        await connect.confirms.count(1)
        self.assertEqual(
            list(connect.said),
            _lines(SUBSCRIBE, SEND, PUSH, PUSH_RESULT, ACK, ACK_NOT_CONFIRMED),
        )
        self.assertEqual(list(one.said), _lines(TEXT_SENT))
        self.assertEqual(list(other.said), _lines(TEXT_HEARD, ACKNOWLEDGED))
        self.assertEqual(message.strange + connect.strange, [])

    @on_asyncio
    async def test_overtaken(self) -> None:
        """
        In the legacy system a message that is acknowledged before it is stored stays
        unread.
        """
        message = await self.message()
        connect = await self.connect(message)
        one = await self.client(1001, connect, message)
        other = await self.client(1002, connect, message)
        message.storing.close()
        await one.send_text(1002, "too quick")
        await connect.confirms.count(1)
        message.storing.open()
        await one.send_text(1002, "slow enough")
        await connect.confirms.count(2)
        self.assertEqual([m["content"] for m in await other.unread()], ["too quick"])


class ClientTests(PeerTestCase):
    """
    The scripted client in a complete legacy system.
    """

    async def talk(self, **more: Any) -> None:
        """
        Return a legacy system and a connected client.
        """
        self.theirs = await self.message()
        self.edge = await self.connect(self.theirs)
        self.one = await self.client(1001, self.edge, self.theirs, **more)

    @on_asyncio
    async def test_away(self) -> None:
        """
        A client that was away gets nothing when it returns; its messages stay unread
        until they are marked as read.
        """
        await self.talk()
        await self.one.send_text(1002, "are you there?")
        await self.edge.expect("are you there?")
        self.assertEqual(self.theirs.all("push_result"), [])
        other = await self.client(1002, self.edge, self.theirs)
        [found] = await other.unread()
        self.assertEqual(found["content"], "are you there?")
        self.assertEqual((found["from"], found["to"], found["status"]), (1001, 1002, 0))
        await other.mark_read([found["id"]])
        self.assertEqual(await other.unread(), [])
        self.assertEqual(len(other.received), 0)
        page = await other.history()
        self.assertEqual([m["status"] for m in page["messages"]], [1])

    @on_asyncio
    async def test_group(self) -> None:
        """
        A message to a group reaches its members but the sender.
        """
        await self.talk()
        self.theirs.groups[77] = [1001, 1002, 1003]
        others = [await self.client(u, self.edge, self.theirs) for u in (1002, 1003)]
        await self.one.send_text(0, "all of you", group=77)
        for other in others:
            await other.expect("all of you")
        self.assertEqual(
            [push.target_user_id for push in self.edge.pushes], [1002, 1003]
        )

    @on_asyncio
    async def test_ping(self) -> None:
        """
        The client pings with the legacy payload and gets it back; it answers pings of
        the server.
        """
        await self.talk(ping_s=0.01)
        edge = self.edge.edge.sockets[1001]
        edge.write(Frame(PING, b"you?"))
        await self.one.send_text(1001, "to myself")
        await self.one.expect("to myself")
        self.assertEqual(list(edge.pongs), [b"you?"])
        self.assertEqual(await self.one.socket.pongs.count(1), [b"heartbeat"])

    @on_asyncio
    async def test_heartbeat(self) -> None:
        """
        Connect does not forward a heartbeat message, or bytes that are not a
        C{WSMessage}.
        """
        await self.talk()
        await self.one.send_text(0, "", message_type=HEARTBEAT)
        await self.one.write(b"\xff\xff")
        await self.one.send_text(1002, "text")
        await self.theirs.expect("send_message")
        self.assertEqual(len(self.theirs.all("send_message")), 1)

    @on_asyncio
    async def test_large(self) -> None:
        """
        Messages of every length encoding arrive complete.
        """
        await self.talk()
        for size in (100, 126, 65_535, 65_536, 200_000):
            await self.one.send_text(1001, "x" * size)
            await self.one.expect("x" * size)

    @on_asyncio
    async def test_silent(self) -> None:
        """
        A client with C{acknowledges=False} acknowledges nothing.
        """
        await self.talk()
        other = await self.client(1002, self.edge, self.theirs, acknowledges=False)
        await self.one.send_text(1002, "hello?")
        await other.expect("hello?")
        await other.send_text(1001, "not yet")
        await self.one.expect("not yet")
        await self.theirs.expect("ack")
        self.assertEqual([a.user_id for a in self.theirs.all("ack")], [1001])
        await other.acknowledge(other.received[0])
        await self.theirs.received.find(
            lambda h: h.kind == "ack" and h.event.user_id == 1002
        )

    @on_asyncio
    async def test_stops_reading(self) -> None:
        """
        A client that stopped reading receives nothing until it reads again, and then
        everything.
        """
        await self.talk()
        other = await self.client(1002, self.edge, self.theirs)
        other.stop_reading()
        await self.one.send_text(1002, "one")
        await self.one.send_text(1002, "two")
        await self.edge.expect("two")
        self.assertEqual(len(other.received), 0)
        other.read_on()
        await other.expect("two")
        self.assertEqual(other.texts(), ["one", "two"])

    @on_asyncio
    async def test_twice(self) -> None:
        """
        A second login of a user ends both connections, as legacy peers do.
        """
        await self.talk()
        again = await self.client(1001, self.edge, self.theirs)
        await self.one.ends.count(1)
        await again.ends.count(1)
        self.assertEqual((again.connected, list(again.ends)), (False, [LOST]))
        await again.login()
        await again.send_text(1001, "alone now")
        await again.expect("alone now")

    @on_asyncio
    async def test_refused(self) -> None:
        """
        A missing token gets 401, a bad C{User-ID} a close after the 101, and a plain
        GET 400.
        """
        await self.talk()
        await self.one.drop()
        with self.assertRaises(Refused) as caught:
            await self.one.login({"User-ID": "1001"})
        refused = caught.exception.answer
        self.assertEqual((refused.status, list(refused.document)), (401, ["error"]))
        await self.one.login({"Authorization": DEBUG_TOKEN, "User-ID": "me"})
        await self.one.ends.count(2)
        headers = {"Authorization": DEBUG_TOKEN}
        plain = await ask(self.edge.port, "GET", WEBSOCKET_PATH, headers=headers)
        self.assertEqual(plain.status, 400)

    @on_asyncio
    async def test_online(self) -> None:
        """
        A user with a WebSocket is online, over HTTP and over gRPC; the answer has every
        requested user.
        """
        await self.talk()
        document = {"user_ids": [1001, 1003]}
        answer = await ask(self.edge.port, "POST", ONLINE_STATUS_PATH, document)
        self.assertEqual(answer.document, {"status": {"1001": True, "1003": False}})
        channel = channel_to(self.edge.rpc_port)
        self.at_end(channel.close)
        request = OnlineStatusRequest(user_ids=[1001, 1003])
        data = await call(channel, "ConnectService", "OnlineStatus", request)
        status = fields_of(OnlineStatusResponse.FromString(data))["status"]
        self.assertEqual(status, {1001: True, 1003: False})
