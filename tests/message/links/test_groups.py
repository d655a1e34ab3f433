"""
Pushes, receipts, typing and cursors of groups.
"""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.message.doubles import MemoryStore
from tests.message.links.test_links import SNAPSHOT, message
from tests.message.presence.doubles import RecordingPresence
from tests.message.store.group_contract import CREW
from wsmsg.events.group_change import GroupChange
from wsmsg.message.links.cursors import CursorWriter
from wsmsg.message.links.link import Link
from wsmsg.message.links.links import Links
from wsmsg.message.links.recipients import MemberCache, Standing
from wsmsg.message.links.typing import CACHED_S, TypingSignals
from wsmsg.model import Cursor, Message
from wsmsg.rpc import rest_pb2


class GroupCase(SynchronousTestCase):
    """
    A crew of users 1, 2 and 3, where 3 joined with seq 4. One Connect has 1 and 2,
    another has 2 and 3, and both have 9, who is not a member.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.store = MemoryStore()
        crew = GroupChange(True, "crew", add=(1, 2))
        self.store.groups[CREW] = (crew, 1, {1: 1, 2: 1, 3: 4})
        for seq in range(1, 7):
            m = Message(CREW, 1, f"c{seq}", seq, "hi", 1, 5, seq)
            self.store.messages[m.identity] = m
        self.links = Links(
            RecordingPresence(),
            self.clock,
            grace_s=2,
            limit_records=1000,
            limit_bytes=10**6,
        )
        self.one = self.subscribe("one", 1, 2, 9)
        self.two = self.subscribe("two", 2, 3, 9)
        self.addCleanup(lambda: self.assertEqual(self.clock.getDelayedCalls(), []))

    def subscribe(self, node: str, *users: int) -> Link:
        """
        Make the link of a Connect with these users.
        """
        hello = rest_pb2.SubscribeRequest(connect_service_id=node, incarnation="i")
        link, _ = self.links.subscribe(hello, "own")
        link.opened(lambda: None, lambda _: None)
        whole = rest_pb2.PresenceDelta(number=1, online=users, snapshot=SNAPSHOT.WHOLE)
        self.links.users.apply_presence(link, whole)
        link.next_frame()
        return link

    def taken(self, link: Link) -> rest_pb2.PushBatch:
        """
        Return the next batch.
        """
        frame = link.next_frame()
        return rest_pb2.PushBatch() if frame is None else frame.batch


class PushTests(GroupCase):
    """
    L{Links} with groups.
    """

    def test_one_push_a_connect(self) -> None:
        """
        Each Connect gets a message once, with all of its users who receive it.
        """
        settled: list[None] = []
        members = frozenset({1, 2, 3})
        self.links.push(
            [message(7, CREW)], lambda: settled.append(None), {(CREW, 7): members}
        )
        for link, users in ((self.one, [1, 2]), (self.two, [2, 3])):
            (push,) = self.taken(link).pushes
            self.assertEqual((sorted(push.targets), push.message.seq), (users, 7))
        self.one.acknowledged(1)
        self.assertEqual(settled, [])
        self.two.acknowledged(1)
        self.assertEqual(settled, [None])

    def test_recipients_differ(self) -> None:
        """
        Each message of a batch goes to its own recipients, in order, also among
        messages of conversations of two.
        """
        batch = [message(7, CREW), message(8, CREW), message(1, "u:2:9")]
        in_groups = {(CREW, 7): frozenset({1, 2}), (CREW, 8): frozenset({1})}
        self.links.push(batch, lambda: None, in_groups)
        pushes = self.taken(self.one).pushes
        self.assertEqual([list(p.targets) for p in pushes], [[1, 2], [1], [2, 9]])
        pushes = self.taken(self.two).pushes
        self.assertEqual([list(p.targets) for p in pushes], [[2], [2, 9]])

    def test_nobody(self) -> None:
        """
        A message to a group without connected members is settled at once.
        """
        settled: list[None] = []
        self.links.push(
            [message(7, "g:5")],
            lambda: settled.append(None),
            {("g:5", 7): frozenset({77})},
        )
        self.assertEqual(settled, [None])

    def test_targets_count(self) -> None:
        """
        The recipients of a push count towards the limit of the link.
        """
        users = range(1000, 11_000)
        self.subscribe("big", *users)
        audience = frozenset(users)
        batch = [message(seq, CREW) for seq in range(1, 20)]
        self.links.push(batch, lambda: None, {(CREW, m.seq): audience for m in batch})
        self.assertEqual(self.links.cut, 1)

    def test_receipt(self) -> None:
        """
        A cursor in a group is sent only to the user's own devices.
        """
        self.links.receipt(Cursor(CREW, 2, 5, 5))
        for link in (self.one, self.two):
            (receipt,) = self.taken(link).receipts
            self.assertEqual(list(receipt.targets), [2])

    def test_receipt_of_an_only_session(self) -> None:
        """
        A Connect is not sent the cursor for the user whose only session there said it;
        the other user and the other Connects are.
        """
        self.links.receipt(Cursor("u:2:9", 2, 3, 1), "one")
        for link, users in ((self.one, [9]), (self.two, [2, 9])):
            (receipt,) = self.taken(link).receipts
            self.assertEqual(sorted(receipt.targets), users)

    def test_receipt_for_nobody(self) -> None:
        """
        A cursor in a group that its user's only session said makes no receipt.
        """
        self.links.receipt(Cursor(CREW, 1, 5, 5), "one")
        self.assertIsNone(self.one.next_frame())


class TypingTests(GroupCase):
    """
    L{TypingSignals}.
    """

    def setUp(self) -> None:
        super().setUp()
        self.known = MemberCache(self.store, limit=100)
        self.typing = TypingSignals(self.store, self.known, self.links, self.clock)

    def typed(self, user: int, conversation: str = CREW) -> list[list[int]]:
        """
        Let a user type, and return the users who learn it at each Connect.
        """
        self.typing.typed(rest_pb2.Typing(conversation=conversation, user=user))
        return [
            sorted(u for t in self.taken(link).typing for u in t.targets)
            for link in (self.one, self.two)
        ]

    def test_others_are_told(self) -> None:
        """
        Typing is sent to the other connected members, and the store is read once in
        some seconds.
        """
        self.assertEqual(self.typed(1), [[2], [2, 3]])
        self.assertEqual(self.typed(2), [[1], [3]])
        self.assertEqual(self.store.lookups, 1)
        self.clock.advance(CACHED_S)
        del self.store.groups[CREW][2][3]
        self.assertEqual(self.typed(1), [[2], [2]])
        self.assertEqual(self.store.lookups, 2)

    def test_known(self) -> None:
        """
        The members of a group whose messages this Message delivers are in memory
        already.
        """
        self.known.remember({CREW: Standing(7, frozenset({1, 2}))})
        self.assertEqual(self.typed(1), [[2], [2]])
        self.assertEqual(self.store.lookups, 0)

    def test_strangers(self) -> None:
        """
        Typing of a user who is not a member is dropped, as is typing in a group that
        cannot exist.
        """
        self.assertEqual(self.typed(9), [[], []])
        self.assertEqual(self.typed(1, "g:5"), [[], []])
        self.assertEqual(self.typed(1, "g:x"), [[], []])

    def test_store_down(self) -> None:
        """
        While the store is down typing is dropped; the next one reads the members again.
        """
        self.store.down = True
        self.assertEqual(self.typed(1), [[], []])
        self.store.down = False
        self.assertEqual(self.typed(1), [[2], [2, 3]])


class CursorTests(GroupCase):
    """
    L{CursorWriter} with groups.
    """

    def test_members_only(self) -> None:
        """
        A cursor of a user who is not a member of the group is not stored, and not
        answered.
        """
        cursors = CursorWriter(self.store, self.links.receipt, self.clock)
        cursors.move(
            Cursor(name, user, 0, 3)
            for user in (2, 9)
            for name in (CREW, "u:2:9", "g:x", "g:5")
        )
        self.clock.advance(1)
        moved = [(CREW, 2), ("u:2:9", 2), ("u:2:9", 9)]
        self.assertEqual(sorted(self.store.moved), moved)
        self.assertEqual(cursors.dropped, 2)
