"""
Tests for L{wsmsg.message.legacy.history}, over a store in a file.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase, TestCase

from tests.doubles import up
from tests.message.doubles import MemoryStore
from tests.message.store.inserts import insert_into
from wsmsg.dependency.state import Dependency
from wsmsg.errors import BadRequest, Forbidden, NotFound, TooLarge, Unavailable
from wsmsg.events.group_change import GroupChange, encode_change
from wsmsg.message.legacy.history import History
from wsmsg.message.store.sqlite.store import SqliteStore
from wsmsg.model import RECALLED, Message


def said(
    conversation: str, sender: int, seq: int, message_id: int, kind: int = 1
) -> Message:
    """
    Return a stored message.
    """
    return Message(
        conversation, sender, f"c{seq}", message_id, f"m{message_id}", kind, 5, seq
    )


async def is_stored(conversation: str, user: int) -> None:
    """
    Know that the store lacks nothing.
    """


class MergingTests(SynchronousTestCase):
    """
    Pages over several conversations.
    """

    @given(
        st.lists(st.integers(2, 5), max_size=40), st.integers(1, 9), st.integers(1, 9)
    )
    def test_pages(self, others: list[int], size: int, page: int) -> None:
        """
        The pages of a user together hold all messages, both sides, oldest first.
        """
        store = MemoryStore()
        seqs: dict[int, int] = {}
        for message_id, other in enumerate(others, 1):
            seqs[other] = seqs.get(other, 0) + 1
            sender = (1, other)[message_id % 2]
            message = said(f"u:1:{other}", sender, seqs[other], message_id)
            store.messages[message.identity] = message
        history = History(store, is_stored, depth=1000)
        found = self.successResultOf(
            Deferred.fromCoroutine(history.of_user(1, page, size))
        )
        self.assertEqual(found.total, len(others))
        expected = list(range(1, len(others) + 1))[(page - 1) * size : page * size]
        self.assertEqual([m.message_id for m in found.messages], expected)

    def test_depth(self) -> None:
        """
        A page that ends too deep is refused for several conversations, but not for one.
        """
        store = MemoryStore()
        history = History(store, is_stored, depth=3)
        for seq in (1, 2, 3, 4):
            message = said("u:1:2", 1, seq, seq)
            store.messages[message.identity] = message
        found = self.successResultOf(Deferred.fromCoroutine(history.of_user(1, 2, 2)))
        self.assertEqual([m.seq for m in found.messages], [3, 4])
        message = said("u:1:3", 1, 1, 9)
        store.messages[message.identity] = message
        failure = self.failureResultOf(
            Deferred.fromCoroutine(history.of_user(1, 2, 2)), TooLarge
        )
        self.assertIn("limit is 3", failure.getErrorMessage())


class StoreTests(TestCase):
    """
    Pages over the embedded store, with groups.
    """

    async def setUp(self) -> None:  # type: ignore[override]
        self.store = SqliteStore(
            str(Path(self.mktemp())),
            reactor,  # type: ignore[arg-type]
            retry=lambda failures: 0.1,
            dependency=Dependency("store", reactor),
        )
        await up(self.store)
        self.addCleanup(self.store.stop)
        change = GroupChange(created=True, name="g", add=(1, 2))
        events = [
            Message("g:5", 1, "c1", 10, encode_change(change), 1001, 5, 1),
            Message(
                "g:5", 1, "c3", 30, encode_change(GroupChange(add=(3,))), 1001, 5, 3
            ),
        ]
        talk = [events[0], said("g:5", 1, 2, 20), events[1], said("g:5", 2, 4, 40)]
        await insert_into(self.store, [*talk, said("u:1:3", 3, 1, 25)], 100)
        await self.store.apply(events)
        self.history = History(self.store, self.check_stored, depth=100)
        self.asked: list[tuple[str, int]] = []
        self.on_its_way = False

    async def check_stored(self, conversation: str, user: int) -> None:
        """
        Refuse for now while the test says so.
        """
        self.asked.append((conversation, user))
        if self.on_its_way:
            raise Unavailable("the group is not known here, or not stored yet", 500)

    async def ids(self, user: int, page: int = 1, size: int = 10) -> list[int]:
        """
        Return the ids of the messages on a page of a user.
        """
        found = await self.history.of_user(user, page, size)
        return [m.message_id for m in found.messages]

    async def test_what_a_user_reads(self) -> None:
        """
        A member reads a group from the seq at which they joined; events are left out,
        but counted; a user without messages reads an empty page.
        """
        self.assertEqual(await self.ids(1), [20, 25, 40])
        self.assertEqual(await self.ids(3), [25, 40])
        self.assertEqual(await self.ids(2, page=2, size=2), [40])
        self.assertEqual((await self.history.of_user(1, 1, 10)).total, 5)
        self.assertEqual(await self.ids(9), [])
        self.assertEqual(await self.ids(1, page=2**31 - 1, size=2**31 - 1), [])

    async def test_groups(self) -> None:
        """
        Members read a group from the seq at which they may.
        """
        page = await self.history.of_group(5, 3, 1, 10)
        self.assertEqual([m.message_id for m in page.messages], [40])
        self.assertEqual(page.total, 2)
        page = await self.history.of_group(5, 0, 1, 2)
        self.assertEqual([m.message_id for m in page.messages], [20])
        await self.assertFailure(
            Deferred.fromCoroutine(self.history.of_group(5, 9, 1, 10)), Forbidden
        )
        await self.assertFailure(
            Deferred.fromCoroutine(self.history.of_group(6, 0, 1, 10)), NotFound
        )

    async def test_not_stored_yet(self) -> None:
        """
        A group, or a member, that may not be stored yet is refused for now, and no
        member waits for that.
        """
        await self.history.of_group(5, 3, 1, 10)
        self.assertEqual(self.asked, [])
        self.on_its_way = True
        for group, user in ((5, 9), (6, 1), (6, 0)):
            asking = Deferred.fromCoroutine(self.history.of_group(group, user, 1, 10))
            error: Any = await self.assertFailure(asking, Unavailable)
            self.assertEqual(error.retry_after_ms, 500)
            self.assertEqual(self.asked.pop(), (f"g:{group}", user))

    async def test_recalled(self) -> None:
        """
        A recalled message is left out.
        """
        recalled = said("u:1:4", 4, 1, 50, kind=RECALLED)
        await insert_into(self.store, [recalled], 100)
        self.assertEqual(await self.ids(4), [])

    async def test_bad_pages(self) -> None:
        """
        A page or a size below 1 and an invalid user are refused.
        """
        for user, page, size in ((1, 0, 1), (1, -1, 1), (1, 1, 0), (0, 1, 1)):
            await self.assertFailure(
                Deferred.fromCoroutine(self.history.of_user(user, page, size)),
                BadRequest,
            )
