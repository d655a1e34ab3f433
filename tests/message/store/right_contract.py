"""
The contract of every L{IMessageStore} about the members of a group at each number, and
their right to read.
"""

from __future__ import annotations

import msgspec

from tests.message.store.cursor_contract import said
from tests.message.store.group_contract import CREW, GroupTests, changed, made
from tests.message.store.inserts import insert_into
from wsmsg.errors import Forbidden
from wsmsg.message.store.interface import Outcome
from wsmsg.model import INT64_MAX


class RightTests(GroupTests):
    """
    Members read from the number with which they joined to the one that removes them.
    """

    async def read(self, user: int, after: int = 0) -> list[int]:
        """
        Return the numbers that a user can read of the crew.
        """
        try:
            messages, head = await self.store.page(CREW, after, 100, reader=user)
        except Forbidden:
            return []
        self.assertEqual(head, messages[-1].seq if messages else after)
        return [m.seq for m in messages]

    async def seqs(self, after: int, limit: int, **bounds: int) -> list[int]:
        """
        Return the numbers on a page of the conversation of 1 and 2.
        """
        messages, _ = await self.store.page("u:1:2", after, limit, **bounds)
        return [m.seq for m in messages]

    async def test_last_page(self) -> None:
        """
        A page before a number has the last messages before it, also where the number
        is far above the head.
        """
        await self.insert([said(n) for n in range(1, 8)], 5)
        for before, limit, expected in (
            (INT64_MAX, 2, [6, 7]),
            (8, 2, [6, 7]),
            (6, 3, [3, 4, 5]),
            (3, 5, [1, 2]),
            (1, 5, []),
            (INT64_MAX, 0, []),
        ):
            self.assertEqual(await self.seqs(0, limit, before=before), expected)
        self.assertEqual(await self.seqs(4, 9, before=7), [5, 6])
        self.assertEqual((await self.store.page("u:1:2", 0, 2, before=99))[1], 7)
        await self.happen(made(2), said(2, conversation=CREW), changed(3, add=[3]))
        back, _ = await self.store.page(CREW, 0, 9, before=99, reader=3)
        self.assertEqual([m.seq for m in back], [3])

    async def test_bytes_of_a_page(self) -> None:
        """
        A page has no more bytes of contents than its limit, and one message however
        long it is.
        """
        sizes = (400, 500, 200, 5000, 300, 100)
        contents = ["\xfc" * (size // 2) for size in sizes]
        talk = [
            msgspec.structs.replace(said(n), content=content)
            for n, content in enumerate(contents, 1)
        ]
        await self.insert(talk, 5)
        bound = {"limit_bytes": 1000}
        self.assertEqual(await self.seqs(0, 9, **bound), [1, 2])
        self.assertEqual(await self.seqs(2, 9, **bound), [3])
        self.assertEqual(await self.seqs(3, 9, **bound), [4])
        self.assertEqual(await self.seqs(4, 9, **bound), [5, 6])
        self.assertEqual(await self.seqs(0, 9, limit_bytes=1), [1])
        self.assertEqual(await self.seqs(0, 9), [1, 2, 3, 4, 5, 6])
        back = {"before": 9, **bound}
        self.assertEqual(await self.seqs(0, 9, **back), [5, 6])
        self.assertEqual(await self.seqs(0, 9, before=5, limit_bytes=1), [4])
        self.assertEqual(await self.seqs(0, 9, before=4, **bound), [2, 3])

    async def test_read_with_a_right(self) -> None:
        """
        A page for a reader begins where the reader joined, and a stranger has none.
        """
        talk = [said(n, conversation=CREW) for n in (2, 4)]
        await self.happen(made(2), talk[0], changed(3, add=[3]), talk[1])
        self.assertEqual(await self.read(2), [1, 2, 3, 4])
        self.assertEqual(await self.read(3), [3, 4])
        self.assertEqual(await self.read(3, 1), [3, 4])
        self.assertEqual(await self.read(3, 3), [4])
        for user, name in ((9, CREW), (1, "g:5"), (2**70, CREW), (1, "g:\ud800")):
            reading = self.store.page(name, 0, 9, reader=user)
            await self.assertFailure(reading, Forbidden)

    async def test_removed_before_it_is_applied(self) -> None:
        """
        Once a change that removes a member is stored, the member reads nothing that
        follows it, though the change is not applied yet.
        """
        await self.happen(made(2, 3), said(2, conversation=CREW))
        removal = changed(3, remove=[3])
        after = [said(n, conversation=CREW) for n in (4, 5)]
        await self.insert([removal, *after], 6)
        self.assertIn(await self.read(3), ([], [1, 2, 3]))
        self.assertEqual(await self.read(3, 3), [])
        self.assertEqual(await self.read(3, 4), [])
        self.assertEqual(await self.read(2), [1, 2, 3, 4, 5])
        self.assertEqual(await self.store.readable_from([(CREW, 3)]), {})
        unread = await self.store.unread(3, [(CREW, 0)], 9)
        self.assertEqual((list(unread.messages), unread.end), ([], None))
        self.assertEqual(await self.store.unread_counts(3, [CREW]), {CREW: 0})
        await self.store.apply([removal])
        self.assertEqual(await self.read(3), [])
        await self.happen(changed(6, add=[3]), said(7, conversation=CREW))
        self.assertEqual(await self.read(3), [6, 7])

    async def test_removal_that_was_not_stored(self) -> None:
        """
        A change that was not stored, as another message has its number, ends no right.
        """
        await self.happen(made(2, 3), said(2, conversation=CREW))
        removal = changed(2, remove=[3])
        outcomes = await insert_into(self.store, [removal], 6)
        self.assertEqual(outcomes, [Outcome.TAKEN])
        await self.insert([said(3, conversation=CREW)], 7)
        self.assertEqual(await self.read(3), [1, 2, 3])
        again = msgspec.structs.replace(removal, seq=4)
        await self.insert([again, said(5, conversation=CREW)], 8)
        self.assertIn(await self.read(3), ([], [1, 2, 3, 4]))
        await self.store.apply([again])
        self.assertEqual(await self.read(3), [])

    async def test_members_at(self) -> None:
        """
        The store knows the members after each message of a group, whatever changed
        since.
        """
        changes = [
            changed(2, add=[3]),
            changed(3, remove=[2, 9]),
            changed(4, add=[2, 3]),
            changed(5, remove=[3]),
            changed(6, remove=[2]),
        ]
        after = [[1, 2], [1, 2, 3], [1, 3], [1, 2, 3], [1, 2], [1], [1]]
        await self.happen(made(2), *changes, said(7, conversation=CREW))
        await self.store.apply(changes)
        places = [(CREW, seq) for seq in range(8)]
        self.assertEqual(
            await self.store.members_at([*places, ("g:5", 1), ("u:1:2", 1)]),
            dict(zip(places, map(frozenset, [[], *after]), strict=True)),
        )
        self.assertEqual(await self.store.members_at([]), {})
