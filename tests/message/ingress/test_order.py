"""
The order of one sender's messages to a group, while the store and the journal are slow
and fail.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from tests.message.ingress.group_case import GroupCase
from tests.message.ingress.simulated_order import Simulation
from tests.message.store.group_contract import CREW
from wsmsg.errors import Unavailable
from wsmsg.message.ingress.group_rules import CONFIRMED_S
from wsmsg.message.ingress.interface import SendRequest
from wsmsg.model import TEXT


class SimulatedOrderTests(SynchronousTestCase):
    """
    The order of a sender in a simulation, over many seeds.
    """

    def test_seeds(self) -> None:
        """
        The first records of a sender's messages are in the order of its sends, whatever
        is late, fails or is given up.
        """
        for seed in (*range(40), 83, 103, 237, 1148, 2030):
            simulation = Simulation(seed)
            simulation.run()
            first = list(dict.fromkeys(simulation.journal.records))
            self.assertEqual(first, simulation.sent, f"seed {seed}")


class JudgedOrderTests(GroupCase):
    """
    Sends that are judged while others of their sender are refused.

    @ivar looking: the store's answers about members, which the test gives.
    @ivar told: the answers of the ingress, by client id, oldest first.
    """

    def setUp(self) -> None:
        super().setUp()
        self.looking: list[Deferred[Any]] = []
        self.store.readable_from = self._look  # type: ignore[method-assign]
        self.told: list[tuple[str, str]] = []

    def _look(self, keys: object) -> Deferred[Any]:
        looking: Deferred[Any] = Deferred()
        self.looking.append(looking)
        return looking

    def reply(self, answers: Any) -> None:
        for request, answer in answers:
            code = "accepted" if isinstance(answer, int) else answer.code
            self.told.append((request.client_id, code))

    def come(self, *client_ids: str) -> None:
        """
        Let sends arrive, each by itself.
        """
        for client_id in client_ids:
            self.offer(SendRequest(0, 1, client_id, CREW, "hi", TEXT))

    def allow(self) -> None:
        """
        Let the oldest question to the store be answered: the sender is a member.
        """
        self.looking.pop(0).callback({(CREW, 1): 1})

    def lose(self) -> None:
        """
        Let the oldest question to the store fail.
        """
        self.looking.pop(0).errback(Unavailable("the store failed"))

    def test_comes_again_while_the_next_is_judged(self) -> None:
        """
        A send that was refused, and waits to be judged once more, is not overtaken by
        the next one, which was judged meanwhile.
        """
        self.come("1", "2")
        self.lose()
        self.assertEqual(self.told, [("1", "unavailable")])
        self.come("1", "3")
        self.allow()
        self.assertEqual(self.told[1:], [("2", "unavailable")])
        self.allow()
        self.assertEqual(self.told[2:], [("3", "unavailable")])
        self.come("2", "3")
        self.assertEqual(self.said(), ["1", "2", "3"])

    def test_comes_again_behind_those_held(self) -> None:
        """
        A send whose append failed, and that is judged together with a later one which
        was held meanwhile, goes before it.
        """
        self.come("1")
        self.allow()
        self.now += int(CONFIRMED_S * 1000)
        self.come("2", "2")
        self.journal.appends.pop()[1].errback(Unavailable("the broker failed"))
        self.come("1")
        self.allow()
        self.assertEqual(self.said(), [])
        self.allow()
        self.assertEqual(self.said(), ["1", "2"])

    def test_refused_after_they_were_judged(self) -> None:
        """
        Sends that are allowed together, and refused as they are admitted, keep their
        places before those that are still held.
        """
        self.come("0")
        self.come("1", "2")
        self.allow()
        self.come("3")
        self.ingress.limit = 1
        self.allow()
        self.assertEqual(self.told, [("1", "overloaded"), ("2", "unavailable")])
        self.ingress.limit = 20
        self.allow()
        self.come("1", "2", "3")
        self.assertEqual(self.said(), ["0", "1", "2", "3"])

    def test_copy_of_an_accepted_send(self) -> None:
        """
        A copy that is refused after another one was accepted raises no fence: its
        sender, who has its answer, would not repeat it.
        """
        self.come("1", "1")
        self.allow()
        self.durable()
        self.lose()
        self.come("2")
        self.durable()
        codes = ["1", "1", "2"]
        self.assertEqual(self.told, [(each, "accepted") for each in codes])
        self.assertEqual(self.said(), ["1", "2"])
