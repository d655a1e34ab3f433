"""
Legacy clients that were closed for what they did.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.connect.legacy.clients.legacy_node import LegacyNode
from wsmsg.errors import Close


class NotHeardTests(SynchronousTestCase):
    """
    The messages of a client whose session has ended.
    """

    def test_not_heard_after_a_fault(self) -> None:
        """
        A client that was closed for what it did, or because it may not act any more, is
        not heard: neither what it sends after the close, nor what waited for its rate.
        """
        for code in (
            Close.UNAUTHENTICATED,
            Close.KICKED,
            Close.FORBIDDEN,
            Close.BAD_FRAME,
            Close.RATE_LIMITED,
        ):
            node = LegacyNode(sends_per_s=1, sends_burst=1)
            client = node.connect(7)
            client.say(8, "before", "waits")
            client.session.close(code, "it is over")
            self.assertFalse(client.session.reads_to_end)
            client.say(8, "after")
            client.acknowledge(5)
            client.drop()
            self.assertEqual(node.sent, ["before"])

    def test_heard_until_a_fault(self) -> None:
        """
        A client that is heard after the close of a node that stops is not heard any
        more when its session is ended as well.
        """
        node = LegacyNode()
        client = node.connect(7)
        client.session.close(Close.DRAIN, "stopping")
        client.say(8, "a")
        client.session.close(Close.KICKED, "kicked")
        client.say(8, "b")
        self.assertEqual(node.sent, ["a"])

    def test_refused_login(self) -> None:
        """
        A client whose login is refused is not heard.
        """
        node = LegacyNode(connections_per_user=1)
        node.connect(8)
        refused = node.connect(8)
        self.assertEqual(refused.peer.code, Close.RATE_LIMITED)
        refused.say(9, "all the same")
        self.assertEqual(node.sent, [])
