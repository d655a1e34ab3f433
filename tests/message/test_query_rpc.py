"""
Tests for L{wsmsg.message.query_rpc}.
"""

from __future__ import annotations

import gc
from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.trial.unittest import SynchronousTestCase

from tests.message.doubles import MemoryStore
from tests.message.presence.doubles import RecordingPresence
from tests.message.store.group_contract import CREW
from wsmsg.errors import Unavailable
from wsmsg.events.group_change import GroupChange
from wsmsg.message.links.routes import Routes
from wsmsg.message.queries.queries import Queries
from wsmsg.message.query_rpc import ANSWER_BYTES, QueryAdapter
from wsmsg.message.store.interface import PAGE_BYTES
from wsmsg.model import Cursor, Mark, Message
from wsmsg.rpc import rest_pb2
from wsmsg.stream.options import MESSAGE_BYTES


class QueryAdapterTests(SynchronousTestCase):
    """
    Queries and answers in protobuf.
    """

    def setUp(self) -> None:
        self.store = MemoryStore()
        self.routes = Routes()
        self.serve()
        for seq in range(1, 6):
            m = Message("u:1:2", 1, f"c{seq}", seq, "hi", 1, 5, seq)
            self.store.messages[m.identity] = m

    def serve(self, **more: Any) -> None:
        queries = Queries(self.store, RecordingPresence(), self.routes, page=3, **more)
        self.adapter = QueryAdapter(queries)

    def ask(self, *items: rest_pb2.QueryItem) -> list[rest_pb2.QueryAnswer]:
        answering = Deferred.fromCoroutine(
            self.adapter.answer(rest_pb2.QueryRequest(items=items))
        )
        return list(self.successResultOf(answering).answers)

    def test_page(self) -> None:
        """
        A page of messages has the head, and whether there are more.
        """
        query = rest_pb2.PageQuery(user=1, conversation="u:1:2", after=1)
        [answer] = self.ask(rest_pb2.QueryItem(page=query))
        self.assertEqual([m.seq for m in answer.page.messages], [2, 3, 4])
        self.assertEqual((answer.page.head, answer.page.more), (5, True))

    def test_unread(self) -> None:
        """
        A page of unread messages has a position where the next one begins; without any
        messages, the answer is still one.
        """
        query = rest_pb2.UnreadQuery(user=2)
        [answer] = self.ask(rest_pb2.QueryItem(unread=query))
        self.assertEqual([m.seq for m in answer.unread.messages], [1, 2, 3])
        self.assertTrue(answer.unread.more)
        query = rest_pb2.UnreadQuery(user=2, position=answer.unread.position)
        [answer] = self.ask(rest_pb2.QueryItem(unread=query))
        self.assertEqual([m.seq for m in answer.unread.messages], [4, 5])
        self.assertFalse(answer.unread.more)
        [answer] = self.ask(rest_pb2.QueryItem(unread=rest_pb2.UnreadQuery(user=1)))
        self.assertEqual(answer.WhichOneof("answer"), "unread")

    def members(self, after: int, limit: int = 0) -> rest_pb2.GroupAnswer:
        """
        Return a page of the members of the group 5.
        """
        query = rest_pb2.GroupQuery(
            user=4, conversation="g:5", after=after, limit=limit
        )
        [answer] = self.ask(rest_pb2.QueryItem(group=query))
        return answer.group

    def test_members_who_come_and_go(self) -> None:
        """
        The pages of a group have all users who are members all the time, also if others
        join and leave between the pages, and say whether there are more, however many
        a page has: Message sends fewer than it is asked for.
        """
        members = dict.fromkeys(range(2, 12), 1)
        self.store.groups["g:5"] = (GroupChange(True, "Us"), 4, members)
        seen: list[int] = []
        after, more, pages = 0, True, 0
        while more:
            page = self.members(after, limit=50)
            self.assertLessEqual(len(page.members), 3)
            seen += [m.user for m in page.members]
            after, more = seen[-1], page.more
            pages += 1
            if pages == 1:
                del members[2], members[3], members[5]
                members[1] = 9
            elif pages == 2:
                del members[8]
        self.assertEqual(pages, 3)
        self.assertLessEqual({4, 6, 7, 9, 10, 11}, set(seen))
        self.assertEqual(seen, sorted(set(seen)))
        self.assertEqual(page.count, len(members))
        # The last page is full, and says that it is the last one.
        self.assertEqual((len(page.members), page.more), (3, False))

    def mark(self, *marks: rest_pb2.Mark) -> rest_pb2.QueryAnswer:
        query = rest_pb2.MarkQuery(user=2, marks=marks)
        [answer] = self.ask(rest_pb2.QueryItem(mark=query))
        return answer

    def test_mark(self) -> None:
        """
        Marks are those of the user who asks, and each is answered.
        """
        given: list[tuple[int, Sequence[Mark]]] = []

        def marking(user: int, marks: Sequence[Mark]) -> Deferred[list[bool]]:
            given.append((user, marks))
            return succeed([m.message_id < 6 for m in marks])

        self.serve(mark=marking)
        answer = self.mark(
            rest_pb2.Mark(message_id=9),
            rest_pb2.Mark(message_id=4, conversation="u:1:2", seq=4),
        )
        self.assertEqual(list(answer.mark.known), [False, True])
        self.assertEqual(given, [(2, [Mark(2, 9), Mark(2, 4, "u:1:2", 4)])])
        self.assertEqual(self.mark().WhichOneof("answer"), "mark")
        many = [rest_pb2.Mark(message_id=1)] * 1001
        self.assertEqual(self.mark(*many).error.code, "not_found")

    def test_retry_after(self) -> None:
        """
        An error has the time after which the caller may try again.
        """
        self.serve(mark=lambda user, marks: fail(Unavailable("away", 500)))
        error = self.mark(rest_pb2.Mark(message_id=1)).error
        self.assertEqual((error.code, error.retry_after_ms), ("unavailable", 500))

    def test_heads(self) -> None:
        """
        A head has the cursors of both members.
        """
        self.store.moved = {
            ("u:1:2", 1): Cursor("u:1:2", 1, 4, 2),
            ("u:1:2", 2): Cursor("u:1:2", 2, 5, 5),
        }
        query = rest_pb2.QueryItem(heads=rest_pb2.HeadsQuery(user=1))
        [head] = self.ask(query)[0].heads.heads
        self.assertEqual((head.conversation, head.head), ("u:1:2", 5))
        self.assertEqual((head.delivered, head.read), (4, 2))
        self.assertEqual(
            [(o.user, o.delivered, o.read) for o in head.others], [(2, 5, 5)]
        )

    def test_group(self) -> None:
        """
        A group has its members with the seq at which they joined.
        """
        crew = GroupChange(True, "crew", add=(1, 2))
        self.store.groups[CREW] = (crew, 1, {1: 1, 2: 1, 3: 4})
        query = rest_pb2.GroupQuery(user=2, conversation=CREW, after=1)
        group = self.ask(rest_pb2.QueryItem(group=query))[0].group
        self.assertEqual((group.name, group.owner, group.count), ("crew", 1, 3))
        self.assertFalse(group.history)
        self.assertEqual([(m.user, m.joined) for m in group.members], [(2, 1), (3, 4)])

    def test_presence(self) -> None:
        """
        The presence of users comes in their order.
        """
        self.routes.change("n", [2], [])
        query = rest_pb2.PresenceQuery(users=[2, 1])
        [answer] = self.ask(rest_pb2.QueryItem(presence=query))
        online = [(p.user, p.online) for p in answer.presence.presence]
        self.assertEqual(online, [(2, True), (1, False)])

    def test_each_for_itself(self) -> None:
        """
        A query that fails does not affect the others, and the order is kept.
        """
        self.store.page = lambda *a, **k: fail(Unavailable("down"))  # type: ignore[method-assign]
        answers = self.ask(
            rest_pb2.QueryItem(page=rest_pb2.PageQuery(user=1, conversation="u:1:2")),
            rest_pb2.QueryItem(),
            rest_pb2.QueryItem(heads=rest_pb2.HeadsQuery(user=1)),
        )
        self.assertEqual(answers[0].error.code, "unavailable")
        self.assertEqual(answers[1].error.code, "not_found")
        self.assertEqual(len(answers[2].heads.heads), 1)

    def test_a_bug(self) -> None:
        """
        An unexpected failure is logged, and answered as an internal error.
        """
        self.store.page = lambda *a, **k: fail(KeyError("a bug"))  # type: ignore[method-assign]
        query = rest_pb2.PageQuery(user=1, conversation="u:1:2")
        [answer] = self.ask(rest_pb2.QueryItem(page=query))
        self.assertEqual(answer.error.code, "internal")
        self.assertEqual(len(self.flushLoggedErrors(KeyError)), 1)

    def long(self, size: int, count: int) -> rest_pb2.QueryItem:
        """
        Store a conversation of long messages, and return a query for it.
        """
        for seq in range(1, count + 1):
            m = Message("u:1:3", 1, f"l{seq}", 100 + seq, "x" * size, 1, 5, seq)
            self.store.messages[m.identity] = m
        query = rest_pb2.PageQuery(user=1, conversation="u:1:3")
        return rest_pb2.QueryItem(page=query)

    def test_bytes_of_a_response(self) -> None:
        """
        A response has as many answers as gRPC carries; Message does not read much more
        than that, and says of each page that there are more messages.
        """
        item = self.long(PAGE_BYTES, 3)
        read: list[object] = []
        page = self.store.page

        def counted(*args: Any, **more: Any) -> Any:
            read.append(args)
            return page(*args, **more)

        self.store.page = counted  # type: ignore[method-assign]
        answers = self.ask(*[item] * 64)
        self.assertEqual(len(answers), ANSWER_BYTES // PAGE_BYTES - 1)
        self.assertEqual(len(read), ANSWER_BYTES // PAGE_BYTES)
        for answer in answers:
            self.assertEqual([m.seq for m in answer.page.messages], [1])
            self.assertTrue(answer.page.more)

    def test_longest_message(self) -> None:
        """
        A message of the largest content that the settings allow can be read, also
        where several are asked for at once.
        """
        most = 8 * 2**20
        answers = self.ask(*[self.long(most, 2)] * 3)
        self.assertEqual(len(answers), 1)
        [message] = answers[0].page.messages
        self.assertEqual((message.seq, len(message.content)), (1, most))
        response = rest_pb2.QueryResponse(answers=answers)
        self.assertLess(response.ByteSize(), MESSAGE_BYTES)

    def test_compare(self) -> None:
        """
        Pushed numbers are compared with the heads, and a Connect is told the epoch.
        """
        query = rest_pb2.CompareQuery(epoch="e1")
        query.pushed.add(user=1, conversation="u:1:2", seq=3)
        query.pushed.add(user=2, conversation="u:2:3", seq=0)
        [answer] = self.ask(rest_pb2.QueryItem(compare=query))
        self.assertEqual(list(answer.compare.heads), [5, 0])
        self.assertEqual(answer.compare.epoch, "e1")

    def test_cancelled(self) -> None:
        """
        A call whose caller is gone logs nothing.
        """
        pages: list[Deferred[Any]] = [Deferred(), Deferred()]
        waiting = iter(pages)
        self.store.page = lambda *a, **k: next(waiting)  # type: ignore[method-assign]
        item = rest_pb2.QueryItem(page=rest_pb2.PageQuery(user=1, conversation="u:1:2"))
        answering = Deferred.fromCoroutine(
            self.adapter.answer(rest_pb2.QueryRequest(items=[item, item]))
        )
        answering.cancel()
        self.assertIsNotNone(self.failureResultOf(answering))
        for page in pages:
            page.callback(([], 0))
        gc.collect()
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_too_many(self) -> None:
        """
        A call with too many queries has all of them refused.
        """
        answers = self.ask(*[rest_pb2.QueryItem()] * 1001)
        self.assertEqual({a.error.code for a in answers}, {"not_found"})
