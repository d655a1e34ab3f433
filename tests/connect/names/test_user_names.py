"""
Tests of L{wsmsg.connect.names.user_names}.
"""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.connect.names.doubles import ANNA, BERTA, FakeStore, number
from wsmsg.connect.names.user_names import NAMELESS_S, UserNames
from wsmsg.errors import Unavailable
from wsmsg.names import FIRST


class UserNamesTests(SynchronousTestCase):
    """
    Known names cost nothing, and the others are asked for in batches.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.store = FakeStore("anna", "berta")
        self.names = UserNames(self.store.query, self.clock, cached=1000)

    def test_one_query_of_a_turn(self) -> None:
        """
        All logins of one turn of the reactor cost one query, and those of users who are
        known none.
        """
        claimed = [self.names.claim(f"user-{n}") for n in range(500)]
        claimed += [self.names.claim("anna")]
        self.clock.advance(0)
        self.assertEqual(len(self.store.asked), 1)
        numbers = [self.successResultOf(one) for one in claimed]
        self.assertEqual(numbers[-1], ANNA)
        self.assertEqual(len(set(numbers)), 501)
        again = self.successResultOf(self.names.claim("user-7"))
        self.assertEqual(again, number("user-7"))
        self.assertEqual(len(self.store.asked), 1)

    def test_both_ways(self) -> None:
        """
        One look-up finds names and users; digits stand for the user with that number,
        unless it is one that is given to names.
        """
        wanted = ["anna", "nobody", "1001", str(FIRST), "01", ""]
        found = self.names.find(wanted, [BERTA, 7])
        self.clock.advance(0)
        users = self.successResultOf(found)
        self.assertEqual(users, {"anna": ANNA, "berta": BERTA, "1001": 1001})
        self.assertEqual(
            self.names.among([ANNA, BERTA, 7]),
            {
                ANNA: "anna",
                BERTA: "berta",
            },
        )

    def test_bounded(self) -> None:
        """
        The oldest names are forgotten, and looked up again.
        """
        for n in range(0, 3000, 500):
            for name in range(n, n + 500):
                self.names.claim(f"user-{name}")
            self.clock.advance(0)
        self.assertEqual(len(self.names), 1000)
        found = self.names.claim("user-1")
        self.assertNoResult(found)
        self.clock.advance(0)
        self.assertEqual(self.successResultOf(found), number("user-1"))

    def test_many_at_once(self) -> None:
        """
        A query has at most a thousand names.
        """
        found = self.names.find([f"user-{n}" for n in range(2500)], [ANNA])
        self.clock.advance(0)
        self.assertEqual(self.successResultOf(found), {"anna": ANNA})
        sizes = [len(names) + len(users) for names, users, _ in self.store.asked]
        self.assertEqual(sum(sizes), 2501)
        self.assertLessEqual(max(sizes), 1000)

    def test_user_without_name(self) -> None:
        """
        A number that no name has is not asked for again and again.
        """
        for _ in range(2):
            found = self.names.find((), [FIRST + 5])
            self.clock.advance(0)
            self.assertEqual(self.successResultOf(found), {})
        self.assertEqual(len(self.store.asked), 1)
        self.clock.advance(NAMELESS_S)
        self.names.find((), [FIRST + 5])
        self.clock.advance(0)
        self.assertEqual(len(self.store.asked), 2)

    def test_away(self) -> None:
        """
        While Message is away each look-up has the error, what is known stays known, and
        an answer is passed on without names.
        """
        self.names.claim("anna")
        self.clock.advance(0)
        self.store.at_once = False
        failing = [self.names.claim("berta"), self.names.claim("carl")]
        answer = self.names.prepare({"no": "users"})
        self.successResultOf(answer)
        self.clock.advance(0)
        self.store.fail()
        for one in failing:
            self.failureResultOf(one, Unavailable)
        self.assertEqual(self.successResultOf(self.names.claim("anna")), ANNA)
        self.assertEqual((self.names.asked, self.names.failed), (2, 1))
        self.assertEqual(self.clock.getDelayedCalls(), [])
