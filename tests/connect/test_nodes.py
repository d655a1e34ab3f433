"""
The other nodes of a Connect, for its status.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from wsmsg.connect.nodes import LOOK_S, OtherNodes
from wsmsg.connect.session.moves.alternatives import OtherConnect
from wsmsg.dependency.state import Dependency
from wsmsg.errors import Unavailable


class _Stream:
    name = "m:1"
    status_page = "http://m.example:23004/"


class _Upstream:
    """
    An upstream with a stream to one of two Messages.
    """

    up = True
    streams = (_Stream(),)

    def __init__(self, clock: Clock) -> None:
        names = ("message m:1", "message n:1")
        self._all = [Dependency(name, clock) for name in names]
        self._all[0].succeeded()

    def dependencies(self) -> list[Dependency]:
        return self._all


class OtherNodesTests(SynchronousTestCase):
    """
    L{OtherNodes}.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.others: Sequence[OtherConnect] | Exception = []
        self.asked = 0
        upstream: Any = _Upstream(self.clock)
        self.nodes = OtherNodes(upstream, self.read, self.clock, "wsmsg")

    async def read(self) -> Sequence[OtherConnect]:
        self.asked += 1
        if isinstance(self.others, Exception):
            raise self.others
        return self.others

    def test_messages(self) -> None:
        """
        Each Message is named, with its page if its stream has told it.
        """
        first, second = self.nodes.document()
        self.assertEqual((first["node"], first["up"]), ("m:1", True))
        self.assertEqual(first["page"], "http://m.example:23004/")
        self.assertEqual((second["node"], second["up"]), ("n:1", False))
        self.assertNotIn("page", second)

    def test_connects(self) -> None:
        """
        The other Connects are those that a Message tells of, asked every few seconds;
        one that it tells of no more is named as gone, and a failure changes nothing.
        """
        page = "http://two:23005/"
        self.others = [
            OtherConnect("two", "", 1, 9, True, page),
            OtherConnect("three", "", 4, 9, False),
        ]
        self.nodes.look()
        self.nodes.look()
        self.assertEqual(self.asked, 1)
        told = {n["node"]: n for n in self.nodes.document()[2:]}
        self.assertEqual(set(told), {"two", "three"})
        self.assertEqual(
            (told["two"]["about"], told["two"]["page"]), ("1 session", page)
        )
        self.assertEqual(told["three"]["about"], "4 sessions, takes no new clients")
        self.others = Unavailable("no Message")
        self.clock.advance(LOOK_S)
        self.nodes.look()
        self.assertEqual(len(self.nodes.document()), 4)
        self.others = []
        self.clock.advance(LOOK_S)
        self.nodes.look()
        gone = self.nodes.document()[2:]
        self.assertEqual([n["up"] for n in gone], [False, False])
        self.assertEqual(self.asked, 3)
