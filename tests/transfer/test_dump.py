"""
Tests for L{wsmsg.transfer.dump} and L{wsmsg.transfer.verify}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.message.store.cursor_contract import said
from tests.message.store.group_contract import changed, made
from tests.transfer.cases import MovingCase, batches_of, lines_for, talk
from wsmsg.message.store.archive import StoreExtent
from wsmsg.model import Cursor, Message
from wsmsg.transfer.dump import cursor_line, packed
from wsmsg.transfer.records import Record
from wsmsg.transfer.verify import Difference, compare


class WalkTests(MovingCase):
    """
    Every record is read once and in order, in pieces of any size.
    """

    async def test_any_limit(self) -> None:
        """
        The records are the same, whatever the limit of a read.
        """
        talks = [
            *talk(7),
            *talk(1, "u:1:3"),
            *talk(12, "u:1:10"),
            *talk(2, "u:2:3"),
            *talk(2, "u:2:2"),
        ]
        cursors = [Cursor(c, u, 1, 1) for c in ("u:1:2", "u:2:3") for u in (1, 2, 3)]
        await self.made(talks, cursors)
        expected = lines_for(talks, cursors)
        for limit in (1, 2, 3, 5, 500):
            self.assertEqual(await self.records(self.path, limit), expected)

    async def test_after_any_record(self) -> None:
        """
        A dump continues after any record of an earlier one.
        """
        events = [made(2, 3), changed(2, add=(4,))]
        talks = [*events, *talk(7), *talk(2, "u:1:22"), *talk(3, "u:2:3")]
        store = await self.made(talks, [Cursor("u:1:2", 1, 1, 1)])
        await store.apply(events)
        whole = await self.records(self.path)
        walk = await self.walk(self.path, 3)
        for n, last in enumerate(whole, 1):
            rest = [r async for some in walk.records(last.key) for r in some]
            self.assertEqual(rest, whole[n:])

    async def test_bounded(self) -> None:
        """
        No piece has many more records than the limit of a read.
        """
        talks = [m for n in range(2, 40) for m in talk(n, f"u:1:{n}")]
        await self.made(talks, [Cursor(f"u:1:{n}", 1, 1, 0) for n in range(2, 40)])
        walk = await self.walk(self.path, 20)
        sizes = [len(some) async for some in walk.records()]
        self.assertLessEqual(max(sizes), 40)

    async def test_cursor_ahead(self) -> None:
        """
        A cursor never points past the last message of its conversation in the file.
        """
        line = cursor_line(Cursor("u:1:2", 1, 9, 7), 8)
        self.assertEqual((line.delivered, line.read), (8, 7))

    async def test_marks_ahead(self) -> None:
        """
        Ranges end at the last message too, and do not repeat what the cursor covers.
        """
        line = cursor_line(Cursor("u:1:2", 1, 4, 3, ((2, 4), (6, 9), (11, 11))), 8)
        self.assertEqual((line.read, line.seen), (4, ((6, 8),)))


class PackedTests(SynchronousTestCase):
    """
    Conversations that are read together.
    """

    def test_neighbours(self) -> None:
        """
        Short conversations share a read; long ones and groups have their own.
        """
        extents = [
            StoreExtent("g:1", 2),
            StoreExtent("g:2", 2),
            StoreExtent("u:1:1", 3),
            StoreExtent("u:1:2", 7),
            StoreExtent("u:1:3", 1),
            StoreExtent("u:1:4", 11),
            StoreExtent("u:1:5", 1),
        ]
        self.assertEqual(
            [[e.conversation for e in some] for some in packed(extents, 10)],
            [["g:1"], ["g:2"], ["u:1:1", "u:1:2"], ["u:1:3"], ["u:1:4"], ["u:1:5"]],
        )
        self.assertEqual(list(packed([], 10)), [])


class CompareTests(MovingCase):
    """
    Comparison of a store with a file.
    """

    async def compared(
        self, records: list[Record], stored: list[Message]
    ) -> Difference:
        """
        Compare a file with a store that has these messages.
        """
        await self.made(stored, [Cursor("u:1:2", 1, 1, 1)])
        return await compare(batches_of(*records), await self.walk(self.path))

    async def test_same(self) -> None:
        """
        A store with exactly the records of the file has no difference.
        """
        records = lines_for(talk(9), [Cursor("u:1:2", 1, 1, 1)])
        self.assertEqual(await self.compared(records, talk(9)), Difference())

    async def test_missing(self) -> None:
        """
        A record that the store lacks is reported by its line.
        """
        records = lines_for([*talk(3), *talk(1, "u:1:3")])
        found = await self.compared(records, talk(2))
        self.assertEqual((found.missing, found.different, found.more), (2, 0, 1))
        self.assertEqual(
            found.details,
            [
                "line 4: message 3 of u:1:2 is not in the store",
                "line 5: message 1 of u:1:3 is not in the store",
            ],
        )

    async def test_different(self) -> None:
        """
        A record with other content is reported by its line, with the fields that
        differ.
        """
        records = lines_for([said(1), said(2, content="hallo")])
        records += lines_for([], [Cursor("u:1:2", 1, 1, 0)])
        found = await self.compared(records, talk(2))
        self.assertEqual((found.missing, found.different, found.more), (0, 2, 0))
        self.assertEqual(
            found.details,
            [
                "line 3: message 2 of u:1:2 has another content in the store",
                "line 4: cursor 1 of u:1:2 has another read in the store",
            ],
        )

    async def test_more(self) -> None:
        """
        Records that only the store has are counted, wherever they are.
        """
        stored = [*talk(3), *talk(1, "u:1:1"), *talk(1, "u:9:9")]
        found = await self.compared(lines_for(talk(2)), stored)
        self.assertEqual((found.missing, found.different, found.more), (0, 0, 4))

    async def test_many(self) -> None:
        """
        Many differences are all counted, and the first ones are described.
        """
        found = await self.compared(lines_for(talk(100, "u:3:4")), talk(1))
        self.assertEqual((found.missing, len(found.details)), (100, 20))
