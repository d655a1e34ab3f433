"""
Tests of L{wsmsg.message.ingress.ingress}.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.message.doubles import ManualJournal, MemoryStore, rules_by
from wsmsg.errors import Unavailable, WsmsgError
from wsmsg.message.cluster.message_ids import EPOCH_MS, MessageIds
from wsmsg.message.ingress.appends import Appends
from wsmsg.message.ingress.ingress import Ingress
from wsmsg.message.ingress.interface import Answer, SendRequest
from wsmsg.model import Message


class IngressTests(SynchronousTestCase):
    """
    Requests on their way to a durable record.
    """

    def setUp(self) -> None:
        self.now = EPOCH_MS
        self.journal = ManualJournal()
        self.store = MemoryStore()
        self.store.start()
        self.answers: dict[int, int | str] = {}
        self.ingress = self.make()

    def make(
        self, limit: int = 100, seconds: Callable[[], float] | None = None
    ) -> Ingress:
        return Ingress(
            Appends(self.journal, self.store, Clock()),
            self.store,
            MessageIds(self.now_ms),
            self.now_ms,
            rules=rules_by(self.store, self.now_ms),
            limit=limit,
            content_bytes=100,
            seconds=seconds or (lambda: (self.now - EPOCH_MS) / 1000),
        )

    def now_ms(self) -> int:
        self.now += 1
        return self.now

    def reply(self, answers: Sequence[Answer]) -> None:
        for request, answer in answers:
            self.assertNotIn(request.ref, self.answers)
            self.answers[request.ref] = (
                answer.code if isinstance(answer, WsmsgError) else answer
            )

    def send(
        self,
        ref: int,
        client_id: str = "c",
        content: str = "hi",
        conversation: str = "u:1:2",
        sender: int = 1,
    ) -> None:
        self.ingress.accept(
            [SendRequest(ref, sender, client_id, conversation, content, 1)], self.reply
        )

    def appended(self) -> list[Message]:
        return [m for batch, _ in self.journal.appends for m in batch]

    def durable(self) -> None:
        for _, done in self.journal.appends:
            if not done.called:
                done.callback(None)

    def test_durable_first(self) -> None:
        """
        A send is accepted only when its record is durable.
        """
        self.send(1)
        self.assertEqual(self.answers, {})
        self.assertEqual(self.ingress.in_flight, 1)
        self.durable()
        self.assertEqual(self.answers, {1: self.appended()[0].time_ms})
        self.assertEqual(self.ingress.in_flight, 0)

    def test_order(self) -> None:
        """
        A batch is appended in its order, with rising ids.
        """
        self.ingress.accept(
            [SendRequest(i, 1, f"c{i}", "u:1:2", "hi", 0) for i in range(5)], self.reply
        )
        self.assertEqual(len(self.journal.appends), 1)
        self.assertEqual(
            [m.client_id for m in self.appended()], [f"c{i}" for i in range(5)]
        )
        ids = [m.message_id for m in self.appended()]
        self.assertEqual(ids, sorted(set(ids)))
        self.assertEqual({m.kind for m in self.appended()}, {1})

    def test_repeat_after(self) -> None:
        """
        A repeated send gets the answer of the first one and is not appended.
        """
        self.send(1)
        self.durable()
        self.send(2)
        self.assertEqual(self.answers[2], self.answers[1])
        self.assertEqual(len(self.appended()), 1)

    def test_repeat_while_on_its_way(self) -> None:
        """
        A send that is repeated before the first is durable waits for it.
        """
        self.send(1)
        self.send(2)
        self.send(3, content="other")
        self.assertEqual(self.answers, {})
        self.durable()
        self.assertEqual(self.answers[2], self.answers[1])
        self.assertEqual(self.answers[3], "conflict")
        self.assertEqual(len(self.appended()), 1)

    def test_repeat_in_the_store(self) -> None:
        """
        A send whose message was stored long ago gets the time of that message; with
        another body it is a conflict.
        """
        stored = Message("u:1:2", 1, "c", 7, "hi", 1, 5, 3)
        self.store.messages[stored.identity] = stored
        self.send(1)
        self.durable()
        self.send(2, content="other")
        self.durable()
        self.assertEqual(self.answers, {1: 5, 2: "conflict"})

    def test_journal_fails(self) -> None:
        """
        A send whose record may not be durable is refused, and may be repeated.
        """
        self.send(1)
        self.send(2)
        self.journal.appends[0][1].errback(Unavailable("down"))
        self.assertEqual(self.answers, {1: "unavailable", 2: "unavailable"})
        self.now += 500
        self.send(3)
        self.durable()
        self.assertIsInstance(self.answers[3], int)

    def test_store_down(self) -> None:
        """
        Messages are accepted while the store is down, as the journal has them.
        """
        self.store.down = True
        self.send(1)
        self.durable()
        self.assertIsInstance(self.answers[1], int)
        self.store.dependency.lost("gone")
        self.send(2, "d")
        self.durable()
        self.assertIsInstance(self.answers[2], int)

    def test_nothing_overtakes(self) -> None:
        """
        After a send is refused for a moment, the sender's next ones to the conversation
        are refused too until the hint is over; other senders are not affected.
        """
        self.send(1)
        self.journal.appends[0][1].errback(Unavailable("down"))
        self.send(2, "d")
        self.send(3, "e", conversation="u:1:3")
        self.durable()
        self.assertEqual(self.answers[1], "unavailable")
        self.assertEqual(self.answers[2], "unavailable")
        self.assertIsInstance(self.answers[3], int)
        self.now += 500
        self.send(4)
        self.send(5, "d")
        self.durable()
        self.assertEqual([m.client_id for m in self.appended()[2:]], ["c", "d"])
        self.assertIsInstance(self.answers[5], int)

    def test_clock_set_back(self) -> None:
        """
        A sender whose send was refused for a moment waits no longer when the system
        clock is set back; its messages then carry the time of that clock.
        """
        seconds = [1000.0]
        self.ingress = self.make(seconds=lambda: seconds[0])
        self.send(1)
        self.journal.appends[0][1].errback(Unavailable("down"))
        self.now += 3_600_000
        self.send(2, "d")
        self.assertEqual(self.answers, {1: "unavailable", 2: "unavailable"})
        self.now -= 7_200_000
        seconds[0] += 0.5
        self.send(3, "d")
        self.durable()
        self.assertEqual(self.answers[3], self.now)

    def test_overloaded(self) -> None:
        """
        Sends over the limit are refused at once, until there is room.
        """
        self.ingress = self.make(limit=2)
        for ref in range(3):
            self.send(ref, f"c{ref}")
        self.assertEqual(self.answers, {2: "overloaded"})
        self.durable()
        self.now += 500
        self.send(3, "c3")
        self.durable()
        self.assertIsInstance(self.answers[3], int)

    def test_bad(self) -> None:
        """
        A send that can never be stored is refused with the reason, and reaches no
        backend.
        """
        self.send(1, client_id="")
        self.send(2, client_id="x" * 65)
        self.send(3, conversation="u:2:3")
        self.send(4, conversation="u:2:1")
        self.send(5, conversation="g:5")
        self.send(6, content="é" * 51)
        self.send(7, content="é" * 50)
        self.assertEqual(
            self.answers,
            {
                1: "bad_request",
                2: "bad_request",
                3: "forbidden",
                4: "bad_request",
                5: "forbidden",
                6: "too_large",
            },
        )
        self.assertEqual(len(self.appended()), 1)

    def test_idle(self) -> None:
        """
        A daemon that stops can wait until no send is in flight.
        """
        self.successResultOf(self.ingress.idle())
        self.send(1)
        idle = self.ingress.idle()
        self.assertNoResult(idle)
        self.durable()
        self.successResultOf(idle)
