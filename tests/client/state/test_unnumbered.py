"""
Tests for the client with a server that does not number messages.
"""

from __future__ import annotations

import asyncio
from math import inf

from twisted.trial.unittest import SynchronousTestCase

from tests.asyncio_case import listed
from tests.client.client_case import ClientCase, U
from tests.client.doubles import unnumbered_welcome, welcome
from wsmsg.client import MessageReceived
from wsmsg.client.state.unnumbered import Unnumbered
from wsmsg.errors import Unsupported
from wsmsg.protocol import frames
from wsmsg.protocol.frames import Deliver, Read


def message(message_id: int, text: str = "hi") -> Deliver:
    return Deliver(U, 0, message_id, 2, text, 1, 7)


class UnnumberedTests(SynchronousTestCase):
    """
    L{Unnumbered}.
    """

    def setUp(self) -> None:
        self.given: list[Deliver] = []
        self.room = 10
        self.inbound = Unnumbered(self.given.append, lambda: self.room)

    def test_once(self) -> None:
        """
        A repeated message is given once, and so is another one with its id.
        """
        for one in (message(1), message(1), message(1, "other"), message(2)):
            self.inbound.delivered(one)
        said = [(m.message_id, m.content) for m in self.given]
        self.assertEqual(said, [(1, "hi"), (1, "other"), (2, "hi")])

    def test_no_room(self) -> None:
        """
        Messages that arrive while the program has no room are lost, and counted.
        """
        self.room = 0
        self.inbound.delivered(message(1))
        self.assertEqual((self.given, self.inbound.lost_count), ([], 1))

    def test_read(self) -> None:
        """
        A message that was seen is reported once on each connection.
        """
        self.inbound.read(U, 5)
        self.inbound.read(U, 6)
        self.assertEqual(self.inbound.due(1, 0.0), [Read(U, message_id=5)])
        self.inbound.read(U, 5)
        self.assertEqual(self.inbound.due(9, 0.0), [Read(U, message_id=6)])
        self.assertEqual(self.inbound.next_report(0.0), inf)
        self.inbound.lost()
        told = [read.message_id for read in self.inbound.due(9, 0.0)]
        self.assertEqual(told, [5, 6])


class UnnumberedClientTests(ClientCase):
    """
    The client, as a program sees it.
    """

    async def test_messages(self) -> None:
        """
        Messages arrive without seqs, each once, also after a reconnect; the client
        syncs nothing, and reports seen messages by their ids.
        """
        client = self.client()
        client.start()
        link = await self.server.connection(unnumbered_welcome(), message(1))
        events = client.events()
        first = await self.next(events, MessageReceived)
        self.assertEqual((first.seq, first.message_id), (0, 1))
        await client.caught_up()
        client.mark_read(U, message_id=first.message_id)
        read = await link.next(Read)
        self.assertEqual((read.conversation, read.seq, read.message_id), (U, 0, 1))
        link.give(frames.Resync("odd"))
        link.lose()
        link = await self.server.connection(
            unnumbered_welcome(), message(1), message(2)
        )
        second = await self.next(events, MessageReceived)
        self.assertEqual(second.message_id, 2)
        kinds = {type(frame) for frame in link.rest()}
        self.assertLessEqual(kinds, {Read})

    async def test_refused(self) -> None:
        """
        Reading history is refused with a reason, and nothing else fails.
        """
        client = self.client()
        client.start()
        link = await self.server.connection(unnumbered_welcome())
        reading = asyncio.create_task(listed(client.history(U)))
        asked = await link.next(frames.Sync)
        link.give(frames.Error("unsupported", "there is none", asked.id))
        with self.assertRaises(Unsupported):
            await reading

    async def test_turned(self) -> None:
        """
        Messages of a server that begins to number them are asked for as usual.
        """
        client = self.client()
        client.start()
        link = await self.server.connection(unnumbered_welcome(), message(1))
        events = client.events()
        await self.next(events, MessageReceived)
        link.lose()
        link = await self.server.connection(welcome(frames.Head(U, 1)))
        asked = await link.next(frames.Sync)
        numbered = Deliver(U, 1, 9, 2, "numbered", 1, 7)
        link.give(frames.Page(asked.id, U, (numbered,), 1))
        got = await self.next(events, MessageReceived)
        self.assertEqual((got.seq, got.content), (1, "numbered"))
