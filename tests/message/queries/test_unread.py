"""
Tests for L{wsmsg.message.queries.unread}.
"""

from __future__ import annotations

from collections.abc import Sequence

from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from tests.message.sqlite_paths import sqlite_store
from tests.message.store.cursor_contract import said
from tests.message.store.inserts import insert_into
from wsmsg.message.queries.unread import STEP, UnreadReader, decode_place
from wsmsg.message.store.interface import IMessageStore, UnreadList
from wsmsg.model import Cursor, Message


class Counted:
    """
    A store that counts what it looks at.

    @ivar rows: the conversations that were listed.
    @ivar places: those that were searched.
    """

    def __init__(self, store: IMessageStore) -> None:
        self._store = store
        self.rows = self.places = 0
        self.before_unread: list[Sequence[Message]] = []

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)

    def conversations_of(
        self, user: int, position: str, limit: int
    ) -> Deferred[object]:
        def counted(page: object) -> object:
            self.rows += len(page.rows)  # type: ignore[attr-defined]
            return page

        return self._store.conversations_of(user, position, limit).addCallback(counted)

    async def _unread(
        self, user: int, places: Sequence[tuple[str, int]], limit: int
    ) -> UnreadList:
        self.places += len(places)
        if self.before_unread:
            await insert_into(self._store, self.before_unread.pop(), 5)
        return await self._store.unread(user, places, limit)

    def unread(
        self, user: int, places: Sequence[tuple[str, int]], limit: int
    ) -> Deferred[UnreadList]:
        return Deferred.fromCoroutine(self._unread(user, places, limit))


class UnreadReaderTests(TestCase):
    """
    L{UnreadReader}, on the embedded store.
    """

    async def setUp(self) -> None:  # type: ignore[override]
        self.store = await sqlite_store(self).open()
        self.counted = Counted(self.store)
        self.reader = UnreadReader(self.counted)  # type: ignore[arg-type]

    async def fill(self, others: range, seqs: range = range(1, 2)) -> list[Message]:
        """
        Store messages of other users to user 1.
        """
        messages = [
            said(n, conversation=f"u:1:{other}", sender=other)
            for other in others
            for n in seqs
        ]
        for i in range(0, len(messages), 500):
            await insert_into(self.store, messages[i : i + 500], 5)
        return messages

    async def all(self, limit: int) -> list[tuple[str, int]]:
        """
        Return what all pages of user 1 have.
        """
        found: list[tuple[str, int]] = []
        position, more = "", True
        while more:
            page = await self.reader.page(1, position, limit)
            self.assertLessEqual(len(page.messages), limit)
            found += [(m.conversation, m.seq) for m in page.messages]
            position, more = page.position, page.more
        return found

    async def test_pages(self) -> None:
        """
        The pages have each unread message once, in the order of its conversation, also
        where a page ends within a conversation.
        """
        messages = await self.fill(range(2, 12), range(1, 6))
        expected = [(m.conversation, m.seq) for m in messages]
        for limit in (1, 3, 5, 7, 50, 51, 100):
            self.assertEqual(await self.all(limit), expected, limit)

    async def test_work(self) -> None:
        """
        A page looks at a bounded number of conversations, however many the user has
        with unread messages; so does a page behind many that are read.
        """
        await self.fill(range(2, 3 * STEP))
        page = await self.reader.page(1, "", 10)
        self.assertEqual((len(page.messages), page.more), (10, True))
        self.assertLessEqual(self.counted.rows, STEP + 10)
        read = [Cursor(f"u:1:{n}", 1, 1, 1) for n in range(2, 3 * STEP - 1)]
        await self.store.move_cursors(read)
        self.assertEqual(len(await self.all(10)), 1)
        self.assertEqual(await self.reader.total(1), 1)

    async def test_total(self) -> None:
        """
        The total is exact, over all conversations.
        """
        await self.fill(range(2, STEP + 40), range(1, 3))
        self.assertEqual(await self.reader.total(1), 2 * (STEP + 38))
        self.assertEqual(await self.reader.total(2), 0)

    async def test_changed_while_it_is_listed(self) -> None:
        """
        No message is missing from the pages where others are stored between them.
        """
        messages = await self.fill(range(2, 12), range(1, 4))
        page = await self.reader.page(1, "", 7)
        place = decode_place(page.position)
        self.assertEqual((place.conversation, place.seq), ("u:1:4", 1))
        # Enough messages elsewhere that those that follow are of another bucket.
        await self.fill(range(50, 60), range(1, 500))
        now = [
            said(4, conversation=f"u:1:{other}", sender=other) for other in (2, 4, 9)
        ]
        await insert_into(self.store, now, 5)
        found = [*page.messages]
        self.counted.before_unread.append([said(5, conversation="u:1:6", sender=6)])
        while page.more:
            page = await self.reader.page(1, page.position, 7)
            found += page.messages
        self.assertLessEqual(
            {(m.conversation, m.seq) for m in [*messages, *now]},
            {(m.conversation, m.seq) for m in found},
        )

    def test_strange_positions(self) -> None:
        """
        A text that is no position is the beginning.
        """
        for text in ("", "?", "x/u:1:2/", "1", "//", "é/\ud800/"):
            self.assertEqual(decode_place(text).seq, 1 if text == "1" else 0)
