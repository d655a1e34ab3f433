"""
The lives of messages, over doubles of the store, of the journal and of Connects.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from tests.message.doubles import MemoryStore
from wsmsg.errors import NotFound, Overloaded, Unavailable
from wsmsg.flow.life_ring import LifeRing, Stage, message_key, send_key
from wsmsg.message.journal.interface import DeadLetter, IDeadLetters
from wsmsg.message.journal.record import decode, encode
from wsmsg.message.life.interface import MessageLife, Subject
from wsmsg.message.life.lives import TIMEOUT_S, Lives
from wsmsg.message.life.others import OtherMessages
from wsmsg.message.links.links import Links
from wsmsg.message.presence.memory import MemoryPresence
from wsmsg.model import Cursor, Message
from wsmsg.rpc import rest_pb2
from wsmsg.stream.convert import life_answer_of
from wsmsg.stream.errors import StreamFailed

NOW_S = 2_000_000.0
#: The time at which each message was accepted.
ACCEPTED_MS = int(NOW_S * 1000) - 1000


def message(seq: int = 1, **more: Any) -> Message:
    """
    Return a message from 1 to 2, accepted a second ago.
    """
    fields = {
        "conversation": "u:1:2",
        "sender": 1,
        "client_id": f"c{seq}",
        "message_id": 100 + seq,
        "content": "secret text",
        "kind": 1,
        "time_ms": ACCEPTED_MS,
        "seq": seq,
    }
    return Message(**{**fields, **more})


@implementer(IDeadLetters)
class LivesTests(SynchronousTestCase):
    """
    A Message with two Connects, one of which may not answer, and another Message.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.store = MemoryStore()
        self.store.start()
        self.letters: list[DeadLetter] = []
        self.hanging: set[str] = set()
        self.rings = {
            name: LifeRing(100, lambda: NOW_S - 60) for name in ("one", "two", "b:1")
        }
        self.now_s = NOW_S
        for ring in self.rings.values():
            ring._unix_s = lambda: self.now_s
        self.others = ["b:1"]
        self.links = Links(
            MemoryPresence(self.clock),
            self.clock,
            grace_s=1,
            limit_records=9,
            limit_bytes=9999,
            life=LifeRing(100, lambda: NOW_S - 60),
        )
        self.own = self.links.lives.ring
        self.own._unix_s = lambda: self.now_s
        self.lives = Lives(
            "a",
            self.store,
            self,
            self.links.lives,
            OtherMessages(lambda: self.others, self.ask_other),
            self.clock,
            decode=decode,
        )
        self.connect("one")
        self.connect("two")

    def connect(self, node: str) -> None:
        """
        Open a link whose Connect answers at once, unless it hangs.
        """
        hello = rest_pb2.SubscribeRequest(connect_service_id=node, incarnation="x")
        link, _ = self.links.subscribe(hello, "own")

        def wake() -> None:
            frame = link.next_frame()
            if frame is None or node in self.hanging:
                return
            for query in frame.batch.life:
                answer = life_answer_of(query, self.rings[node])
                self.links.lives.answered(node, answer)

        link.opened(wake, lambda reason: None)

    def ask_other(
        self, address: str, request: rest_pb2.QueryRequest, timeout_s: float
    ) -> Deferred[rest_pb2.QueryResponse]:
        """
        Answer as another Message.
        """
        if address in self.hanging:
            return fail(StreamFailed("no answer in 1 s"))
        query = request.items[0].life
        if address not in self.rings:
            error = rest_pb2.QueryError(code="not_found", reason="no such query")
            answer = rest_pb2.QueryAnswer(error=error)
        else:
            found = life_answer_of(query, self.rings[address], "b")
            answer = rest_pb2.QueryAnswer(life=found)
        return succeed(rest_pb2.QueryResponse(answers=[answer]))

    def dead_letters(self, after: int, limit: int) -> Deferred[list[DeadLetter]]:
        """
        List dead letters (L{IDeadLetters}).
        """
        return succeed([x for x in self.letters if x.number > after][:limit])

    def replay(self, numbers: Sequence[int]) -> Deferred[list[int]]:
        raise AssertionError("nothing is replayed")

    def put(self, *messages: Message) -> None:
        """
        Store messages.
        """
        for m in messages:
            self.store.messages[m.identity] = m

    def life(self, subject: Subject) -> MessageLife:
        """
        Return what is known of a message, after the time within which all answer.
        """
        found = Deferred.fromCoroutine(self.lives.life(subject))
        self.clock.advance(TIMEOUT_S)
        result: MessageLife = self.successResultOf(found)
        return result

    def failed(self, subject: Subject, error: type[Exception]) -> str:
        """
        Return why nothing is known of a message.
        """
        found = Deferred.fromCoroutine(self.lives.life(subject))
        self.clock.advance(TIMEOUT_S)
        return str(self.failureResultOf(found, error).value)

    def test_all_stages(self) -> None:
        """
        The facts of all nodes and of the store make the stages, in the order of the way
        of a message.
        """
        self.put(message())
        send, key = send_key(1, "c1"), message_key(101)
        one, two = self.rings["one"], self.rings["two"]
        two.note(Stage.WRITTEN, key, 2, 8, 0, "tab")
        self.own.note(Stage.PUSHED, key, 0, 1, 1, "two")
        self.rings["b:1"].note(Stage.FETCHED, key, ACCEPTED_MS + 20, 55, 3)
        self.rings["b:1"].confirmed([Cursor("u:1:2", 2, 1, 1)])
        one.note(Stage.RECEIVED, send, 1, 7, 0, "phone")
        one.note(Stage.ANSWERED, send, 1, 7)
        self.store.move_cursors([Cursor("u:1:2", 2, delivered=1, read=1)])
        life = self.life(Subject(message_id=101))
        self.assertEqual(
            [(s.stage, s.node, s.details) for s in life.stages],
            [
                ("received", "one", {"user": 1, "session": 7, "device": "phone"}),
                ("accepted", "", {}),
                ("appended", "b", {"partition": 3, "offset": 55}),
                ("stored", "a", {"seq": 1}),
                ("pushed", "a", {"connect": "two", "recipients": 1}),
                ("written", "two", {"user": 2, "session": 8, "device": "tab"}),
                ("answered", "one", {"user": 1, "session": 7, "code": "accepted"}),
                ("delivered", "b", {"user": 2, "seq": 1}),
                ("read", "b", {"user": 2, "seq": 1}),
            ],
        )
        self.assertEqual((life.missing, life.notes), ({}, []))
        times = {s.stage: s.time_ms for s in life.stages}
        self.assertEqual(times["appended"], ACCEPTED_MS + 20)
        self.assertEqual({0} & set(times.values()), set())
        self.assertEqual(life.forgotten_before_ms, 0)
        by_place = self.life(Subject(conversation="u:1:2", seq=1))
        by_identity = self.life(Subject(sender=1, client_id="c1"))
        self.assertEqual(by_place, life)
        self.assertEqual(by_identity, life)

    def confirmed(self) -> tuple[list[int], str]:
        """
        Return the times at which the first message was delivered and read, in
        milliseconds after it was accepted, and what is said of them.
        """
        life = self.life(Subject(message_id=101))
        times = [
            s.time_ms and s.time_ms - ACCEPTED_MS
            for s in life.stages
            if s.stage in ("delivered", "read")
        ]
        return times, " ".join(n for n in life.notes if n.startswith("When "))

    def test_confirmed(self) -> None:
        """
        The times of delivery and of reading are those of the first confirmations that
        cover the message, of all Messages.
        """
        self.put(message(), message(2))
        self.store.move_cursors([Cursor("u:1:2", 2, delivered=2, read=2)])
        for ring, after_ms, cursor in (
            (self.own, 50, Cursor("u:1:2", 2, 2, 0)),
            (self.own, 400, Cursor("u:1:2", 2, 2, 2)),
            (self.rings["b:1"], 30, Cursor("u:1:2", 2, 1, 0)),
            (self.rings["b:1"], 10, Cursor("u:1:2", 1, 1, 1)),
            (self.rings["b:1"], 20, Cursor("u:2:3", 2, 1, 1)),
        ):
            self.now_s = (ACCEPTED_MS + after_ms) / 1000
            ring.confirmed([cursor])
        self.assertEqual(self.confirmed(), ([30, 400], ""))

    def test_confirmed_elsewhere(self) -> None:
        """
        A time that might not be the first is not given: a Message does not answer, or
        does not know the question, or has forgotten; and it is said which.
        """
        self.put(message())
        self.store.move_cursors([Cursor("u:1:2", 2, delivered=1, read=1)])
        noted = self.confirmed()
        self.assertEqual(
            noted, ([0, 0], "When some of the users confirmed it was not noted.")
        )
        self.own.confirmed([Cursor("u:1:2", 2, 1, 1)])
        self.assertEqual(self.confirmed(), ([1000, 1000], ""))
        self.hanging = {"two"}
        self.assertEqual(self.confirmed()[0], [1000, 1000])
        self.hanging = {"b:1"}
        times, note = self.confirmed()
        self.assertEqual(times, [0, 0])
        self.assertIn("may be known to the Messages that did not answer", note)
        self.hanging = set()
        self.rings["b:1"] = LifeRing(100, lambda: NOW_S)
        times, note = self.confirmed()
        self.assertEqual(times, [0, 0])
        self.assertIn("is not known any more", note)
        self.others.clear()
        self.assertEqual(self.confirmed()[0], [1000, 1000])

    def test_silent(self) -> None:
        """
        Whoever does not answer is named, with the reason; the others are shown.
        """
        self.put(message())
        self.hanging = {"two", "b:1"}
        self.others.append("old:1")
        life = self.life(Subject(message_id=101))
        self.assertIn("may be known to those that did not answer", life.notes[0])
        self.assertEqual(
            life.missing,
            {
                "two": "no answer in 1 s, or its version cannot answer",
                "b:1": "no answer in 1 s",
                "old:1": "its version does not know the question",
            },
        )
        self.assertEqual([n.node for n in life.nodes], ["a", "one"])

    def test_late_answer(self) -> None:
        """
        An answer that comes too late, twice, or of nobody who was asked is ignored.
        """
        for node in ("two", "three"):
            self.links.lives.answered(node, rest_pb2.LifeAnswer(id=1))
        self.put(message())
        self.assertEqual(self.life(Subject(message_id=101)).missing, {})
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_lost_stream(self) -> None:
        """
        A Connect whose stream is interrupted is named, and nobody waits for it.
        """
        self.put(message())
        link = self.links._links["two"]
        self.links.lost(link, link.stream, "cut")
        found = Deferred.fromCoroutine(self.lives.life(Subject(message_id=101)))
        self.assertIn("interrupted", self.successResultOf(found).missing["two"])

    def test_forgotten(self) -> None:
        """
        The time before which a node may have forgotten is said, and nothing is said not
        to have been.
        """
        self.put(message())
        self.rings["two"] = LifeRing(100, lambda: NOW_S)
        life = self.life(Subject(message_id=101))
        self.assertEqual(life.forgotten_before_ms, NOW_S * 1000)
        self.assertIn("is forgotten", life.notes[0])
        self.rings["two"] = LifeRing(0)
        self.assertEqual(self.life(Subject(message_id=101)).nodes[3].since_ms, 0)

    def test_withheld(self) -> None:
        """
        A message that is withheld from its recipient says so.
        """
        self.put(message(withheld=1))
        (note,) = self.life(Subject(message_id=101)).notes
        self.assertIn("had blocked the sender", note)

    def test_dead(self) -> None:
        """
        The dead letters of the message are stages, by its id and by its client id, and
        those of others are not.
        """
        for number, m in enumerate((message(1), message(2)), 1):
            letter = DeadLetter(number, 0, 40 + number, "refused", encode(m), 5)
            self.letters.append(letter)
        self.letters.append(DeadLetter(3, 0, 43, "no record", b"\xff", 5))
        for subject in (
            Subject(message_id=102),
            Subject(sender=1, client_id="c2"),
            Subject(sender=1, client_id="c2", conversation="u:1:2"),
        ):
            life = self.life(subject)
            self.assertIsNone(life.message)
            (dead,) = life.stages
            self.assertEqual(dead.stage, "dead")
            self.assertEqual(
                dead.details,
                {"letter": 2, "reason": "refused", "partition": 0, "offset": 42},
            )
            self.assertIn("dead letters", life.notes[0])

    def test_accepted_and_not_stored(self) -> None:
        """
        A message that was accepted and is not in the store has a note that says where
        it has to be.
        """
        self.rings["one"].note(Stage.ANSWERED, send_key(1, "c1"), 1, 7)
        life = self.life(Subject(sender=1, client_id="c1"))
        self.assertIn("it must be in the journal", life.notes[0])

    def test_never_was(self) -> None:
        """
        Nobody knows of it: that is an error, which names those that could not say.
        """
        reason = self.failed(Subject(message_id=7), NotFound)
        self.assertIn("there is no message 7: no node that answered remembers", reason)
        self.hanging = {"two"}
        reason = self.failed(Subject(message_id=7), NotFound)
        self.assertIn("It is not known what these know: two: no answer", reason)

    def test_without_the_store(self) -> None:
        """
        Without the store, what the nodes remember is shown; if they remember nothing,
        it is not said that the message never was.
        """

        def of(client_id: str) -> Subject:
            return Subject(sender=1, client_id=client_id, conversation="u:1:2")

        self.store.dependency.lost("it is away")
        self.rings["one"].note(Stage.RECEIVED, send_key(1, "c1"), 1, 7)
        life = self.life(of("c1"))
        self.assertEqual([s.stage for s in life.stages], ["received"])
        self.assertIn("store", life.missing)
        self.failed(of("c2"), Unavailable)

    def test_many_questions(self) -> None:
        """
        The questions that wait are bounded.
        """
        self.put(message())
        self.hanging = {"two"}
        waiting = [
            Deferred.fromCoroutine(self.lives.life(Subject(message_id=101)))
            for _ in range(16)
        ]
        self.failed(Subject(message_id=101), Overloaded)
        for found in waiting:
            self.assertIn("two", self.successResultOf(found).missing)
