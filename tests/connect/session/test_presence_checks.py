"""
Tests of L{wsmsg.connect.session.checks.presence} (issue 11, row 14).
"""

from __future__ import annotations

from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from tests.connect.session.doubles import Client, FakeNode
from wsmsg.connect.session.checks.presence import MOST_A_SECOND, ROUND_S, PresenceChecks
from wsmsg.errors import Unavailable
from wsmsg.model import UserPresence
from wsmsg.protocol import frames


class PresenceChecksTests(SynchronousTestCase):
    """
    Two sessions watch a user.
    """

    def setUp(self) -> None:
        self.node = FakeNode()
        self.upstream = self.node.upstream
        self.upstream.judges = True
        self.checks = PresenceChecks(
            self.node.registry, self.upstream, self.node.clock.seconds
        )
        self.one, self.two = (self.watching(user) for user in (1, 2))

    def watching(self, user: int, count: int = 1) -> Client:
        """
        Return a client that watches users from 5 on, all of them online.
        """
        client = self.node.log_in(user)
        users = tuple(range(5, 5 + count))
        client.say(frames.Watch(users))
        self.upstream.asked.pop().callback([UserPresence(u, True) for u in users])
        client.heard()
        return client

    def heard(self, client: Client) -> list[tuple[int, bool, int]]:
        """
        Return what a client was told.
        """
        return [(f.user, f.online, f.last_seen) for f in client.heard()]  # type: ignore[union-attr]

    def answer(self, *, online: bool = True, hidden: bool = False) -> None:
        """
        Answer the query that is under way.
        """
        self.upstream.asked.pop().callback([UserPresence(5, online, 9, hidden)])

    def test_row_14_block(self) -> None:
        """
        Only the blocked user is told that the other is offline, once, and hears no
        more until the block ends.
        """
        registry = self.node.registry
        registry.blocked(5, 1)
        self.answer(hidden=True)
        self.assertEqual(self.heard(self.one), [(5, False, 0)])
        registry.presence(UserPresence(5, False, 9))
        registry.presence(UserPresence(5, True))
        registry.blocked(5, 1)
        self.answer(hidden=True)
        self.assertEqual(self.heard(self.one), [])
        self.assertEqual(self.heard(self.two), [(5, False, 9), (5, True, 0)])
        registry.blocked(5, 1)
        self.answer()
        self.assertEqual(self.heard(self.one), [(5, True, 0)])

    def test_row_14_offline_already(self) -> None:
        """
        The block of somebody who is offline is not told at all.
        """
        self.node.registry.blocked(5, 1)
        self.answer(online=False, hidden=True)
        self.assertEqual(self.heard(self.one), [])

    def test_row_14_rounds(self) -> None:
        """
        Everything is judged again in rounds, at a bounded rate.
        """
        for user in range(10, 17):
            self.watching(user, 400)
        asked = self.upstream.asked
        self.node.clock.advance(ROUND_S)
        self.checks.sweep()
        self.checks.sweep()
        users = sum(len(c[1]) for c in self.upstream.calls[-len(asked) :])
        self.assertEqual((len(asked), users), (7, 2 + 5 * 400))
        self.assertGreaterEqual(users, MOST_A_SECOND)
        for one in asked:
            one.callback([])
        asked.clear()
        self.checks.sweep()
        self.assertEqual(asked, [])
        self.node.clock.advance(1)
        self.checks.sweep()
        self.assertEqual(len(asked), 2)

    def test_row_14_nothing_is_hidden(self) -> None:
        """
        While nothing is hidden from anybody, a round is one empty query.
        """
        self.upstream.judges = False
        self.node.clock.advance(ROUND_S)
        self.checks.sweep()
        self.assertEqual(self.upstream.calls[-1], ("presence", ()))
        self.assertEqual(len(self.upstream.asked), 1)

    def test_row_14_first_block_of_all(self) -> None:
        """
        A round begins at once when Message says that something may be hidden.
        """
        self.test_row_14_nothing_is_hidden()
        self.upstream.judges = True
        self.upstream.asked.pop().callback([])
        self.node.clock.advance(1)
        self.checks.sweep()
        self.assertEqual(len(self.upstream.asked), 2)

    def test_row_14_message_does_not_answer(self) -> None:
        """
        A check that fails is repeated before the next round.
        """
        self.node.registry.blocked(5, 1)
        self.upstream.asked.pop().errback(Failure(Unavailable("down")))
        self.node.clock.advance(1)
        self.checks.sweep()
        self.answer(hidden=True)
        self.assertEqual(self.heard(self.one), [(5, False, 0)])
