"""
The ring of the facts that a daemon remembers of messages.
"""

from __future__ import annotations

import attrs
from twisted.trial.unittest import SynchronousTestCase

from wsmsg.flow.life_ring import (
    MOST_CONFIRMATIONS,
    MOST_FACTS,
    LifeRing,
    Stage,
    message_key,
    send_key,
)
from wsmsg.model import Cursor, Message


@attrs.frozen
class OneSession:
    """
    A session.
    """

    user: int
    number: int
    device: str


@attrs.define
class OneLink:
    """
    A link to a Connect.
    """

    node: str


class LifeRingTests(SynchronousTestCase):
    """
    A ring of four facts, with a clock that a test sets.
    """

    def setUp(self) -> None:
        self.now_s = 1000.0
        self.ring = LifeRing(4, lambda: self.now_s)

    def note(self, *ids: int) -> None:
        """
        Note a fact of each message, a second apart.
        """
        for message_id in ids:
            self.now_s += 1
            self.ring.note(Stage.STORED, message_key(message_id), number=message_id)

    def test_found(self) -> None:
        """
        Facts are found by the key of their message, the oldest first, with all that was
        noted.
        """
        session = OneSession(7, 3, "phone")
        self.ring.received(session, "c1")
        self.now_s += 0.25
        self.ring.answered(session, "c1", "forbidden")
        self.ring.received(session, "c2")
        self.ring.received(OneSession(8, 4, "phone"), "c1")
        facts, left_out = self.ring.facts(send_key(7, "c1"))
        self.assertEqual(
            facts,
            [
                (Stage.RECEIVED, 1_000_000, 7, 3, 0, "phone"),
                (Stage.ANSWERED, 1_000_250, 7, 3, 0, "forbidden"),
            ],
        )
        self.assertEqual(left_out, 0)

    def test_forgets(self) -> None:
        """
        The oldest facts are overwritten, and the ring says since when it remembers.
        """
        self.assertEqual(self.ring.since_ms, 1_000_000)
        self.note(1, 2, 3)
        self.assertEqual(self.ring.since_ms, 1_000_000)
        self.note(4, 5, 6)
        self.assertEqual(self.ring.since_ms, 1_003_000)
        found = [i for i in range(1, 7) if self.ring.facts(message_key(i))[0]]
        self.assertEqual(found, [3, 4, 5, 6])

    def test_order_over_the_end(self) -> None:
        """
        Facts of one message on both sides of the ring's end are in their order.
        """
        self.note(1, 1, 9, 9, 9, 9, 9)
        times = [fact.time_ms for fact in self.ring.facts(message_key(9))[0]]
        self.assertEqual(times, [1_004_000, 1_005_000, 1_006_000, 1_007_000])

    def test_long_text(self) -> None:
        """
        A long name of a device is cut off, also in the middle of a character.
        """
        self.ring.written(1, [OneSession(1, 1, "x" + "\u00e9" * 40)])
        ((fact,), _) = self.ring.facts(message_key(1))
        self.assertEqual(fact.text, "x" + "\u00e9" * 12)

    def test_half_a_character(self) -> None:
        """
        The name of a device that UTF-8 cannot encode is remembered without that.
        """
        self.ring.written(1, [OneSession(1, 1, "x\ud800")])
        ((fact,), _) = self.ring.facts(message_key(1))
        self.assertEqual(fact.text, "x?")

    def test_none(self) -> None:
        """
        A ring of no facts remembers nothing, and says so.
        """
        ring = LifeRing(0)
        ring.note(Stage.STORED, message_key(1))
        self.assertEqual(ring.facts(message_key(1)), ([], 0))
        self.assertEqual(ring.since_ms, 0)

    def test_many(self) -> None:
        """
        The first facts of a message with very many are given, and the others counted.
        """
        ring = LifeRing(2 * MOST_FACTS)
        for _ in range(MOST_FACTS + 5):
            ring.note(Stage.WRITTEN, message_key(1))
        facts, left_out = ring.facts(message_key(1))
        self.assertEqual((len(facts), left_out), (MOST_FACTS, 5))

    def test_crafted_ids(self) -> None:
        """
        A message id that is in other fields of the ring is not taken for a key.
        """
        ring = LifeRing(100, lambda: 0.0)
        for i in range(50):
            ring.note(Stage.STORED, message_key(1000 + i), user=5, number=5, extra=5)
        self.assertEqual(ring.facts(message_key(5)), ([], 0))
        self.assertEqual(ring.facts(message_key(0)), ([], 0))

    def test_pushed(self) -> None:
        """
        A message that a Connect gets has one fact of Message, which says that it is
        stored as well; one that no Connect gets has a fact of its own.
        """
        ring = LifeRing(10, lambda: self.now_s)
        one, two, three = (
            Message("u:1:2", 1, f"c{n}", n, "", 1, 1, 10 + n) for n in (1, 2, 3)
        )
        links = [
            (OneLink("here"), [(one, [1, 2])]),
            (OneLink("there"), [(one, [3]), (two, [2])]),
        ]
        ring.pushed([one, two, three], links)
        found = {n: ring.facts(message_key(n))[0] for n in (1, 2, 3)}
        self.assertEqual(
            {n: [fact[0:1] + fact[2:] for fact in facts] for n, facts in found.items()},
            {
                1: [(5, 0, 11, 2, "here"), (5, 0, 11, 1, "there")],
                2: [(5, 0, 12, 1, "there")],
                3: [(4, 1, 13, 0, "")],
            },
        )

    def test_confirmations(self) -> None:
        """
        The first confirmation of a number is found for each user, and the first that
        says that it is read.  Those of other conversations are not.
        """
        ring = LifeRing(100, lambda: self.now_s)
        for second, cursor in enumerate(
            (
                Cursor("u:1:2", 2, 3, 0),
                Cursor("u:1:2", 2, 5, 3),
                Cursor("u:1:3", 3, 9, 9),
                Cursor("u:1:2", 1, 6, 6),
                Cursor("u:1:2", 2, 8, 7),
                Cursor("u:1:2", 2, 9, 9),
            )
        ):
            self.now_s = float(second)
            ring.confirmed([cursor])
        found, others = ring.confirmations("u:1:2", 5)
        self.assertEqual(
            [(Stage(f.stage), f.user, f.number, f.time_ms) for f in found],
            [
                (Stage.DELIVERED, 2, 5, 1000),
                (Stage.READ, 1, 6, 3000),
                (Stage.READ, 2, 7, 4000),
            ],
        )
        self.assertFalse(others)

    def test_many_confirmations(self) -> None:
        """
        Only the last confirmations are looked at, and it is said that there are others.
        """
        ring = LifeRing(2 * MOST_CONFIRMATIONS)
        ring.confirmed(Cursor("g:1", n, 1, 1) for n in range(MOST_CONFIRMATIONS))
        self.assertFalse(ring.confirmations("g:1", 2)[1])
        ring.confirmed([Cursor("g:1", 7, 2, 2)])
        found, others = ring.confirmations("g:1", 2)
        self.assertEqual(([f.user for f in found], others), ([7], True))
        found, others = LifeRing(0).confirmations("g:1", 2)
        self.assertEqual((found, others), ([], False))
