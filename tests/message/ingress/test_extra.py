"""
Tests of the extra of a message in L{wsmsg.message.ingress.ingress}.
"""

from __future__ import annotations

from collections.abc import Sequence

from twisted.trial.unittest import SynchronousTestCase

from tests.message.doubles import ManualJournal, MemoryStore
from tests.message.ingress.ingress_in_memory import ingress_of
from wsmsg.errors import WsmsgError
from wsmsg.message.cluster.message_ids import EPOCH_MS
from wsmsg.message.ingress.interface import EXTRA_BYTES, Answer, SendRequest
from wsmsg.message.ingress.validation import validate
from wsmsg.model import Message


class ExtraTests(SynchronousTestCase):
    """
    Messages with the fields of a legacy sender.
    """

    def setUp(self) -> None:
        self.now = EPOCH_MS
        self.journal = ManualJournal()
        self.store = MemoryStore()
        self.store.start()
        self.answers: dict[int, int | str] = {}
        self.ingress = ingress_of(self.journal, self.store, self.now_ms)

    def now_ms(self) -> int:
        self.now += 1
        return self.now

    def reply(self, answers: Sequence[Answer]) -> None:
        for request, answer in answers:
            code = answer.code if isinstance(answer, WsmsgError) else answer
            self.answers[request.ref] = code

    def accept(self, ref: int, extra: str, client_id: str = "c") -> None:
        """
        Send a message with this extra.
        """
        request = SendRequest(ref, 1, client_id, "u:1:2", "hi", 1, extra=extra)
        self.ingress.accept([request], self.reply)

    def durable(self) -> list[Message]:
        """
        Return what was appended, which is durable now.
        """
        for _, done in self.journal.appends:
            if not done.called:
                done.callback(None)
        return [m for batch, _ in self.journal.appends for m in batch]

    def test_repeated(self) -> None:
        """
        A repeat with another extra is the same message: it is answered with the time of
        the first, whose extra stays.
        """
        self.accept(1, "5 1 k")
        (message,) = self.durable()
        self.accept(2, "6 0 l")
        self.accept(3, "")
        self.assertEqual(self.durable(), [message])
        self.assertEqual(message.extra, "5 1 k")
        self.assertEqual(self.answers, dict.fromkeys((1, 2, 3), message.time_ms))

    def test_repeat_of_a_stored_one(self) -> None:
        """
        The same holds for a message that only the store remembers.
        """
        stored = Message("u:1:2", 1, "c", 7, "hi", 1, 1234, 1, "5 1 k")
        self.store.messages[stored.identity] = stored
        self.accept(1, "6 0 l")
        self.durable()
        self.assertEqual(self.answers, {1: 1234})

    def test_time_of_acceptance(self) -> None:
        """
        A time in it changes neither the time of acceptance nor the ids.
        """
        for ref, time_s in enumerate((2**63 - 1, -(2**63), 0)):
            self.accept(ref, f"{time_s} 1 ", f"c{ref}")
        messages = self.durable()
        ids = [m.message_id for m in messages]
        self.assertEqual(ids, sorted(ids))
        self.assertTrue(all(EPOCH_MS < m.time_ms <= self.now for m in messages))

    def test_bounded(self) -> None:
        """
        One that is too long, or that no store can hold, is refused, alone.
        """
        longest = "x" * EXTRA_BYTES
        for ref, extra in enumerate((longest + "x", "a\0b", "\ud800", longest)):
            self.accept(ref, extra, f"c{ref}")
        (message,) = self.durable()
        self.assertEqual(message.client_id, "c3")
        self.assertEqual([self.answers[n] for n in range(3)], ["bad_request"] * 3)

    def test_fits_the_journal(self) -> None:
        """
        A content that fits the journal only without an extra is refused with one.
        """
        sent = SendRequest(1, 1, "c", "u:1:2", "x" * 3000, 1)
        self.assertIsNone(validate(sent, 3000, 3000))
        error = validate(sent._replace(extra="5 1 k"), 3000, 3000)
        assert error is not None
        self.assertEqual(error.code, "too_large")
