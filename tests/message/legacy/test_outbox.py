"""
Tests for L{wsmsg.message.legacy.outbox}.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.message.legacy.cases import text
from wsmsg.message.legacy.outbox import LegacyConnectOutbox, Response
from wsmsg.model import Message
from wsmsg.rpc import rest_pb2
from wsmsg.settings.legacy import MessageLegacySettings


def said(number: int, content: str = "hi") -> Message:
    """
    Return a stored message.
    """
    return Message("u:1:2", 1, f"c{number}", number, content, 1, 5000, number)


class OutboxTests(SynchronousTestCase):
    """
    The events for one stream.
    """

    def setUp(self) -> None:
        self.woken: list[None] = []
        self.broke: list[str] = []
        self.settled: list[int] = []

    def outbox(self, **bounds: Any) -> LegacyConnectOutbox:
        """
        Make an outbox with these limits.
        """
        settings = MessageLegacySettings(**bounds)
        return LegacyConnectOutbox(
            lambda: settings,
            wake=lambda: self.woken.append(None),
            broke=self.broke.append,
        )

    def push(
        self,
        outbox: LegacyConnectOutbox,
        *numbers: int,
        now_s: float = 0,
        to: Any = (2,),
    ) -> None:
        """
        Push messages; the seq of the first one is noted when they are settled.
        """
        outbox.push(
            [(said(n), to) for n in numbers],
            now_s,
            lambda: self.settled.append(numbers[0]),
        )

    def taken(
        self, outbox: LegacyConnectOutbox, n: int = 10**6
    ) -> list[tuple[int, int]]:
        """
        Return the written events as users and message ids; 0, 0 for an answer.
        """
        found: list[tuple[int, int]] = []
        while len(found) < n and (event := outbox.next_event()) is not None:
            push = event.push_event
            found.append((push.target_user_id, push.message.message_id))
        return found

    def test_settled_when_written(self) -> None:
        """
        A push is settled when its last event is written, not when that is handed out.
        """
        outbox = self.outbox()
        self.push(outbox, 1, to=(2, 3))
        self.push(outbox, 2)
        self.assertEqual(self.taken(outbox, 2), [(2, 1), (3, 1)])
        self.assertEqual(self.settled, [])
        self.assertEqual(self.taken(outbox, 1), [(2, 2)])
        self.assertEqual(self.settled, [1])
        self.assertEqual(self.taken(outbox), [])
        self.assertEqual(self.settled, [1, 2])
        self.assertEqual((outbox.held, outbox.held_bytes, outbox.written), (0, 0, 3))

    def test_recorded(self) -> None:
        """
        A push and a confirmation are, byte for byte, those of the legacy Message.
        """
        outbox = self.outbox()
        hello = Message(
            "u:1001:1002",
            1001,
            "c",
            1795447835846364,
            "hello from 1001",
            1,
            1795447835000,
            1,
        )
        outbox.push([(hello, (1002,))], 0, lambda: None)
        confirm = rest_pb2.AckConfirmEvent(message_id=1795447837851827, confirmed=True)
        outbox.answer(Response(ack_confirm=confirm))
        push, answer = outbox.next_event(), outbox.next_event()
        assert push is not None and answer is not None
        self.assertEqual(
            push.SerializeToString().hex(),
            "0a3a08ea07122808dccddfb3b49e980310e90718ea072a0f68656c6c6f2066726f6d2031"
            "303031309bb891d80638011a0b6e65775f6d657373616765",
        )
        said = answer.SerializeToString().hex()
        self.assertEqual(said, "1a0b10b381dab4b49e98031801")

    def test_nothing_to_push(self) -> None:
        """
        An empty push is settled at once.
        """
        outbox = self.outbox()
        outbox.push([], 0, lambda: self.settled.append(1))
        self.assertEqual(self.settled, [1])

    def test_turns(self) -> None:
        """
        Answers and pushes take turns.
        """
        outbox = self.outbox()
        self.push(outbox, 1, 2)
        for _ in range(3):
            outbox.answer(Response(ack_confirm=rest_pb2.AckConfirmEvent(message_id=9)))
        events = self.taken(outbox)
        self.assertEqual(events, [(2, 1), (0, 0), (2, 2), (0, 0), (0, 0)])

    def test_newest_hold_up(self) -> None:
        """
        Only the newest pushes keep the journal from being committed, and each only for
        a while; all of them are still written.
        """
        outbox = self.outbox(unsettled=2, unsettled_s=5)
        for n in range(1, 5):
            self.push(outbox, n, now_s=n)
        self.assertEqual(self.settled, [1, 2])
        outbox.settle_late(7.9)
        self.assertEqual(self.settled, [1, 2])
        outbox.settle_late(8)
        self.assertEqual(self.settled, [1, 2, 3])
        self.assertEqual(len(self.taken(outbox)), 4)
        self.assertEqual(self.settled, [1, 2, 3, 4])
        self.assertEqual(outbox.early, 3)

    def test_over_records(self) -> None:
        """
        Above the limit everything is dropped, settled once, and counted.
        """
        outbox = self.outbox(records=3, unsettled=10)
        self.push(outbox, 1, 2, to=(2, 3))
        self.taken(outbox, 1)
        self.push(outbox, 3, 4)
        self.assertEqual(len(self.broke), 1)
        self.assertEqual((self.settled, outbox.missed), ([1, 3], 6))
        self.push(outbox, 5)
        outbox.answer(Response())
        self.assertEqual((self.settled, outbox.missed), ([1, 3, 5], 7))
        self.assertEqual(
            (outbox.next_event(), outbox.held, outbox.held_bytes), (None, 0, 0)
        )
        self.assertEqual(len(self.broke), 1)

    def test_over_bytes(self) -> None:
        """
        The bytes of pushes and answers are limited as well.
        """
        outbox = self.outbox(record_bytes=10_000)
        outbox.push([(said(1, "x" * 10_000), (2,))], 0, lambda: None)
        self.assertEqual(len(self.broke), 1)
        outbox = self.outbox(record_bytes=10_000)
        failure = rest_pb2.MessageFailureEvent(
            original_message=text(content="x" * 9900)
        )
        outbox.answer(Response(failure=failure))
        self.assertEqual(len(self.broke), 2)

    @given(st.lists(st.one_of(st.integers(1, 4), st.just(0), st.just(-1))))
    def test_any_order(self, steps: Sequence[int]) -> None:
        """
        In any order of pushes and writes, each push is settled once, in order, and
        nothing is held in the end.
        """
        self.setUp()
        outbox = self.outbox(unsettled=3)
        number, given = 0, []
        for step in steps:
            if step > 0:
                number += 1
                self.push(outbox, number, to=tuple(range(2, 2 + step)))
            elif step == 0:
                given += self.taken(outbox, 1)
            else:
                outbox.settle_late(100)
        given += self.taken(outbox)
        self.assertEqual(self.settled, list(range(1, number + 1)))
        self.assertEqual(sorted({i for _, i in given}), list(range(1, number + 1)))
        self.assertEqual((outbox.held, outbox.held_bytes), (0, 0))
