"""
Tests for the lines that the chat shows, and for the chat from a pipe.
"""

from __future__ import annotations

import asyncio
import io
import json
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.asyncio_case import AsyncioCase
from tests.client.doubles import FakeServer, welcome
from wsmsg.cli.chat.pipe import NotAccepted, read_lines, send_lines
from wsmsg.cli.chat.target import ChatTarget
from wsmsg.cli.chat.view import TYPING_S, ChatView
from wsmsg.client import (
    Client,
    Connected,
    GroupChanged,
    MessageRecalled,
    MessageReceived,
    PresenceChanged,
    ReceiptReceived,
    Reconnect,
    Reconnecting,
    TypingReceived,
)
from wsmsg.client.state.reconnect import Ended
from wsmsg.model import RECALLED
from wsmsg.protocol import frames

U = "u:1:2"
URL = "ws://server.example/"


def message(seq: int, text: str, *, mine: bool = False, client_id: str = "") -> Any:
    return MessageReceived(
        conversation=U,
        seq=seq,
        message_id=seq,
        sender=1 if mine else 2,
        content=text,
        kind=1,
        time_ms=seq,
        client_id=client_id,
        mine=mine,
    )


class ViewTests(SynchronousTestCase):
    """
    The lines that the chat shows.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.view = ChatView(U, self.clock.seconds)

    def shown(self) -> list[tuple[str, str]]:
        return [(e.text, self.view.mark(e)) for e in self.view.entries]

    def test_marks(self) -> None:
        """
        An own message goes from sent over accepted and delivered to read.
        """
        self.view.sending("a", "hello", 1)
        self.assertEqual(self.shown(), [("hello", "\u2026")])
        self.view.accepted("a")
        self.assertEqual(self.shown(), [("hello", "\u2713")])
        self.view.event(message(1, "hello", mine=True, client_id="a"))
        self.view.event(ReceiptReceived(U, 2, 1, 0))
        self.assertEqual(self.shown(), [("hello", "\u2713\u2713")])
        self.view.event(ReceiptReceived(U, 2, 1, 1))
        self.assertEqual(self.shown(), [("hello", "\u2713\u2713 read")])

    def test_refused(self) -> None:
        """
        A refused message stays, with the reason.
        """
        self.view.sending("a", "hello", 1)
        self.view.refused("a", "forbidden: no")
        self.assertEqual(self.shown(), [("hello", "not sent: forbidden: no")])

    def test_order(self) -> None:
        """
        Messages without a number stay below numbered ones.
        """
        self.view.sending("a", "mine", 1)
        self.view.event(message(1, "theirs"))
        self.assertEqual([text for text, _ in self.shown()], ["theirs", "mine"])

    def test_history_and_live(self) -> None:
        """
        A message that is in the history and arrives live is shown once.
        """
        self.view.history([message(1, "a"), message(2, "b")])
        self.view.event(message(2, "b"))
        self.view.event(message(3, "c"))
        self.assertEqual([text for text, _ in self.shown()], ["a", "b", "c"])

    def test_typing(self) -> None:
        """
        The typing mark ends with a message, or with a pause.
        """
        self.view.event(TypingReceived(U, 2))
        self.assertTrue(self.view.typing)
        self.clock.advance(TYPING_S)
        self.assertFalse(self.view.typing)
        self.view.event(TypingReceived(U, 2))
        self.view.event(message(1, "said"))
        self.assertFalse(self.view.typing)

    def test_connection(self) -> None:
        """
        The states of the connection and of the other user are shown.
        """
        self.view.event(Connected(1, "s"))
        self.view.event(PresenceChanged(2, True, 0))
        self.assertEqual((self.view.connection, self.view.online), ("connected", True))
        self.view.event(Reconnecting("broke\x1b", 1.5))
        self.assertEqual(self.view.connection, "reconnecting in 1.5 s: broke\u241b")
        self.assertIsNone(self.view.online)

    def test_harmless(self) -> None:
        """
        Text of other users cannot move the cursor.
        """
        self.view.event(message(1, "a\x1b[2Jb"))
        self.assertEqual(self.view.entries[0].text, "a\u241b[2Jb")


class GroupViewTests(SynchronousTestCase):
    """
    Groups and recalls in the chat.
    """

    def setUp(self) -> None:
        self.view = ChatView("g:5", Clock().seconds)
        self.seq = 0

    def event(self, made: type[Any], conversation: str = "g:5", **fields: Any) -> None:
        self.seq += 1
        fields = {"sender": 2, "mine": False, **fields}
        self.view.event(
            made(
                conversation=conversation,
                seq=self.seq,
                message_id=self.seq,
                time_ms=self.seq,
                client_id="",
                **fields,
            )
        )

    def shown(self) -> list[str]:
        return [e.text for e in self.view.entries]

    def test_changes(self) -> None:
        """
        The creation of a group and its members' changes appear between the messages.
        """
        self.event(GroupChanged, created=True, name="U\x1bs", added=(2, 1))
        self.event(MessageReceived, content="hi", kind=1)
        self.event(GroupChanged, added=(7,), removed=(8, 9))
        self.event(GroupChanged, sender=7, removed=(7,))
        self.event(GroupChanged, added=tuple(range(1, 13)))
        self.assertEqual(
            self.shown(),
            [
                "2 made the group 'U\\x1bs' with 1",
                "hi",
                "2 added 7 and removed 8, 9",
                "7 left",
                "2 added 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 and 2 more",
            ],
        )
        self.assertEqual(self.view.shown, 5)

    def test_recalled(self) -> None:
        """
        A recalled message stays without its text, live and in the history.
        """
        self.event(MessageReceived, content="oh", kind=1)
        self.event(MessageReceived, content="", kind=RECALLED)
        self.event(MessageRecalled, recalled=1)
        self.assertEqual(self.shown(), ["", ""])
        self.assertTrue(all(entry.recalled for entry in self.view.entries))

    def test_last_own(self) -> None:
        """
        The last own message that is not recalled is the one that C{/recall} recalls.
        """
        self.assertEqual(self.view.last_own(), 0)
        for _ in range(2):
            self.event(MessageReceived, content="x", kind=1, sender=1, mine=True)
        self.event(MessageReceived, content="y", kind=1)
        self.assertEqual(self.view.last_own(), 2)
        self.event(MessageRecalled, recalled=2, sender=1, mine=True)
        self.assertEqual(self.view.last_own(), 1)

    def test_elsewhere(self) -> None:
        """
        Events of other conversations name the conversation.
        """
        self.event(MessageReceived, "g:6", content="psst", kind=1)
        self.event(MessageReceived, "u:1:2", content="psst", kind=1)
        self.event(GroupChanged, "g:7", added=(1,))
        told = [
            "2 wrote to group 6: psst",
            "2 wrote to you: psst",
            "in group 7 2 added 1",
        ]
        self.assertEqual(self.shown(), told)
        self.assertEqual(self.view.shown, 0)


class PipeTests(AsyncioCase):
    """
    The chat from a pipe.
    """

    async def asyncSetUp(self) -> None:
        self.server = FakeServer()
        reconnect = Reconnect(URL, first_s=0.0)
        self.client = Client(URL, "t", dial=self.server.dial, reconnect=reconnect)
        self.addAsyncCleanup(self.client.close)
        self.said: list[str] = []
        self.warned: list[str] = []

    def send(self, data: bytes, *, as_json: bool = False) -> asyncio.Task[int]:
        return asyncio.create_task(
            send_lines(
                self.client,
                ChatTarget(1, 2),
                io.BytesIO(data),
                timeout_s=20.0,
                as_json=as_json,
                say=self.said.append,
                warn=self.warned.append,
            )
        )

    async def test_all_accepted(self) -> None:
        """
        Lines are sent in order, empty ones are skipped, and each is confirmed.
        """
        sending = self.send(b"one\r\n\ntwo")
        link = await self.server.connection(welcome())
        for text in ("one", "two"):
            frame = await link.next(frames.Send)
            self.assertEqual(frame.content, text)
            link.give(frames.Accepted(frame.client_id, 5))
        self.assertEqual(await sending, 2)
        said = [s.split()[:2] for s in self.said]
        self.assertEqual(said, [["accepted", "1"], ["accepted", "3"]])

    async def test_group(self) -> None:
        """
        Lines can be sent to a group.
        """
        sending = asyncio.create_task(
            send_lines(
                *(self.client, ChatTarget(1, group=5), io.BytesIO(b"hi\n")),
                timeout_s=20.0,
                as_json=False,
                say=self.said.append,
                warn=self.warned.append,
            )
        )
        link = await self.server.connection(welcome())
        frame = await link.next(frames.Send)
        self.assertEqual((frame.to, frame.group), (0, 5))
        link.give(frames.Accepted(frame.client_id, 5))
        self.assertEqual(await sending, 1)

    async def test_one_refused(self) -> None:
        """
        A refused line does not stop the others, and is named at the end.
        """
        sending = self.send(b"one\n\xff\ntwo\n", as_json=True)
        link = await self.server.connection(welcome())
        first = await link.next(frames.Send)
        link.give(frames.Rejected(first.client_id, "forbidden", "no"))
        second = await link.next(frames.Send)
        link.give(frames.Accepted(second.client_id, 5))
        with self.assertRaisesRegex(NotAccepted, "^line 1: .* .and 1 more.; 1 acc"):
            await sending
        told = {t["line"]: t["accepted"] for t in map(json.loads, self.said)}
        self.assertEqual(told, {1: False, 2: False, 3: True})

    async def test_no_connection(self) -> None:
        """
        The reason for which there is no connection is said once, and so is its end.
        """
        bad = Ended(reason="certificate verify failed")
        self.server.refuse = [bad, bad]
        sending = self.send(b"one\n")
        link = await self.server.connection(welcome())
        frame = await link.next(frames.Send)
        link.give(frames.Accepted(frame.client_id, 5))
        await sending
        told = ["not connected: certificate verify failed", "connected"]
        self.assertEqual(self.warned, told)

    async def test_read_lines(self) -> None:
        """
        Lines are read with their numbers and without line ends, the last one too.
        """
        found = [line async for line in read_lines(io.BytesIO(b"a\n\r\nb"))]
        self.assertEqual(found, [(1, b"a"), (2, b""), (3, b"b")])
