"""
The contract of every L{IStoreArchive}.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import attrs
from twisted.trial.unittest import TestCase
from zope.interface.verify import verifyObject

from tests.message.store.cursor_contract import said
from tests.message.store.group_contract import changed, made
from tests.message.store.inserts import insert_into
from wsmsg.message.store.archive import IStoreArchive, Span, StoreExtent
from wsmsg.message.store.interface import GroupPage, IMessageStore, MemberRow
from wsmsg.model import Cursor, Mark, Message


class ArchivePlace(Protocol):
    """
    The place of a store that is read from beginning to end.
    """

    async def store(self) -> IMessageStore:
        """
        Return the store, started and up; it is stopped when the test ends.
        """

    async def archive(self) -> IStoreArchive:
        """
        Return the opened archive of the same store; it is closed when the test ends.
        """


def make_archive_tests(
    make_place: Callable[[TestCase], ArchivePlace],
) -> type[TestCase]:
    """
    Make the tests of the behaviour that every L{IStoreArchive} has.
    """

    class ArchiveTests(TestCase):
        async def setUp(self) -> None:  # type: ignore[override]
            self.place = make_place(self)
            self.store = await self.place.store()

        async def keep(self, *messages: Message) -> IStoreArchive:
            """
            Store these messages, and return the archive.
            """
            await insert_into(self.store, list(messages), 5)
            return await self.opened()

        async def opened(self) -> IStoreArchive:
            """
            Return the archive of the store as it is.
            """
            archive = await self.place.archive()
            verifyObject(IStoreArchive, archive)
            return archive

        async def test_empty(self) -> None:
            """
            An empty store has no records.
            """
            archive = await self.opened()
            self.assertEqual(await archive.conversations("", 10), [])
            self.assertEqual(await archive.messages([Span("u:1:2", 0, 9)]), [])
            self.assertEqual(await archive.cursors_in(["u:1:2"], ("", 0), 9), [])

        async def test_revocations(self) -> None:
            """
            The archive has the times before which tokens are revoked.
            """
            await self.store.revoke(7, 1000)
            archive = await self.opened()
            self.assertEqual(await archive.revocations(), {7: 1000})

        async def test_names(self) -> None:
            """
            The archive has the names of users, by user, in pages.
            """
            claimed = await self.store.names.claim(["anna", "berta", "c/d"])
            pairs = sorted(claimed.items(), key=lambda pair: pair[1])
            archive = await self.opened()
            self.assertEqual(await archive.names(0, 2), pairs[:2])
            self.assertEqual(await archive.names(pairs[1][1], 2), pairs[2:])

        async def test_epoch(self) -> None:
            """
            An archive has the epoch of the store.
            """
            archive = await self.opened()
            self.assertEqual(await archive.epoch(), self.store.epoch)

        async def test_conversations(self) -> None:
            """
            Conversations are listed by name, with their heads, and the list continues
            after any of them.
            """
            archive = await self.keep(
                said(1, conversation="u:9:10"),
                said(1, conversation="u:1:2"),
                said(2, conversation="u:1:2"),
                said(1, conversation="u:10:11"),
                said(1, conversation="g:5"),
            )
            rows = [
                StoreExtent("g:5", 1),
                StoreExtent("u:10:11", 1),
                StoreExtent("u:1:2", 2),
                StoreExtent("u:9:10", 1),
            ]
            self.assertEqual(await archive.conversations("", 10), rows)
            self.assertEqual(await archive.conversations("", 2), rows[:2])
            for n, row in enumerate(rows, 1):
                rest = await archive.conversations(row.conversation, 10)
                self.assertEqual(rest, rows[n:])

        async def test_messages(self) -> None:
            """
            The messages of the spans are returned complete, by conversation and number.
            """
            few = [said(i, conversation="u:1:2") for i in range(1, 4)]
            many = [
                said(i, conversation="u:1:3", content="ß\0\n", extra="5 0 k" * (i % 2))
                for i in range(1, 8)
            ]
            archive = await self.keep(*many, *few, said(1, conversation="u:1:4"))
            spans = [Span("u:1:2", 0, 3), Span("u:1:3", 2, 5), Span("u:1:9", 0, 9)]
            self.assertEqual(await archive.messages(spans), [*few, *many[2:5]])
            self.assertEqual(await archive.messages([]), [])

        async def test_many_spans(self) -> None:
            """
            A few hundred conversations are read at once.
            """
            messages = [said(1, conversation=f"u:1:{n}") for n in range(1, 501)]
            archive = await self.keep(*messages)
            extents = await archive.conversations("", 500)
            spans = [Span(name, 0, head) for name, head in extents]
            expected = sorted(messages, key=lambda m: m.conversation)
            self.assertEqual(await archive.messages(spans), expected)

        async def test_cursors(self) -> None:
            """
            Cursors are listed by conversation and user, and the list continues after
            any of them.
            """
            names = ("u:1:2", "u:1:3", "u:2:3")
            await insert_into(
                self.store, [said(1, conversation=name) for name in names], 5
            )
            moved = [
                Cursor("u:1:2", 1, 1, 0),
                Cursor("u:1:2", 2, 1, 1),
                Cursor("u:1:3", 3, 1, 0),
                Cursor("u:2:3", 2, 1, 1),
            ]
            await self.store.move_cursors(moved[::-1])
            archive = await self.opened()
            self.assertEqual(await archive.cursors_in(names, ("", 0), 9), moved)
            self.assertEqual(await archive.cursors_in(names, ("", 0), 2), moved[:2])
            some = await archive.cursors_in(["u:1:2", "u:2:3"], ("", 0), 9)
            self.assertEqual(some, [*moved[:2], moved[3]])
            for n, last in enumerate(moved, 1):
                after = (last.conversation, last.user)
                rest = await archive.cursors_in(names, after, 9)
                self.assertEqual(rest, moved[n:])

        async def test_marks(self) -> None:
            """
            A cursor has the ranges above it, even if it never moved.
            """
            await insert_into(self.store, [said(i) for i in range(1, 9)], 5)
            await self.store.mark([Mark(2, 0, "u:1:2", n) for n in (3, 4, 6)])
            archive = await self.opened()
            marked = [Cursor("u:1:2", 2, 0, 0, ((3, 4), (6, 6)))]
            self.assertEqual(await archive.cursors_in(["u:1:2"], ("", 0), 9), marked)

        async def test_group(self) -> None:
            """
            A group has its members, page by page; other conversations have none.
            """
            events = [made(3, 9, history=True), changed(2, add=(5,))]
            await insert_into(self.store, [*events, said(1)], 5)
            await self.store.apply(events)
            archive = await self.opened()
            members = [MemberRow(3, 1), MemberRow(5, 2), MemberRow(9, 1)]
            page = GroupPage("g:77", "crew", 1, True, 4, [MemberRow(1, 1), *members])
            self.assertEqual(await archive.group("g:77", 0, 9), page)
            rest = attrs.evolve(page, members=members[:2])
            self.assertEqual(await archive.group("g:77", 1, 2), rest)
            self.assertIsNone(await archive.group("g:8", 0, 9))
            self.assertIsNone(await archive.group("u:1:2", 0, 9))

    return ArchiveTests
