"""
Arguments of the client's methods: they are checked before anything is queued, and
whatever is refused later is settled (number 30).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from enum import Enum, IntEnum
from typing import Any

from tests.client.client_case import URL, ClientCase, U
from tests.client.doubles import LIMITS, FakeLink, welcome
from wsmsg.client import (
    Client,
    Connected,
    MessageReceived,
    SendAccepted,
    SendSettled,
)
from wsmsg.errors import BadFrame, BadRequest, TooLarge
from wsmsg.protocol import frames

HALF = "half an emoji: \ud83d"

Call = Callable[[Client], object]


def _typed(value: Any) -> Any:
    """
    Return a value of a type that the client does not accept.
    """
    return value


OTHER_TYPES: list[Call] = [
    lambda c: c.send(_typed(b"anna"), "hi"),
    lambda c: c.send(_typed(4001.0), "hi"),
    lambda c: c.send(_typed(True), "hi"),
    lambda c: c.send(2, _typed(b"hi")),
    lambda c: c.send(2, _typed(5)),
    lambda c: c.send(group=_typed("5"), content="hi"),
    lambda c: c.send(2, "hi", kind=_typed("1")),
    lambda c: c.send(2, "hi", client_id=_typed(7)),
    lambda c: c.create_group(_typed(5), [2]),
    lambda c: c.create_group("Us", _typed([b"2"])),
    lambda c: c.create_group("Us", _typed("anna")),
    lambda c: c.create_group("Us", _typed(2)),
    lambda c: c.create_group("Us", [2], history=_typed("yes")),
    lambda c: c.change_group(_typed("5"), add=[2]),
    lambda c: c.change_group(5, add=_typed([2.0])),
    lambda c: c.change_group(5, remove=_typed("anna")),
    lambda c: c.recall(_typed(5), 1),
    lambda c: c.recall(U, _typed("1")),
    lambda c: c.members(_typed("5")),
    lambda c: c.history(_typed(5)),
    lambda c: c.history(U, after=_typed("1")),
    lambda c: c.mark_read(_typed(5), 1),
    lambda c: c.mark_read(U, _typed("1")),
    lambda c: c.typing(_typed(5)),
    lambda c: c.watch(_typed([2.5])),
    lambda c: c.watch(_typed("anna")),
    lambda c: c.look_up(_typed([7])),
]

BAD_VALUES: list[Call] = [
    lambda c: c.send(2**64, "hi"),
    lambda c: c.send(-1, "hi"),
    lambda c: c.send(0, "hi"),
    lambda c: c.send(2, "hi", group=5),
    lambda c: c.send(2, HALF),
    lambda c: c.send(2, "a\0b"),
    lambda c: c.send(2, "hi", client_id="x" * 65),
    lambda c: c.send(2, "hi", client_id="a\nb"),
    lambda c: c.send(2, "hi", client_id=HALF),
    lambda c: c.send(2, "hi", kind=-1),
    lambda c: c.send(2, "hi", kind=2**31),
    lambda c: c.send(2, "hi", kind=1001),
    lambda c: c.send(group=2**63, content="hi"),
    lambda c: c.create_group(HALF, [2]),
    lambda c: c.create_group("Us", [2**64]),
    lambda c: c.create_group("Us", [0]),
    lambda c: c.change_group(2**64, add=[2]),
    lambda c: c.change_group(5, remove=[-2]),
    lambda c: c.recall(U, 2**64),
    lambda c: c.recall("", 1),
    lambda c: c.recall(HALF, 1),
    lambda c: c.members(2**64),
    lambda c: c.members(5, limit=-1),
    lambda c: c.history("x" * 65),
    lambda c: c.history(U, after=-1),
    lambda c: c.history(U, after=2**64),
    lambda c: c.mark_read(U, -1),
    lambda c: c.mark_read(U, 2**64),
    lambda c: c.mark_read(U, message_id=2**64),
    lambda c: c.mark_read(HALF, 1),
    lambda c: c.typing(HALF),
    lambda c: c.typing(""),
    lambda c: c.watch([2**64]),
    lambda c: c.watch([-1]),
    lambda c: c.watch(range(1, 20000)),
]


class ArgumentTests(ClientCase):
    """
    Number 30: no argument makes a call hang, stops other sends or spoils the position
    file.
    """

    async def opened(self, client: Client) -> FakeLink:
        client.start()
        link = await self.server.connection(welcome())
        await client.connect()
        return link

    async def refuse(self, error: type[Exception], calls: list[Call]) -> None:
        client = self.client(position_file=self.file)
        link = await self.opened(client)
        for number, call in enumerate(calls):
            with self.assertRaises(error, msg=f"call {number}"):
                made = call(client)
                if asyncio.iscoroutine(made):
                    await asyncio.wait_for(made, 5)
        self.assertEqual(client.unsent, 0)
        self.assertEqual(link.rest(), [])
        sending = asyncio.create_task(client.send(2, "after all that"))
        frame = await link.next(frames.Send)
        self.assertEqual(frame.content, "after all that")
        link.give(frames.Accepted(frame.client_id, 1))
        await sending
        await client.close()
        self.assertEqual(json.loads(self.file.read_text())["unsent"], [])
        self.client(position_file=self.file)

    async def test_other_types(self) -> None:
        """
        An argument of another type raises TypeError at once, and the next send goes.
        """
        await self.refuse(TypeError, OTHER_TYPES)

    async def test_bad_values(self) -> None:
        """
        A value that the server does not accept raises BadRequest at once, and the next
        send goes.
        """
        await self.refuse(BadRequest, BAD_VALUES)

    def test_device(self) -> None:
        """
        The device is checked when the client is created.
        """
        for device in ("x" * 65, HALF, "a\nb"):
            with self.assertRaises(BadRequest):
                Client(URL, "t", device)
        with self.assertRaises(TypeError):
            Client(URL, "t", _typed(5))

    def test_token(self) -> None:
        """
        The token is checked when the client is created, so that none breaks the head of
        the handshake.
        """
        for token in ("a.b.c\n", "a b", "a\r\nX: y", HALF, "\u00e9"):
            with self.assertRaisesRegex(BadRequest, "token"):
                Client(URL, token)
        for other in (None, 5, b"a.b.c"):
            with self.assertRaises(TypeError):
                Client(URL, _typed(other))

    async def test_token_of_a_function(self) -> None:
        """
        A token of a function that cannot be sent is not sent, and the function is
        called again.
        """
        tokens = iter(["a\n", "a"])
        client = self.client(token=lambda: next(tokens))
        client.start()
        await self.server.connection(welcome())
        self.assertEqual(self.server.dialled, [(URL, "a")])

    async def test_enumerations(self) -> None:
        """
        Members of enumerations are sent, and saved, as the values that they are.
        """

        class People(IntEnum):
            BOB = 2

        class Words(str, Enum):  # noqa: UP042 (its str() is another text)
            HELLO = "hello"

        client = self.client(position_file=self.file)
        link = await self.opened(client)
        sending = asyncio.create_task(client.send(People.BOB, Words.HELLO))
        frame = await link.next(frames.Send)
        self.assertEqual(
            [(type(v), v) for v in (frame.to, frame.content)],
            [(int, 2), (str, "hello")],
        )
        link.give(frames.Accepted(frame.client_id, 1))
        await sending

    async def test_codec_refuses(self) -> None:
        """
        A send that the codec refuses raises its error, and the next send goes.
        """
        client = self.client()
        link = await self.opened(client)
        link.unsendable["a"] = TooLarge("the frame has 2 bytes")
        sends = [
            asyncio.create_task(client.send(2, name, client_id=name)) for name in "ab"
        ]
        frame = await link.next(frames.Send)
        self.assertEqual(frame.client_id, "b")
        link.give(frames.Accepted("b", 7))
        with self.assertRaisesRegex(TooLarge, "2 bytes"):
            await sends[0]
        self.assertEqual(await sends[1], SendAccepted("b", 7))

    async def test_longer_than_the_limit(self) -> None:
        """
        A message that was queued before the limit was known, and exceeds it, is refused
        and never sent, whether a call waits for it or an earlier run left it.
        """
        longest = LIMITS.content_bytes
        entry = {"client_id": "old", "to": 2, "content": "x" * (longest + 1)}
        self.file.write_text(json.dumps({"version": 1, "user": 1, "unsent": [entry]}))
        client = self.client(position_file=self.file)
        sends = [
            asyncio.create_task(client.send(2, "x" * n)) for n in (longest + 1, longest)
        ]
        await asyncio.sleep(0)
        client.start()
        link = await self.server.connection(welcome())
        frame = await link.next(frames.Send)
        self.assertEqual(len(frame.content), longest)
        link.give(frames.Accepted(frame.client_id, 1))
        with self.assertRaises(TooLarge):
            await sends[0]
        await sends[1]
        settled = await self.next(client.events(), SendSettled)
        self.assertEqual((settled.client_id, type(settled.error)), ("old", TooLarge))
        await client.close()
        self.assertEqual(json.loads(self.file.read_text())["unsent"], [])

    async def test_file_of_an_earlier_client(self) -> None:
        """
        Unsent messages of the position file that can never be sent are reported to the
        program, and the others are sent.
        """
        unsent = [
            {"client_id": "big", "to": 2**64, "content": "hi"},
            {"client_id": "low", "to": -1, "content": "hi"},
            {"client_id": "x" * 65, "to": 2, "content": "hi"},
            {"client_id": "name", "type": "create_group", "name": 5},
            {"client_id": "good", "to": 2, "content": "hi"},
        ]
        self.file.write_text(json.dumps({"version": 1, "user": 1, "unsent": unsent}))
        client = self.client(position_file=self.file)
        events = client.events()
        for entry in unsent[:-1]:
            settled = await self.next(events, SendSettled)
            self.assertEqual(settled.client_id, entry["client_id"])
            self.assertIsInstance(settled.error, BadRequest)
        link = await self.opened(client)
        self.assertEqual((await link.next(frames.Send)).client_id, "good")
        await self.next(events, Connected)
        await client.close()
        saved = json.loads(self.file.read_text())["unsent"]
        self.assertEqual([entry["client_id"] for entry in saved], ["good"])


class OtherServer:
    """
    A server that does not decode messages with C{bad} in their text, and closes after
    some of them, as Connect does.

    @ivar accepted: the client ids of the messages that it accepted.
    """

    def __init__(self, link: FakeLink, close_after: int = 10) -> None:
        self.accepted: list[str] = []
        self._link = link
        self._bad = 0
        self._close_after = close_after

    async def serve(self) -> None:
        """
        Answer frames until there have been too many bad ones.
        """
        while self._bad < self._close_after:
            match await self._link.came.get():
                case frames.Send(client_id, content=content) if "bad" not in content:
                    self.accepted.append(client_id)
                    self._link.give(frames.Accepted(client_id, 1))
                case frames.Send() | frames.Typing():
                    self._bad += 1
                    self._link.give(frames.Error("bad_frame", "what is this?"))
                case frames.Ping(nonce):
                    self._link.give(frames.Pong(nonce))
        self._link.lose(4500, "too many")


class BadFrameTests(ClientCase):
    """
    Number 30: a message that the server cannot decode is refused, and no other.
    """

    def send(self, client: Client, *texts: str) -> list[asyncio.Task[SendAccepted]]:
        return [
            asyncio.create_task(client.send(2, text, client_id=f"{n} {text}"))
            for n, text in enumerate(texts)
        ]

    async def serve(self, close_after: int = 10) -> OtherServer:
        link = await self.server.connection(welcome())
        server = OtherServer(link, close_after)
        serving = asyncio.create_task(server.serve())
        self.addCleanup(serving.cancel)
        return server

    async def outcomes(self, sends: list[asyncio.Task[SendAccepted]]) -> list[type]:
        async with asyncio.timeout(10):
            done = await asyncio.gather(*sends, return_exceptions=True)
        return [type(one) for one in done]

    async def test_settled(self) -> None:
        """
        Messages in flight that the server cannot decode raise BadFrame, and the others
        are accepted in their order.
        """
        client = self.client(position_file=self.file)
        sends = self.send(client, "a", "bad", "b", "c", "bad", "d")
        client.start()
        server = await self.serve()
        good, bad = SendAccepted, BadFrame
        self.assertEqual(await self.outcomes(sends), [good, bad, good, good, bad, good])
        first = list(dict.fromkeys(server.accepted))
        self.assertEqual(first, ["0 a", "2 b", "3 c", "5 d"])
        self.assertEqual(client.unsent, 0)
        more = self.send(client, "e")
        self.assertEqual(await self.outcomes(more), [good])

    async def test_another_frame(self) -> None:
        """
        No message is refused for another frame that the server cannot decode.
        """
        client = self.client()
        client.start()
        await self.serve()
        await client.connect()
        sends = self.send(client, "a", "b")
        client.typing(U)
        sends += self.send(client, "c")
        self.assertEqual(await self.outcomes(sends), [SendAccepted] * 3)

    async def test_closed_for_it(self) -> None:
        """
        A server that closes after some frames that it cannot decode is met again until
        all of them are found.
        """
        client = self.client()
        sends = self.send(client, *(["bad"] * 5), "good")
        client.start()
        for _ in range(3):
            await self.serve(close_after=3)
        self.assertEqual(await self.outcomes(sends), [*([BadFrame] * 5), SendAccepted])

    async def test_query(self) -> None:
        """
        A query that the server cannot decode raises BadFrame.
        """
        client = self.client()
        client.start()
        link = await self.server.connection(welcome())
        reading = asyncio.create_task(client.members(5))
        await link.next(frames.Members)
        link.give(frames.Error("bad_frame", "unknown frame"))
        barrier = await link.next(frames.Ping)
        await link.next(frames.Members)
        link.give(frames.Pong(barrier.nonce))
        link.give(frames.Error("bad_frame", "unknown frame"))
        with self.assertRaisesRegex(BadFrame, "unknown frame"):
            await reading

    async def test_messages_go_on(self) -> None:
        """
        Messages arrive as before while the client looks for the cause.
        """
        client = self.client()
        client.start()
        link = await self.server.connection(welcome())
        link.give(frames.Error("bad_frame", "what?"))
        link.give(frames.Deliver(U, 1, 1001, 2, "text", 1, 1))
        received = await self.next(client.events(), MessageReceived)
        self.assertEqual(received.content, "text")
