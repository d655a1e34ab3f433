"""
Tests for L{wsmsg.client.client}: its connections, sends and messages.
"""

from __future__ import annotations

import asyncio

from msgspec.structs import replace

from tests.asyncio_case import listed
from tests.client.client_case import URL, ClientCase, U, message
from tests.client.doubles import welcome
from wsmsg.client import (
    Closed,
    Connected,
    MessageReceived,
    ReceiptReceived,
    Reconnecting,
    SendAccepted,
)
from wsmsg.client.state.reconnect import Ended
from wsmsg.errors import (
    Forbidden,
    Replaced,
    Unauthenticated,
)
from wsmsg.protocol import frames
from wsmsg.protocol.frames import Head


class ClientTests(ClientCase):
    """
    The client, as a program sees it.
    """

    async def test_hello(self) -> None:
        """
        The client sends its device and its token, and learns its user.
        """
        client = self.client()
        client.start()
        await self.server.connection(welcome())
        await client.connect()
        self.assertEqual(self.server.dialled, [(URL, "t")])
        self.assertEqual(
            (self.server.hello.device, self.server.hello.position), ("phone", "")
        )
        self.assertEqual((client.user, client.state), (1, Connected(1, "s1")))

    async def test_send(self) -> None:
        """
        A send completes when the server has accepted it.
        """
        client = self.client()
        sending = asyncio.create_task(client.send(2, "hello"))
        client.start()
        link = await self.server.connection(welcome())
        frame = await link.next(frames.Send)
        self.assertEqual((frame.to, frame.content), (2, "hello"))
        self.assertFalse(sending.done())
        link.give(frames.Accepted(frame.client_id, 77))
        self.assertEqual(await sending, SendAccepted(frame.client_id, 77))

    async def test_send_again(self) -> None:
        """
        Sends without an answer are repeated on the next connection, with the same ids
        and before newer ones, and say that they are repeats.
        """
        client = self.client()
        client.start()
        link = await self.server.connection(welcome())
        sends = [asyncio.create_task(client.send(*one)) for one in ((2, "a"), (3, "b"))]
        first = [await link.next(frames.Send), await link.next(frames.Send)]
        link.lose()
        link = await self.server.connection()
        sends.append(asyncio.create_task(client.send(4, "c")))
        await asyncio.sleep(0)
        link.give(welcome())
        again = [await link.next(frames.Send) for _ in range(3)]
        self.assertEqual([replace(f, repeat=False) for f in again[:2]], first)
        self.assertEqual(
            [(f.content, f.repeat) for f in again],
            [("a", True), ("b", True), ("c", False)],
        )
        link.give(*(frames.Accepted(f.client_id, 1) for f in again))
        self.assertEqual(
            [a.client_id for a in await asyncio.gather(*sends)],
            [f.client_id for f in again],
        )

    async def test_refused(self) -> None:
        """
        A send that the server refuses for good raises its error.
        """
        client = self.client()
        client.start()
        link = await self.server.connection(welcome())
        sending = asyncio.create_task(client.send(2, "hello"))
        frame = await link.next(frames.Send)
        link.give(frames.Rejected(frame.client_id, "forbidden", "not to them"))
        with self.assertRaisesRegex(Forbidden, "not to them"):
            await sending

    async def test_cancelled_send(self) -> None:
        """
        A send that is cancelled before it is in flight is never sent.
        """
        client = self.client()
        sending = asyncio.create_task(client.send(2, "never"))
        await asyncio.sleep(0)
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        client.start()
        link = await self.server.connection(welcome())
        other = asyncio.create_task(client.send(2, "sent"))
        frame = await link.next(frames.Send)
        self.assertEqual(frame.content, "sent")
        link.give(frames.Accepted(frame.client_id, 1))
        await other

    async def test_gap(self) -> None:
        """
        The program gets every message once and in order, although the server loses,
        repeats and reorders pushes.
        """
        client = self.client()
        client.start()
        link = await self.server.connection(welcome())
        link.give(message(1), message(4), message(1), message(3))
        sync = await link.next(frames.Sync)
        self.assertEqual((sync.conversation, sync.after), (U, 0))
        page = (message(1), message(2), message(3))
        link.give(frames.Page(sync.id, U, page, 4))
        events = client.events()
        seqs = [(await self.next(events, MessageReceived)).seq for _ in range(4)]
        self.assertEqual(seqs, [1, 2, 3, 4])

    async def test_delivered_when_taken(self) -> None:
        """
        A message is reported as delivered once the program has finished with it, and
        not before.
        """
        client = self.client()
        client.start()
        link = await self.server.connection(welcome())
        link.give(message(1), message(2))
        events = client.events()
        await self.next(events, MessageReceived)
        self.assertEqual(link.rest(), [])
        await self.next(events, MessageReceived)
        self.assertEqual(await link.next(frames.Delivered), frames.Delivered(U, 1))
        await client.close()
        self.assertEqual(link.rest(), [frames.Delivered(U, 2)])

    async def test_missed_while_away(self) -> None:
        """
        Messages that were missed are synced on the next connection.
        """
        client = self.client()
        client.start()
        link = await self.server.connection(welcome())
        link.give(message(1))
        events = client.events()
        await self.next(events, MessageReceived)
        link.lose()
        link = await self.server.connection(welcome(Head(U, 2)))
        sync = await link.next(frames.Sync)
        link.give(frames.Page(sync.id, U, (message(2),), 2))
        self.assertEqual((await self.next(events, MessageReceived)).seq, 2)
        await client.caught_up()

    async def test_resync(self) -> None:
        """
        After a resync the client lists the conversations that changed, page by page,
        and syncs them.
        """
        client = self.client()
        client.start()
        link = await self.server.connection(welcome())
        link.give(frames.Resync("lost some"))
        asked = await link.next(frames.Conversations)
        self.assertEqual(asked.position, "p1")
        page = frames.Heads(asked.id, (Head(U, 1),), more=True, position="p2")
        link.give(page)
        asked = await link.next(frames.Conversations)
        self.assertEqual(asked.position, "p2")
        link.give(frames.Heads(asked.id, ()))
        sync = await link.next(frames.Sync)
        link.give(frames.Page(sync.id, U, (message(1),), 1))
        received = await self.next(client.events(), MessageReceived)
        self.assertEqual(received.content, "text 1")

    async def test_receipts(self) -> None:
        """
        The other member's cursors are events, also those that were missed, and none is
        repeated.
        """
        client = self.client()
        client.start()
        others = (frames.Receipt(U, 2, read=0, delivered=3),)
        link = await self.server.connection(welcome(Head(U, 0, others=others)))
        events = client.events()
        self.assertEqual(
            await self.next(events, ReceiptReceived), ReceiptReceived(U, 2, 3, 0)
        )
        link.give(frames.Receipt(U, 2, 0, 2), frames.Receipt(U, 2, read=4))
        self.assertEqual(
            await self.next(events, ReceiptReceived), ReceiptReceived(U, 2, 4, 4)
        )

    async def test_watch_again(self) -> None:
        """
        The watched users are sent again on a new connection.
        """
        client = self.client()
        client.watch([2, 3])
        client.start()
        link = await self.server.connection(welcome())
        self.assertEqual(await link.next(frames.Watch), frames.Watch((2, 3)))
        link.lose()
        link = await self.server.connection(welcome())
        self.assertEqual(await link.next(frames.Watch), frames.Watch((2, 3)))

    async def test_says_that_it_reconnects(self) -> None:
        """
        The program learns why the connection is lost, and when there is a new one.
        """
        client = self.client()
        client.start()
        link = await self.server.connection(welcome())
        events = client.events()
        await self.next(events, Connected)
        self.server.refuse = [Ended(reason="connection refused")]
        link.lose(1012, "drain")
        self.assertEqual(
            await self.next(events, Reconnecting), Reconnecting("drain", 0.0)
        )
        again = await self.next(events, Reconnecting)
        self.assertEqual(again.reason, "connection refused")
        await self.server.connection(welcome())
        await self.next(events, Connected)

    async def test_moves(self) -> None:
        """
        After a goaway the client reconnects at the given time, to the given address.
        """
        client = self.client()
        client.start()
        link = await self.server.connection(welcome())
        link.give(frames.Goaway("draining", 0, ("other.example:1",)))
        await link.over.wait()
        await self.server.connection(welcome())
        self.assertEqual(
            self.server.dialled[1][0], "ws://other.example:1/api/v1/connect/ws"
        )

    async def test_replaced(self) -> None:
        """
        The client closes when a newer login replaces its session, and everything that
        waits for it fails with that error.
        """
        client = self.client()
        client.start()
        link = await self.server.connection(welcome())
        sending = asyncio.create_task(client.send(2, "hello"))
        await link.next(frames.Send)
        link.lose(4503, "a newer login")
        with self.assertRaises(Replaced):
            await sending
        with self.assertRaises(Replaced):
            await client.send(2, "again")
        with self.assertRaises(Replaced):
            await client.connect()
        with self.assertRaises(Replaced):
            await listed(client.history(U))
        kinds = [type(event) async for event in client.events()]
        self.assertEqual(kinds, [Connected, Closed])

    async def test_state_after_the_end(self) -> None:
        """
        A program that waits for a change of a closed client waits for nothing.
        """
        client = self.client()
        client.start()
        await client.close()
        async with asyncio.timeout(20):
            for _ in range(2):
                self.assertIsInstance(await client.state_changed(), Closed)

    async def test_fresh_token(self) -> None:
        """
        The client asks once for a new token if the token is refused.
        """
        tokens = iter(["old", "new"])
        self.server.refuse = [
            Ended(reason="expired", http_status=401, code="unauthenticated")
        ]
        client = self.client(token=lambda: next(tokens))
        client.start()
        await self.server.connection(welcome())
        self.assertEqual([t for _, t in self.server.dialled], ["old", "new"])

    async def test_token_never_believed(self) -> None:
        """
        The client gives up if the new token is refused, too.
        """
        self.server.refuse = [
            Ended(reason="forged", http_status=401, code="unauthenticated")
        ] * 2
        with self.assertRaisesRegex(Unauthenticated, "forged"):
            await self.client().connect()

    async def test_garbage_in_place_of_welcome(self) -> None:
        """
        Number 31: the client tries again if what answers its hello is not a frame.
        """
        client = self.client()
        client.start()
        link = await self.server.connection()
        link.give_invalid("not a frame")
        await link.over.wait()
        await self.server.connection(welcome())
        await client.connect()

    async def test_silent_server(self) -> None:
        """
        The client pings a silent server, and then reconnects.
        """
        client = self.client(heartbeat_s=0.01)
        client.start()
        link = await self.server.connection(welcome())
        await link.next(frames.Ping)
        await link.over.wait()
        await self.server.connection(welcome())
