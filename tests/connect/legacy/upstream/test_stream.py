"""
Tests of what Connect keeps for a legacy Message, without any network.
"""

from __future__ import annotations

import tracemalloc
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from wsmsg.connect.legacy.upstream.acks import ACKS, AckQueue
from wsmsg.connect.legacy.upstream.convert import (
    ack_event,
    is_from,
    message_of,
    send_event,
)
from wsmsg.connect.legacy.upstream.repeats import RepeatFilter
from wsmsg.connect.upstream.interface import NewSend, OnAnswer, SendAnswer
from wsmsg.model import INT64_MAX
from wsmsg.rpc import rest_pb2


def ws(sender: int, to: int = 0, content: str = "hi", **more: Any) -> Any:
    more.setdefault("message_id", 5)
    more.setdefault("message_type", 1)
    fields: dict[str, Any] = {"from": sender, "to": to, "content": content, **more}
    return rest_pb2.WSMessage(**fields)


class WireTests(SynchronousTestCase):
    """
    The conversion of events.
    """

    def test_recorded_send(self) -> None:
        """
        A send has the bytes of the recording.
        """
        new = NewSend(1001, "c1", "u:1001:1002", "hello from 1001", 1)
        event = send_event(new, 1795447835)
        self.assertEqual(
            event.SerializeToString().hex(),
            "22210a1f10e90718ea072a0f68656c6c6f2066726f6d2031303031309bb891d8063801",
        )

    def test_recorded_ack(self) -> None:
        """
        An acknowledgement has the bytes of the recording.
        """
        event = ack_event(1002, 1795447835846364, 1795447835)
        self.assertEqual(
            event.SerializeToString().hex(), "121210dccddfb3b49e980318ea07209bb891d806"
        )

    def test_places(self) -> None:
        """
        A send goes to the other of two users, to the sender, or to a group.
        """
        places = []
        for sender, conversation in ((2, "u:1:2"), (1, "u:1:2"), (7, "u:7:7")):
            new = NewSend(sender, "c", conversation, "x", 1)
            places.append(send_event(new, 1).send_message.msg.to)
        self.assertEqual(places, [1, 2, 7])
        group = send_event(NewSend(1, "c", "g:5", "x", 1), 1).send_message.msg
        self.assertEqual((group.to, group.group_id), (0, 5))

    def test_pushed(self) -> None:
        """
        A pushed message has no number, and its time is in milliseconds.
        """
        event = rest_pb2.MessagePushEvent(
            target_user_id=2, message=ws(1, 2, timestamp=17)
        )
        message = message_of(event)
        assert message is not None
        self.assertEqual((message.seq, message.time_ms), (0, 17_000))
        self.assertEqual((message.conversation, message.kind), ("u:1:2", 1))

    def test_odd(self) -> None:
        """
        A push without a message of a person is skipped, in all its forms.
        """
        for message in (
            ws(0, 2),
            ws(-1, 2),
            ws(1),
            ws(1, -2),
            ws(1, 0, group_id=-5),
            ws(1, 2, message_id=0),
            ws(1, 2, message_id=-INT64_MAX),
            ws(1, 2, message_type=2),
            ws(1, 2, message_type=10),
            rest_pb2.WSMessage(),
        ):
            event = rest_pb2.MessagePushEvent(target_user_id=2, message=message)
            self.assertIsNone(message_of(event), message)
        for target in (0, -1):
            event = rest_pb2.MessagePushEvent(target_user_id=target, message=ws(1, 2))
            self.assertIsNone(message_of(event))

    def test_odd_times_and_types(self) -> None:
        """
        An impossible time or type is replaced by a possible one.
        """
        for timestamp, kind in ((-5, -1), (INT64_MAX, 2**31 - 1), (0, 0)):
            message = ws(1, 2, timestamp=timestamp, message_type=kind)
            event = rest_pb2.MessagePushEvent(target_user_id=2, message=message)
            found = message_of(event)
            assert found is not None
            self.assertTrue(0 <= found.time_ms <= INT64_MAX)
            self.assertEqual(found.kind, 1)

    def test_same(self) -> None:
        """
        A failed message is recognised by sender, conversation and content, and that of
        a legacy client by its other fields, too.
        """
        new = NewSend(1, "c", "u:1:2", "hi", 1)
        self.assertTrue(is_from(new, ws(1, 2, timestamp=9)))
        for other in (ws(2, 1, timestamp=9), ws(1, 2, "ho")):
            self.assertFalse(is_from(new, other))
        new = new._replace(extra="9 1 k")
        self.assertTrue(is_from(new, ws(1, 2, timestamp=9, ack_id="k")))
        for other in (ws(1, 2, timestamp=8, ack_id="k"), ws(1, 2, timestamp=9)):
            self.assertFalse(is_from(new, other))


class AcksTests(SynchronousTestCase):
    """
    The acknowledgements in L{AckQueue}.
    """

    def test_once(self) -> None:
        """
        An acknowledgement that waits is written once, however often it was added.
        """
        acks = AckQueue()
        acks.add(1, 5)
        acks.add(1, 5)
        acks.add(2, 5)
        taken = [acks.pop(0), acks.pop(0), acks.pop(0)]
        self.assertEqual(taken, [(1, 5), (2, 5), None])

    def test_early(self) -> None:
        """
        An early acknowledgement is repeated a few times, at growing intervals.
        """
        acks = AckQueue()
        acks.add(1, 5)
        now = 0.0
        waits = []
        while acks.pop(now):
            acks.answered(5, False, now)
            began = now
            while not acks.sweep(now) and now < began + 20:
                now += 0.5
            waits.append(now - began)
        self.assertEqual(waits, [0.5, 2.0, 8.0, 20.0])

    def test_lost(self) -> None:
        """
        Acknowledgements that were unconfirmed when the stream was lost are written on
        the next.
        """
        acks = AckQueue()
        for message_id in (5, 6):
            acks.add(1, message_id)
            acks.pop(0)
        acks.answered(5, True, 0)
        acks.stream_lost()
        self.assertEqual([acks.pop(0), acks.pop(0)], [(1, 6), None])

    def test_bounded(self) -> None:
        """
        The number of acknowledgements that wait or are unconfirmed is bounded.
        """
        acks = AckQueue()
        for message_id in range(1, ACKS + 11):
            acks.add(1, message_id)
        self.assertEqual((len(acks), acks.shed), (ACKS, 10))
        for _ in range(2):
            while acks.pop(0):
                pass
            for message_id in range(1, ACKS + 11):
                acks.add(2, message_id)
        acks.stream_lost()
        self.assertLessEqual(len(acks), ACKS)

    def test_not_asked(self) -> None:
        """
        A confirmation of an acknowledgement that was never written is ignored.
        """
        acks = AckQueue()
        acks.answered(5, False, 0)
        acks.answered(0, True, 0)
        self.assertFalse(acks.sweep(100))


class RepeatsTests(SynchronousTestCase):
    """
    The sends in L{RepeatFilter}.
    """

    def setUp(self) -> None:
        self.sent: list[tuple[NewSend, OnAnswer]] = []
        self.repeats = RepeatFilter(lambda new, answer: self.sent.append((new, answer)))
        self.answers: list[SendAnswer] = []

    def say(self, content: str = "hi") -> None:
        new = NewSend(1, "c1", "u:1:2", content, 1)
        self.repeats.send(new, self.answers.append)

    def test_waiting(self) -> None:
        """
        A send that is repeated while it waits is made once, and both are answered.
        """
        self.say()
        self.say()
        ((_, on_answer),) = self.sent
        on_answer(SendAnswer(7))
        self.assertEqual(self.answers, [SendAnswer(7)] * 2)

    def test_accepted(self) -> None:
        """
        A repeat of an accepted send gets the same answer; with another content it is a
        conflict.
        """
        self.say()
        self.sent[0][1](SendAnswer(7))
        self.say()
        self.say("other words")
        self.assertEqual(len(self.sent), 1)
        codes = [(answer.time_ms, answer.code) for answer in self.answers]
        self.assertEqual(codes, [(7, ""), (7, ""), (0, "conflict")])

    def test_memory(self) -> None:
        """
        Accepted sends are remembered without their contents.
        """
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        for n in range(200):
            new = NewSend(1, f"c{n}", "u:1:2", "x" * 10_000 + str(n), 1)
            self.repeats.send(new, lambda answer: None)
            self.sent.pop()[1](SendAnswer(7))
        n_bytes, _ = tracemalloc.get_traced_memory()
        self.assertLess(n_bytes, 400_000)

    def test_rejected(self) -> None:
        """
        A repeat of a rejected send is made again.
        """
        self.say()
        self.sent[0][1](SendAnswer(code="unavailable"))
        self.say()
        self.assertEqual(len(self.sent), 2)
