"""
Sends without an answer: their streams, their order, their end.
"""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from wsmsg.connect.upstream import pending_sends as pending
from wsmsg.connect.upstream.interface import NewSend, SendAnswer
from wsmsg.connect.upstream.pending_sends import PendingSend, PendingSends


class Carrier:
    """
    A stream that keeps what it was given.
    """

    def __init__(self) -> None:
        self.unanswered = 0
        self.given: list[PendingSend] = []

    def enqueue(self, send: PendingSend) -> None:
        self.given.append(send)

    def texts(self) -> list[str]:
        return [send.new.client_id for send in self.given]


def send(
    sends: PendingSends, client_id: str, conversation: str = "u:1:2", now_s: float = 0
) -> list[SendAnswer]:
    answers: list[SendAnswer] = []
    sends.send(NewSend(1, client_id, conversation, "", 1), answers.append, now_s)
    return answers


class PendingSendsTests(SynchronousTestCase):
    """
    The decisions about sends.
    """

    def setUp(self) -> None:
        self.sends = PendingSends(1000)

    def up(self) -> Carrier:
        stream = Carrier()
        self.sends.stream_up(stream, 0)
        return stream

    def test_sticky(self) -> None:
        """
        A conversation stays with its stream, also when another is less busy.
        """
        a, b = self.up(), self.up()
        for n in range(3):
            send(self.sends, f"x{n}", "u:1:2")
        self.assertEqual((len(a.given), len(b.given)), (3, 0))
        for s in list(a.given):
            self.sends.answer(a, s.number, SendAnswer(1), 0)
        send(self.sends, "y", "u:3:4")
        send(self.sends, "x3", "u:1:2")
        self.assertEqual(a.texts()[-1], "x3")

    def test_least_waiting(self) -> None:
        """
        A new conversation goes to the stream with the fewest unanswered sends.
        """
        a, b = self.up(), self.up()
        send(self.sends, "one", "u:1:2")
        send(self.sends, "two", "u:1:3")
        self.assertEqual((a.texts(), b.texts()), (["one"], ["two"]))
        self.sends.answer(a, a.given[0].number, SendAnswer(1), 0)
        send(self.sends, "three", "u:1:4")
        self.assertEqual(a.texts(), ["one", "three"])

    def test_answer_from_a_former_stream(self) -> None:
        """
        Only the stream that has a send now can answer it.
        """
        a = self.up()
        answers = send(self.sends, "one")
        self.sends.stream_lost(a, 0)
        b = self.up()
        self.sends.answer(a, a.given[0].number, SendAnswer(1), 0)
        self.assertEqual(answers, [])
        self.sends.answer(b, b.given[0].number, SendAnswer(2), 0)
        self.sends.answer(b, b.given[0].number, SendAnswer(3), 0)
        self.assertEqual(answers, [SendAnswer(2)])

    def test_retired(self) -> None:
        """
        A retired stream gets no new conversation, and keeps what it has not answered.
        """
        a = self.up()
        send(self.sends, "one", "u:1:2")
        b = self.up()
        self.sends.stop_using(a)
        send(self.sends, "two", "u:1:2")
        send(self.sends, "three", "u:1:3")
        self.assertEqual((a.texts(), b.texts()), (["one", "two"], ["three"]))
        self.sends.stream_lost(a, 0)
        self.assertEqual(b.texts(), ["three", "one", "two"])

    def test_who_takes_answers_fails(self) -> None:
        """
        A bug in one who takes an answer does not touch the others.
        """
        a = self.up()

        def fail(answer: SendAnswer) -> None:
            raise RuntimeError("a bug")

        self.sends.send(NewSend(1, "one", "u:1:2", "", 1), fail, 0)
        answers = send(self.sends, "two")
        for s in a.given:
            self.sends.answer(a, s.number, SendAnswer(1), 0)
        self.assertEqual(answers, [SendAnswer(1)])
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    def test_sends_from_an_answer(self) -> None:
        """
        Who gets an answer may send at once, also while many are given up.
        """
        more: list[SendAnswer] = []
        for n in range(3):
            self.sends.send(
                NewSend(1, f"s{n}", "u:1:2", "", 1),
                lambda answer: more.extend(send(self.sends, "more", "u:1:9", 9)),
                0,
            )
        self.sends.expire(5, 10)
        self.assertEqual(len(self.sends), 3)
        self.assertEqual(self.sends.expired, 3)

    def test_nothing_overtakes(self) -> None:
        """
        With a send that got too old go those that its sender made after it in the
        conversation, and for a moment those that come then; others stay.
        """
        first = send(self.sends, "first", now_s=0)
        second = send(self.sends, "second", now_s=6)
        other = send(self.sends, "other", "u:1:3", now_s=6)
        self.sends.expire(5, 10)
        third = send(self.sends, "third", now_s=10.5)
        self.assertEqual(
            [a[0].code for a in (first, second, third)], ["unavailable"] * 3
        )
        self.assertLess(third[0].retry_after_ms, first[0].retry_after_ms)
        self.assertEqual(other, [])
        again = send(self.sends, "first", now_s=11)
        self.assertEqual(again, [])

    def test_lanes_are_bounded(self) -> None:
        """
        Conversations without unanswered sends are forgotten when there are many.
        """
        self.patch(pending, "_IDLE_ROUTES", 10)
        self.sends = PendingSends(1000)
        a = self.up()
        for n in range(500):
            send(self.sends, f"s{n}", f"u:1:{n}")
            self.sends.answer(a, a.given[-1].number, SendAnswer(1), 0)
        self.assertLessEqual(len(self.sends._routes), 11)

    @settings(max_examples=60, deadline=None)
    @given(
        st.lists(
            st.one_of(
                st.tuples(st.just("send"), st.integers(0, 3)),
                st.tuples(st.just("up"), st.just(0)),
                st.tuples(st.just("lose"), st.integers(0, 3)),
                st.tuples(st.just("answer"), st.integers(0, 3)),
                st.tuples(st.just("expire"), st.just(0)),
            ),
            max_size=60,
        )
    )
    def test_whatever_happens(self, steps: list[tuple[str, int]]) -> None:
        """
        Each send is answered at most once, all that lives is with a living stream,
        and each conversation's sends are on one stream in the order they were made.
        """
        sends = PendingSends(1000)
        up: list[Carrier] = []
        answers: list[list[SendAnswer]] = []
        for now_s, (step, n) in enumerate(steps):
            if step == "send":
                answers.append(send(sends, str(now_s), f"u:1:{n + 1}", now_s))
            elif step == "up":
                up.append(Carrier())
                sends.stream_up(up[-1], 0)
            elif step == "expire":
                sends.expire(now_s - 20, now_s)
            elif up and step == "lose":
                sends.stream_lost(up.pop(n % len(up)), 0)
            elif up and (stream := up[n % len(up)]).given:
                sends.answer(stream, stream.given[0].number, SendAnswer(1), 0)
            self.check(sends, up)
        sends.give_up(0, "the end")
        self.assertTrue(all(len(a) == 1 for a in answers))

    def check(self, sends: PendingSends, up: list[Carrier]) -> None:
        for s in sends._pending.values():
            self.assertIn(s.route.stream, up or [None])
        for stream in up:
            mine = [s for s in sends._pending.values() if s.route.stream is stream]
            self.assertEqual(stream.unanswered, len(mine))
            for conversation in {s.new.conversation for s in mine}:
                given = [
                    s.number
                    for s in stream.given
                    if s.new.conversation == conversation and not s.answered
                ]
                self.assertEqual(given, sorted(given))
