"""
Tests for L{wsmsg.client.conversations}: replies and the history.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

from tests.asyncio_case import listed
from tests.client.client_case import ClientCase, U, message
from tests.client.doubles import FakeLink, welcome
from wsmsg.client import Client, Stored
from wsmsg.client.state.events import received
from wsmsg.errors import BadRequest
from wsmsg.model import group_conversation
from wsmsg.protocol import frames
from wsmsg.protocol.frames import Deliver

G = group_conversation(5)


def in_group(seq: int) -> Deliver:
    return Deliver(G, seq, 2000 + seq, 3, f"text {seq}", 1, seq)


class ConversationCase(ClientCase):
    """
    A connected client.
    """

    async def connected(self) -> tuple[Client, FakeLink]:
        client = self.client()
        client.start()
        link = await self.server.connection(welcome())
        await client.connect()
        return client, link


class ReplyTests(ConversationCase):
    """
    C{Client.reply}.
    """

    async def reply(self, event: Stored, text: str, **more: str) -> frames.Send:
        """
        Reply, and return the frame that the server got.
        """
        sending = asyncio.create_task(self.bot.reply(event, text, **more))
        frame = await self.link.next(frames.Send)
        self.link.give(frames.Accepted(frame.client_id, 7))
        await sending
        return frame

    async def asyncSetUp(self) -> None:
        await super().asyncSetUp()
        self.bot, self.link = await self.connected()

    async def test_to_a_user(self) -> None:
        """
        A reply goes to the other user of the conversation, also if the event is a
        message of the bot itself.
        """
        for frame in (message(1), frames.Deliver(U, 2, 1002, 1, "mine", 1, 2)):
            sent = await self.reply(received(frame, 1), "hello")
            self.assertEqual((sent.to, sent.group, sent.content), (2, 0, "hello"))

    async def test_to_oneself(self) -> None:
        """
        A reply in the conversation of a user with themself stays there.
        """
        note = frames.Deliver("u:1:1", 1, 9, 1, "note", 1, 1)
        self.assertEqual((await self.reply(received(note, 1), "noted")).to, 1)

    async def test_to_a_group(self) -> None:
        """
        A reply to an event of a group goes to the group.
        """
        event = received(in_group(1), 1)
        self.assertEqual(event.group, 5)
        sent = await self.reply(event, "hello")
        self.assertEqual((sent.to, sent.group), (0, 5))

    async def test_same_again(self) -> None:
        """
        The same reply to the same event has the same id, so that the server takes it
        for the same message; any other reply, and one with an id of its own, has not.
        """
        first = await self.reply(received(message(1), 1), "hello")
        again = await self.reply(received(message(1), 1), "hello")
        self.assertEqual(again.client_id, first.client_id)
        others = [
            await self.reply(received(message(2), 1), "hello"),
            await self.reply(received(message(1), 1), "hallo"),
            await self.reply(received(message(1), 1), "hello", client_id="x"),
        ]
        ids = {first.client_id, *(other.client_id for other in others)}
        self.assertEqual(len(ids), 4)

    async def test_no_conversation(self) -> None:
        """
        An event that is not in a conversation cannot be replied to.
        """
        with self.assertRaisesRegex(TypeError, "Connected"):
            await self.bot.reply(self.bot.state, "hello")  # type: ignore[arg-type]

    async def test_no_text(self) -> None:
        """
        A content that is no text, or that cannot be sent, is refused at once.
        """
        event = received(message(1), 1)
        with self.assertRaises(TypeError):
            await self.bot.reply(event, 5)  # type: ignore[arg-type]
        with self.assertRaises(BadRequest):
            await self.bot.reply(event, "half an emoji: \ud83d")


class HistoryTests(ConversationCase):
    """
    C{Client.history}, against a server that has some numbers of a group.
    """

    async def read(
        self, seqs: Sequence[int], page: int, **options: int | bool
    ) -> tuple[list[int], int]:
        """
        Read the history while a server answers from messages with these numbers.

        @return: the numbers that the program got, and the number of queries.
        """
        client, link = await self.connected()
        reading = asyncio.create_task(listed(client.history(G, **options)))  # type: ignore[arg-type]
        queries = 0
        while not reading.done():
            coming = asyncio.create_task(link.next(frames.Sync))
            await asyncio.wait((reading, coming), return_when="FIRST_COMPLETED")
            if not coming.done():
                coming.cancel()
                break
            queries += 1
            asked = coming.result()
            after = [seq for seq in seqs if seq > asked.after]
            some = after[: min(page, asked.limit)]
            found = tuple(in_group(seq) for seq in some)
            head = max(seqs, default=0)
            link.give(frames.Page(asked.id, G, found, head, len(after) > len(some)))
        return [one.seq for one in await reading], queries

    async def test_pages(self) -> None:
        """
        All messages come in order, whatever the server's pages are, oldest or newest
        first, within bounds, and up to a limit.
        """
        seqs = [*range(3, 20), *range(40, 45), 400]
        for page in (1, 7, 1000):
            for options in (
                {},
                {"after": 5},
                {"before": 41},
                {"after": 5, "before": 42, "limit": 20},
                {"limit": 4},
                {"limit": 0},
                {"after": 400},
            ):
                first = options.get("after", 0)
                last = options.get("before", 10**6)
                most = options.get("limit", 10**6)
                want = [seq for seq in seqs if first < seq < last]
                with self.subTest(page=page, **options):
                    got, _ = await self.read(seqs, page, **options)
                    self.assertEqual(got, want[:most])
                    got, _ = await self.read(seqs, page, newest_first=True, **options)
                    self.assertEqual(got, want[::-1][:most])

    async def test_wide_gap(self) -> None:
        """
        A gap of a million numbers costs some hundred queries, not a million.
        """
        got, queries = await self.read([1, 2, 10**6], 100, newest_first=True)
        self.assertEqual(got, [10**6, 2, 1])
        self.assertLess(queries, 250)

    async def test_empty(self) -> None:
        """
        A conversation without messages has no history.
        """
        self.assertEqual((await self.read([], 10))[0], [])
        self.assertEqual((await self.read([], 10, newest_first=True))[0], [])

    async def test_only_what_is_wanted(self) -> None:
        """
        A program that stops early asks for no further page.
        """
        client, link = await self.connected()
        reading: AsyncIterator[Stored] = client.history(G)
        first = asyncio.ensure_future(anext(reading))
        asked = await link.next(frames.Sync)
        link.give(frames.Page(asked.id, G, (in_group(1), in_group(2)), 9, more=True))
        self.assertEqual((await first).seq, 1)
        self.assertEqual((await anext(reading)).seq, 2)
        self.assertEqual(link.rest(), [])

    async def test_checked_at_once(self) -> None:
        """
        A wrong argument is refused by the call, not by the iteration.
        """
        client, _ = await self.connected()
        for wrong in ("after", "before", "limit"):
            with self.assertRaises(BadRequest):
                client.history(G, **{wrong: -1})  # type: ignore[arg-type]
            with self.assertRaises(TypeError):
                client.history(G, **{wrong: "1"})  # type: ignore[arg-type]
