"""
Tests for L{wsmsg.message.links.link}: numbers, acknowledgement, replay, bounds.
"""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from wsmsg.message.links import output
from wsmsg.message.links.interface import PushTimings
from wsmsg.message.links.link import Link
from wsmsg.model import Cursor, Message
from wsmsg.rpc import rest_pb2


def message(seq: int, content: str = "hi") -> Message:
    """
    Return a message with this seq from user 1 to user 2.
    """
    return Message("u:1:2", 1, f"c{seq}", seq * 100, content, 1, 5, seq)


class LinkTests(SynchronousTestCase):
    """
    The link to one incarnation of a Connect.
    """

    def setUp(self) -> None:
        self.wakes = 0
        self.hung_up: list[str] = []
        self.settled: list[str] = []
        self.clock = Clock()
        self.cut: list[str] = []
        self.timings = PushTimings()
        self.link = self.make(limit_records=5, limit_bytes=100_000)
        self.stream = self.link.opened(self.wake, self.hung_up.append)

    def make(self, *, limit_records: int, limit_bytes: int) -> Link:
        return Link(
            "n",
            "i",
            limit_records=limit_records,
            limit_bytes=limit_bytes,
            seconds=self.clock.seconds,
            on_cut=lambda link: self.cut.append(link.broken),
            timings=self.timings,
        )

    def wake(self) -> None:
        self.wakes += 1

    def push(self, name: str, *seqs: int) -> None:
        self.link.push(
            [(message(s), [2]) for s in seqs], lambda: self.settled.append(name)
        )

    def next_batch(self) -> rest_pb2.PushBatch:
        frame = self.link.next_frame()
        assert frame is not None
        return frame.batch

    def test_nothing(self) -> None:
        """
        An idle link has no frame.
        """
        self.assertIsNone(self.link.next_frame())

    def test_gathered(self) -> None:
        """
        One frame has a number and everything that waits.
        """
        self.push("a", 1)
        self.push("b", 2)
        batch = self.next_batch()
        self.assertEqual(batch.number, 1)
        self.assertEqual([p.message.seq for p in batch.pushes], [1, 2])
        first = batch.pushes[0]
        self.assertEqual(list(first.targets), [2])
        self.assertEqual(
            (first.message.conversation, first.message.sender, first.message.content),
            ("u:1:2", 1, "hi"),
        )
        self.assertIsNone(self.link.next_frame())

    def test_acknowledged(self) -> None:
        """
        Acknowledged pushes are settled, later ones are not.
        """
        self.push("a", 1)
        self.next_batch()
        self.push("b", 2)
        self.next_batch()
        self.assertEqual(self.settled, [])
        self.link.acknowledged(1)
        self.assertEqual(self.settled, ["a"])
        self.link.acknowledged(2)
        self.assertEqual(self.settled, ["a", "b"])
        self.assertEqual(self.link.held, 0)

    def test_timings(self) -> None:
        """
        The time from the store to the acknowledgement is counted for each push, and the
        round trip for each frame.
        """
        self.push("a", 1, 2, 3)
        self.clock.advance(1.0)
        self.next_batch()
        self.push("b", 4)
        self.next_batch()
        self.clock.advance(0.5)
        self.link.acknowledged(1)
        self.assertEqual(self.timings.pushed.count, 3)
        self.assertAlmostEqual(self.timings.pushed.sum, 4.5)
        self.clock.advance(0.5)
        self.link.acknowledged(2)
        self.assertEqual(self.timings.pushed.count, 4)
        self.assertEqual(self.timings.round_trip.count, 2)
        self.assertAlmostEqual(self.timings.round_trip.sum, 1.5)

    def test_answers_need_no_number(self) -> None:
        """
        A frame that has only answers, typing and presence has no number, and is not
        kept.
        """
        self.link.results(self.stream, [rest_pb2.SendResult(id=7, time_ms=1)])
        self.link.typing(rest_pb2.Typing(conversation="u:1:2", user=1), [2])
        self.link.presence(rest_pb2.Presence(user=3, online=True))
        self.link.presence_applied(4, 9)
        batch = self.next_batch()
        self.assertEqual(batch.number, 0)
        self.assertEqual(batch.results[0].id, 7)
        self.assertEqual((batch.presence_applied, batch.last_login), (4, 9))
        self.assertTrue(self.link.resumable(0))

    def test_answers_of_another_stream(self) -> None:
        """
        An answer to a send of an ended stream is not sent on the next one.
        """
        self.link.lost()
        self.link.opened(self.wake, self.hung_up.append)
        self.link.results(self.stream, [rest_pb2.SendResult(id=7, time_ms=1)])
        self.assertIsNone(self.link.next_frame())

    def test_replay(self) -> None:
        """
        A stream that resumes replays the missed frames, then sends new ones.
        """
        for seq in (1, 2, 3):
            self.push(str(seq), seq)
            self.next_batch()
        self.link.lost()
        self.push("4", 4)
        self.assertTrue(self.link.resumable(1))
        self.link.resume(1)
        self.link.opened(self.wake, self.hung_up.append)
        self.assertEqual(self.settled, ["1"])
        batches = [self.next_batch() for _ in range(3)]
        self.assertEqual([b.number for b in batches], [2, 3, 4])
        self.assertEqual([b.pushes[0].message.seq for b in batches], [2, 3, 4])

    def test_replay_of_what_is_true(self) -> None:
        """
        A replayed frame repeats its messages and receipts.  It repeats no presence, no
        typing, no kick and no answer of the time when it was written first.
        """
        self.push("1", 1)
        self.link.receipt(Cursor("u:1:2", 1, 1, 0), [2])
        self.link.presence(rest_pb2.Presence(user=7, online=True))
        self.link.typing(rest_pb2.Typing(conversation="u:1:2", user=1), [2])
        self.link.kick(rest_pb2.Kick(user=2))
        self.link.results(self.stream, [rest_pb2.SendResult(id=7, time_ms=1)])
        self.link.presence_applied(3, 1)
        first = self.next_batch()
        self.assertTrue(first.presence and first.typing and first.kicks)
        self.link.lost()
        self.link.resume(0)
        self.link.opened(self.wake, self.hung_up.append)
        again = self.next_batch()
        fields = [field.name for field, _ in again.ListFields()]
        self.assertEqual(fields, ["number", "pushes", "receipts"])
        self.assertIsNone(self.link.next_frame())

    def test_not_resumable(self) -> None:
        """
        A stream cannot resume from a number that was never sent, or that is settled
        already.
        """
        for seq in (1, 2):
            self.push(str(seq), seq)
            self.next_batch()
        self.link.acknowledged(1)
        self.assertFalse(self.link.resumable(0))
        self.assertTrue(self.link.resumable(1))
        self.assertTrue(self.link.resumable(2))
        self.assertFalse(self.link.resumable(3))

    def test_too_much_unacknowledged(self) -> None:
        """
        Above the limit the link drops and settles everything, and its stream ends.
        """
        self.push("a", 1, 2, 3)
        self.next_batch()
        self.push("b", 4, 5, 6)
        self.assertEqual(self.settled, ["a", "b"])
        self.assertEqual(len(self.hung_up), 1)
        self.assertIn("6 pushes", self.link.broken)
        self.assertFalse(self.link.resumable(1))
        self.push("c", 7)
        self.assertEqual(self.settled, ["a", "b", "c"])
        self.assertEqual(self.link.held, 0)

    def test_too_many_bytes(self) -> None:
        """
        The limit in bytes applies as well.
        """
        link = self.make(limit_records=100, limit_bytes=1000)
        link.push([(message(1, "x" * 900), [2])], lambda: None)
        self.assertIn("bytes", link.broken)

    def test_receipts_are_cumulative(self) -> None:
        """
        Only the last cursor of a user is sent, and it is replayed like a push.
        """
        self.link.receipt(Cursor("u:1:2", 1, 1, 0), [2])
        self.link.receipt(Cursor("u:1:2", 1, 2, 1), [2])
        batch = self.next_batch()
        self.assertEqual(batch.number, 1)
        self.assertEqual([r.cursor.delivered for r in batch.receipts], [2])
        self.link.lost()
        self.link.resume(0)
        self.link.opened(self.wake, self.hung_up.append)
        self.assertEqual(self.next_batch().number, 1)

    def test_frames_are_bounded(self) -> None:
        """
        A long backlog is sent in several frames.
        """
        link = self.make(limit_records=5000, limit_bytes=10**9)
        link.push([(message(s), [2]) for s in range(1, 3001)], lambda: None)
        sizes = []
        while (frame := link.next_frame()) is not None:
            sizes.append(len(frame.batch.pushes))
        self.assertEqual(sum(sizes), 3000)
        self.assertLessEqual(max(sizes), 1024)
        link = self.make(limit_records=5000, limit_bytes=10**9)
        link.push([(message(s, "x" * 200_000), [2]) for s in range(1, 7)], lambda: None)
        self.assertEqual(len((link.next_frame() or self.fail()).batch.pushes), 3)

    def test_answers_in_parts(self) -> None:
        """
        Many answers are sent in several frames.
        """
        result = rest_pb2.SendResult(id=1, code="bad_request", reason="x" * 100)
        self.link.results(self.stream, [result] * 10_000)
        sizes = []
        while (frame := self.link.next_frame()) is not None:
            sizes.append(len(frame.batch.results))
        self.assertEqual(sum(sizes), 10_000)
        self.assertGreater(len(sizes), 1)

    def test_presence_in_parts(self) -> None:
        """
        The presence of many watched users is sent in several frames, without loss.
        """
        for user in range(1, 25_001):
            self.link.presence(rest_pb2.Presence(user=user, online=True))
        users: list[int] = []
        frames = 0
        while (frame := self.link.next_frame()) is not None:
            frames += 1
            users += [p.user for p in frame.batch.presence]
        self.assertEqual(users, list(range(1, 25_001)))
        self.assertGreater(frames, 1)

    def test_answers_not_taken(self) -> None:
        """
        The stream of a Connect that sends and never reads ends before its answers fill
        the memory.
        """
        self.patch(output, "MOST_RESULTS", 10)
        result = rest_pb2.SendResult(id=1, time_ms=5)
        self.link.results(self.stream, [result] * 10)
        self.assertEqual(self.hung_up, [])
        self.link.results(self.stream, [result])
        self.assertIn("answers to sends", self.hung_up[0])
        self.assertIsNone(self.link.next_frame())

    def test_acknowledged_too_much(self) -> None:
        """
        The link breaks if Connect acknowledges a frame that was never sent.
        """
        self.push("a", 1)
        self.next_batch()
        self.link.acknowledged(2)
        self.assertEqual(self.settled, ["a"])
        self.assertIn("batch 2 was acknowledged", self.hung_up[0])
        self.assertFalse(self.link.resumable(1))
