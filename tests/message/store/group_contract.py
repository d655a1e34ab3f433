"""
The contract of every L{IMessageStore} about groups and recalls.
"""

from __future__ import annotations

from collections.abc import Sequence

from tests.message.store.cursor_contract import CursorTests, StorePlace, said
from tests.message.store.inserts import changed_conversations
from wsmsg.events.group_change import GROUP, GroupChange, encode_change
from wsmsg.events.recall import RECALL
from wsmsg.message.store.interface import GroupPage, MemberRow
from wsmsg.model import RECALLED, TEXT, Cursor, Message

CREW = "g:77"


def changed(
    seq: int,
    *,
    add: Sequence[int] = (),
    remove: Sequence[int] = (),
    conversation: str = CREW,
    sender: int = 1,
) -> Message:
    """
    Return the message that changes the members of a group.
    """
    change = GroupChange(add=tuple(add), remove=tuple(remove))
    return event(seq, GROUP, encode_change(change), conversation, sender)


def made(
    *users: int,
    seq: int = 1,
    name: str = "crew",
    history: bool = False,
    conversation: str = CREW,
    sender: int = 1,
) -> Message:
    """
    Return the message that creates a group of its sender and others.
    """
    change = GroupChange(True, name, history, (sender, *users))
    return event(seq, GROUP, encode_change(change), conversation, sender)


def recalled(seq: int, what: object, *, sender: int = 1, to: str = "u:1:2") -> Message:
    """
    Return the message that recalls another.
    """
    return event(seq, RECALL, str(what), to, sender)


def event(seq: int, kind: int, content: str, conversation: str, sender: int) -> Message:
    """
    Return an event.
    """
    return Message(
        conversation=conversation,
        sender=sender,
        client_id=f"e{seq}",
        message_id=seq + 100,
        content=content,
        kind=kind,
        time_ms=1000 + seq,
        seq=seq,
    )


class GroupTests(CursorTests):
    """
    Groups change by their events, and messages are removed by recalls.
    """

    place: StorePlace

    async def happen(self, *events: Message, stored_ms: int = 5) -> None:
        """
        Store events and apply them.
        """
        await self.insert(events, stored_ms)
        await self.store.apply(events)

    async def assert_members(self, *members: tuple[int, int]) -> None:
        """
        Check the members of the crew and the numbers with which they joined, by every
        query.
        """
        users = [user for user, _ in members]
        self.assertEqual(await self.store.members([CREW]), {CREW: frozenset(users)})
        keys = [(CREW, user) for user in range(1, 10)]
        self.assertEqual(
            await self.store.readable_from(keys),
            {(CREW, user): joined for user, joined in members},
        )
        page = await self.store.group(CREW, 0, 100)
        assert page is not None
        self.assertEqual(page.count, len(members))
        self.assertEqual(list(page.members), [MemberRow(*m) for m in members])

    # -- groups

    async def test_group_is_made(self) -> None:
        """
        A group has its name, its creator as the owner, and its first members.
        """
        await self.happen(made(3, 2))
        await self.assert_members((1, 1), (2, 1), (3, 1))
        members = [MemberRow(1, 1), MemberRow(2, 1), MemberRow(3, 1)]
        self.assertEqual(
            await self.store.group(CREW, 0, 9),
            GroupPage(CREW, "crew", 1, False, 3, members),
        )

    async def test_no_group(self) -> None:
        """
        A group that does not exist has neither members nor a page, whatever its name.
        """
        for name in (CREW, "u:1:2", "\ud800", "", "g:0"):
            self.assertEqual(await self.store.members([name]), {})
            self.assertEqual(await self.store.readable_from([(name, 1)]), {})
            self.assertIsNone(await self.store.group(name, 0, 9))
        self.assertEqual(await self.store.members([]), {})
        self.assertEqual(await self.store.readable_from([]), {})
        self.assertEqual(await self.store.readable_from([(CREW, 2**70)]), {})
        await self.store.apply([])

    async def test_conversation_of_two_is_no_group(self) -> None:
        """
        A conversation of two users with messages is not a group.
        """
        await self.insert([said(1)])
        self.assertEqual(await self.store.members(["u:1:2"]), {})
        self.assertEqual(await self.store.readable_from([("u:1:2", 1)]), {})
        self.assertIsNone(await self.store.group("u:1:2", 0, 9))

    async def test_add_and_remove(self) -> None:
        """
        A user who is added reads from that number on, one who is removed is not a
        member, and one who is added again reads from the new number on.
        """
        await self.happen(made(2))
        await self.happen(changed(2, add=[3, 4]))
        await self.happen(changed(3, remove=[2, 3]))
        await self.assert_members((1, 1), (4, 2))
        await self.happen(changed(4, add=[3]))
        await self.assert_members((1, 1), (3, 4), (4, 2))

    async def test_several_in_a_batch(self) -> None:
        """
        Events of several groups in one batch are applied in their order.
        """
        other = made(5, name="others", conversation="g:78", sender=9)
        await self.happen(
            made(2), other, changed(2, add=[3]), changed(3, remove=[2], add=[4])
        )
        await self.assert_members((1, 1), (3, 2), (4, 3))
        both = await self.store.members(["g:78", CREW, "g:79"])
        self.assertEqual(both, {CREW: {1, 3, 4}, "g:78": {5, 9}})

    async def test_member_added_again(self) -> None:
        """
        Adding a member changes nothing: they read from the same number as before.
        """
        await self.happen(made(2), changed(2, add=[2, 3]))
        await self.assert_members((1, 1), (2, 1), (3, 2))

    async def test_stranger_removed(self) -> None:
        """
        Removing a user who is not a member changes nothing.
        """
        await self.happen(made(2), changed(2, remove=[3]))
        await self.assert_members((1, 1), (2, 1))
        await self.happen(changed(3, add=[3]))
        await self.assert_members((1, 1), (2, 1), (3, 3))

    async def test_history(self) -> None:
        """
        In a group with history members read from number 1 on, whenever they joined.
        """
        await self.happen(made(2, history=True), changed(2, add=[3]))
        self.assertEqual(
            await self.store.readable_from([(CREW, 1), (CREW, 3), (CREW, 4)]),
            {(CREW, 1): 1, (CREW, 3): 1},
        )
        page = await self.store.group(CREW, 0, 9)
        assert page is not None
        self.assertTrue(page.history)
        self.assertEqual(page.members[-1], MemberRow(3, 2))

    async def test_applied_again(self) -> None:
        """
        Applying any part of the events again, singly or together, changes nothing.
        """
        events = [
            made(2),
            changed(2, add=[3, 4]),
            changed(3, remove=[2, 3]),
            changed(4, add=[3]),
            changed(5, remove=[4]),
        ]
        await self.happen(*events)
        now = ((1, 1), (3, 4))
        for start in range(len(events)):
            await self.store.apply(events[start:])
            await self.assert_members(*now)
            await self.store.apply([events[start]])
            await self.assert_members(*now)
        names, _ = await changed_conversations(self.store, 4)
        self.assertEqual(names, [])

    async def test_made_twice(self) -> None:
        """
        A second message that creates the same group has no effect.
        """
        await self.happen(made(2))
        await self.happen(made(8, 9, seq=2, name="mine", sender=5, history=True))
        await self.assert_members((1, 1), (2, 1))
        page = await self.store.group(CREW, 0, 9)
        assert page is not None
        self.assertEqual((page.name, page.owner, page.history), ("crew", 1, False))

    async def test_unreadable_event(self) -> None:
        """
        A stored event that cannot be decoded has no effect and does not stop others.
        """
        bad = [
            event(2, GROUP, "{", CREW, 1),
            event(3, GROUP, '{"add": [0]}', CREW, 1),
            event(4, RECALL, "one", CREW, 1),
            event(5, RECALL, "9" * 30, CREW, 1),
            event(6, 1999, "1", CREW, 1),
        ]
        await self.happen(made(2), *bad, changed(7, add=[3]))
        await self.assert_members((1, 1), (2, 1), (3, 7))

    async def test_conversations_of_members(self) -> None:
        """
        A group is among the conversations of its members, from when they joined to
        when they left.
        """
        await self.insert([said(1)])
        await self.happen(made(2))
        await self.insert([said(1, conversation="u:1:3")])
        for user, names in ((1, {CREW, "u:1:2", "u:1:3"}), (2, {CREW, "u:1:2"})):
            found, _ = await changed_conversations(self.store, user)
            self.assertEqual(set(found), names)
        await self.happen(changed(2, remove=[2], add=[3]))
        found, _ = await changed_conversations(self.store, 2)
        self.assertEqual(found, ["u:1:2"])
        found, _ = await changed_conversations(self.store, 3)
        self.assertEqual(set(found), {"u:1:3", CREW})

    async def test_cursors_in_a_group(self) -> None:
        """
        Members have cursors in a group as in any conversation.
        """
        await self.happen(made(2))
        (moved,) = await self.store.move_cursors([Cursor(CREW, 2, 5, 0)])
        self.assertEqual((moved.delivered, moved.read), (1, 0))

    async def test_ten_thousand_members(self) -> None:
        """
        A group of ten thousand is created by several changes, is read at once and page
        by page, and loses a thousand members at once.
        """
        await self.happen(made(*range(2, 1001)))
        await self.happen(
            *(
                changed(n + 1, add=range(n * 1000 + 1, n * 1000 + 1001))
                for n in range(1, 10)
            )
        )
        everybody = range(1, 10_001)
        self.assertEqual(await self.store.members([CREW]), {CREW: frozenset(everybody)})
        readable = await self.store.readable_from([(CREW, u) for u in everybody])
        self.assertEqual(len(readable), 10_000)
        self.assertEqual(readable[CREW, 4_321], 5)
        seen: list[int] = []
        while page := await self.store.group(CREW, seen[-1] if seen else 0, 999):
            self.assertEqual(page.count, 10_000)
            seen += [m.user for m in page.members]
            if len(page.members) < 999:
                break
        self.assertEqual(seen, list(everybody))
        await self.happen(changed(11, remove=range(2, 1002)))
        left = await self.store.members([CREW])
        self.assertEqual(left, {CREW: frozenset([1, *range(1002, 10_001)])})

    async def test_groups_outlive_a_kill(self) -> None:
        """
        Applied events are there after a kill.
        """
        await self.happen(
            made(2, 3), changed(2, remove=[3]), said(3, conversation=CREW)
        )
        await self.happen(recalled(4, 3, to=CREW))
        self.store = await self.place.kill()
        await self.assert_members((1, 1), (2, 1))
        messages, head = await self.store.page(CREW, 2, 1)
        self.assertEqual((messages[0].kind, head), (RECALLED, 4))

    # -- recall

    async def test_recall(self) -> None:
        """
        A recalled message keeps everything but its content, kind and extra, however
        often the recall is applied.
        """
        await self.insert([said(1, extra="5 1 secret"), said(2)])
        for _ in range(2):
            await self.happen(recalled(3, 1))
            messages, head = await self.store.page("u:1:2", 0, 9)
            self.assertEqual(head, 3)
            self.assertEqual(messages[1:], [said(2), recalled(3, 1)])
            self.assertEqual(messages[0], gone(said(1)))
        found = await self.store.find([said(1).identity])
        self.assertEqual(list(found.values()), [gone(said(1))])

    async def test_recall_of_anothers(self) -> None:
        """
        A user cannot recall the message of another.
        """
        await self.insert([said(1)])
        await self.happen(recalled(2, 1, sender=2))
        messages, _ = await self.store.page("u:1:2", 0, 1)
        self.assertEqual(messages, [said(1)])

    async def test_recall_of_an_event(self) -> None:
        """
        A group change and a recall cannot be recalled, nor can a message that does not
        exist or is in another conversation.
        """
        await self.insert([said(3)])
        events = [
            made(2),
            changed(2, add=[3]),
            said(3, conversation=CREW),
            recalled(4, 3, to=CREW),
        ]
        await self.happen(*events)
        await self.happen(*(recalled(4 + n, n, to=CREW) for n in (1, 2, 4, 99)))
        messages, _ = await self.store.page(CREW, 0, 4)
        self.assertEqual(messages, [*events[:2], gone(events[2]), events[3]])
        self.assertEqual((await self.store.page("u:1:2", 0, 9))[0], [said(3)])

    async def test_recall_in_one_batch(self) -> None:
        """
        One batch recalls messages of several conversations.
        """
        messages = [said(n) for n in range(1, 6)]
        await self.insert([*messages, said(1, conversation="u:1:3")])
        await self.happen(
            *(recalled(5 + n, n) for n in (1, 3)), recalled(2, 1, to="u:1:3")
        )
        kinds = [m.kind for m in (await self.store.page("u:1:2", 0, 5))[0]]
        self.assertEqual(kinds, [RECALLED, TEXT, RECALLED, TEXT, TEXT])
        ((other,), _) = await self.store.page("u:1:3", 0, 1)
        self.assertEqual(other.kind, RECALLED)


def gone(message: Message) -> Message:
    """
    Return a message as its recall leaves it.
    """
    return Message(
        message.conversation,
        message.sender,
        message.client_id,
        message.message_id,
        "",
        RECALLED,
        message.time_ms,
        message.seq,
    )
