"""
The contract of every L{IMessageStore} about blocks, invitations and withheld messages.
"""

from __future__ import annotations

import msgspec

from tests.message.store.cursor_contract import said
from tests.message.store.group_contract import CREW, GroupTests, changed, event, made
from wsmsg.events.block import BLOCK, encode_block
from wsmsg.events.invitation import DECLINE, INVITATION, encode_invitation
from wsmsg.message.store.interface import BlockRow, InvitationRow
from wsmsg.model import INT64_MAX, Cursor, Mark, Message, conversation_of

NAME = "u:1:2"


def block(
    seq: int, *, user: int = 0, group: int = 0, on: bool = True, by: int = 2
) -> Message:
    """
    Return the message with which a user begins or ends a block.
    """
    content = encode_block(user, group, on)
    return event(seq, BLOCK, content, conversation_of(by, by), by)


def invited(
    message_id: int, user: int = 3, *, seq: int = 1, withheld: int = 0, by: int = 1
) -> Message:
    """
    Return the message that invites a user to the crew.
    """
    content = encode_invitation(int(CREW[2:]))
    name = conversation_of(by, user)
    message = event(seq, INVITATION, content, name, by)
    return msgspec.structs.replace(
        message,
        message_id=message_id,
        client_id=f"i{message_id}",
        time_ms=message_id,
        withheld=withheld,
    )


def declined(message_id: int, user: int = 3, *, seq: int = 1) -> Message:
    """
    Return the message with which a user declines to join the crew.
    """
    content = encode_invitation(int(CREW[2:]))
    message = event(seq, DECLINE, content, conversation_of(user, user), user)
    return msgspec.structs.replace(message, message_id=message_id)


def withheld(seq: int, first: int) -> Message:
    """
    Return a message of user 1 that is withheld from user 2.
    """
    return msgspec.structs.replace(said(seq), withheld=first)


class ConsentTests(GroupTests):
    """
    Blocks and invitations follow their events, and nobody reads what is withheld.
    """

    async def keep(self, *events: Message) -> None:
        """
        Store events, and apply them.
        """
        await self.insert(events)
        await self.store.apply(events)

    async def shown(self, user: int, after: int = 0, **bounds: int) -> list[int]:
        """
        Return the numbers of a page for a user.
        """
        limit = bounds.pop("limit", 100)
        page, _ = await self.store.page(NAME, after, limit, reader=user, **bounds)
        return [m.seq for m in page]

    # -- blocks

    async def test_no_blocks(self) -> None:
        """
        A store in which nobody has blocked anybody says so, and after a first block no
        more, also after a restart.
        """
        await self.store.consent.look_for_blocks()
        self.assertFalse(self.store.consent.may_withhold)
        await self.keep(block(1, user=1), block(2, user=1, on=False))
        self.assertTrue(self.store.consent.may_withhold)
        self.store = await self.place.kill()
        await self.store.consent.look_for_blocks()
        self.assertTrue(self.store.consent.may_withhold)

    async def test_block(self) -> None:
        """
        A user blocks users and groups, one by one, and ends a block; a restart changes
        nothing.
        """
        await self.keep(
            block(1, user=1),
            block(2, group=INT64_MAX),
            block(3, user=INT64_MAX),
            block(4, user=5),
            block(5, user=5, on=False),
            block(1, user=9, by=4),
        )
        keys = [(2, "u:1"), (2, f"g:{INT64_MAX}"), (2, "u:5"), (1, "u:2"), (4, "u:9")]
        for _ in range(2):
            consent = self.store.consent
            self.assertEqual(await consent.blocked(keys), {*keys[:2], keys[4]})
            self.assertEqual((await consent.block_counts([2, 4]))[2], 3)
            rows = await consent.blocks(2, "", 9)
            targets = [f"g:{INT64_MAX}", "u:1", f"u:{INT64_MAX}"]
            self.assertEqual([row.target for row in rows], targets)
            self.assertEqual(
                [r.target for r in await consent.blocks(2, "u:1", 9)], targets[2:]
            )
            self.assertEqual(
                [r.target for r in await consent.blocks(2, "", 2)], targets[:2]
            )
            self.store = await self.place.kill()
        self.assertIsInstance(rows[0], BlockRow)

    async def test_block_again(self) -> None:
        """
        A block that is applied again, after it ended, changes nothing.
        """
        begin, end = block(1, user=1), block(2, user=1, on=False)
        await self.keep(begin, end)
        await self.store.apply([begin])
        self.assertEqual(await self.store.consent.blocked([(2, "u:1")]), frozenset())

    # -- withheld messages

    async def test_withheld(self) -> None:
        """
        Only the sender, and the server, read a withheld message.
        """
        talk = [said(1), withheld(2, 2), withheld(3, 2), said(4), withheld(5, 5)]
        await self.insert(talk)
        for _ in range(2):
            self.assertEqual(await self.store.page(NAME, 0, 9), (talk, 5))
            self.assertEqual(await self.store.page(NAME, 0, 9, reader=1), (talk, 5))
            page = [talk[0], talk[3]]
            self.assertEqual(await self.store.page(NAME, 0, 9, reader=2), (page, 4))
            self.assertEqual(
                await self.store.find([talk[1].identity]), {talk[1].identity: talk[1]}
            )
            self.store = await self.place.kill()

    async def test_pages_over_withheld(self) -> None:
        """
        Pages forth and back pass over withheld messages, however many there are.
        """
        gone = [withheld(n, 3) for n in range(3, 40)]
        await self.insert([said(1), said(2), *gone, said(40), said(41)])
        self.assertEqual(await self.shown(2, 2, limit=3), [40, 41])
        self.assertEqual(await self.shown(2, 1, limit=2), [2, 40])
        self.assertEqual(await self.shown(2, 20, limit=9), [40, 41])
        self.assertEqual(await self.shown(2, 0, before=41, limit=2), [2, 40])
        self.assertEqual(await self.shown(2, 0, before=30, limit=2), [1, 2])
        self.assertEqual(await self.shown(1, 0, before=30, limit=2), [28, 29])
        self.assertEqual(await self.shown(2, 0, limit=0), [])

    async def test_shown_head(self) -> None:
        """
        For the one who blocked, a conversation ends with the last message that is not
        withheld, and its page says so, also if there is none.
        """
        await self.insert([said(1)], 5)
        await self.insert([withheld(2, 2), withheld(3, 2)], 9)
        await self.insert(
            [msgspec.structs.replace(said(1, conversation="u:1:3"), withheld=1)]
        )
        await self.insert([said(1, conversation="u:2:4", sender=4)])
        names = (NAME, "u:1:3", "u:2:4")
        keys = [(NAME, 1), (NAME, 2), ("u:1:3", 1), ("u:1:3", 3), ("u:2:4", 2)]
        found = await self.store.consent.shown_heads([*keys, ("u:8:9", 8)])
        self.assertEqual(found, {(NAME, 2): (1, 5, 101), ("u:1:3", 3): (0, 0, 0)})
        self.assertEqual(await self.store.page(NAME, 1, 9, reader=2), ([], 1))
        self.assertEqual(await self.store.page("u:1:3", 0, 9, reader=3), ([], 0))
        heads = await self.store.heads(names)
        self.assertEqual(heads, {NAME: 3, "u:1:3": 1, "u:2:4": 1})

    async def test_withheld_is_not_unread(self) -> None:
        """
        Withheld messages are neither counted nor listed as unread, nor found by their
        ids.
        """
        talk = [said(1), withheld(2, 2), withheld(3, 2), said(4), withheld(5, 5)]
        await self.insert(talk)
        self.assertEqual(await self.store.unread_counts(2, [NAME]), {NAME: 2})
        unread = await self.store.unread(2, [(NAME, 0)], 9)
        self.assertEqual([m.seq for m in unread.messages], [1, 4])
        ids = [m.message_id for m in talk]
        self.assertEqual(
            await self.store.located(2, ids), {ids[0]: (NAME, 1), ids[3]: (NAME, 4)}
        )

    async def test_cursor_stays_below_withheld(self) -> None:
        """
        A cursor rises no further than the last message that its user may read; later it
        rises over what is withheld.
        """
        await self.keep(block(1, user=1))
        await self.insert([said(1), withheld(2, 2), withheld(3, 2)])
        moved = await self.store.move_cursors([Cursor(NAME, 2, 9, 9)])
        self.assertEqual(moved, [Cursor(NAME, 2, 1, 1)])
        moved = await self.store.move_cursors([Cursor(NAME, 1, 9, 0)])
        self.assertEqual(moved, [Cursor(NAME, 1, 3, 0)])
        await self.insert([said(4)])
        moved = await self.store.move_cursors([Cursor(NAME, 2, 4, 4)])
        self.assertEqual(moved, [Cursor(NAME, 2, 4, 4)])

    async def test_mark_below_withheld(self) -> None:
        """
        A mark of the last message before withheld ones raises the cursor to it.
        """
        await self.keep(block(1, user=1))
        await self.insert([said(1), withheld(2, 2)])
        marked = await self.store.mark([Mark(2, 0, NAME, 1)])
        self.assertEqual(marked.raised, [Cursor(NAME, 2, 1, 1)])

    # -- acquaintances

    async def test_acquainted(self) -> None:
        """
        Users who are members of one group now are acquainted.
        """
        await self.keep(made(2, 3), changed(2, remove=[3]))
        pairs = [(1, 2), (2, 1), (1, 3), (1, 4)]
        found = await self.store.consent.acquainted(pairs)
        self.assertEqual(found, set(pairs[:2]))

    # -- invitations

    async def test_invitation(self) -> None:
        """
        A user has an invitation until it is too old, and it names group and inviter.
        """
        await self.keep(made())
        await self.keep(invited(500), invited(501, 4), invited(502, 5, withheld=1))
        row = InvitationRow(CREW, "crew", 1, 500)
        keys = [(3, CREW), (4, CREW), (5, CREW), (3, "g:78")]
        for _ in range(2):
            consent = self.store.consent
            self.assertEqual(await consent.invited(keys, 0), set(keys[:2]))
            self.assertEqual(await consent.invited(keys, 501), {keys[1]})
            self.assertEqual(await consent.invitations(3, "", 9, 0), [row])
            self.assertEqual(await consent.invitations(3, CREW, 9, 0), [])
            self.assertEqual(await consent.invitations(3, "", 9, 501), [])
            counts = await consent.invitation_counts([3, 5], 0)
            self.assertEqual((counts[3], counts.get(5, 0)), (1, 0))
            self.store = await self.place.kill()

    async def test_declined(self) -> None:
        """
        A refusal closes the invitation; a later one is open again.
        """
        await self.keep(made())
        first, refusal = invited(500), declined(501)
        await self.keep(first, refusal)
        consent = self.store.consent
        await self.store.apply([first])
        self.assertEqual(await consent.invited([(3, CREW)], 0), frozenset())
        await self.keep(invited(502, seq=2))
        self.assertEqual(await consent.invited([(3, CREW)], 0), {(3, CREW)})
        await self.store.apply([refusal])
        self.assertEqual(await consent.invited([(3, CREW)], 0), {(3, CREW)})

    async def test_accepted(self) -> None:
        """
        Becoming a member closes the invitation.
        """
        await self.keep(made())
        await self.keep(invited(500))
        joined = msgspec.structs.replace(changed(2, add=[3], sender=3), message_id=501)
        await self.keep(joined)
        consent = self.store.consent
        self.assertEqual(await consent.invited([(3, CREW)], 0), frozenset())
        await self.keep(changed(3, remove=[3], sender=3))
        self.assertEqual(await consent.invitations(3, "", 9, 0), [])
