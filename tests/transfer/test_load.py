"""
Tests for L{wsmsg.transfer.load}.
"""

from __future__ import annotations

from typing import Any

import msgspec

from tests.message.store.cursor_contract import said
from tests.message.store.group_contract import CREW, changed, made, recalled
from tests.message.store.inserts import insert_into
from tests.transfer.cases import (
    MovingCase,
    batches_of,
    file_of,
    lines_for,
    no_retries,
    talk,
)
from wsmsg.events.group_change import GROUP
from wsmsg.events.recall import RECALL
from wsmsg.message.store.interface import IMessageStore
from wsmsg.model import RECALLED, Cursor, Message
from wsmsg.names import FIRST
from wsmsg.transfer.load import CannotImport, Importer
from wsmsg.transfer.records import (
    GroupLine,
    MemberLine,
    NameLine,
    Record,
    RevocationLine,
)

CURSORS = [Cursor("u:1:2", 1, 9, 3), Cursor("u:1:3", 3, 4, 4)]
TALKS = [*talk(9), *talk(4, "u:1:3")]


class KeepingTests(MovingCase):
    """
    Imports into an empty store, and into one with some of the records.
    """

    async def test_exact(self) -> None:
        """
        Numbers, ids, times, texts and cursors in the store are those of the file.
        """
        store = await self.made()
        records = lines_for(TALKS, CURSORS)
        importer = await self.keep(store, *records)
        self.assertEqual((importer.written, importer.there), (13, 0))
        self.assertEqual(await self.records(self.path), records)
        self.assertEqual(await store.page("u:1:2", 0, 20), (talk(9), 9))

    async def test_revocations(self) -> None:
        """
        The times before which tokens are revoked go along, before everything else, and
        a time in the store that is later stays.
        """
        store = await self.made()
        await store.revoke(8, 3000)
        first = [RevocationLine(7, 1000), RevocationLine(8, 2000)]
        await self.keep(store, *first, *lines_for(TALKS))
        self.assertEqual(await store.revocations(), {7: 1000, 8: 3000})
        found = await self.records(self.path)
        stored = [RevocationLine(7, 1000), RevocationLine(8, 3000)]
        self.assertEqual(found, [*stored, *lines_for(TALKS)])

    async def test_names(self) -> None:
        """
        The names of users go along; a name or a number that is another one in the store
        is refused, with the line.
        """
        store = await self.made()
        lines = [NameLine(FIRST + 1, "anna"), NameLine(FIRST + 2, "Anna")]
        await self.keep(store, *lines, *lines_for(TALKS))
        found = await self.records(self.path)
        self.assertEqual(found, [*lines, *lines_for(TALKS)])
        await self.keep(store, *lines)
        for line, reason in (
            (
                NameLine(FIRST + 3, "anna"),
                f"line 2: .*'anna' has the number {FIRST + 1}",
            ),
            (NameLine(FIRST + 1, "b"), f"line 2: .*{FIRST + 1} is of the name 'anna'"),
        ):
            with self.assertRaises(CannotImport) as caught:
                await self.keep(store, line)
            self.assertRegex(str(caught.exception), reason)

    async def test_clients_are_told(self) -> None:
        """
        A conversation counts as changed when it was imported, so a client that syncs
        after that is told of it.
        """
        store = await self.made()
        await self.keep(store, *lines_for(TALKS))
        page = await store.conversations_of(1, "", 9)
        self.assertEqual([(r.head, r.time_ms) for r in page.rows], [(9, 50), (4, 50)])

    async def test_extra(self) -> None:
        """
        An extra in the file is in the store, and only messages that have one have it in
        the file; another extra in the store is a conflict that names it.
        """
        talked = [said(1, extra="5 0 \u65e5"), said(2)]
        records = lines_for(talked)
        first, second = file_of(*records)[1:3]
        self.assertIn(b'"extra":"5 0 ', first)
        self.assertNotIn(b"extra", second)
        store = await self.made()
        for written in (2, 0):
            importer = await self.keep(store, *records)
            self.assertEqual(importer.written, written)
            self.assertEqual(await self.records(self.path), records)
            self.assertEqual(await store.page("u:1:2", 0, 9), (talked, 2))
        with self.assertRaises(CannotImport) as caught:
            await self.keep(store, *lines_for([said(1, extra="6 0 k"), said(2)]))
        self.assertIn("another extra", str(caught.exception))

    async def test_again(self) -> None:
        """
        Importing again writes nothing and leaves everything as it is.
        """
        store = await self.made()
        records = lines_for(TALKS, CURSORS)
        await self.keep(store, *records)
        importer = await self.keep(store, *records)
        self.assertEqual((importer.written, importer.there), (0, 13))
        self.assertEqual(await self.records(self.path), records)

    async def test_any_part_was_there(self) -> None:
        """
        The next import completes an interrupted one, however far that came.
        """
        records = lines_for(TALKS, CURSORS)
        for far in range(len(TALKS) + 1):
            store = await self.made(TALKS[:far])
            importer = await self.keep(store, *records)
            self.assertEqual((importer.written, importer.there), (13 - far, far))
            self.assertEqual(await self.records(self.path), records)

    async def test_store_went_on(self) -> None:
        """
        Messages sent after an import stay when it is repeated.
        """
        store = await self.made(talk(12))
        importer = await self.keep(store, *lines_for(talk(9)))
        self.assertEqual((importer.written, importer.there), (0, 9))
        self.assertEqual((await store.heads(["u:1:2"]))["u:1:2"], 12)

    async def test_cursors_do_not_fall(self) -> None:
        """
        The next import does not lower the cursor of a user who has read on.
        """
        store = await self.made(talk(9), [Cursor("u:1:2", 1, 9, 8)])
        await self.keep(store, *lines_for(talk(9), [Cursor("u:1:2", 1, 5, 5)]))
        self.assertEqual(
            await store.cursors([("u:1:2", 1)]),
            {("u:1:2", 1): Cursor("u:1:2", 1, 9, 8)},
        )

    async def test_marks(self) -> None:
        """
        Read marks are there after an import, also after a second one.
        """
        cursors = [Cursor("u:1:2", 2, 3, 1, ((3, 4), (6, 7))), Cursor("u:1:3", 1)]
        cursors[1] = msgspec.structs.replace(cursors[1], seen=((2, 2),))
        records = lines_for(TALKS, cursors)
        store = await self.made()
        for _ in range(2):
            await self.keep(store, *records)
            self.assertEqual(await self.records(self.path), records)
        unread = await store.unread_counts(2, ["u:1:2"])
        self.assertEqual(unread, {"u:1:2": 4})

    async def test_recalled_stays_recalled(self) -> None:
        """
        A recalled message is imported as recalled, and one that was recalled since does
        not get its content back.
        """
        gone = msgspec.structs.replace(said(1), kind=RECALLED, content="")
        store = await self.made()
        await self.keep(store, *lines_for([gone, said(2)]))
        importer = await self.keep(store, *lines_for([said(1), said(2)]))
        self.assertEqual(importer.there, 2)
        self.assertEqual(await store.page("u:1:2", 0, 9), ([gone, said(2)], 2))


class GroupTests(MovingCase):
    """
    Groups and recalls follow from the messages of their conversations.
    """

    async def happened(self, *messages: Message) -> list[Record]:
        """
        Return the records of a store in which these messages were stored and applied.
        """
        store = await self.made(messages)
        await store.apply([m for m in messages if m.kind in (GROUP, RECALL)])
        return await self.records(self.path)

    async def test_groups(self) -> None:
        """
        A group gets its members back, with the numbers from which they read.
        """
        records = await self.happened(
            made(2, 3), changed(2, add=(4, 5)), changed(3, remove=(2,)), in_crew(4)
        )
        store = await self.made()
        await self.keep(store, *records)
        self.assertEqual(await self.records(self.path), records)
        page = await store.group(CREW, 0, 9)
        assert page is not None
        self.assertEqual(
            [(m.user, m.joined) for m in page.members], [(1, 1), (3, 1), (4, 2), (5, 2)]
        )
        keys = [(CREW, 4), (CREW, 2)]
        self.assertEqual(await store.readable_from(keys), {(CREW, 4): 2})

    async def test_again(self) -> None:
        """
        Importing a group again, even after later messages, changes nothing.
        """
        records = await self.happened(made(2), changed(2, add=(4,)))
        store = await self.made()
        await self.keep(store, *records)
        later = changed(3, remove=(4,))
        await insert_into(store, [later], 60)
        await store.apply([later])
        await self.keep(store, *records)
        members = await store.members([CREW])
        self.assertEqual(members, {CREW: frozenset({1, 2})})

    async def test_killed_before_it_was_carried_out(self) -> None:
        """
        The next import applies a change that was stored and not applied.
        """
        events = [made(2), changed(2, add=(4,))]
        records = await self.happened(*events)
        store = await self.made(events)
        await self.keep(store, *records)
        self.assertEqual(await self.records(self.path), records)

    async def test_large(self) -> None:
        """
        A group of some thousand members is imported in several batches.
        """
        adds = [
            changed(seq, add=range(seq * 1000, seq * 1000 + 500)) for seq in range(2, 5)
        ]
        records = await self.happened(made(), *adds)
        store = await self.made()
        await self.keep(store, *records)
        self.assertEqual(await self.records(self.path), records)
        self.assertEqual(len((await store.members([CREW]))[CREW]), 1501)

    async def test_recall(self) -> None:
        """
        A recalled message keeps its number and has no content.
        """
        records = await self.happened(said(1), said(2), recalled(3, 1))
        store = await self.made()
        await self.keep(store, *records)
        (first, *_), _ = await store.page("u:1:2", 0, 9)
        self.assertEqual((first.kind, first.content, first.seq), (RECALLED, "", 1))
        self.assertEqual(await self.records(self.path), records)

    async def test_recalled_since(self) -> None:
        """
        A newer export recalls a message that was recalled after the older one.
        """
        store = await self.made()
        await self.keep(store, *lines_for([said(1), said(2)]))
        records = await self.happened(said(1), said(2), recalled(3, 1))
        await self.keep(store, *records)
        (first, *_), _ = await store.page("u:1:2", 0, 9)
        self.assertEqual((first.kind, first.content), (RECALLED, ""))

    async def test_not_what_came_of_it(self) -> None:
        """
        A file whose members differ from the result of its changes is reported with the
        line.
        """
        records = await self.happened(made(2), changed(2, add=(4,)))
        self.assertIsInstance(records[-1], MemberLine)
        group = records[2]
        assert isinstance(group, GroupLine)
        other = msgspec.structs.replace(group, owner=2)
        for bad, told in (
            ([*records[:-1], MemberLine(CREW, 4, 1)], ("line 7: ", "joined 1;")),
            ([*records[:2], other, *records[3:]], ("line 4: ", "owner 2, ")),
        ):
            store = await self.made()
            with self.assertRaises(CannotImport) as caught:
                await self.keep(store, *bad)
            for words in (*told, "the changes of g:77 lead to another result"):
                self.assertIn(words, str(caught.exception))


def in_crew(seq: int) -> Message:
    """
    Make a message in the group.
    """
    return said(seq, conversation=CREW)


class ConflictTests(MovingCase):
    """
    A conflicting record in the store is reported with the line of the file.
    """

    async def assert_conflict(
        self, store: IMessageStore, m: Message, *told: str
    ) -> None:
        """
        Check that importing it as the second message fails with these words and leaves
        the store as before.
        """
        before = await store.page("u:1:2", 0, 9)
        with self.assertRaises(CannotImport) as caught:
            await self.keep(store, *lines_for([said(1), m]))
        for words in ("line 3: message ", *told):
            self.assertIn(words, str(caught.exception))
        self.assertEqual(await store.page("u:1:2", 0, 9), before)

    async def test_number_taken(self) -> None:
        """
        Another message with the number is a conflict.
        """
        store = await self.made(talk(2))
        await self.assert_conflict(
            store, said(2, "x"), "another message in the store has this"
        )

    async def test_another_body(self) -> None:
        """
        Another text, number, id, kind or time under the same client id is a conflict
        that names what is different, and not the text.
        """
        store = await self.made(talk(3))
        for different, name in (
            ({"content": "secret"}, "another content"),
            ({"kind": 2}, "another kind"),
            ({"message_id": 5}, "another message_id"),
            ({"time_ms": 5}, "another time_ms"),
            ({"seq": 4}, "another seq"),
        ):
            changes: dict[str, Any] = different
            other = msgspec.structs.replace(said(2), **changes)
            await self.assert_conflict(store, other, name)
        with self.assertRaises(CannotImport) as caught:
            await self.keep(store, *lines_for([said(1, content="secret")]))
        self.assertNotIn("secret", str(caught.exception))

    async def test_recalled_other(self) -> None:
        """
        A recalled message is the same message.
        """
        gone = msgspec.structs.replace(said(2), kind=RECALLED, content="", time_ms=9)
        store = await self.made(talk(2))
        await self.assert_conflict(store, gone, "another kind, time_ms, content")


class OrderTests(MovingCase):
    """
    The calls to the store.
    """

    async def test_whole_batches(self) -> None:
        """
        A batch is one insert, whatever its conversations, and one look-up more if
        repeated.
        """
        store = await self.made()
        spy: Any = Spy(store)
        importer = Importer(spy, no_retries(), lambda: 50)
        batches = batches_of(*lines_for(TALKS, CURSORS))
        for batch in batches:
            await importer.write_batch(batch)
        self.assertEqual(spy.asked, ["insert", "move_cursors"])
        spy.asked.clear()
        for batch in batches:
            await importer.write_batch(batch)
        self.assertEqual(spy.asked, ["insert", "find", "move_cursors"])


class Spy:
    """
    A store that records its calls.
    """

    def __init__(self, store: IMessageStore) -> None:
        self._store = store
        self.asked: list[str] = []

    def __getattr__(self, name: str) -> Any:
        self.asked.append(name)
        return getattr(self._store, name)
