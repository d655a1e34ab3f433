"""
The contract of every L{IPresence}.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from twisted.internet.task import Clock
from twisted.trial.unittest import TestCase
from zope.interface.verify import verifyObject

from wsmsg.dependency.state import State
from wsmsg.message.presence.interface import LEASE_S, IPresence
from wsmsg.model import UserPresence


def make_presence_tests(
    make_presence: Callable[[TestCase, Clock], Awaitable[IPresence]],
) -> type[TestCase]:
    """
    Make the tests of the behaviour of every L{IPresence} with a lease of L{LEASE_S}.
    """

    class PresenceTests(TestCase):
        async def setUp(self) -> None:  # type: ignore[override]
            self.clock = Clock()
            self.clock.advance(1000)
            self.presence = await make_presence(self, self.clock)
            verifyObject(IPresence, self.presence)

        async def online(self, *users: int) -> list[bool]:
            """
            Return whether each of the users is online.
            """
            return [p.online for p in await self.presence.look_up(users)]

        async def test_never_seen(self) -> None:
            """
            A user who was never online is offline, and was never seen.
            """
            self.assertEqual(
                await self.presence.look_up([7, 8]),
                [UserPresence(7, False, 0), UserPresence(8, False, 0)],
            )

        async def test_come_and_leave(self) -> None:
            """
            A user is online from joining to leaving, and was last seen at the latter.
            """
            await self.presence.change("a", [7], [])
            self.assertEqual(await self.online(7, 8), [True, False])
            self.clock.advance(2)
            await self.presence.change("a", [], [7])
            self.clock.advance(1)
            self.assertEqual(
                await self.presence.look_up([7]), [UserPresence(7, False, 1002_000)]
            )

        async def test_order(self) -> None:
            """
            The result has the order of the query, with repeated users.
            """
            await self.presence.change("a", [7], [])
            found = await self.presence.look_up([8, 7, 8])
            self.assertEqual([p.user for p in found], [8, 7, 8])

        async def test_replace(self) -> None:
            """
            After a replace the Connect has these users and no others.
            """
            await self.presence.replace("a", [1, 2])
            await self.presence.replace("b", [3])
            await self.presence.replace("a", [2, 4])
            self.assertEqual(await self.online(1, 2, 3, 4), [False, True, True, True])

        async def test_two_places(self) -> None:
            """
            A user at two Connects is online until they have left both.
            """
            await self.presence.change("a", [7], [])
            await self.presence.change("b", [7], [])
            await self.presence.change("a", [], [7])
            self.assertEqual(await self.online(7), [True])
            await self.presence.forget("b")
            self.assertEqual(await self.online(7), [False])

        async def test_repeats(self) -> None:
            """
            Reporting twice that a user joined or left equals reporting it once.
            """
            await self.presence.change("a", [7, 7], [])
            await self.presence.change("a", [7], [])
            await self.presence.change("a", [], [7])
            self.assertEqual(await self.online(7), [False])
            await self.presence.change("a", [], [7, 9])
            self.assertEqual(await self.online(7, 9), [False, False])

        async def test_lease(self) -> None:
            """
            A Connect that is silent for its lease is removed with its users, who were
            last seen at its last renewal.
            """
            await self.presence.replace("a", [7])
            self.clock.advance(LEASE_S - 0.01)
            self.assertEqual(await self.online(7), [True])
            self.clock.advance(0.02)
            self.assertEqual(
                await self.presence.look_up([7]), [UserPresence(7, False, 1000_000)]
            )

        async def test_renew(self) -> None:
            """
            A Connect that renews its lease keeps its users.
            """
            await self.presence.replace("a", [7])
            await self.presence.replace("b", [8])
            for _ in range(3):
                self.clock.advance(LEASE_S - 1)
                await self.presence.renew("a")
            self.assertEqual(await self.online(7, 8), [True, False])

        async def test_change_renews(self) -> None:
            """
            A change renews the lease as well.
            """
            await self.presence.replace("a", [7])
            self.clock.advance(LEASE_S - 1)
            await self.presence.change("a", [8], [])
            self.clock.advance(LEASE_S - 1)
            self.assertEqual(await self.online(7, 8), [True, True])

        async def test_forget(self) -> None:
            """
            Forgetting a Connect removes its users; forgetting an unknown one has no
            effect.
            """
            await self.presence.replace("a", [7])
            await self.presence.forget("a")
            await self.presence.forget("never")
            self.assertEqual(await self.online(7), [False])

        async def test_back_after_the_lease(self) -> None:
            """
            A Connect that returns after its lease has the users that it names then.
            """
            await self.presence.replace("a", [7, 8])
            self.clock.advance(LEASE_S + 1)
            await self.presence.renew("a")
            self.assertEqual(await self.online(7, 8), [False, False])
            await self.presence.replace("a", [7])
            self.assertEqual(await self.online(7, 8), [True, False])

        async def test_stop(self) -> None:
            """
            A stopped presence has the state stopped.
            """
            await self.presence.stop()
            self.assertIs(self.presence.dependency.state, State.STOPPED)

    return PresenceTests
