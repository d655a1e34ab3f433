"""
Tests for L{wsmsg.client.client}: history, and the state that survives the program.
"""

from __future__ import annotations

import asyncio

from msgspec.structs import replace

from tests.asyncio_case import listed
from tests.client.client_case import ClientCase, U, message
from tests.client.doubles import welcome
from wsmsg.client import (
    Event,
    HistoryReplaced,
    MessageReceived,
    SendAccepted,
    SendSettled,
)
from wsmsg.errors import (
    Forbidden,
    Internal,
    Unavailable,
    WsmsgError,
)
from wsmsg.protocol import frames
from wsmsg.protocol.frames import Head


class MemoryTests(ClientCase):
    """
    History, lists and the position file.
    """

    async def test_history(self) -> None:
        """
        The last messages of a conversation are read from its end.
        """
        client = self.client()
        client.start()
        link = await self.server.connection(welcome())
        reading = asyncio.create_task(
            listed(client.history(U, newest_first=True, limit=2))
        )
        first = await link.next(frames.Sync)
        link.give(frames.Page(first.id, U, (message(1),), 5, more=True))
        second = await link.next(frames.Sync)
        self.assertEqual((second.after, second.limit), (3, 2))
        link.give(frames.Page(second.id, U, (message(4), message(5)), 5))
        self.assertEqual([m.seq for m in await reading], [5, 4])

    async def test_history_survives_a_loss(self) -> None:
        """
        A query without an answer is repeated on the next connection.
        """
        client = self.client()
        client.start()
        link = await self.server.connection(welcome())
        reading = asyncio.create_task(listed(client.history(U)))
        await link.next(frames.Sync)
        link.lose()
        link = await self.server.connection(welcome())
        sync = await link.next(frames.Sync)
        link.give(frames.Page(sync.id, U, (message(1),), 1))
        self.assertEqual([m.seq for m in await reading], [1])

    async def test_history_refused(self) -> None:
        """
        A conversation of other users cannot be read.
        """
        client = self.client()
        client.start()
        link = await self.server.connection(welcome())
        reading = asyncio.create_task(listed(client.history("u:7:8")))
        sync = await link.next(frames.Sync)
        link.give(frames.Error("forbidden", "not yours", sync.id))
        with self.assertRaises(Forbidden):
            await reading

    async def test_conversations(self) -> None:
        """
        All conversations are read, however many pages they take.
        """
        client = self.client()
        client.start()
        link = await self.server.connection(welcome())
        reading = asyncio.create_task(client.conversations())
        asked = await link.next(frames.Conversations)
        a, b, c = (Head(f"u:1:{n}", 1, time=n) for n in (2, 3, 4))
        link.give(frames.Heads(asked.id, (b, a), more=True, position="p1"))
        asked = await link.next(frames.Conversations)
        self.assertEqual(asked.position, "p1")
        link.give(frames.Heads(asked.id, (b, c), position="p2"))
        self.assertEqual(await reading, [a, b, c])

    async def test_another_epoch(self) -> None:
        """
        With another epoch the client lists everything, tells the program, and sends
        what was accepted again, of which the program hears no second time.
        """
        client = self.client()
        client.start()
        link = await self.server.connection(welcome())
        events = client.events()
        sending = asyncio.create_task(client.send(2, "mine"))
        mine = await link.next(frames.Send)
        link.give(frames.Accepted(mine.client_id, 5))
        await sending
        link.give(message(1))
        await self.next(events, MessageReceived)
        link.give(frames.Resync("restored"))
        asked = await link.next(frames.Conversations)
        self.assertEqual(asked.position, "p1")
        link.give(frames.Heads(asked.id, (Head(U, 1),), position="q1", epoch="e2"))
        self.assertEqual((await self.next(events, HistoryReplaced)).epoch, "e2")
        sync = await link.next(frames.Sync)
        self.assertEqual(sync.after, 0)
        self.assertEqual(await link.next(frames.Send), replace(mine, repeat=True))
        link.give(frames.Accepted(mine.client_id, 9))

    async def test_checked(self) -> None:
        """
        The program can ask when the server last made sure that nothing is missing.
        """
        client = self.client()
        client.start()
        link = await self.server.connection(welcome())
        events = client.events()
        cases = ((0, -1, -1), (5000, 5, 60), (0, -1, -1))
        for seq, (checked_ms, least, most) in enumerate(cases, 1):
            link.give(frames.Pong("h", checked_ms), message(seq))
            await self.next(events, MessageReceived)
            seconds = client.checked_s
            self.assertTrue(least <= (-1 if seconds is None else seconds) <= most)

    async def test_goes_on_after_a_crash(self) -> None:
        """
        After a crash of the program its messages are sent with their ids, and it gets
        again just the messages that it had not finished.
        """
        crashed = self.client(position_file=self.file)
        crashed.start()
        link = await self.server.connection(welcome())
        link.give(message(1), message(2))
        events = crashed.events()
        await self.next(events, MessageReceived)
        await self.next(events, MessageReceived)  # message 1 is done now
        sending = asyncio.create_task(crashed.send(2, "unsent"))
        lost = await link.next(frames.Send)
        saved = self.file.read_bytes()
        await crashed.close()
        with self.assertRaises(Unavailable):
            await sending
        self.file.write_bytes(saved)

        client = self.client(position_file=self.file)
        client.start()
        link = await self.server.connection(welcome())
        self.assertEqual(self.server.hello.position, "p1")
        sync = await link.next(frames.Sync)
        self.assertEqual(sync.after, 0)
        again = await link.next(frames.Send)
        self.assertEqual(again, replace(lost, repeat=True))
        link.give(
            frames.Page(sync.id, U, (message(1), message(2)), 2),
            frames.Accepted(again.client_id, 9),
        )
        events = client.events()
        self.assertEqual((await self.next(events, MessageReceived)).seq, 2)
        settled = await self.next(events, SendSettled)
        self.assertEqual(settled.accepted, SendAccepted(again.client_id, 9))

    async def test_failed_program(self) -> None:
        """
        A message that the program failed to handle comes again in the next run.
        """
        client = self.client(position_file=self.file)
        serving = asyncio.create_task(self.server.connection(welcome(), message(1)))
        with self.assertRaises(ZeroDivisionError):
            async with client:
                async for event in client.events():
                    if isinstance(event, MessageReceived):
                        raise ZeroDivisionError
        await serving
        again = self.client(position_file=self.file)
        again.start()
        link = await self.server.connection(welcome())
        self.assertEqual((await link.next(frames.Sync)).after, 0)

    async def test_file_of_another(self) -> None:
        """
        The positions of one user are neither used nor overwritten by another.
        """
        self.file.write_text('{"version": 1, "user": 5}')
        client = self.client(position_file=self.file)
        client.start()
        await self.server.connection(welcome())
        with self.assertRaisesRegex(WsmsgError, "user 1.* of 5"):
            await client.connect()
        await client.close()
        self.assertIn('"user":5', self.file.read_text().replace(" ", ""))

    async def test_program_that_only_sends(self) -> None:
        """
        A program that never reads its events holds a bounded number of them, and its
        sends are accepted all the same.
        """
        client = self.client(queued_messages=10)
        client.start()
        link = await self.server.connection(welcome())
        link.give(*(message(seq) for seq in range(1, 500)))
        link.give(*(frames.Typing(U, 100 + n) for n in range(500)))
        sending = asyncio.create_task(client.send(2, "hello"))
        frame = await link.next(frames.Send)
        link.give(frames.Accepted(frame.client_id, 1))
        await sending
        taken: list[Event] = []
        async for event in client.events():
            taken.append(event)
            if len(taken) == 20:
                break
        self.assertLessEqual(sum(isinstance(e, MessageReceived) for e in taken), 10)
        self.assertGreater((await link.next(frames.Sync)).after, 0)

    async def test_bug_of_the_server(self) -> None:
        """
        The client gives up on a server that fails again and again.
        """
        client = self.client()
        client.start()
        for _ in range(2):
            link = await self.server.connection(welcome())
            link.lose(1011, "bug")
        with self.assertRaises(Internal):
            await client._upkeep.until(lambda: False)
