"""
The behaviour of every store when it maps names to users.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from twisted.internet.defer import gatherResults
from twisted.trial.unittest import TestCase
from zope.interface.verify import verifyObject

from wsmsg.message.store.roles import INames
from wsmsg.names import FIRST, candidates, is_given


class Place(Protocol):
    """
    The names of a store, for a test that opens them several times.
    """

    async def first(self) -> INames:
        """Open them first."""

    async def second(self) -> INames:
        """Open them once more at the same time, as another Message does."""

    async def killed(self) -> INames:
        """Open them as after a kill."""

    async def use(self, user: int) -> None:
        """Give a user a conversation."""


#: Names that a careless comparison takes for the same.
ALIKE = [
    *("anna", "Anna", "ANNA", "anna@a.example", "anna@A.example", "an na", "anna."),
    *("\N{GREEK SMALL LETTER FINAL SIGMA}", "\N{GREEK SMALL LETTER SIGMA}"),
    *("stra\N{LATIN SMALL LETTER SHARP S}e", "strasse", "/", "$user", "a/b", "%2F"),
    *("\N{LATIN SMALL LIGATURE FI}", "fi", "x' OR 1", "\N{SMILING FACE WITH HALO}"),
    *("n" * 128, "n" * 127),
]


def make_name_tests(make_place: Callable[[TestCase], Place]) -> type[TestCase]:
    """
    Return the tests of the names at a place.
    """

    class NameTests(TestCase):
        async def setUp(self) -> None:  # type: ignore[override]
            self.place = make_place(self)
            self.names = await self.place.first()
            verifyObject(INames, self.names)

        async def test_names_are_kept(self) -> None:
            """
            A name has one number and a number one name, for names that differ in a
            single byte too, and a kill changes nothing.
            """
            claimed = await self.names.claim(ALIKE)
            self.assertEqual(set(claimed), set(ALIKE))
            self.assertEqual(len(set(claimed.values())), len(ALIKE))
            self.assertTrue(all(map(is_given, claimed.values())))
            self.assertEqual({type(user) for user in claimed.values()}, {int})
            names = await self.place.killed()
            self.assertEqual(await names.claim(ALIKE[::-1]), claimed)
            self.assertEqual(await names.look_up(ALIKE, ()), claimed)
            users = list(claimed.values())
            self.assertEqual(await names.look_up((), users), claimed)

        async def test_look_up_both_ways(self) -> None:
            """
            One look-up finds users by name and names by user, and leaves out what
            nobody has.
            """
            claimed = await self.names.claim(["anna", "berta", "carl"])
            asked = (["anna", "nobody", "\ud800"], [claimed["berta"], FIRST, 7, 2**70])
            found = await self.names.look_up(*asked)
            self.assertEqual(found, {n: claimed[n] for n in ("anna", "berta")})
            self.assertEqual(await self.names.look_up((), ()), {})
            self.assertEqual(await self.names.claim(()), {})

        async def test_claims_at_once(self) -> None:
            """
            Many claims of the same names at once, from two Messages, give each name
            one number.
            """
            second = await self.place.second()
            wanted = [f"user-{n}" for n in range(40)]
            found = await gatherResults(
                (self.names, second)[n % 2].claim(wanted[n % 7 :: 1 + n % 3])
                for n in range(60)
            )
            claimed = await self.names.claim(wanted)
            self.assertEqual(len(set(claimed.values())), len(wanted))
            for some in found:
                self.assertEqual(some, {name: claimed[name] for name in some})

        async def test_numbers_in_use(self) -> None:
            """
            A name is not given the number of a user who has conversations already.
            """
            first, following, *_ = candidates("anna")
            await self.place.use(first)
            self.assertEqual(await self.names.claim(["anna"]), {"anna": following})

        async def test_number_that_is_taken(self) -> None:
            """
            A name whose first number another name has gets the next one.
            """
            first, following, *_ = candidates("anna")
            there = await self.names.keep({"somebody": first})
            self.assertEqual(there, {"somebody": first})
            self.assertEqual(await self.names.claim(["anna"]), {"anna": following})

        async def test_adopted_names(self) -> None:
            """
            Names of another store keep their numbers; where a name or a number is known
            here, what is here stays, and is told.
            """
            pairs = {"anna": FIRST + 1, "berta": FIRST + 2}
            self.assertEqual(await self.names.keep(pairs), pairs)
            self.assertEqual(await self.names.keep(pairs), pairs)
            others = {"anna": FIRST + 3, "carl": FIRST + 2, "dora": FIRST + 4}
            there = await self.names.keep(others)
            self.assertEqual(there, {**pairs, "dora": FIRST + 4})

    return NameTests
