"""
Tests of reads of Message, without any network.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from tests.connect.upstream.doubles import World
from wsmsg.connect.upstream.interface import ComparedHeads, HeadsView, PageView
from wsmsg.errors import BadRequest, Overloaded, Unavailable
from wsmsg.model import ConversationHead, Cursor, Mark
from wsmsg.rpc import rest_pb2


class QueryTests(SynchronousTestCase):
    """
    Reads and marks.
    """

    def ask(self, world: World, n: int) -> list[Deferred[Any]]:
        page = world.upstream.reads.page
        return [page(1, f"u:1:{i}", 0, 10) for i in range(1, n + 1)]

    def answer(self, *heads: int) -> rest_pb2.QueryResponse:
        pages = [rest_pb2.PageAnswer(head=head) for head in heads]
        return rest_pb2.QueryResponse(
            answers=[rest_pb2.QueryAnswer(page=page) for page in pages]
        )

    def test_batches(self) -> None:
        """
        Reads made while all calls are in flight leave together in the next call.
        """
        world = World()
        world.start("a:1")
        stream = world.message().stream
        results = self.ask(world, 6)
        self.assertEqual([len(q.items) for q, _ in stream.queries], [1, 1, 1, 1])
        stream.queries[1][1].callback(self.answer(20))
        self.assertEqual(self.successResultOf(results[1]), PageView([], 20, False, ""))
        last, answered = stream.queries[4]
        self.assertEqual([i.page.conversation for i in last.items], ["u:1:5", "u:1:6"])
        answered.callback(self.answer(50, 60))
        self.assertEqual(self.successResultOf(results[5]), PageView([], 60, False, ""))

    def test_heads(self) -> None:
        """
        Heads come with the cursors of the other users.
        """
        world = World()
        world.start("a:1")
        asked = world.upstream.reads.heads(1, "p5", 10, continued=True)
        ((request, answered),) = world.message().stream.queries
        self.assertEqual(request.items[0].heads.position, "p5")
        self.assertTrue(request.items[0].heads.continued)
        other = rest_pb2.Cursor(conversation="u:1:2", user=2, read=3)
        head = rest_pb2.Head(conversation="u:1:2", head=9, time_ms=4, others=[other])
        heads = rest_pb2.HeadsAnswer(heads=[head], more=True, position="p6", epoch="e")
        answered.callback(
            rest_pb2.QueryResponse(answers=[rest_pb2.QueryAnswer(heads=heads)])
        )
        expected = ConversationHead("u:1:2", 9, 4, others=(Cursor("u:1:2", 2, 0, 3),))
        self.assertEqual(
            self.successResultOf(asked), HeadsView([expected], True, "p6", "e")
        )

    def test_marks(self) -> None:
        """
        Marks go to Message, and each is answered.
        """
        world = World()
        world.start("a:1")
        asked = world.upstream.reads.mark(2, [Mark(2, 9), Mark(2, 4, "u:1:2", 3)])
        ((request, answered),) = world.message().stream.queries
        query = request.items[0].mark
        given = [(m.message_id, m.conversation, m.seq) for m in query.marks]
        self.assertEqual((query.user, given), (2, [(9, "", 0), (4, "u:1:2", 3)]))
        told = rest_pb2.QueryAnswer(mark=rest_pb2.MarkAnswer(known=[False, True]))
        answered.callback(rest_pb2.QueryResponse(answers=[told]))
        self.assertEqual(self.successResultOf(asked), [False, True])

    def test_unread(self) -> None:
        """
        Unread messages come with the place where they continue, and whether more may
        follow.
        """
        world = World()
        world.start("a:1")
        asked = world.upstream.reads.unread(2, "7/", 10)
        ((request, answered),) = world.message().stream.queries
        query = request.items[0].unread
        self.assertEqual((query.user, query.position, query.limit), (2, "7/", 10))
        unread = rest_pb2.UnreadAnswer(position="8/", more=True)
        unread.messages.add(conversation="u:1:2", seq=3, message_id=9, sender=1)
        answered.callback(
            rest_pb2.QueryResponse(answers=[rest_pb2.QueryAnswer(unread=unread)])
        )
        found = self.successResultOf(asked)
        self.assertEqual([m.seq for m in found.messages], [3])
        self.assertEqual((found.position, found.more), ("8/", True))

    def test_compare(self) -> None:
        """
        A comparison says in which epoch the numbers were pushed; another epoch in the
        answer has the clients reconnect.
        """
        world = World()
        world.start("a:1")
        for before, now in (("", "e1"), ("e1", "e2")):
            asked = world.upstream.reads.compare([(1, "u:1:2", 3), (2, "g:5", 7)])
            request, answered = world.message().stream.queries[-1]
            query = request.items[0].compare
            given = [(p.user, p.conversation, p.seq) for p in query.pushed]
            self.assertEqual(given, [(1, "u:1:2", 3), (2, "g:5", 7)])
            self.assertEqual(query.epoch, before)
            self.assertEqual(world.edge.calls, [])
            told = rest_pb2.CompareAnswer(heads=[4, 0], epoch=now)
            answer = rest_pb2.QueryAnswer(compare=told)
            answered.callback(rest_pb2.QueryResponse(answers=[answer]))
            self.assertEqual(self.successResultOf(asked), ComparedHeads([4, 0], now))
        (call,) = world.edge.calls
        self.assertEqual(call[0], "reconnect_all")

    def test_nobody_there(self) -> None:
        """
        Without any Message a read fails at once.
        """
        world = World()
        world.start()
        self.failureResultOf(self.ask(world, 1)[0], Unavailable)

    def test_refused_by_message(self) -> None:
        """
        A read that Message refuses fails alone, with Message's error.
        """
        world = World()
        world.start("a:1")
        (asked,) = self.ask(world, 1)
        ((_, answered),) = world.message().stream.queries
        error = rest_pb2.QueryError(code="bad_request", reason="no")
        answered.callback(
            rest_pb2.QueryResponse(answers=[rest_pb2.QueryAnswer(error=error)])
        )
        self.failureResultOf(asked, BadRequest)

    def test_answers_missing(self) -> None:
        """
        A response without any answer fails all of its reads.
        """
        world = World()
        world.start("a:1")
        (asked,) = self.ask(world, 1)
        world.message().stream.queries[0][1].callback(self.answer())
        self.failureResultOf(asked)

    def test_answered_in_part(self) -> None:
        """
        Reads that do not fit into the response of a call are asked again, before those
        that came later, and none of them fails.
        """
        world = World()
        world.start("a:1")
        stream = world.message().stream
        results = self.ask(world, 7)
        stream.queries[0][1].callback(self.answer(1))
        stream.queries[4][1].callback(self.answer(5))
        again, answered = stream.queries[5]
        names = [item.page.conversation for item in again.items]
        self.assertEqual(names, ["u:1:6", "u:1:7"])
        answered.callback(self.answer(6, 7))
        heads = [self.successResultOf(results[i]).head for i in (0, 4, 5, 6)]
        self.assertEqual(heads, [1, 5, 6, 7])
        self.assertEqual(world.upstream.queries.failed, 0)

    def test_another_is_asked(self) -> None:
        """
        After one Message fails another one is asked, once.
        """
        world = World("a:1,b:1")
        world.start("a:1", "b:1")
        streams = [world.message(name).stream for name in ("a:1", "b:1")]
        (asked,) = self.ask(world, 1)
        first, second = sorted(streams, key=lambda s: -len(s.queries))
        first.queries[0][1].errback(Unavailable("gone"))
        self.assertNoResult(asked)
        second.queries[0][1].errback(Unavailable("gone as well"))
        self.failureResultOf(asked, Unavailable)

    def test_too_many(self) -> None:
        """
        The number of reads that wait is bounded.
        """
        world = World()
        world.start("a:1")
        world.upstream.queries._limit = 2
        results = self.ask(world, 7)
        self.failureResultOf(results[6], Overloaded)
        self.assertNoResult(results[5])
