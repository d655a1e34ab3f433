"""
Ingress over a log without a journal: the store decides about each identity before the
answer.
"""

from __future__ import annotations

from collections.abc import Sequence

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.message.doubles import MemoryStore, rules_by
from tests.message.log.log_contract import links_by, with_user
from wsmsg.errors import WsmsgError
from wsmsg.message.cluster.message_ids import EPOCH_MS, MessageIds
from wsmsg.message.delivery.numbering import Numbering
from wsmsg.message.delivery.store_log import StoreLog
from wsmsg.message.ingress.ingress import Ingress
from wsmsg.message.ingress.interface import Answer, SendRequest
from wsmsg.rpc import rest_pb2


class StoreLogIngressTests(SynchronousTestCase):
    """
    Requests whose messages are stored in one step.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.now_ms = EPOCH_MS
        self.store = MemoryStore()
        self.store.start()
        self.links = links_by(self.clock)
        self.answers: dict[int, int | str] = {}
        self.ids = MessageIds(self.now)  # reserved, so that no life repeats one
        self.ingress = self.life()

    def life(self) -> Ingress:
        """
        Return the ingress of a further life of this Message.
        """
        numbering = Numbering(self.store, self.now, heads_cached=100)
        log = StoreLog(self.store, numbering, self.links, self.clock, batch=10)
        self.addCleanup(
            lambda: self.successResultOf(Deferred.fromCoroutine(log.stop()))
        )
        return Ingress(
            log,
            self.store,
            self.ids,
            self.now,
            rules=rules_by(self.store, self.now, shared=False),
            limit=100,
            content_bytes=100,
            seconds=self.clock.seconds,
        )

    def now(self) -> int:
        self.now_ms += 1
        return self.now_ms

    def send(
        self, ref: int, client_id: str, content: str = "hi", *, repeat: bool = False
    ) -> None:
        request = SendRequest(ref, 1, client_id, "u:1:2", content, 1, repeat=repeat)
        self.ingress.accept([request], self.reply)

    def reply(self, answers: Sequence[Answer]) -> None:
        for request, answer in answers:
            self.assertNotIn(request.ref, self.answers)
            self.answers[request.ref] = (
                answer.code if isinstance(answer, WsmsgError) else answer
            )

    def stored(self) -> list[tuple[str, str, int]]:
        """
        Return the messages of the store: client id, content and number.
        """
        found = sorted(self.store.messages.values(), key=lambda m: m.seq)
        return [(m.client_id, m.content, m.seq) for m in found]

    def test_repeat_of_an_earlier_life(self) -> None:
        """
        A repeat that an earlier life of this Message has stored is told the time of the
        first send at once, and one with another body that it conflicts.
        """
        self.send(1, "a")
        self.ingress = self.life()
        self.send(2, "a", repeat=True)
        self.send(3, "b", repeat=True)
        self.ingress = self.life()
        self.send(4, "a", "another", repeat=True)
        self.assertEqual(self.answers[2], self.answers[1])
        self.assertIsInstance(self.answers[3], int)
        self.assertEqual(self.answers[4], "conflict")
        self.assertEqual(self.stored(), [("a", "hi", 1), ("b", "hi", 2)])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_refused_for_good(self) -> None:
        """
        A message that the store can never take is refused to its sender, who may send
        on, and nobody finds it in the dead letters.
        """
        self.store.refuse.add("poison")
        self.send(1, "a", "poison")
        self.send(2, "b")
        self.assertEqual(self.answers[1], "bad_request")
        self.assertIsInstance(self.answers[2], int)
        self.assertEqual(self.stored(), [("b", "hi", 1)])

    def test_store_away(self) -> None:
        """
        While the store is away a send is refused at once, and so is what the same
        sender sends after it, until it comes again.
        """
        self.store.dependency.lost("no disk")
        self.send(1, "a")
        self.store.dependency.succeeded()
        self.send(2, "b")
        self.assertEqual(self.answers, {1: "unavailable", 2: "unavailable"})
        self.send(3, "a")
        self.send(4, "b")
        self.assertEqual(self.stored(), [("a", "hi", 1), ("b", "hi", 2)])

    def test_one_frame(self) -> None:
        """
        The answer and the push leave in one frame of the stream.
        """
        link = with_user(self.links, 1)
        number = link.stream

        def reply(answers: Sequence[Answer]) -> None:
            ids = [request.ref for request, _ in answers]
            link.results(number, [rest_pb2.SendResult(id=n) for n in ids])

        request = SendRequest(7, 1, "a", "u:1:2", "hi", 1)
        self.ingress.accept([request], reply)
        frame = link.next_frame()
        assert frame is not None
        self.assertEqual([r.id for r in frame.batch.results], [7])
        self.assertEqual([p.message.client_id for p in frame.batch.pushes], ["a"])
        self.links.give_up_all()
