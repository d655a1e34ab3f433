"""
Tests of L{wsmsg.message.ingress.ingress}.
"""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Sequence

from twisted.trial.unittest import SynchronousTestCase

from tests.message.doubles import ManualJournal, MemoryStore
from tests.message.ingress.ingress_in_memory import ingress_of
from wsmsg.errors import TooLarge, Unavailable, WsmsgError
from wsmsg.events.group_change import GROUP, GroupChange, encode_change
from wsmsg.flow.send_fence import PATIENCE_S
from wsmsg.message.cluster.message_ids import EPOCH_MS
from wsmsg.message.ingress.ingress import Ingress
from wsmsg.message.ingress.interface import Answer, SendRequest
from wsmsg.model import Message, group_conversation, group_of


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
        self,
        limit: int = 100,
        content_bytes: int = 100,
        remembered: int = 1000,
        seconds: Callable[[], float] | None = None,
    ) -> Ingress:
        return ingress_of(
            self.journal,
            self.store,
            self.now_ms,
            limit=limit,
            content_bytes=content_bytes,
            remembered=remembered,
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

    def test_conflict_is_remembered(self) -> None:
        """
        A client id that was used for another message costs one record: further sends
        with it, and repeats of the first message, are answered from memory.
        """
        stored = Message("u:1:2", 1, "c", 7, "hi", 1, 5, 3)
        self.store.messages[stored.identity] = stored
        for ref in range(600):
            self.send(ref, content=f"other {ref}")
            self.durable()
        self.send(600)
        self.assertEqual({self.answers.pop(ref) for ref in range(600)}, {"conflict"})
        self.assertEqual(self.answers, {600: 5})
        self.assertEqual(len(self.appended()), 1)

    def test_repeat_of_a_stored_one_is_remembered(self) -> None:
        """
        A message that was stored long ago and is sent again and again costs one record.
        """
        stored = Message("u:1:2", 1, "c", 7, "hi", 1, 5, 3)
        self.store.messages[stored.identity] = stored
        for ref in range(5):
            self.send(ref)
            self.durable()
        self.assertEqual(self.answers, dict.fromkeys(range(5), 5))
        self.assertEqual(len(self.appended()), 1)

    def test_memory(self) -> None:
        """
        Accepted messages are remembered without their contents: a digest tells a repeat
        from a conflict.
        """
        self.ingress = self.make(content_bytes=20_000, remembered=50)
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        for ref in range(100):
            self.send(ref, f"c{ref}", f"{ref:016000}")
            self.durable()
            self.journal.appends.clear()
        n_bytes, _ = tracemalloc.get_traced_memory()
        self.assertLess(n_bytes, 200_000)
        self.send(100, "c99", f"{99:016000}")
        self.send(101, "c99", f"{98:016000}")
        self.assertEqual(self.answers[100], self.answers[99])
        self.assertEqual(self.answers[101], "conflict")
        self.send(102, "c49", "forgotten")
        self.assertEqual(self.ingress.in_flight, 1)

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
        are refused too until it comes again, long after the hint; other senders are not
        affected.
        """
        self.send(1)
        self.journal.appends[0][1].errback(Unavailable("down"))
        self.send(2, "d")
        self.send(3, "e", conversation="u:1:3")
        self.durable()
        self.assertEqual(self.answers[1], "unavailable")
        self.assertEqual(self.answers[2], "unavailable")
        self.assertIsInstance(self.answers[3], int)
        self.now += 4500
        self.send(4, "f")
        self.send(5)
        self.send(6, "d")
        self.durable()
        self.assertEqual(self.answers[4], "unavailable")
        self.assertEqual([m.client_id for m in self.appended()[2:]], ["c", "d"])
        self.assertIsInstance(self.answers[6], int)

    def test_accepted_behind_a_refused_one(self) -> None:
        """
        A repeat of a send that is accepted is answered even behind a refused one, and a
        refused one that proves to be accepted holds up nothing.
        """
        self.send(1)
        self.durable()
        self.send(2, "d")
        self.journal.appends[-1][1].errback(Unavailable("down"))
        self.send(3)
        self.assertEqual(self.answers[3], self.answers[1])
        self.send(4, "e")
        self.assertEqual(self.answers[4], "unavailable")
        self.send(5, "d")
        self.send(6, "e")
        self.durable()
        self.assertIsInstance(self.answers[5], int)
        self.assertIsInstance(self.answers[6], int)

    def test_clock_set_back(self) -> None:
        """
        A sender that gave up a send which was refused waits no longer when the system
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
        seconds[0] += 0.5 + PATIENCE_S
        before = self.now
        self.send(3, "d")
        self.durable()
        self.assertIn(self.answers[3], range(before, self.now + 1))

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
        self.send(3, "c2")
        self.send(4, "c3")
        self.durable()
        self.assertIsInstance(self.answers[3], int)
        self.assertIsInstance(self.answers[4], int)

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
                5: "unavailable",  # another Message may have accepted the group
                6: "too_large",
            },
        )
        self.assertEqual(len(self.appended()), 1)

    def test_longer_than_the_journal_takes(self) -> None:
        """
        A send whose record the journal cannot take is refused alone: what is sent with
        it is accepted.
        """
        self.journal.content_bytes = 50
        self.ingress.accept(
            [
                SendRequest(1, 1, "a", "u:1:2", "short", 1),
                SendRequest(2, 1, "b", "u:1:2", "x" * 51, 1),
                SendRequest(3, 3, "c", "u:3:4", "y" * 50, 1),
                SendRequest(5, 3, "e", "u:3:4", "\ud800", 1),
                SendRequest(6, 3, "\ud800", "u:3:4", "x", 1),
            ],
            self.reply,
        )
        self.durable()
        self.assertEqual([m.client_id for m in self.appended()], ["a", "c"])
        refused = {ref: a for ref, a in self.answers.items() if ref in (2, 5, 6)}
        self.assertEqual(refused, {2: "too_large", 5: "bad_request", 6: "bad_request"})

    def test_long_event(self) -> None:
        """
        A change of a group that the journal cannot take is refused alone.
        """
        self.journal.content_bytes = 50
        change = GroupChange(True, "crew", False, tuple(range(1, 30)))
        create = SendRequest(
            1,
            1,
            "g",
            group_conversation(group_of(1, "g")),
            encode_change(change),
            GROUP,
        )
        self.ingress.accept(
            [create, SendRequest(2, 1, "a", "u:1:2", "short", 1)], self.reply
        )
        self.durable()
        self.assertEqual([m.client_id for m in self.appended()], ["a"])
        self.assertEqual(self.answers[1], "too_large")

    def test_shared_refusal(self) -> None:
        """
        If the journal refuses gathered sends for good after all, each is refused as
        unavailable; when they are repeated, only the bad one is refused for good.
        """
        self.ingress.accept(
            [SendRequest(i, i + 1, f"c{i}", f"u:{i + 1}:9", "hi", 0) for i in range(3)],
            self.reply,
        )
        self.journal.appends.pop()[1].errback(TooLarge("a record is too long"))
        self.assertEqual(self.answers, dict.fromkeys(range(3), "unavailable"))
        self.answers.clear()
        self.now += 1000
        self.ingress.accept(
            [SendRequest(i, i + 1, f"c{i}", f"u:{i + 1}:9", "hi", 0) for i in range(3)],
            self.reply,
        )
        self.assertEqual(len(self.journal.appends), 3)
        self.journal.appends[1][1].errback(TooLarge("a record is too long"))
        self.durable()
        self.assertEqual(self.answers[1], "too_large")
        self.assertIsInstance(self.answers[0], int)
        self.assertIsInstance(self.answers[2], int)
        self.assertEqual(self.ingress.in_flight, 0)

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
