"""
The addresses of moving clients, and the share of a Connect.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from wsmsg.connect.session.moves.alternatives import (
    MOST_ADDRESSES,
    Alternatives,
    OtherConnect,
    surplus,
)


def connect(
    node: str, sessions: int, most: int = 100, *, url: str = "?", accepting: bool = True
) -> OtherConnect:
    """
    Return a Connect at C{wss://<node>}.
    """
    address = f"wss://{node}" if url == "?" else url
    return OtherConnect(node, address, sessions, most, accepting)


class AlternativesTests(SynchronousTestCase):
    """
    L{Alternatives}.
    """

    def test_room_first(self) -> None:
        """
        Each client is sent to the Connect with the most room, those sent before it
        counted: 30 clients fill the emptier one first, then both alike.
        """
        alternatives = Alternatives()
        alternatives.update([connect("a", 40), connect("b", 50)])
        first = [alternatives.next()[0] for _ in range(30)]
        self.assertEqual(first[:10], ["wss://a"] * 10)
        self.assertEqual(first.count("wss://a"), 20)
        self.assertEqual(first.count("wss://b"), 10)

    def test_left_out(self) -> None:
        """
        A Connect that takes no clients, has no room, or did not say where it is, is
        nobody's alternative.
        """
        alternatives = Alternatives()
        alternatives.update(
            [
                connect("drained", 0, accepting=False),
                connect("full", 100),
                connect("hidden", 0, url=""),
                connect("c", 99),
            ]
        )
        self.assertEqual(alternatives.next(), ("wss://c",))

    def test_listed(self) -> None:
        """
        The addresses of the settings come last, each address once, and there are at
        most eight.
        """
        listed = ("wss://a", "wss://z")
        alternatives = Alternatives(lambda: listed)
        self.assertEqual(alternatives.next(), listed)
        alternatives.update([connect("b", 1), connect("a", 0)])
        self.assertEqual(alternatives.next(), ("wss://a", "wss://b", "wss://z"))
        alternatives.update([connect(f"n{i}", i) for i in range(20)])
        found = alternatives.next()
        self.assertEqual(found, tuple(f"wss://n{i}" for i in range(MOST_ADDRESSES)))


class SurplusTests(SynchronousTestCase):
    """
    L{surplus}.
    """

    def test_new_connect(self) -> None:
        """
        After one is added to two, each of those has a third too many; the share is
        rounded up, so that clients do not move to and fro.
        """
        own = connect("a", 300, 1000)
        others = [connect("b", 300, 1000), connect("c", 0, 1000)]
        self.assertEqual(surplus(own, others), 100)
        self.assertEqual(surplus(connect("a", 2), [connect("b", 1)]), 0)

    def test_share_by_capacity(self) -> None:
        """
        A Connect that may have twice as many sessions has a share twice as large.
        """
        small, large = connect("a", 60, 100), connect("b", 60, 200)
        self.assertEqual(surplus(small, [large]), 20)
        self.assertEqual(surplus(large, [small]), 0)

    def test_nobody_else(self) -> None:
        """
        Without another Connect that takes clients, nobody moves.
        """
        own = connect("a", 60)
        self.assertEqual(surplus(own, []), 0)
        self.assertEqual(surplus(own, [connect("b", 0, accepting=False)]), 0)
