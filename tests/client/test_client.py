"""
Tests for L{wsmsg.client.client}.
"""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import Any, TypeVar
from unittest import IsolatedAsyncioTestCase

from tests.client.doubles import FakeServer, welcome
from wsmsg import frames
from wsmsg.client import (
    Accepted,
    Client,
    Closed,
    Connected,
    Event,
    MessageReceived,
    Receipt,
    Reconnect,
    Reconnecting,
    SendSettled,
)
from wsmsg.client.reconnect import Ended
from wsmsg.errors import (
    Forbidden,
    Internal,
    Replaced,
    Unauthenticated,
    Unavailable,
    WsmsgError,
)
from wsmsg.frames import Deliver, Head

U = "u:1:2"
URL = "ws://server.example/api/v1/connect/ws"

E = TypeVar("E")


def message(seq: int) -> Deliver:
    return Deliver(U, seq, 1000 + seq, 2, f"text {seq}", 1, seq)


class ClientTests(IsolatedAsyncioTestCase):
    """
    A client and a server that does as it is told.
    """

    async def asyncSetUp(self) -> None:
        self.server = FakeServer()
        self.file = Path(tempfile.mkdtemp(prefix="wsmsg-test-")) / "position.json"

    def client(self, **more: Any) -> Client:
        reconnect = Reconnect(URL, first_s=0.0)
        client = Client(
            *(URL, more.pop("token", "t"), "phone"),
            dial=self.server.dial,
            reconnect=reconnect,
            **more,
        )
        self.addAsyncCleanup(client.close)
        return client

    async def next(self, events: Any, kind: type[E]) -> E:
        async for event in events:
            if isinstance(event, kind):
                return event
        raise AssertionError(f"the events ended before {kind.__name__}")

    async def test_hello(self) -> None:
        """
        The client says which device it is, with its token, and learns who it is.
        """
        client = self.client()
        client.start()
        await self.server.connection(welcome())
        await client.connect()
        self.assertEqual(self.server.dialled, [(URL, "t")])
        self.assertEqual(
            (self.server.hello.device, self.server.hello.since), ("phone", 0)
        )
        self.assertEqual((client.user, client.state), (1, Connected(1, "s1")))

    async def test_send(self) -> None:
        """
        A send is over when the server accepted it.
        """
        client = self.client()
        sending = asyncio.create_task(client.send(2, "hello"))
        client.start()
        link = await self.server.connection(welcome())
        frame = await link.next(frames.Send)
        self.assertEqual((frame.to, frame.content), (2, "hello"))
        self.assertFalse(sending.done())
        link.give(frames.Accepted(frame.client_id, 77))
        self.assertEqual(await sending, Accepted(frame.client_id, 77))

    async def test_send_again(self) -> None:
        """
        What was not answered when the connection broke goes again on the next, with
        the same ids and before what is newer.
        """
        client = self.client()
        client.start()
        link = await self.server.connection(welcome())
        sends = [asyncio.create_task(client.send(2, text)) for text in "ab"]
        first = [await link.next(frames.Send), await link.next(frames.Send)]
        link.lose()
        link = await self.server.connection()
        sends.append(asyncio.create_task(client.send(2, "c")))
        await asyncio.sleep(0)
        link.give(welcome())
        again = [await link.next(frames.Send) for _ in range(3)]
        self.assertEqual(again[:2], first)
        self.assertEqual([f.content for f in again], ["a", "b", "c"])
        link.give(*(frames.Accepted(f.client_id, 1) for f in again))
        self.assertEqual(
            [a.client_id for a in await asyncio.gather(*sends)],
            [f.client_id for f in again],
        )

    async def test_refused(self) -> None:
        """
        A send that the server will never take raises its error.
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
        A send that is cancelled before it was on its way is never sent.
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
        The program sees every message once and in order, although the server lost,
        doubled and mixed up what it pushed.
        """
        client = self.client()
        client.start()
        link = await self.server.connection(welcome())
        link.give(message(1), message(4), message(1), message(3))
        sync = await link.next(frames.Sync)
        self.assertEqual((sync.conversation, sync.after), (U, 1))
        link.give(frames.Page(sync.id, U, (message(2), message(3)), 4))
        events = client.events()
        seqs = [(await self.next(events, MessageReceived)).seq for _ in range(4)]
        self.assertEqual(seqs, [1, 2, 3, 4])

    async def test_delivered_when_taken(self) -> None:
        """
        A message is called delivered when the program is done with it, not before.
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
        What came while the client was away is asked for on the next connection.
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
        Told to sync, the client asks what changed, page by page, and gets it.
        """
        client = self.client()
        client.start()
        link = await self.server.connection(welcome())
        link.give(frames.Resync("lost some"))
        asked = await link.next(frames.Conversations)
        link.give(frames.Heads(asked.id, (Head(U, 1, time=10**12 + 50),), more=True))
        asked = await link.next(frames.Conversations)
        self.assertEqual(asked.since, 10**12 + 50)
        link.give(frames.Heads(asked.id, ()))
        sync = await link.next(frames.Sync)
        link.give(frames.Page(sync.id, U, (message(1),), 1))
        received = await self.next(client.events(), MessageReceived)
        self.assertEqual(received.content, "text 1")

    async def test_receipts(self) -> None:
        """
        How far the other is comes as an event, also what was missed, and only news.
        """
        client = self.client()
        client.start()
        others = (frames.Receipt(U, 2, read=0, delivered=3),)
        link = await self.server.connection(welcome(Head(U, 0, others=others)))
        events = client.events()
        self.assertEqual(await self.next(events, Receipt), Receipt(U, 2, 3, 0))
        link.give(frames.Receipt(U, 2, 0, 2), frames.Receipt(U, 2, read=4))
        self.assertEqual(await self.next(events, Receipt), Receipt(U, 2, 4, 4))

    async def test_watch_again(self) -> None:
        """
        Who is watched is told again on a new connection.
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
        The program learns why there is no connection, and when there is one again.
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
        Told to go away, the client leaves at the time given, for the place given.
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
        When a newer login took its place the client ends, and says so to all that
        wait for it.
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
            await client.history(U)
        kinds = [type(event) async for event in client.events()]
        self.assertEqual(kinds, [Connected, Closed])

    async def test_fresh_token(self) -> None:
        """
        A token that is not believed is asked for anew once.
        """
        tokens = iter(["old", "new"])
        self.server.refuse = [Ended(reason="expired", http_status=401)]
        client = self.client(token=lambda: next(tokens))
        client.start()
        await self.server.connection(welcome())
        self.assertEqual([t for _, t in self.server.dialled], ["old", "new"])

    async def test_token_never_believed(self) -> None:
        """
        When the fresh token is not believed either the client gives up.
        """
        self.server.refuse = [Ended(reason="forged", http_status=401)] * 2
        with self.assertRaisesRegex(Unauthenticated, "forged"):
            await self.client().connect()

    async def test_silent_server(self) -> None:
        """
        A server that says nothing any more is asked for a sign, then left.
        """
        client = self.client(heartbeat_s=0.01)
        client.start()
        link = await self.server.connection(welcome())
        await link.next(frames.Ping)
        await link.over.wait()
        await self.server.connection(welcome())

    async def test_history(self) -> None:
        """
        The last messages of a conversation are read from its end.
        """
        client = self.client()
        client.start()
        link = await self.server.connection(welcome())
        reading = asyncio.create_task(client.history(U, limit=2))
        first = await link.next(frames.Sync)
        link.give(frames.Page(first.id, U, (message(1),), 5, more=True))
        second = await link.next(frames.Sync)
        self.assertEqual((second.after, second.limit), (3, 2))
        link.give(frames.Page(second.id, U, (message(4), message(5)), 5))
        self.assertEqual([m.seq for m in await reading], [4, 5])

    async def test_history_survives_a_loss(self) -> None:
        """
        A question that was not answered is put again on the next connection.
        """
        client = self.client()
        client.start()
        link = await self.server.connection(welcome())
        reading = asyncio.create_task(client.history(U, after=0))
        await link.next(frames.Sync)
        link.lose()
        link = await self.server.connection(welcome())
        sync = await link.next(frames.Sync)
        link.give(frames.Page(sync.id, U, (message(1),), 1))
        self.assertEqual([m.seq for m in await reading], [1])

    async def test_history_refused(self) -> None:
        """
        A conversation that is not ours cannot be read.
        """
        client = self.client()
        client.start()
        link = await self.server.connection(welcome())
        reading = asyncio.create_task(client.history("u:7:8"))
        sync = await link.next(frames.Sync)
        link.give(frames.Error("forbidden", "not yours", sync.id))
        with self.assertRaises(Forbidden):
            await reading

    async def test_conversations(self) -> None:
        """
        All conversations are read, however many pages that takes.
        """
        client = self.client()
        client.start()
        link = await self.server.connection(welcome())
        reading = asyncio.create_task(client.conversations())
        asked = await link.next(frames.Conversations)
        a, b, c = (Head(f"u:1:{n}", 1, time=n) for n in (2, 3, 4))
        link.give(frames.Heads(asked.id, (a, b), more=True))
        asked = await link.next(frames.Conversations)
        self.assertEqual(asked.since, 3)
        link.give(frames.Heads(asked.id, (b, c)))
        self.assertEqual(await reading, [a, b, c])

    async def test_goes_on_after_a_crash(self) -> None:
        """
        A program that crashed has its messages sent with their ids, and gets again
        what it had not finished, and only that.
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
        self.assertGreater(self.server.hello.since, 0)
        sync = await link.next(frames.Sync)
        self.assertEqual(sync.after, 1)
        again = await link.next(frames.Send)
        self.assertEqual(again, lost)
        link.give(
            frames.Page(sync.id, U, (message(2),), 2),
            frames.Accepted(again.client_id, 9),
        )
        events = client.events()
        self.assertEqual((await self.next(events, MessageReceived)).seq, 2)
        settled = await self.next(events, SendSettled)
        self.assertEqual(settled.accepted, Accepted(again.client_id, 9))

    async def test_failed_program(self) -> None:
        """
        A message over which the program failed comes again the next time.
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
        The position of one user is not used, nor spoiled, by another.
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
        A program that never looks at its events holds no more than a bound of them,
        and still has its messages accepted.
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
        A server that fails over and over on us is left alone.
        """
        client = self.client()
        client.start()
        for _ in range(2):
            link = await self.server.connection(welcome())
            link.lose(1011, "bug")
        with self.assertRaises(Internal):
            await client._until(lambda: False)
