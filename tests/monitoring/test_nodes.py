"""
The other nodes, as a daemon knows them.
"""

from __future__ import annotations

from collections.abc import Sequence

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from wsmsg.message.cluster.nodes import GONE, peer_nodes
from wsmsg.monitoring.nodes import GONE_S, MOST, KnownNodes, PeerNode


def connect(name: str, about: str = "2 users", *, up: bool = True) -> PeerNode:
    """
    Return a Connect.
    """
    return PeerNode(name, "connect", up, about)


class KnownNodesTests(SynchronousTestCase):
    """
    L{KnownNodes}.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.nodes = KnownNodes(self.clock.seconds, self.clock.seconds, GONE)

    def shown(self) -> Sequence[tuple[object, ...]]:
        """
        Return the name, the state, the age and the words of each node.
        """
        return [
            (n["node"], n["up"], n["since"], n["about"]) for n in self.nodes.document()
        ]

    def test_gone(self) -> None:
        """
        A node that is gone is named, before those that answer, since it is gone; it is
        forgotten after a while.
        """
        self.nodes.look([connect("a"), connect("b")])
        self.clock.advance(10)
        self.nodes.look([connect("a"), connect("b", "its stream ended", up=False)])
        self.clock.advance(10)
        self.nodes.look([connect("a", "3 users")])
        self.assertEqual(
            self.shown(),
            [
                ("b", False, "1970-01-01T00:00:10.000+00:00", GONE["connect"]),
                ("a", True, "1970-01-01T00:00:00.000+00:00", "3 users"),
            ],
        )
        self.clock.advance(GONE_S - 11)
        self.nodes.look([connect("a")])
        self.assertEqual(len(self.shown()), 2)
        self.clock.advance(1)
        self.nodes.look([connect("a")])
        self.assertEqual([row[0] for row in self.shown()], ["a"])

    def test_back(self) -> None:
        """
        A node that comes back answers, since it is back.
        """
        self.nodes.look([connect("a")])
        self.nodes.look([])
        self.clock.advance(7)
        self.nodes.look([connect("a")])
        self.assertEqual(
            self.shown(), [("a", True, "1970-01-01T00:00:07.000+00:00", "2 users")]
        )

    def test_bound(self) -> None:
        """
        There is a bound on the nodes that are kept.
        """
        self.nodes.look([connect(str(n)) for n in range(MOST + 5)])
        self.assertEqual(len(self.nodes.document()), MOST)


class PeerNodesTests(SynchronousTestCase):
    """
    L{peer_nodes}.
    """

    def test_nodes(self) -> None:
        """
        The Connects are those with a stream, the Messages those of the list but for
        this one; what Connects do not reach does not answer.
        """
        link = {"node": "c1", "everything": False, "open": True, "users": 4}
        links = [
            {**link, "unacknowledged": 0, "oldest_s": 0.0, "page": "http://c1:5/"},
            {**link, "node": "c2", "unacknowledged": 3, "oldest_s": 2.5},
            {**link, "node": "c3", "open": False, "unacknowledged": 0},
            {**link, "node": "m9", "everything": True, "unacknowledged": 0},
        ]
        found = list(
            peer_nodes(links, "own:1", ["a:1", "own:1", "b:1"], {"b:1": ["c1"]})
        )
        self.assertEqual(
            [(n.name, n.kind, n.up) for n in found],
            [
                ("c1", "connect", True),
                ("c2", "connect", True),
                ("c3", "connect", False),
                ("m9", "message", True),
                ("a:1", "message", True),
                ("b:1", "message", False),
            ],
        )
        self.assertIn("3 pushes not acknowledged, the oldest for 2.5 s", found[1].about)
        self.assertEqual(found[-1].about, "not reached by c1")
        self.assertEqual([n.page for n in found if n.page], ["http://c1:5/"])
        document = found[0].document("then")
        self.assertEqual(
            (document["since"], document["page"]), ("then", "http://c1:5/")
        )
        self.assertNotIn("page", found[1].document("then"))
