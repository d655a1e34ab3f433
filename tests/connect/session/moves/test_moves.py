"""
Tests of drains, stops and rebalancing.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, fail
from twisted.trial.unittest import SynchronousTestCase

from tests.connect.session.doubles import Client, FakeNode
from tests.connect.session.moves.doubles import moves_of, ready_health
from tests.connect.session.moves.test_alternatives import connect
from wsmsg.connect.edge.admission import Admission
from wsmsg.connect.session.moves.alternatives import OtherConnect
from wsmsg.connect.session.moves.moves import Phase
from wsmsg.errors import Close, Unavailable
from wsmsg.protocol.frames import Goaway, Hello
from wsmsg.settings.upstream import ConnectDrainSettings


class MovesTestCase(SynchronousTestCase):
    """
    A node whose clients move.
    """

    def setUp(self) -> None:
        self.node = FakeNode()
        self.configure(drain=ConnectDrainSettings(per_s=4))
        self.others: list[OtherConnect] | None = []
        self.asked = 0
        self.health = ready_health(self.node)
        self.admission = Admission(self.node.settings.limits, self.node.clock)
        self.moves = moves_of(
            self.node, self.read_others, admission=self.admission, health=self.health
        )

    def configure(self, **changed: Any) -> None:
        settings = self.node.registry.settings.model_copy(update=changed)
        self.node.registry.apply_settings(settings)

    def read_others(self) -> Deferred[list[OtherConnect]]:
        self.asked += 1
        if self.others is None:
            return fail(Unavailable("no Message is connected", 500))
        done: Deferred[list[OtherConnect]] = Deferred()
        done.callback(self.others)
        return done

    def clients(self, n: int) -> list[Client]:
        return [self.node.log_in(1001 + i) for i in range(n)]

    def pass_time(self, seconds: float) -> None:
        for _ in range(round(seconds / 0.25)):
            self.node.clock.advance(0.25)
            self.moves.sweep()
            self.node.registry.timers.sweep()

    def gone(self, clients: list[Client]) -> int:
        return sum(c.peer.code is Close.DRAIN for c in clients)


class DrainTests(MovesTestCase):
    """
    A drain.
    """

    def test_paced(self) -> None:
        """
        Clients are asked to move at the pace of the settings, with the address of a
        Connect that has room, then closed with 1012; when the last has gone, the
        Connect is drained.
        """
        self.others = [connect("b", 0)]
        clients = self.clients(8)
        stranger = self.node.client()
        self.moves.drain(None, None)
        self.assertFalse(self.health.ready)
        self.assertEqual(self.health.reason(), "an operator drains this Connect")
        self.assertEqual(stranger.peer.code, Close.DRAIN)
        self.pass_time(1)
        self.assertEqual(self.gone(clients), 4)
        self.assertEqual(self.moves.status()["to_ask"], 4)
        self.pass_time(1)
        self.assertEqual(self.gone(clients), 8)
        (goaway,) = clients[0].heard()
        self.assertEqual(goaway, Goaway("draining", 100, ("wss://b",)))
        self.assertIs(self.moves.phase, Phase.DRAINING)
        for client in [stranger, *clients]:
            client.hang_up()
        self.assertIs(self.moves.phase, Phase.DRAINED)
        self.assertEqual(self.moves.status()["asked"], 8)

    def test_lead_time(self) -> None:
        """
        Newcomers are served during the lead time, and refused after it: handshakes with
        a reason, and a login of an open connection with 1012.
        """
        self.moves.drain(None, 2.0)
        self.assertFalse(self.health.ready)
        early = self.node.log_in(1001)
        self.pass_time(1.75)
        self.assertEqual(early.heard(), [])
        self.assertIsNone(self.admission.admit_handshake("192.0.2.1"))
        late = self.node.client()
        self.pass_time(0.25)
        refused = self.admission.admit_handshake("192.0.2.1")
        assert isinstance(refused, Unavailable)
        self.assertEqual(refused.reason, "this Connect is being drained")
        late.say(Hello("token-1002"))
        self.assertEqual(late.peer.code, Close.DRAIN)
        self.pass_time(0.25)
        self.assertEqual(early.peer.code, Close.DRAIN)

    def test_undone(self) -> None:
        """
        A drain that is undone asks no further client, and clients may log in again.
        """
        clients = self.clients(8)
        self.moves.drain(None, None)
        self.pass_time(1)
        self.moves.undo()
        self.pass_time(5)
        self.assertEqual(self.gone(clients), 4)
        self.assertTrue(self.health.ready)
        self.assertIsNone(self.admission.admit_handshake("192.0.2.1"))
        self.node.log_in(2001)
        self.assertIs(self.moves.phase, Phase.SERVING)

    def test_other_pace(self) -> None:
        """
        A second request changes the pace of those who are left.
        """
        clients = self.clients(8)
        self.moves.drain(1, None)
        self.pass_time(2)
        self.assertEqual(self.gone(clients), 2)
        self.moves.drain(8, None)
        self.pass_time(1)
        self.assertEqual(self.gone(clients), 8)

    def test_no_answer(self) -> None:
        """
        A Message that does not answer delays the drain by a second.
        """
        self.moves = moves_of(self.node, Deferred, health=self.health)
        clients = self.clients(4)
        self.moves.drain(None, None)
        self.pass_time(0.75)
        self.assertEqual(self.gone(clients), 0)
        self.pass_time(1.25)
        self.assertEqual(self.gone(clients), 4)

    def test_others_busy(self) -> None:
        """
        While no other Connect takes clients, nobody is asked to move; then the pace is
        as before.
        """
        self.others = [connect("b", 0, accepting=False)]
        clients = self.clients(8)
        self.moves.drain(None, None)
        self.pass_time(20)
        self.assertEqual(self.gone(clients), 0)
        self.assertTrue(self.moves.status()["others_busy"])
        self.others = [connect("b", 0)]
        self.pass_time(1)
        self.assertLessEqual(self.gone(clients), 4)
        self.pass_time(2)
        self.assertEqual(self.gone(clients), 8)

    def test_stop_while_busy(self) -> None:
        """
        A stop asks all the same.
        """
        self.others = [connect("b", 0, accepting=False)]
        clients = self.clients(4)
        self.moves.stop(10)
        self.pass_time(2)
        self.assertEqual(self.gone(clients), 4)

    def test_slower(self) -> None:
        """
        A second drain may be slower than the first.
        """
        clients = self.clients(8)
        self.moves.drain(8, None)
        self.pass_time(0.25)
        self.moves.drain(1, None)
        self.pass_time(3)
        self.assertEqual(self.gone(clients), 5)

    def test_looks_again(self) -> None:
        """
        The other Connects are read every two seconds while clients move, and without
        an answer the addresses of the settings count.
        """
        self.others = None
        self.configure(alternatives=("wss://listed",))
        clients = self.clients(16)
        self.moves.drain(None, None)
        self.pass_time(4)
        self.assertEqual(self.asked, 3)
        (goaway,) = clients[0].heard()
        self.assertEqual(goaway, Goaway("draining", 100, ("wss://listed",)))
        self.pass_time(10)
        self.assertEqual(self.asked, 3)


class StopTests(MovesTestCase):
    """
    A stop.
    """

    def test_pace(self) -> None:
        """
        A stop keeps the pace where there is time for it; the wait ends when no
        connection is left.
        """
        clients = self.clients(4)
        left = self.moves.stop(10)
        self.pass_time(0.5)
        self.assertEqual(self.gone(clients), 2)
        self.pass_time(0.5)
        self.assertEqual(clients[0].heard(), [Goaway("stopping", 100)])
        for client in clients:
            self.assertNoResult(left)
            client.hang_up()
        self.assertIsNone(self.successResultOf(left))

    def test_no_time(self) -> None:
        """
        Clients are asked sooner if there is no time for the pace.
        """
        clients = self.clients(16)
        self.moves.stop(1)
        self.pass_time(1)
        self.assertEqual(self.gone(clients), 16)

    def test_nobody(self) -> None:
        """
        Without clients a stop ends at once.
        """
        self.assertIsNone(self.successResultOf(self.moves.stop(10)))


class RebalanceTests(MovesTestCase):
    """
    A rebalancing.
    """

    def rebalance(self) -> int:
        return self.successResultOf(Deferred.fromCoroutine(self.moves.rebalance(None)))

    def test_surplus(self) -> None:
        """
        Only the clients above the share move; the Connect stays ready.
        """
        self.others = [connect("b", 0)]
        clients = self.clients(8)
        self.assertEqual(self.rebalance(), 4)
        self.pass_time(5)
        self.assertEqual(self.gone(clients), 4)
        self.assertEqual(clients[0].heard(), [Goaway("rebalancing", 100, ("wss://b",))])
        self.assertTrue(self.health.ready)
        self.node.log_in(2001)

    def test_balanced(self) -> None:
        """
        Nobody moves from a Connect that has its share.
        """
        self.others = [connect("b", 8)]
        clients = self.clients(8)
        self.assertEqual(self.rebalance(), 0)
        self.pass_time(5)
        self.assertEqual(self.gone(clients), 0)

    def test_refused(self) -> None:
        """
        While the others are not known, or this Connect is drained, it is refused.
        """
        self.others = None
        self.failureResultOf(
            Deferred.fromCoroutine(self.moves.rebalance(None)), Unavailable
        )
        self.others = [connect("b", 0)]
        self.moves.drain(None, None)
        self.failureResultOf(
            Deferred.fromCoroutine(self.moves.rebalance(None)), Unavailable
        )
