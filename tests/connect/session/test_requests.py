"""
Requests of a welcomed client.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred

from tests.connect.session.cases import SessionTestCase
from tests.connect.session.doubles import FakeNode, message
from wsmsg import model
from wsmsg.connect.session.sends import QUERIES_MAX
from wsmsg.connect.upstream.interface import HeadsView, PageView, SendAnswer
from wsmsg.errors import Close, Overloaded
from wsmsg.protocol import frames
from wsmsg.protocol.frames import Hello, Send

NO_PAGE = PageView((), 0, False, "e1")


class SendTests(SessionTestCase):
    """
    Sends: accepted, rejected, and held back.
    """

    def test_accepted(self) -> None:
        """
        A send is passed on with its conversation, and is accepted when Message accepts
        it.
        """
        node = FakeNode()
        client = node.log_in(1001)
        client.say(Send("c1", to=7, content="hi", kind=0))
        (new, on_answer) = node.upstream.sends[0]
        self.assertEqual(
            tuple(new), (1001, "c1", "u:7:1001", "hi", 1, 1, "", False, "")
        )
        self.assertEqual(client.heard(), [])
        on_answer(SendAnswer(time_ms=5))
        self.assertEqual(client.heard(), [frames.Accepted("c1", 5)])

    def test_repeat(self) -> None:
        """
        A send that says that it is a repeat is passed on as one, and the client learns
        that a rejection of it is uncertain.
        """
        node = FakeNode()
        client = node.log_in(1001)
        client.say(Send("c1", to=7, content="hi", repeat=True))
        (new, on_answer) = node.upstream.sends[0]
        self.assertTrue(new.repeat)
        on_answer(SendAnswer(0, "unavailable", "away", 250, uncertain=True))
        expected = frames.Rejected("c1", "unavailable", "away", 250, uncertain=True)
        self.assertEqual(client.heard(), [expected])

    def test_rejected(self) -> None:
        """
        A send that Message refuses is rejected with its code and hint.
        """
        node = FakeNode()
        client = node.log_in(1001)
        client.say(Send("c1", to=7))
        node.upstream.sends[0][1](SendAnswer(0, "overloaded", "busy", 250))
        expected = frames.Rejected("c1", "overloaded", "busy", 250)
        self.assertEqual(client.heard(), [expected])
        self.assertEqual(node.registry.counters.rejected["overloaded"], 1)

    def test_problems(self) -> None:
        """
        An invalid send is rejected with the reason, and not passed on.
        """
        node = FakeNode(content_bytes=8)
        client = node.log_in(1001)
        for frame, code in (
            (Send("c", content="x"), "bad_request"),
            (Send("c", to=1, group=1), "bad_request"),
            (Send("c", group=1, kind=1000), "bad_request"),
            (Send("c", to=1, kind=1003), "bad_request"),
            (Send("c", to=1, content="a\0b"), "bad_request"),
            (Send("c", to=1, content="x" * 9), "too_large"),
            (Send("c", to=1, content="é" * 5), "too_large"),
        ):
            client.say(frame)
            self.assert_rejected(client, code)
        self.assertEqual(node.upstream.sends, [])
        client.say(Send("c", to=1, content="é" * 4))
        self.assertEqual(len(node.upstream.sends), 1)

    def test_window(self) -> None:
        """
        A client with more unanswered sends than its window is not read until some are
        answered; a client within its window always is.
        """
        node = FakeNode(window=4)
        client = node.log_in(1001)
        client.peer.pauses = 0
        client.say(*(Send(f"c{i}", to=7) for i in range(4)))
        self.assertEqual(client.peer.pauses, 0)
        client.say(*(Send(f"d{i}", to=7) for i in range(3)))
        self.assertFalse(client.peer.reading)
        self.assertEqual(len(node.upstream.sends), 5)
        node.upstream.accept(2)
        sent = [new.client_id for new, _ in node.upstream.sends]
        self.assertEqual(sent, ["c2", "c3", "d0", "d1", "d2"])
        self.assertFalse(client.peer.reading)
        node.upstream.accept(2)
        self.assertTrue(client.peer.reading)
        heard = [f.client_id for f in client.heard() if isinstance(f, frames.Accepted)]
        self.assertEqual(heard, ["c0", "c1", "c2", "c3"])

    def test_rate(self) -> None:
        """
        Above the rate a send is rejected with the time after which to retry.
        """
        node = FakeNode(sends_per_s=10, sends_burst=2)
        client = node.log_in(1001)
        client.say(*(Send(f"c{i}", to=7) for i in range(3)))
        rejected = self.assert_rejected(client, "rate_limited")
        self.assertEqual(rejected.retry_after_ms, 500)
        node.clock.advance(0.3)
        client.say(Send("c3", to=7))
        rejected = self.assert_rejected(client, "rate_limited")
        self.assertEqual(len(node.upstream.sends), 2)
        node.clock.advance(rejected.retry_after_ms / 1000)
        client.say(Send("c2", to=7))
        self.assertEqual(len(node.upstream.sends), 3)

    def test_behind_refused(self) -> None:
        """
        A send behind one that Message refuses for now is not told of any rate.
        """
        node = FakeNode(sends_per_s=10, sends_burst=20)
        client = node.log_in(1001)
        client.say(Send("c1", to=7))
        new, on_answer = node.upstream.sends.pop()
        now = node.clock.seconds()
        node.upstream.fences.refuse(new.key, "c1", now, 2000, lambda key: ())
        on_answer(SendAnswer(code="unavailable", reason="full", retry_after_ms=2000))
        self.assert_rejected(client, "unavailable")
        client.say(Send("c2", to=7))
        rejected = self.assert_rejected(client, "unavailable")
        self.assertEqual(rejected.client_id, "c2")
        self.assertIn("an earlier send", rejected.reason)
        self.assertGreaterEqual(rejected.retry_after_ms, 2000)

    def test_rate_of_user(self) -> None:
        """
        The devices of a user share the user's rate.
        """
        node = FakeNode(sends_per_s=1, sends_burst=2)
        phone, laptop = node.log_in(1001, "phone"), node.log_in(1001, "laptop")
        phone.say(Send("c1", to=7), Send("c2", to=7))
        laptop.say(Send("c3", to=7))
        self.assert_rejected(laptop, "rate_limited")

    def test_answer_after_end(self) -> None:
        """
        An answer for a client that has gone is dropped.
        """
        node = FakeNode()
        client = node.log_in(1001)
        client.say(Send("c1", to=7))
        client.hang_up()
        node.upstream.accept()
        self.assertEqual(client.heard(), [])


class RequestTests(SessionTestCase):
    """
    Other requests than sends.
    """

    def test_cursors(self) -> None:
        """
        A message that is read counts as delivered too.
        """
        node = FakeNode()
        client = node.log_in(1001)
        client.say(frames.Delivered("u:7:1001", 4), frames.Read("u:7:1001", 3))
        self.assertEqual(
            node.upstream.named("cursor"),
            [("u:7:1001", 1001, 4, 0), ("u:7:1001", 1001, 3, 3)],
        )

    def test_not_a_member(self) -> None:
        """
        Nobody marks, reads or types in the conversation of others.
        """
        node = FakeNode()
        client = node.log_in(1001)
        for frame, request in (
            (frames.Delivered("u:7:8", 1), ""),
            (frames.Read("u:7:8", 1), ""),
            (frames.Typing("u:7:8"), ""),
            (frames.Sync("s", "u:7:8"), "s"),
        ):
            client.say(frame)
            self.assert_error(client, "forbidden", request)
        calls = {call[0] for call in node.upstream.calls}
        self.assertEqual(calls, {"user_joined", "heads"})

    def test_no_conversation(self) -> None:
        """
        A name that no conversation can have is a bad request.
        """
        client = FakeNode().log_in(1001)
        client.say(frames.Sync("s", "u:1001:7"))
        self.assert_error(client, "bad_request", "s")

    def test_typing(self) -> None:
        """
        Typing is passed on with the user's own id.
        """
        node = FakeNode()
        node.log_in(1001).say(frames.Typing("u:7:1001", user=7))
        self.assertEqual(node.upstream.named("typing"), [("u:7:1001", 1001)])

    def test_ping(self) -> None:
        """
        A ping is answered with its nonce.
        """
        client = FakeNode().log_in(1001)
        client.say(frames.Ping("n"))
        self.assertEqual(client.heard(), [frames.Pong("n")])

    def test_second_hello(self) -> None:
        """
        A second hello is refused and changes nothing.
        """
        node = FakeNode()
        client = node.log_in(1001)
        client.say(Hello("token-1002"))
        self.assert_error(client, "bad_frame")
        self.assertEqual(node.registry.users(), [1001])

    def test_sync(self) -> None:
        """
        A page has the messages in order; only the user's own have a client id.
        """
        node = FakeNode(page=50)
        client = node.log_in(1001)
        client.say(frames.Sync("s", "u:7:1001", after=2, limit=1000))
        self.assertEqual(node.upstream.named("page"), [(1001, "u:7:1001", 2, 50)])
        rows = [message(7, 1001, 3), message(1001, 7, 4)]
        node.upstream.asked[0].callback(PageView(rows, 9, True, "e1"))
        (page,) = client.heard()
        assert isinstance(page, frames.Page)
        self.assertEqual((page.id, page.head, page.more), ("s", 9, True))
        self.assertEqual([m.client_id for m in page.messages], ["", "c1"])
        self.assertEqual([m.seq for m in page.messages], [3, 4])

    def test_large_page(self) -> None:
        """
        A page of long messages is cut to the size of the outbox, and says that there
        are more.
        """
        node = FakeNode(outbox_hard_bytes=4 * 3000)
        client = node.log_in(1001)
        client.say(frames.Sync("s", "u:7:1001"))
        rows = [message(7, 1001, i, content="x" * 1000) for i in range(1, 9)]
        node.upstream.asked[0].callback(PageView(rows, 8, False, "e1"))
        (page,) = client.heard()
        assert isinstance(page, frames.Page)
        self.assertEqual([m.seq for m in page.messages], [1, 2])
        self.assertTrue(page.more)

    def test_giant_message(self) -> None:
        """
        A page has at least one message, however long it is.
        """
        node = FakeNode(outbox_hard_bytes=4000)
        client = node.log_in(1001)
        client.say(frames.Sync("s", "u:7:1001"))
        rows = [message(7, 1001, i, content="x" * 2000) for i in (1, 2)]
        node.upstream.asked[0].callback(PageView(rows, 2, False, "e1"))
        (page,) = client.heard()
        assert isinstance(page, frames.Page)
        self.assertEqual([m.seq for m in page.messages], [1])

    def test_query_fails(self) -> None:
        """
        A query that fails is answered with its id and the reason.
        """
        node = FakeNode()
        client = node.log_in(1001)
        client.say(frames.Sync("s", "u:7:1001"))
        node.upstream.asked[0].errback(Overloaded("busy"))
        self.assert_error(client, "overloaded", "s")

    def test_query_meets_bug(self) -> None:
        """
        A bug behind a query is logged, and answered without details.
        """
        node = FakeNode()
        client = node.log_in(1001)
        client.say(frames.Sync("s", "u:7:1001"))
        node.upstream.asked[0].errback(RuntimeError("secret"))
        error = self.assert_error(client, "internal", "s")
        self.assertNotIn("secret", error.reason)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    def test_queries_bounded(self) -> None:
        """
        A client with too many unanswered queries is not read until one is answered.
        """
        node = FakeNode()
        client = node.log_in(1001)
        client.say(*(frames.Sync(f"s{i}", "u:7:1001") for i in range(9)))
        self.assertEqual(len(node.upstream.asked), QUERIES_MAX)
        self.assertFalse(client.peer.reading)
        node.upstream.asked[0].callback(NO_PAGE)
        self.assertEqual(len(node.upstream.asked), QUERIES_MAX + 1)
        self.assertFalse(client.peer.reading)
        for asked in node.upstream.asked[1:QUERIES_MAX]:
            asked.callback(NO_PAGE)
        while not client.peer.reading:
            asked = next(a for a in node.upstream.asked if not a.called)
            asked.callback(NO_PAGE)
        self.assertEqual(len(node.upstream.asked), 9)

    def test_conversations(self) -> None:
        """
        Conversations are sent with the id of the request, and a list continues at its
        position.
        """
        node = FakeNode()
        client = node.log_in(1001)
        node.upstream.heads_d = Deferred()
        client.say(frames.Conversations("q", position="p5"))
        node.upstream.heads_d.callback(
            HeadsView([model.ConversationHead("u:7:1001", 3, 99)], True, "p6", "e1")
        )
        head = frames.Head("u:7:1001", 3, time=99)
        self.assertEqual(client.heard(), [frames.Heads("q", (head,), True, "p6", "e1")])
        node.upstream.heads_d = None
        client.say(frames.Conversations("r", position="p6"))
        self.assertEqual(node.upstream.calls[-1], ("heads", 1001, "p6", 100, True))

    def test_bug_in_request(self) -> None:
        """
        A bug that a frame triggers ends only its session, with 1011.
        """
        node = FakeNode()
        client, other = node.log_in(1001), node.log_in(1002)
        node.upstream.cursor = None  # type: ignore[assignment,method-assign]
        client.say(frames.Read("u:7:1001", 1))
        self.assertEqual(client.peer.code, Close.BUG)
        self.assertIsNone(other.peer.code)
        self.assertEqual(len(self.flushLoggedErrors(TypeError)), 1)
