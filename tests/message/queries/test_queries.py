"""
What clients read.
"""

from __future__ import annotations

import gc
from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.trial.unittest import SynchronousTestCase

from tests.message.doubles import MemoryStore
from tests.message.links.test_links import RecordingPresence
from wsmsg.errors import Unavailable
from wsmsg.message.links.routes import Routes
from wsmsg.message.queries.queries import Queries
from wsmsg.model import Cursor, Mark, Message
from wsmsg.rpc import rest_pb2


class QueriesTests(SynchronousTestCase):
    """
    Pages, heads, presence.
    """

    def setUp(self) -> None:
        self.store = MemoryStore()
        self.routes = Routes()
        self.presence = RecordingPresence()
        self.queries = Queries(self.store, self.presence, self.routes, page=3)
        for seq in range(1, 6):
            m = Message("u:1:2", 1, f"c{seq}", seq, "hi", 1, 5, seq)
            self.store.messages[m.identity] = m

    def ask(self, *items: rest_pb2.QueryItem) -> list[rest_pb2.QueryAnswer]:
        answering = Deferred.fromCoroutine(
            self.queries.answer(rest_pb2.QueryRequest(items=items))
        )
        return list(self.successResultOf(answering).answers)

    def page(
        self, user: int = 1, after: int = 0, conversation: str = "u:1:2"
    ) -> rest_pb2.QueryAnswer:
        query = rest_pb2.PageQuery(user=user, conversation=conversation, after=after)
        [answer] = self.ask(rest_pb2.QueryItem(page=query))
        return answer

    def test_page(self) -> None:
        """
        A page has what is behind a number, and says whether there is more.
        """
        page = self.page().page
        self.assertEqual([m.seq for m in page.messages], [1, 2, 3])
        self.assertEqual((page.head, page.more), (5, True))
        page = self.page(after=3).page
        self.assertEqual([m.seq for m in page.messages], [4, 5])
        self.assertFalse(page.more)
        page = self.page(after=5).page
        self.assertEqual((list(page.messages), page.head, page.more), ([], 5, False))

    def test_not_a_member(self) -> None:
        """
        Nobody reads a conversation that they are not in.
        """
        self.assertEqual(self.page(user=3).error.code, "forbidden")
        self.assertEqual(self.page(conversation="nonsense").error.code, "not_found")

    def unread(self, user: int = 2, after: int = 0, limit: int = 0) -> Any:
        query = rest_pb2.UnreadQuery(user=user, after=after, limit=limit)
        [answer] = self.ask(rest_pb2.QueryItem(unread=query))
        return answer.unread

    def test_unread(self) -> None:
        """
        Unread messages come page by page, with how many there are in all.
        """
        first = self.unread()
        self.assertEqual([m.seq for m in first.messages], [1, 2, 3])
        self.assertEqual((first.total, first.more), (5, True))
        last = self.unread(after=3)
        self.assertEqual([m.seq for m in last.messages], [4, 5])
        self.assertEqual((last.total, last.more), (5, False))
        self.assertEqual(len(self.unread(limit=2).messages), 2)
        nothing = self.unread(user=1)
        self.assertEqual((len(nothing.messages), nothing.total), (0, 0))

    def mark(self, *marks: rest_pb2.Mark) -> rest_pb2.QueryAnswer:
        query = rest_pb2.MarkQuery(user=2, marks=marks)
        [answer] = self.ask(rest_pb2.QueryItem(mark=query))
        return answer

    def test_mark(self) -> None:
        """
        Each mark of a user is answered by whether it is known.
        """
        given: list[tuple[int, Sequence[Mark]]] = []

        def marking(user: int, marks: Sequence[Mark]) -> Deferred[list[bool]]:
            given.append((user, marks))
            return succeed([m.message_id < 6 for m in marks])

        self.queries = Queries(
            self.store, self.presence, self.routes, page=3, mark=marking
        )
        answer = self.mark(
            rest_pb2.Mark(message_id=9),
            rest_pb2.Mark(message_id=4, conversation="u:1:2", seq=4),
        )
        self.assertEqual(list(answer.mark.known), [False, True])
        self.assertEqual(given, [(2, [Mark(2, 9), Mark(2, 4, "u:1:2", 4)])])
        self.assertEqual(self.mark().WhichOneof("answer"), "mark")
        many = [rest_pb2.Mark(message_id=1)] * 1001
        self.assertEqual(self.mark(*many).error.code, "not_found")

    def test_mark_fails(self) -> None:
        """
        Who marks while the store is away is told to come again.
        """
        self.queries = Queries(
            self.store,
            self.presence,
            self.routes,
            page=3,
            mark=lambda user, marks: fail(Unavailable("away", 500)),
        )
        error = self.mark(rest_pb2.Mark(message_id=1)).error
        self.assertEqual((error.code, error.retry_after_ms), ("unavailable", 500))

    def test_heads(self) -> None:
        """
        A head tells how far the asker and the other are.
        """
        self.store.moved = {
            ("u:1:2", 1): Cursor("u:1:2", 1, 4, 2),
            ("u:1:2", 2): Cursor("u:1:2", 2, 5, 5),
        }
        query = rest_pb2.QueryItem(heads=rest_pb2.HeadsQuery(user=1))
        [head] = self.ask(query)[0].heads.heads
        self.assertEqual((head.head, head.delivered, head.read), (5, 4, 2))
        self.assertEqual([(o.user, o.read) for o in head.others], [(2, 5)])

    def test_more_heads(self) -> None:
        """
        A list of heads that is too long says so.
        """
        for other in range(3, 9):
            m = Message(f"u:1:{other}", 1, "c", other, "hi", 1, 5, 1)
            self.store.messages[m.identity] = m
        query = rest_pb2.QueryItem(heads=rest_pb2.HeadsQuery(user=1, limit=50))
        [answer] = self.ask(query)
        self.assertEqual(len(answer.heads.heads), 3)
        self.assertTrue(answer.heads.more)

    def test_heads_go_on(self) -> None:
        """
        A list that goes on after a conversation begins with the next, though all
        of them changed at the same time.
        """
        for other in range(3, 9):
            m = Message(f"u:1:{other}", 1, "c", other, "hi", 1, 5, 1)
            self.store.messages[m.identity] = m
        names, since, after = [], 0, ""
        for _ in range(3):
            query = rest_pb2.HeadsQuery(user=1, since_ms=since, after=after)
            [answer] = self.ask(rest_pb2.QueryItem(heads=query))
            names += [head.conversation for head in answer.heads.heads]
            since, after = answer.heads.heads[-1].time_ms, names[-1]
        self.assertEqual(names, [f"u:1:{other}" for other in range(2, 9)])
        self.assertFalse(answer.heads.more)

    def test_presence(self) -> None:
        """
        Whoever has a route is online.
        """
        self.routes.change("n", [2], [])
        query = rest_pb2.QueryItem(presence=rest_pb2.PresenceQuery(users=[1, 2]))
        [answer] = self.ask(query)
        self.assertEqual(
            [(p.user, p.online) for p in answer.presence.presence],
            [(1, False), (2, True)],
        )

    def test_presence_down(self) -> None:
        """
        While user state cannot be read, who has a route is online all the same.
        """
        self.presence.look_up = lambda users: fail(Unavailable("down"))  # type: ignore[method-assign]
        self.routes.change("n", [2], [])
        query = rest_pb2.QueryItem(presence=rest_pb2.PresenceQuery(users=[1, 2]))
        [answer] = self.ask(query)
        self.assertEqual(
            [(p.user, p.online) for p in answer.presence.presence],
            [(1, False), (2, True)],
        )

    def test_each_for_itself(self) -> None:
        """
        One query that fails does not spoil the others, and their order stays.
        """
        self.store.page = lambda *a: fail(Unavailable("down"))  # type: ignore[method-assign]
        answers = self.ask(
            rest_pb2.QueryItem(page=rest_pb2.PageQuery(user=1, conversation="u:1:2")),
            rest_pb2.QueryItem(),
            rest_pb2.QueryItem(heads=rest_pb2.HeadsQuery(user=1)),
        )
        self.assertEqual(answers[0].error.code, "unavailable")
        self.assertEqual(answers[1].error.code, "not_found")
        self.assertEqual(len(answers[2].heads.heads), 1)

    def test_nobody_waits(self) -> None:
        """
        When whoever asked is gone, nothing is logged for it.
        """
        pages: list[Deferred[Any]] = [Deferred(), Deferred()]
        waiting = iter(pages)
        self.store.page = lambda *a: next(waiting)  # type: ignore[method-assign]
        item = rest_pb2.QueryItem(page=rest_pb2.PageQuery(user=1, conversation="u:1:2"))
        answering = Deferred.fromCoroutine(
            self.queries.answer(rest_pb2.QueryRequest(items=[item, item]))
        )
        answering.cancel()
        self.assertIsNotNone(self.failureResultOf(answering))
        for page in pages:
            page.callback(([], 0))
        gc.collect()
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_too_many(self) -> None:
        """
        More queries than are allowed at once are all refused.
        """
        answers = self.ask(*[rest_pb2.QueryItem()] * 1001)
        self.assertEqual({a.error.code for a in answers}, {"not_found"})
