"""
Tests that no sender is told two times for one client id, whichever Message a repeat
reaches.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.message.doubles import ManualJournal, MemoryStore, rules_by
from wsmsg.errors import Unavailable, WsmsgError
from wsmsg.message.cluster.message_ids import EPOCH_MS, MessageIds
from wsmsg.message.ingress import doubts
from wsmsg.message.ingress.ingress import Ingress
from wsmsg.message.ingress.interface import Answer, SendRequest
from wsmsg.message.log.appends import Appends
from wsmsg.model import Message


class OneMessage:
    """
    The ingress of one of several Messages, with the answers that it gave.

    @ivar answers: a time or a code, by the number of the request.
    @ivar uncertain: the numbers of those whose refusal is uncertain.
    """

    def __init__(self, store: MemoryStore, clock: Clock, times: count[int]) -> None:
        self.journal = ManualJournal()
        self.answers: dict[int, int | str] = {}
        self.uncertain: set[int] = set()
        self._refs = count(1)
        ids = MessageIds(lambda: next(times))
        self.ingress = Ingress(
            Appends(self.journal, store, clock),
            store,
            ids,
            lambda: next(times),
            rules=rules_by(store, lambda: next(times)),
            limit=100,
            content_bytes=100,
            seconds=clock.seconds,
        )

    def send(
        self, client_id: str = "c", content: str = "hi", *, repeat: bool = False
    ) -> int:
        """
        Make a request.

        @return: its number in C{answers}.
        """
        ref = next(self._refs)
        request = SendRequest(ref, 1, client_id, "u:1:2", content, 1, repeat=repeat)
        self.ingress.accept([request], self._reply)
        return ref

    def durable(self) -> list[Message]:
        """
        Make all appends durable, and return their messages.
        """
        appends, self.journal.appends = self.journal.appends, []
        for _, done in appends:
            done.callback(None)
        return [m for some, _ in appends for m in some]

    def _reply(self, answers: Sequence[Answer]) -> None:
        for request, answer in answers:
            assert request.ref not in self.answers
            if isinstance(answer, WsmsgError):
                self.answers[request.ref] = answer.code
                if answer.uncertain:
                    self.uncertain.add(request.ref)
            else:
                self.answers[request.ref] = answer


class RepeatElsewhereTests(SynchronousTestCase):
    """
    Two Messages on one store.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.store = MemoryStore()
        self.store.start()
        times = count(EPOCH_MS + 1000)
        self.first = OneMessage(self.store, self.clock, times)
        self.other = OneMessage(self.store, self.clock, times)

    def stored(self, *messages: Message) -> None:
        """
        Store messages as an owner of their partition, and give the waiting ones time.
        """
        for seq, message in enumerate(messages, len(self.store.messages) + 1):
            self.store.messages.setdefault(message.identity, message.numbered(seq))
        self.clock.pump([0.1] * 4)

    def test_while_the_store_is_away(self) -> None:
        """
        A repeat that reaches another Message while the store is away for both is
        refused for now, and appended nowhere; once the store is back, it is told the
        time of the first.
        """
        self.store.dependency.lost("away")
        said = self.first.send()
        (record,) = self.first.durable()
        self.assertEqual(self.first.answers[said], record.time_ms)
        again = self.other.send(repeat=True)
        self.assertEqual(self.other.answers[again], "unavailable")
        self.assertEqual(self.other.journal.appends, [])
        self.store.dependency.succeeded()
        self.clock.advance(1)
        again = self.other.send(repeat=True)
        (second,) = self.other.durable()
        self.assertNotIn(again, self.other.answers)
        self.stored(record, second)
        self.assertEqual(self.other.answers[again], record.time_ms)

    def test_fresh_sends_while_the_store_is_away(self) -> None:
        """
        While the store is away fresh sends are accepted, and so are repeats of what
        this Message accepted itself.
        """
        self.store.dependency.lost("away")
        said = self.other.send()
        (record,) = self.other.durable()
        again = self.other.send(repeat=True)
        self.assertEqual(
            self.other.answers, dict.fromkeys((said, again), record.time_ms)
        )

    def test_not_stored_yet(self) -> None:
        """
        A repeat that reaches another Message before the first is stored is answered
        when the store has one of them, with the time of that one.
        """
        said = self.first.send()
        (record,) = self.first.durable()
        again, third = (self.other.send(repeat=True) for _ in range(2))
        (second,) = self.other.durable()
        self.clock.pump([0.1] * 5)
        self.assertEqual(self.other.answers, {})
        joined = self.other.send()
        self.assertEqual(self.other.journal.appends, [])
        self.stored(record, second)
        told = {self.other.answers[ref] for ref in (again, third, joined)}
        self.assertEqual(told, {self.first.answers[said]})
        later = self.other.send()
        self.assertEqual(self.other.answers[later], record.time_ms)

    def test_first_was_lost(self) -> None:
        """
        A send that says that it is a repeat, and whose first was never accepted, is
        accepted with its own time as soon as it is stored.
        """
        again = self.other.send(repeat=True)
        (record,) = self.other.durable()
        self.stored(record)
        self.assertEqual(self.other.answers[again], record.time_ms)

    def test_other_content(self) -> None:
        """
        A repeat with other content is a conflict once the first is stored.
        """
        self.first.send()
        (record,) = self.first.durable()
        again = self.other.send(content="other", repeat=True)
        (second,) = self.other.durable()
        self.stored(record, second)
        self.assertEqual(self.other.answers[again], "conflict")

    def test_stored_late(self) -> None:
        """
        While the store is behind, repeats are refused for now after two seconds, and
        their record is appended once.
        """
        self.first.send()
        (record,) = self.first.durable()
        refs = [self.other.send(repeat=True)]
        (second,) = self.other.durable()
        for _ in range(3):
            self.clock.pump([0.1] * 25)
            self.assertEqual(self.other.answers[refs[-1]], "unavailable")
            refs.append(self.other.send(repeat=True))
        self.assertEqual(self.other.journal.appends, [])
        self.stored(record, second)
        self.assertEqual(self.other.answers[refs[-1]], record.time_ms)

    def test_order_behind_a_repeat(self) -> None:
        """
        Sends behind a repeat that was refused for now do not overtake it.
        """
        self.store.dependency.lost("away")
        again = self.other.send("a", repeat=True)
        behind = self.other.send("b")
        self.assertEqual(
            self.other.answers, {again: "unavailable", behind: "unavailable"}
        )
        self.store.dependency.succeeded()
        self.clock.advance(1)
        self.other.send("a", repeat=True)
        self.other.send("b")
        self.assertEqual([m.client_id for m in self.other.durable()], ["a", "b"])

    def test_many(self) -> None:
        """
        Repeats that wait for the store are bounded; further ones are refused for now.
        """
        self.patch(doubts, "MOST", 3)
        for n in range(4):
            self.other.send(f"c{n}", repeat=True)
            self.other.durable()
        self.assertEqual(self.other.answers, {4: "overloaded"})
        self.clock.pump([1.0] * int(doubts.KEPT_S + 5))
        self.other.send("c9", repeat=True)
        self.assertEqual(len(self.other.durable()), 1)

    def test_stop(self) -> None:
        """
        A daemon that stops waits until each repeat has its answer, at most two seconds.
        """
        again = self.other.send(repeat=True)
        self.other.durable()
        idle = self.other.ingress.idle()
        self.assertNoResult(idle)
        self.clock.pump([0.1] * 25)
        self.successResultOf(idle)
        self.assertEqual(self.other.answers, {again: "unavailable"})

    def test_uncertain(self) -> None:
        """
        A refusal says whether the journal may have the record all the same.
        """
        failed = Unavailable("the brokers are silent")
        self.first.send()
        self.first.journal.appends.pop()[1].errback(failed)
        self.assertEqual(self.first.uncertain, set())
        ref = self.other.send()
        self.other.journal.appends.pop()[1].errback(failed.may_be_done())
        self.assertEqual(self.other.uncertain, {ref})
