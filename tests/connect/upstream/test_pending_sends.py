"""
Tests of sends without an answer: their streams, their order and their time limit.
"""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from wsmsg.connect.upstream import pending_sends as pending
from wsmsg.connect.upstream.interface import NewSend, SendAnswer
from wsmsg.connect.upstream.pending_sends import PendingSends
from wsmsg.connect.upstream.send_route import PendingSend


class RecordingStream:
    """
    A stream that keeps its sends.
    """

    def __init__(self) -> None:
        self.unanswered = 0
        self.given: list[PendingSend] = []
        self.written = 0

    def enqueue(self, send: PendingSend) -> None:
        self.unanswered += 1
        self.given.append(send)

    def send_finished(self) -> None:
        self.unanswered -= 1

    def unwritten(self) -> list[PendingSend]:
        return self.given[self.written :]

    def write(self) -> None:
        """
        Write all sends that wait.
        """
        self.written = len(self.given)

    def texts(self) -> list[str]:
        return [send.new.client_id for send in self.given]


def send(
    sends: PendingSends,
    client_id: str,
    conversation: str = "u:1:2",
    now_s: float = 0,
    session: int = 1,
) -> list[SendAnswer]:
    answers: list[SendAnswer] = []
    assert isinstance(sends.clock, Clock)
    sends.clock.rightNow = now_s
    new = NewSend(1, client_id, conversation, "", 1, session)
    sends.send(new, answers.append)
    return answers


class PendingSendsTests(SynchronousTestCase):
    """
    The decisions about sends.
    """

    def setUp(self) -> None:
        self.sends = PendingSends(1000, Clock())

    def up(self) -> RecordingStream:
        stream = RecordingStream()
        self.sends.stream_up(stream, 0)
        return stream

    def test_sticky(self) -> None:
        """
        A conversation stays on its stream, even if another is less busy.
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
        Only the stream that a send is on can answer it.
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

    def test_stopped_streams(self) -> None:
        """
        A stream that is used for nothing new keeps its unanswered sends.
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
        An error in the callback of one send does not affect the others.
        """
        a = self.up()

        def fail(answer: SendAnswer) -> None:
            raise RuntimeError("a bug")

        self.sends.send(NewSend(1, "one", "u:1:2", "", 1), fail)
        answers = send(self.sends, "two")
        for s in a.given:
            self.sends.answer(a, s.number, SendAnswer(1), 0)
        self.assertEqual(answers, [SendAnswer(1)])
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    def test_sends_from_an_answer(self) -> None:
        """
        A callback may make a send, even while many sends are rejected.
        """
        more: list[SendAnswer] = []
        for n in range(3):
            self.sends.send(
                NewSend(1, f"s{n}", "u:1:2", "", 1),
                lambda answer: more.extend(send(self.sends, "more", "u:1:9", 9)),
            )
        self.sends.expire(5, 10)
        self.assertEqual(len(self.sends), 3)
        self.assertEqual(self.sends.expired, 3)

    def test_nothing_overtakes(self) -> None:
        """
        A send that is too old is rejected together with later ones of its sender in
        the conversation, and so are those made in the next moment; others stay.
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

    def test_devices(self) -> None:
        """
        A session that has to repeat holds no other session of its user back.
        """
        first = send(self.sends, "first", now_s=0)
        other = send(self.sends, "other", now_s=6, session=2)
        self.sends.expire(5, 10)
        self.assertEqual(first[0].code, "unavailable")
        self.assertEqual(other, [])
        self.assertEqual(send(self.sends, "more", now_s=10, session=2), [])
        self.assertEqual(send(self.sends, "second", now_s=10)[0].code, "unavailable")

    def test_refused_out_of_order(self) -> None:
        """
        Sends that Message refuses later than one behind them are repeated before it.
        """
        stream = self.up()
        for client_id in "abc":
            send(self.sends, client_id)
        refused = SendAnswer(code="unavailable", reason="later", retry_after_ms=500)
        for one in reversed(list(stream.given)):
            self.sends.answer(stream, one.number, refused, 0)
        stream.given.clear()
        self.assertEqual(send(self.sends, "c", now_s=1)[0].code, "unavailable")
        for client_id in "abcd":
            self.assertEqual(send(self.sends, client_id, now_s=1), [])
        self.assertEqual(stream.texts(), ["a", "b", "c", "d"])

    def test_written_sends_are_repeats(self) -> None:
        """
        A send that was written to a stream that is lost may have been accepted: it is a
        repeat on the next stream, and a rejection of it is uncertain.  One that was not
        written is neither.
        """
        stream = self.up()
        first, second = send(self.sends, "a"), send(self.sends, "b", "u:1:3")
        stream.written = 1
        next_one = self.up()
        self.sends.stream_lost(stream, 0)
        self.assertEqual([s.tried for s in next_one.given], [True, False])
        refused = SendAnswer(code="unavailable", reason="later", retry_after_ms=500)
        for one in list(next_one.given):
            self.sends.answer(next_one, one.number, refused, 0)
        self.assertEqual([a.uncertain for a in first + second], [True, False])

    def test_late_answers_are_uncertain(self) -> None:
        """
        A send without an answer in time may have been accepted if it was written.
        """
        stream = self.up()
        answers = [*send(self.sends, "a"), *send(self.sends, "b")]
        first, second = send(self.sends, "c"), send(self.sends, "d")
        stream.written = 3
        self.sends.expire(1, 2)
        self.assertEqual(answers, [])
        self.assertEqual([a.uncertain for a in first + second], [True, False])

    def test_routes_are_bounded(self) -> None:
        """
        The routes of conversations without unanswered sends are bounded.
        """
        self.patch(pending, "_IDLE_ROUTES", 10)
        self.sends = PendingSends(1000, Clock())
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
        Each send is answered at most once, each unanswered send is on a stream that is
        up, and the sends of a conversation are on one stream in the order they were
        made.
        """
        sends = PendingSends(1000, Clock())
        up: list[RecordingStream] = []
        answers: list[list[SendAnswer]] = []
        for now_s, (step, n) in enumerate(steps):
            if step == "send":
                answers.append(send(sends, str(now_s), f"u:1:{n + 1}", now_s))
            elif step == "up":
                up.append(RecordingStream())
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

    def check(self, sends: PendingSends, up: list[RecordingStream]) -> None:
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
