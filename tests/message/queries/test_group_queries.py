"""
Tests for L{wsmsg.message.queries.queries} with groups.
"""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from tests.message.doubles import MemoryStore
from tests.message.presence.doubles import RecordingPresence
from tests.message.store.group_contract import CREW
from wsmsg.errors import Forbidden, NotFound, Unavailable, WsmsgError
from wsmsg.events.group_change import GroupChange
from wsmsg.message.links.routes import Routes
from wsmsg.message.queries.interface import ConversationPage
from wsmsg.message.queries.queries import Queries
from wsmsg.model import Cursor, Message

T = TypeVar("T")


class LateStore(MemoryStore):
    """
    Stores groups when it is asked who may read.
    """

    def __init__(self, groups: dict[str, Any]) -> None:
        super().__init__()
        self.late = groups

    def readable_from(self, keys: Sequence[tuple[str, int]]) -> Deferred[Any]:
        self.groups.update(self.late)
        return super().readable_from(keys)


class GroupQueriesTests(SynchronousTestCase):
    """
    Reads of a crew of 1, 2 and 3, where 3 joined with seq 4.
    """

    def setUp(self) -> None:
        self.store = MemoryStore()
        crew = GroupChange(True, "crew", add=(1, 2))
        self.store.groups[CREW] = (crew, 1, {1: 1, 2: 1, 3: 4})
        for seq in range(1, 7):
            m = Message(CREW, 1, f"c{seq}", seq, "hi", 1, 5, seq)
            self.store.messages[m.identity] = m
        self.queries = Queries(self.store, RecordingPresence(), Routes(), page=3)

    def answer(self, asking: Coroutine[Any, Any, T]) -> T:
        """
        Return the answer to a query.
        """
        return self.successResultOf(Deferred.fromCoroutine(asking))

    def page(self, user: int, after: int) -> ConversationPage:
        return self.answer(self.queries.page(user, CREW, after, 0))

    def seqs(self, user: int, after: int) -> list[int]:
        """
        Return the seqs on a page.
        """
        return [m.seq for m in self.page(user, after).messages]

    def test_page(self) -> None:
        """
        A page begins where its reader joined, even if it is asked to begin before.
        """
        self.assertEqual(self.seqs(1, 0), [1, 2, 3])
        for after in (0, 2, 3):
            self.assertEqual(self.seqs(3, after), [4, 5, 6])
        self.assertEqual(self.seqs(3, 4), [5, 6])
        page = self.page(3, 0)
        self.assertEqual((page.head, page.more), (6, False))

    def test_history(self) -> None:
        """
        A group with C{history} lets members read everything.
        """
        crew, owner, members = self.store.groups[CREW]
        with_history = GroupChange(True, crew.name, True, crew.add)
        self.store.groups[CREW] = (with_history, owner, members)
        self.assertEqual(self.seqs(3, 0), [1, 2, 3])

    def test_strangers(self) -> None:
        """
        A user who is not a member reads neither messages nor members of a group.
        """
        refused: tuple[tuple[str, type[WsmsgError]], ...] = (
            (CREW, Forbidden),
            ("g:5", Forbidden),
            ("g:x", NotFound),
        )
        for name, error in refused:
            for asking in (
                self.queries.page(9, name, 0, 0),
                self.queries.group(9, name, 0, 0),
            ):
                self.failureResultOf(Deferred.fromCoroutine(asking), error)

    def test_group_not_stored(self) -> None:
        """
        A group that the store does not know, and may still learn of, is not available,
        with a hint when to ask again; one that it knows refuses strangers for good.
        """

        async def waits(conversation: str, user: int) -> bool:
            return (conversation, user) == ("g:5", 9)

        queries = Queries(
            self.store,
            RecordingPresence(),
            Routes(),
            page=3,
            may_be_unstored=waits,
        )
        for name, error in (("g:5", Unavailable), (CREW, Forbidden)):
            for asking in (queries.page(9, name, 0, 0), queries.group(9, name, 0, 0)):
                failed = self.failureResultOf(Deferred.fromCoroutine(asking), error)
                retry_after_ms = 500 if name == "g:5" else 0
                self.assertEqual(failed.value.retry_after_ms, retry_after_ms)

    def test_stored_meanwhile(self) -> None:
        """
        A member gets a group that is stored while it is read.
        """
        store = LateStore(self.store.groups)
        queries = Queries(store, RecordingPresence(), Routes(), page=3)
        group = self.answer(queries.group(1, CREW, 0, 0))
        self.assertEqual((group.name, group.count), ("crew", 3))

    def test_group(self) -> None:
        """
        Members read the list of members, page by page.
        """
        group = self.answer(self.queries.group(2, CREW, 1, 1))
        self.assertEqual((group.name, group.owner, group.count), ("crew", 1, 3))
        self.assertFalse(group.history)
        self.assertEqual([(m.user, m.joined) for m in group.members], [(2, 1)])
        self.assertEqual(len(self.answer(self.queries.group(2, CREW, 1, 0)).members), 2)

    def test_heads(self) -> None:
        """
        A group is among the heads of its members, with their own cursor only.
        """
        self.store.moved[CREW, 3] = Cursor(CREW, 3, 5, 4)
        self.store.moved[CREW, 1] = Cursor(CREW, 1, 6, 6)
        [head] = self.answer(self.queries.heads(3, "", 0, continued=False)).heads
        self.assertEqual((head.conversation, head.head), (CREW, 6))
        self.assertEqual((head.delivered, head.read, head.others), (5, 4, ()))
        self.assertEqual(
            self.answer(self.queries.heads(9, "", 0, continued=False)).heads, []
        )

    def test_store_down(self) -> None:
        """
        A query fails as unavailable while the store is down.
        """
        self.store.down = True
        asking = Deferred.fromCoroutine(self.queries.page(1, CREW, 0, 0))
        self.failureResultOf(asking, Unavailable)
