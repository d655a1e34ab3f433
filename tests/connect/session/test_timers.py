"""
Timers: syncs, moves and deadlines.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.connect.session.doubles import NOW_S, FakeNode
from wsmsg.connect.session.session import Session
from wsmsg.connect.session.timers import Deadlines, PacedQueue
from wsmsg.protocol import frames
from wsmsg.protocol.frames import Hello, Resync


class ResyncTests(SynchronousTestCase):
    """
    Requests to sync, to many clients.
    """

    def test_spread(self) -> None:
        """
        Every client is told once, evenly over the time of the setting.
        """
        node = FakeNode()
        clients = [node.log_in(i) for i in range(1, 13)]
        node.registry.resync("a loss", 0.0)
        told = []
        for _ in range(4):
            node.pass_time(node.settings.resync_spread_s / 4)
            told.append(sum(len(c.peer.written) for c in clients))
        self.assertEqual(told, [3, 6, 9, 12])
        self.assertEqual(clients[0].heard(), [Resync("a loss")])
        node.pass_time(100)
        self.assertEqual(node.registry.counters.resyncs, 12)

    def test_some(self) -> None:
        """
        Only sessions opened during the loss are told, if that suffices.
        """
        node = FakeNode()
        before = node.log_in(1)
        node.pass_time(10)
        after = node.log_in(2)
        node.registry.resync("a loss", NOW_S + 5)
        node.pass_time(10)
        self.assertEqual([len(before.heard()), len(after.heard())], [0, 1])

    def test_one_that_fails(self) -> None:
        """
        A session whose timer raises is logged, and the timers of the others, which are
        due in the same sweep, are served.
        """
        node = FakeNode()
        clients = [node.log_in(i) for i in range(1, 4)]

        resync = Session.resync

        def broken(session: Session, reason: str) -> None:
            if session is clients[0].session:
                raise RuntimeError("a bug")
            resync(session, reason)

        self.patch(Session, "resync", broken)
        node.registry.resync("a loss", 0.0)
        node.pass_time(100)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.assertEqual([len(c.heard()) for c in clients], [0, 1, 1])

    def test_before_welcome(self) -> None:
        """
        A client that is not welcomed yet is told right after its welcome.
        """
        node = FakeNode()
        node.upstream.joined_d = Deferred()
        client = node.client()
        client.say(Hello("token-1001"))
        node.registry.resync("a loss", 0.0)
        node.pass_time(5)
        self.assertEqual(client.heard(), [])
        node.upstream.joined_d.callback(True)
        kinds = [type(f) for f in client.heard()]
        self.assertEqual(kinds, [frames.Welcome, Resync])

    def test_gone(self) -> None:
        """
        A client that has gone meanwhile is not told.
        """
        node = FakeNode()
        client = node.log_in(1)
        node.registry.resync("a loss", 0.0)
        client.hang_up()
        node.pass_time(10)
        self.assertEqual(client.heard(), [])


class TimerTests(SynchronousTestCase):
    """
    L{Deadlines} and L{PacedQueue}.
    """

    def test_deadlines(self) -> None:
        """
        Items are returned when they are due, once, and not if they were dropped.
        """
        deadlines: Deadlines[str] = Deadlines()
        for i, name in enumerate("abcd"):
            deadlines.add(name, float(i))
        deadlines.drop("b")
        deadlines.add("a", 9.0)
        self.assertEqual(deadlines.take(1.9), [])
        self.assertEqual(deadlines.take(2.0), ["c"])
        self.assertEqual(deadlines.take(3.0), ["d"])
        self.assertEqual(deadlines.take(9.0), ["a"])
        self.assertEqual(len(deadlines), 0)

    def test_spread(self) -> None:
        """
        All items are returned by the end; at once if there is no time to spread them
        over.
        """
        spread: PacedQueue[int] = PacedQueue()
        spread.add(range(10), 100.0, 2.0)
        self.assertEqual(spread.take(100.0), [])
        self.assertEqual(spread.take(100.5), [0, 1])
        spread.drop(9)
        self.assertEqual(spread.take(102.0), [2, 3, 4, 5, 6, 7, 8])
        spread.add(range(3), 103.0, 0.0)
        self.assertEqual(spread.take(103.0), [0, 1, 2])

    def test_spread_while_others_come(self) -> None:
        """
        Items are returned within the time that they were added with, however many are
        added meanwhile; one that is added again keeps its time.
        """
        spread: PacedQueue[int] = PacedQueue()
        spread.add(range(1000), 0.0, 3.0)
        taken: list[int] = []
        for tenth in range(31):
            now = tenth / 10
            spread.add(range(1000 + 50 * tenth, 1050 + 50 * tenth), now, 3.0)
            spread.add([999], now, 3.0)
            taken += [item for item in spread.take(now) if item < 1000]
        self.assertEqual(sorted(taken), list(range(1000)))
        spread.take(6.0)
        self.assertEqual(len(spread), 0)

    def test_no_timers(self) -> None:
        """
        Sessions leave no timers on the clock.
        """
        node = FakeNode()
        node.log_in(1001).hang_up()
        node.context.lines.stop()
        self.assertIsInstance(node.clock, Clock)
        self.assertEqual(node.clock.getDelayedCalls(), [])
