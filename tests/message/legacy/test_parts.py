"""
What is held for one deployed Connect, by hand: its sends, its acknowledgements.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.message.legacy.cases import text
from wsmsg.errors import Forbidden, Overloaded, Unavailable, WsmsgError
from wsmsg.message.ingress.interface import Reply, SendRequest
from wsmsg.message.legacy.acks import LegacyConnectAcks
from wsmsg.message.legacy.sends import LegacyConnectSends
from wsmsg.model import Mark
from wsmsg.rpc import rest_pb2
from wsmsg.settings.legacy import MessageLegacySettings


class Gate:
    """
    An ingress that a test answers by hand.
    """

    def __init__(self) -> None:
        self.asked: list[tuple[list[SendRequest], Reply]] = []

    def accept(self, proposals: Iterable[SendRequest], reply: Reply) -> None:
        self.asked.append((list(proposals), reply))

    def answer(self, *answers: int | WsmsgError) -> None:
        """
        Answer what was asked first.
        """
        proposals, reply = self.asked.pop(0)
        reply(list(zip(proposals, answers, strict=True)))


class SendsTests(SynchronousTestCase):
    """
    What a peer sends.
    """

    def setUp(self) -> None:
        self.gate = Gate()
        self.clock = Clock()
        self.failures: list[tuple[str, str]] = []
        self.sends = self.made()

    def made(self, **bounds: Any) -> LegacyConnectSends:
        """
        Sends with these bounds.
        """
        settings = MessageLegacySettings(**bounds)
        gate: Any = self.gate
        return LegacyConnectSends(
            gate,
            self.clock,
            lambda: settings,
            name="d:life:1",
            failed=lambda m, reason: self.failures.append((m.content, reason)),
            backoff=lambda failures: 0.5,
        )

    def asked(self) -> list[list[str]]:
        """
        The contents that wait for an answer, by call.
        """
        return [[p.content for p in proposals] for proposals, _ in self.gate.asked]

    def test_ids(self) -> None:
        """
        No two sends have one client id, and each is within the bounds of one.
        """
        for _ in range(2):
            self.sends.send(text())
        ids = {p.client_id for proposals, _ in self.gate.asked for p in proposals}
        self.assertEqual(len(ids), 2)
        self.assertTrue(all(len(i) <= 64 for i in ids))

    def test_kept_in_order(self) -> None:
        """
        What is refused for a moment is given again with the same id when the hint is
        over, and before what the same sender says after it; others do not wait.
        """
        self.sends.send(text(content="a"))
        first = self.gate.asked[0][0][0]
        self.gate.answer(Overloaded("full", 500))
        self.sends.send(text(content="b"))
        self.sends.send(text(3, content="c"))
        self.assertEqual(self.asked(), [["c"]])
        self.gate.answer(1)
        self.clock.advance(0.499)
        self.assertEqual(self.asked(), [])
        self.clock.advance(0.001)
        self.assertEqual(self.asked(), [["a", "b"]])
        self.assertEqual(self.gate.asked[0][0][0].client_id, first.client_id)
        self.gate.answer(1, Unavailable("away"))
        self.clock.advance(2)
        self.gate.answer(1)
        self.assertEqual((self.failures, len(self.sends)), ([], 0))
        self.assertEqual((self.sends.accepted, self.sends.kept), (3, 2))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_refused(self) -> None:
        """
        What is refused for good fails with the reason.
        """
        self.sends.send(text(content="a"))
        self.gate.answer(Forbidden("no member"))
        self.assertEqual(self.failures, [("a", "no member")])
        self.assertEqual((len(self.sends), self.sends.failed), (0, 1))

    def test_too_late(self) -> None:
        """
        What could not be accepted for long has failed.
        """
        self.sends = self.made(send_s=3)
        self.sends.send(text(content="a"))
        for _ in range(10):
            if self.gate.asked:
                self.gate.answer(Unavailable("away", 1000))
            self.clock.advance(1)
        self.assertEqual([f[0] for f in self.failures], ["a"])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_bounds(self) -> None:
        """
        What waits is bounded in number and in bytes; what is too much fails, and room
        that comes back is room.
        """
        self.sends = self.made(sends=2)
        for content in "abc":
            self.sends.send(text(content=content))
        self.assertEqual([f[0] for f in self.failures], ["c"])
        self.gate.answer(1)
        self.sends.send(text(content="d"))
        self.assertEqual(len(self.failures), 1)
        self.failures.clear()
        self.sends = self.made(send_bytes=1000)
        for _ in range(2):
            self.sends.send(text(content="x" * 600))
        self.assertEqual(len(self.failures), 1)

    def test_give_up(self) -> None:
        """
        What is given up fails; what is on its way may still be accepted.
        """
        self.sends.send(text(content="a"))
        self.gate.answer(Unavailable("away"))
        self.sends.send(text(3, content="b"))
        self.sends.give_up("stopping")
        self.assertEqual(self.failures, [("a", "stopping")])
        self.gate.answer(1)
        self.assertEqual((self.sends.accepted, len(self.sends)), (1, 0))
        self.assertEqual(self.clock.getDelayedCalls(), [])


class AcksTests(SynchronousTestCase):
    """
    What users of a peer have seen.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.asked: list[tuple[int, list[int], Deferred[list[bool]]]] = []
        self.told: list[tuple[int, bool]] = []
        self.acks = self.made(self.mark)

    def made(self, marking: Any, **bounds: Any) -> LegacyConnectAcks:
        """
        Acknowledgements with these bounds.
        """
        settings = MessageLegacySettings(**bounds)
        return LegacyConnectAcks(
            marking,
            self.clock,
            lambda: settings,
            confirm=lambda ack, known: self.told.append((ack.message_id, known)),
            backoff=lambda failures: 0.5,
        )

    def mark(self, user: int, marks: Sequence[Mark]) -> Deferred[list[bool]]:
        done: Deferred[list[bool]] = Deferred()
        self.asked.append((user, [m.message_id for m in marks], done))
        return done

    def ack(self, message_id: int, user: int = 2) -> None:
        """
        A user has seen a message.
        """
        self.acks.ack(rest_pb2.MessageAckRequest(message_id=message_id, user_id=user))

    def test_batches(self) -> None:
        """
        What comes while one batch is marked makes the next, a call a user.
        """
        for n in (1, 2, 3):
            self.ack(n)
        self.ack(4, user=5)
        self.assertEqual([a[:2] for a in self.asked], [(2, [1])])
        self.asked.pop()[2].callback([True])
        self.assertEqual([a[:2] for a in self.asked], [(2, [2, 3]), (5, [4])])
        self.asked[0][2].callback([True, False])
        self.asked[1][2].callback([True])
        self.assertEqual(self.told, [(1, True), (2, True), (3, False), (4, True)])
        self.assertEqual((self.acks.confirmed, self.acks.unknown), (3, 1))
        self.assertEqual(len(self.acks), 0)

    def test_store_away(self) -> None:
        """
        While the store is away they wait and are given again; after long they are not
        confirmed.
        """
        self.acks = self.made(self.mark, send_s=10)
        self.ack(1)
        self.asked.pop()[2].errback(Unavailable("away"))
        self.assertEqual(self.told, [])
        self.clock.advance(1)
        self.asked.pop()[2].callback([True])
        self.assertEqual(self.told, [(1, True)])
        self.ack(2)
        for _ in range(15):
            if self.asked:
                self.asked.pop()[2].errback(Unavailable("away"))
            self.clock.advance(1)
        self.assertEqual(self.told, [(1, True), (2, False)])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_bug(self) -> None:
        """
        A bug where marks are stored is told in the log, and loses nothing else.
        """
        self.ack(1)
        self.asked.pop()[2].errback(ValueError("a bug"))
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
        self.clock.advance(1)
        self.asked.pop()[2].callback([True])
        self.assertEqual(self.told, [(1, True)])

    def test_bounds(self) -> None:
        """
        More than may wait are not confirmed, nor is what can be no message of a user.
        """
        self.acks = self.made(self.mark, acks=2)
        for n in (1, 2, 3):
            self.ack(n)
        self.ack(0)
        self.ack(-5)
        self.ack(1, user=0)
        self.assertEqual(self.told, [(3, False), (0, False), (-5, False), (1, False)])

    def test_at_once(self) -> None:
        """
        Marks that are stored at once are confirmed at once.
        """
        self.acks = self.made(lambda user, marks: succeed([True for _ in marks]))
        self.ack(1)
        self.ack(2)
        self.assertEqual(self.told, [(1, True), (2, True)])
