"""
The contract of every L{IMessageStore} about cursors, and helpers of its other parts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from wsmsg.message.store.interface import IMessageStore, Outcome
from wsmsg.model import Cursor, Message


class StorePlace(Protocol):
    """
    The place of a store, for a test that stops it and starts it again.
    """

    async def open(self) -> IMessageStore:
        """
        Return a store there, started and up; it is stopped when the test ends.
        """

    async def kill(self) -> IMessageStore:
        """
        Return the store as if the process had been killed at this moment and started
        again.
        """

    async def lose_messages(self) -> None:
        """
        Remove all messages but the first of each conversation, behind the store's back.
        """


def said(
    seq: int,
    client_id: str = "",
    *,
    conversation: str = "u:1:2",
    sender: int = 1,
    content: str = "hello",
    time_ms: int = 0,
    extra: str = "",
) -> Message:
    """
    Return a message with a number, and a client id made of it unless one is given.
    """
    return Message(
        conversation=conversation,
        sender=sender,
        client_id=client_id or f"c{seq}",
        message_id=seq + 100,
        content=content,
        kind=1,
        time_ms=time_ms or 1000 + seq,
        seq=seq,
        extra=extra,
    )


class CursorTests(TestCase):
    """
    Cursors only rise and never pass the head.

    @ivar store: is set up by the suite that this is part of.
    """

    store: IMessageStore

    def insert(
        self, messages: Sequence[Message], stored_ms: int = 5, shard: int = 0
    ) -> Deferred[list[Outcome]]:
        """
        Store messages of one shard, at a time that rarely matters.
        """
        return self.store.insert(messages, stored_ms, [shard] * len(messages))

    async def test_cursors_rise(self) -> None:
        """
        A cursor rises, each of its two parts separately, and never falls.
        """
        await self.insert([said(i) for i in range(1, 6)])

        async def move(delivered: int, read: int) -> list[Cursor]:
            return await self.store.move_cursors([Cursor("u:1:2", 2, delivered, read)])

        self.assertEqual(await move(3, 0), [Cursor("u:1:2", 2, 3, 0)])
        self.assertEqual(await move(2, 1), [Cursor("u:1:2", 2, 3, 1)])
        self.assertEqual(await move(3, 1), [])
        self.assertEqual(await move(1, 0), [])
        self.assertEqual(await move(0, 5), [Cursor("u:1:2", 2, 3, 5)])

    async def test_cursors_stay_within_the_head(self) -> None:
        """
        A cursor beyond the head stops at the head, and a conversation without messages
        has no cursor.
        """
        await self.insert([said(1), said(2)])
        self.assertEqual(
            await self.store.move_cursors(
                [Cursor("u:1:2", 2, 9, 1), Cursor("u:8:9", 8, 1, 1)]
            ),
            [Cursor("u:1:2", 2, 2, 1)],
        )
        self.assertEqual(await self.store.cursors([("u:8:9", 8)]), {})

    async def test_cursor_moved_twice_in_a_batch(self) -> None:
        """
        Several moves of one cursor in a batch count as the highest of each part.
        """
        await self.insert([said(i) for i in range(1, 6)])
        moves = [Cursor("u:1:2", 2, 4, 0), Cursor("u:1:2", 2, 2, 3)]
        risen = await self.store.move_cursors(moves)
        self.assertEqual(risen, [Cursor("u:1:2", 2, 4, 3)])

    async def test_cursors_of(self) -> None:
        """
        Cursors that never moved are missing in the result.
        """
        await self.insert([said(1)])
        await self.store.move_cursors(
            [Cursor("u:1:2", 2, 1, 0), Cursor("u:1:2", 1, 0, 0)]
        )
        keys = [("u:1:2", 1), ("u:1:2", 2), ("u:7:8", 7), ("\ud800", 1)]
        self.assertEqual(
            await self.store.cursors(keys),
            {("u:1:2", 2): Cursor("u:1:2", 2, 1, 0)},
        )

    async def test_many_cursors(self) -> None:
        """
        A thousand cursors move in one batch.
        """
        names = [f"u:{i}:{i + 1}" for i in range(1, 1001)]
        await self.insert([said(1, conversation=name) for name in names])
        moves = [Cursor(name, 1, 1, 0) for name in names]
        self.assertEqual(len(await self.store.move_cursors(moves)), 1000)
        found = await self.store.cursors([(name, 1) for name in names])
        self.assertEqual(list(found.values()), moves)
