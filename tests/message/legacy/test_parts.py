"""
Tests for L{wsmsg.message.legacy.sends} and L{wsmsg.message.legacy.acks}.
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

    def accept(self, requests: Iterable[SendRequest], reply: Reply) -> None:
        self.asked.append((list(requests), reply))

    def answer(self, *answers: int | WsmsgError) -> None:
        """
        Answer the oldest call.
        """
        requests, reply = self.asked.pop(0)
        reply(list(zip(requests, answers, strict=True)))


class SendsTests(SynchronousTestCase):
    """
    The sends of one peer.
    """

    def setUp(self) -> None:
        self.gate = Gate()
        self.clock = Clock()
        self.failures: list[tuple[str, str]] = []
        self.sends = self.made()

    def made(self, **bounds: Any) -> LegacyConnectSends:
        """
        Make sends with these limits.
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
        Return the contents that wait for an answer, by call.
        """
        return [[p.content for p in requests] for requests, _ in self.gate.asked]

    def test_ids(self) -> None:
        """
        Every send has a client id of its own, of a valid length.
        """
        for _ in range(2):
            self.sends.send(text())
        ids = {p.client_id for requests, _ in self.gate.asked for p in requests}
        self.assertEqual(len(ids), 2)
        self.assertTrue(all(len(i) <= 64 for i in ids))

    def test_kept_in_order(self) -> None:
        """
        A send that is rejected temporarily is retried with the same id after the hint,
        before later ones of the same sender; sends of others do not wait.
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
        A send that is rejected for good fails with the reason.
        """
        self.sends.send(text(content="a"))
        self.gate.answer(Forbidden("no member"))
        self.assertEqual(self.failures, [("a", "no member")])
        self.assertEqual((len(self.sends), self.sends.failed), (0, 1))

    def test_too_late(self) -> None:
        """
        A send that could not be accepted for too long fails.
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
        Held sends are limited in number and in bytes. A send above the limit fails, and
        sends that end make room again.
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
        Held sends fail when the owner gives up; a send in progress may still be
        accepted.
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
    The acknowledgements of one peer.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.asked: list[tuple[int, list[int], Deferred[list[bool]]]] = []
        self.confirmed: list[tuple[int, bool]] = []
        self.acks = self.made(self.mark)

    def made(self, marking: Any, **bounds: Any) -> LegacyConnectAcks:
        """
        Make acknowledgements with these limits.
        """
        settings = MessageLegacySettings(**bounds)
        return LegacyConnectAcks(
            marking,
            self.clock,
            lambda: settings,
            confirm=lambda ack, known: self.confirmed.append((ack.message_id, known)),
            backoff=lambda failures: 0.5,
        )

    def mark(self, user: int, marks: Sequence[Mark]) -> Deferred[list[bool]]:
        done: Deferred[list[bool]] = Deferred()
        self.asked.append((user, [m.message_id for m in marks], done))
        return done

    def ack(self, message_id: int, user: int = 2) -> None:
        """
        Acknowledge a message for a user.
        """
        self.acks.ack(rest_pb2.MessageAckRequest(message_id=message_id, user_id=user))

    def test_batches(self) -> None:
        """
        Acknowledgements that arrive during a batch make the next one, with one call for
        each user.
        """
        for n in (1, 2, 3):
            self.ack(n)
        self.ack(4, user=5)
        self.assertEqual([a[:2] for a in self.asked], [(2, [1])])
        self.asked.pop()[2].callback([True])
        self.assertEqual([a[:2] for a in self.asked], [(2, [2, 3]), (5, [4])])
        self.asked[0][2].callback([True, False])
        self.asked[1][2].callback([True])
        self.assertEqual(self.confirmed, [(1, True), (2, True), (3, False), (4, True)])
        self.assertEqual((self.acks.confirmed, self.acks.unknown), (3, 1))
        self.assertEqual(len(self.acks), 0)

    def test_store_down(self) -> None:
        """
        While the store is down acknowledgements wait and are retried; after a long time
        they are not confirmed.
        """
        self.acks = self.made(self.mark, send_s=10)
        self.ack(1)
        self.asked.pop()[2].errback(Unavailable("away"))
        self.assertEqual(self.confirmed, [])
        self.clock.advance(1)
        self.asked.pop()[2].callback([True])
        self.assertEqual(self.confirmed, [(1, True)])
        self.ack(2)
        for _ in range(15):
            if self.asked:
                self.asked.pop()[2].errback(Unavailable("away"))
            self.clock.advance(1)
        self.assertEqual(self.confirmed, [(1, True), (2, False)])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_bug(self) -> None:
        """
        A bug in the storing of marks is logged, and loses no other acknowledgement.
        """
        self.ack(1)
        self.asked.pop()[2].errback(ValueError("a bug"))
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
        self.clock.advance(1)
        self.asked.pop()[2].callback([True])
        self.assertEqual(self.confirmed, [(1, True)])

    def test_bounds(self) -> None:
        """
        Acknowledgements above the limit are not confirmed, nor are those with invalid
        ids.
        """
        self.acks = self.made(self.mark, acks=2)
        for n in (1, 2, 3):
            self.ack(n)
        self.ack(0)
        self.ack(-5)
        self.ack(1, user=0)
        self.assertEqual(
            self.confirmed, [(3, False), (0, False), (-5, False), (1, False)]
        )

    def test_at_once(self) -> None:
        """
        Marks that are stored at once are confirmed at once.
        """
        self.acks = self.made(lambda user, marks: succeed([True for _ in marks]))
        self.ack(1)
        self.ack(2)
        self.assertEqual(self.confirmed, [(1, True), (2, True)])
