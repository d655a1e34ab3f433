"""
The contract of every L{IMessageStore} about read marks and unread messages.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from tests.message.store.cursor_contract import CursorTests, StorePlace, said
from tests.message.store.group_contract import changed, made
from tests.message.store.inserts import changed_conversations
from wsmsg.events.recall import RECALL
from wsmsg.message.store import read_ranges as seen
from wsmsg.message.store.interface import Marked
from wsmsg.model import Cursor, Mark, Message


def mark(seq: int, user: int = 2, conversation: str = "u:1:2") -> Mark:
    """
    Return a mark of one of the messages that L{said} makes.
    """
    return Mark(user, 0, conversation, seq)


class MarkTests(CursorTests):
    """
    Single messages are marked as read, and the others are unread.

    @ivar place: is set up by the suite that this is part of.
    """

    place: StorePlace

    async def marked(self, *seqs: int, user: int = 2) -> Sequence[Cursor]:
        """
        Mark messages of the conversation of two, and return the cursors that rose.
        """
        told = await self.store.mark([mark(seq, user) for seq in seqs])
        self.assertEqual(told.known, [True] * len(seqs))
        return told.raised

    async def unread_of(self, user: int, conversation: str = "u:1:2") -> list[int]:
        """
        Return the numbers of a user's unread messages, on which all queries agree.
        """
        names, _ = await changed_conversations(self.store, user)
        messages = await self.listed(user, sorted({*names, conversation}))
        ids = [m.message_id for m in messages]
        self.assertEqual(
            await self.store.located(user, ids),
            {m.message_id: (m.conversation, m.seq) for m in messages},
        )
        seqs = [m.seq for m in messages if m.conversation == conversation]
        counts = await self.store.unread_counts(user, [conversation])
        self.assertEqual(counts, {conversation: len(seqs)})
        return seqs

    async def listed(
        self, user: int, names: Sequence[str], limit: int = 10_000
    ) -> list[Message]:
        """
        Return a user's unread messages of some conversations, by pages.
        """
        places = dict.fromkeys(names, 0)
        messages: list[Message] = []
        for _ in range(1000):
            found = await self.store.unread(user, list(places.items()), limit)
            self.assertLessEqual(len(found.messages), limit)
            messages += found.messages
            if found.end is None:
                return messages
            done = list(places).index(found.end[0])
            places = dict(list(places.items())[done:])
            places[found.end[0]] = found.end[1]
        raise AssertionError("the list does not end")

    async def fill(self, last: int, own: Iterable[int] = ()) -> list[Message]:
        """
        Store messages 1 to C{last} of user 1 to user 2, except those of C{own} by user
        2.
        """
        messages = [said(i, sender=2 if i in own else 1) for i in range(1, last + 1)]
        await self.insert(messages)
        return messages

    async def test_mark_in_order(self) -> None:
        """
        The cursor of a user who marks each message as it comes follows the marks.
        """
        await self.fill(3)
        self.assertEqual(await self.marked(1), [Cursor("u:1:2", 2, 1, 1)])
        self.assertEqual(await self.marked(2, 3), [Cursor("u:1:2", 2, 3, 3)])
        self.assertEqual(await self.unread_of(2), [])

    async def test_mark_one(self) -> None:
        """
        A message that is marked alone is read, and those before it are not; when they
        are marked as well, the cursor rises over all.
        """
        await self.fill(4)
        self.assertEqual(await self.marked(3), [])
        self.assertEqual(await self.unread_of(2), [1, 2, 4])
        cursors = await self.store.cursors([("u:1:2", 2)])
        self.assertEqual(cursors, {("u:1:2", 2): Cursor("u:1:2", 2)})
        self.assertEqual(await self.marked(1), [Cursor("u:1:2", 2, 1, 1)])
        self.assertEqual(await self.marked(2), [Cursor("u:1:2", 2, 3, 3)])
        self.assertEqual(await self.unread_of(2), [4])

    async def test_mark_again(self) -> None:
        """
        A mark that is stored already is known, and changes nothing.
        """
        await self.fill(3)
        await self.marked(1, 3)
        self.assertEqual(await self.marked(1, 3, 3), [])
        self.assertEqual(await self.unread_of(2), [2])

    async def test_mark_over_own(self) -> None:
        """
        The cursor rises over the user's own messages on both sides of a mark, however
        many there are.
        """
        await self.fill(7, own=(1, 3, 5, 6))
        self.assertEqual(await self.marked(4), [Cursor("u:1:2", 2, 1, 1)])
        self.assertEqual(await self.marked(2), [Cursor("u:1:2", 2, 6, 6)])
        self.assertEqual(await self.unread_of(2), [7])
        self.assertEqual(await self.unread_of(1), [1, 3, 5, 6])

    async def test_mark_over_many_own(self) -> None:
        """
        A hundred messages of the user's own do not stop the cursor either.
        """
        await self.fill(103, own=range(2, 102))
        self.assertEqual(await self.marked(102), [])
        self.assertEqual(await self.marked(1), [Cursor("u:1:2", 2, 102, 102)])
        self.assertEqual(await self.unread_of(2), [103])

    async def test_mark_not_over_others(self) -> None:
        """
        A message of another user between two marks stays unread.
        """
        await self.fill(6, own=(2, 4))
        await self.marked(1, 5)
        self.assertEqual(await self.unread_of(2), [3, 6])
        (cursor,) = (await self.store.cursors([("u:1:2", 2)])).values()
        self.assertEqual(cursor, Cursor("u:1:2", 2, 2, 2))

    async def test_cursor_swallows_marks(self) -> None:
        """
        A cursor that reaches a range rises to its end, over the user's own messages
        too, and lower ranges are dropped.
        """
        await self.fill(9, own=(7,))
        await self.marked(2, 5, 6, 8)
        risen = await self.store.move_cursors([Cursor("u:1:2", 2, 4, 4)])
        self.assertEqual(risen, [Cursor("u:1:2", 2, 8, 8)])
        self.assertEqual(await self.unread_of(2), [9])

    async def test_cursor_below_marks(self) -> None:
        """
        A cursor that does not reach a range leaves it unchanged.
        """
        await self.fill(6)
        await self.marked(5)
        risen = await self.store.move_cursors([Cursor("u:1:2", 2, 6, 2)])
        self.assertEqual(risen, [Cursor("u:1:2", 2, 6, 2)])
        self.assertEqual(await self.unread_of(2), [3, 4, 6])
        self.assertEqual(await self.marked(3, 4), [Cursor("u:1:2", 2, 6, 5)])

    async def test_cursor_with_marks(self) -> None:
        """
        An imported cursor may have ranges above it.
        """
        await self.fill(9)
        brought = Cursor("u:1:2", 2, 9, 2, ((4, 5), (7, 99)))
        risen = await self.store.move_cursors([brought])
        self.assertEqual(risen, [Cursor("u:1:2", 2, 9, 2)])
        self.assertEqual(await self.unread_of(2), [3, 6])
        self.assertEqual(await self.store.move_cursors([brought]), [])

    async def test_brought_over_own(self) -> None:
        """
        An imported store has the same messages read, whoever sent those in between.
        """
        await self.fill(9, own=(3, 6))
        brought = Cursor("u:1:2", 2, 9, 2, ((4, 5), (7, 7)))
        await self.store.move_cursors([brought])
        self.assertEqual(await self.unread_of(2), [8, 9])
        cursors = await self.store.cursors([("u:1:2", 2)])
        self.assertEqual(cursors, {("u:1:2", 2): Cursor("u:1:2", 2, 9, 2)})

    async def test_mark_unknown(self) -> None:
        """
        Marks of messages that do not exist, are in conversations of others, or have
        another message id are not known, and do not affect other marks.
        """
        await self.fill(2)
        told = await self.store.mark(
            [
                mark(3),
                mark(0),
                mark(-1),
                mark(2**63),
                mark(1, user=3),
                mark(1, conversation="u:2:9"),
                mark(1, conversation="g:5"),
                mark(1, conversation="\ud800"),
                mark(1, conversation=""),
                Mark(2, 999, "u:1:2", 1),
                Mark(2, 102, "u:1:2", 2),
            ]
        )
        self.assertEqual(told, Marked([False] * 10 + [True], []))
        self.assertEqual(await self.unread_of(2), [1])

    async def test_mark_nothing(self) -> None:
        """
        No marks have no results.
        """
        self.assertEqual(await self.store.mark([]), Marked([], []))

    async def test_mark_many(self) -> None:
        """
        One batch marks messages of a thousand users.
        """
        names = [f"u:{i}:{i + 5000}" for i in range(1, 1001)]
        await self.insert(
            [said(1, conversation=n, sender=int(n[2:].split(":")[0])) for n in names]
        )
        marks = [mark(1, i + 5000, n) for i, n in enumerate(names, 1)]
        told = await self.store.mark(marks)
        self.assertEqual(told.known, [True] * 1000)
        expected = [Cursor(m.conversation, m.user, 1, 1) for m in marks]
        self.assertEqual(sorted(told.raised, key=lambda c: c.user), expected)

    async def test_most_ranges(self) -> None:
        """
        At the limit of ranges a mark that would need another one is not known and its
        message stays unread; one that joins a range is known.
        """
        last = 2 * seen.MOST + 4
        await self.fill(last)
        await self.marked(*range(2, 2 * seen.MOST + 1, 2))
        told = await self.store.mark([mark(last), mark(last - 3), mark(last - 1)])
        self.assertEqual(told, Marked([False, True, False], []))
        unread = await self.unread_of(2)
        self.assertEqual(unread[-3:], [last - 2, last - 1, last])
        self.assertEqual(len(unread), seen.MOST + 3)

    async def test_marks_outlive_a_kill(self) -> None:
        """
        Stored marks are there after a kill.
        """
        await self.fill(5)
        await self.marked(1, 3)
        self.store = await self.place.kill()
        self.assertEqual(await self.unread_of(2), [2, 4, 5])
        self.assertEqual(await self.marked(2), [Cursor("u:1:2", 2, 3, 3)])

    async def test_unread_pages(self) -> None:
        """
        Unread messages are listed conversation by conversation and by number, page by
        page, each once.
        """
        first = [said(i, conversation="u:1:9") for i in (1, 2, 3)]
        second = [said(i, conversation="u:2:9", sender=2) for i in (1, 2)]
        await self.insert([*first, *second])
        names = ["u:2:9", "u:1:9"]
        for limit in (1, 2, 3, 10):
            found = await self.listed(9, names, limit)
            self.assertEqual(found, [*second, *first])
        rest = await self.store.unread(9, [("u:1:9", 2), ("u:2:9", 2)], 9)
        self.assertEqual((list(rest.messages), rest.end), (first[2:], None))
        for names in (["u:2:9", "u:1:9"], ["u:1:7", "\ud800", "g:5", "?"], []):
            self.assertEqual(await self.listed(8, names), [])

    async def test_unread_of_large_contents(self) -> None:
        """
        A page of unread messages is bounded in bytes, and has one message at least.
        """
        large = [said(i, content="x" * 100_000) for i in (1, 2, 3, 4)]
        await self.insert(large)
        found = await self.store.unread(2, [("u:1:2", 0)], 100)
        self.assertEqual([m.seq for m in found.messages], [1, 2])
        self.assertEqual(found.end, ("u:1:2", 2))
        self.assertEqual(await self.listed(2, ["u:1:2"]), large)

    async def test_unread_among_own(self) -> None:
        """
        Unread messages behind many of the user's own are found.
        """
        await self.fill(40, own=range(1, 40))
        self.assertEqual(
            [m.seq for m in await self.listed(2, ["u:1:2"], limit=3)], [40]
        )

    async def test_unread_to_oneself(self) -> None:
        """
        Messages to oneself are never unread; they can be marked like others.
        """
        await self.insert([said(i, conversation="u:7:7", sender=7) for i in (1, 2)])
        self.assertEqual(await self.unread_of(7, "u:7:7"), [])
        told = await self.store.mark([mark(1, 7, "u:7:7")])
        self.assertEqual(told, Marked([True], [Cursor("u:7:7", 7, 2, 2)]))

    async def test_recalled_is_not_unread(self) -> None:
        """
        A recalled message and its recall are not unread, and the cursor rises over
        them.
        """
        await self.fill(3)
        recall = msgspec.structs.replace(said(4, content="2"), kind=RECALL)
        await self.insert([recall])
        await self.store.apply([recall])
        self.assertEqual(await self.unread_of(2), [1, 3])
        self.assertEqual(await self.marked(3), [])
        self.assertEqual(await self.marked(1), [Cursor("u:1:2", 2, 4, 4)])

    async def test_unread_in_group(self) -> None:
        """
        In a group without history the messages since joining are unread, and a former
        member has no unread messages.
        """
        events = [made(3, 9), changed(4, add=(5,))]
        texts = [said(i, conversation="g:77", sender=1) for i in (2, 3, 5, 6)]
        await self.insert(sorted([*events, *texts], key=lambda m: m.seq))
        await self.store.apply(events)
        self.assertEqual(await self.unread_of(3, "g:77"), [2, 3, 5, 6])
        self.assertEqual(await self.unread_of(5, "g:77"), [5, 6])
        self.assertEqual(await self.unread_of(1, "g:77"), [])
        told = await self.store.mark([mark(n, 5, "g:77") for n in (2, 5)])
        self.assertEqual(told, Marked([False, True], [Cursor("g:77", 5, 5, 5)]))
        self.assertEqual(await self.unread_of(5, "g:77"), [6])
        gone = changed(7, remove=(5,))
        await self.insert([gone])
        await self.store.apply([gone])
        self.assertEqual(await self.unread_of(5, "g:77"), [])
        told = await self.store.mark([mark(6, 5, "g:77")])
        self.assertEqual(told.known, [False])

    async def test_unread_in_group_with_history(self) -> None:
        """
        In a group with history all of its messages are unread for a new member.
        """
        events = [made(3, history=True), changed(3, add=(5,))]
        texts = [said(i, conversation="g:77", sender=1) for i in (2, 4)]
        await self.insert(sorted([*events, *texts], key=lambda m: m.seq))
        await self.store.apply(events)
        self.assertEqual(await self.unread_of(5, "g:77"), [2, 4])
        told = await self.store.mark([mark(n, 5, "g:77") for n in (2, 4)])
        self.assertEqual(told.raised, [Cursor("g:77", 5, 4, 4)])
        self.assertEqual(await self.unread_of(5, "g:77"), [])

    async def test_counts(self) -> None:
        """
        Each conversation of the query has its number of unread messages, or 0.
        """
        await self.fill(3)
        await self.insert([said(1, conversation="u:2:3", sender=3)])
        await self.marked(2)
        names = ["u:1:2", "u:2:3", "u:2:4", "u:1:3", "\ud800"]
        counts = await self.store.unread_counts(2, names)
        self.assertEqual(counts, dict(zip(names, (2, 1, 0, 0, 0), strict=True)))

    async def test_located(self) -> None:
        """
        Unread messages are found by their ids; messages of other users are not.
        """
        await self.fill(3)
        found = await self.store.located(2, [101, 103, 55, 2**63, 0])
        self.assertEqual(found, {101: ("u:1:2", 1), 103: ("u:1:2", 3)})
        self.assertEqual(await self.store.located(3, [101]), {})
        self.assertEqual(await self.store.located(2, []), {})
