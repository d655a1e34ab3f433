"""
The contract tests of L{IDiscovery}.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase
from zope.interface.verify import verifyObject

from wsmsg.connect.discovery.interface import IDiscovery
from wsmsg.dependency.state import Dependency, State


class Place(Protocol):
    """
    A source of addresses, and the discovery that reads it.

    @ivar fixed: whether its addresses can neither change nor be missing.
    """

    fixed: bool

    def discovery(self) -> IDiscovery:
        """
        Return a new discovery that reads this source.
        """

    async def put(self, *addresses: str) -> None:
        """
        Replace the addresses by these.
        """

    async def fail(self) -> None:
        """
        Make the source fail.
        """

    async def heal(self) -> None:
        """
        Make the source work again.
        """


class Reports:
    """
    The reports of a discovery.
    """

    def __init__(self) -> None:
        self.all: list[frozenset[str]] = []
        self._waiting: list[tuple[frozenset[str], Deferred[None]]] = []

    def changed(self, addresses: frozenset[str]) -> None:
        self.all.append(addresses)
        for wanted, waiter in list(self._waiting):
            if wanted == addresses:
                self._waiting.remove((wanted, waiter))
                waiter.callback(None)

    async def until(self, *addresses: str) -> None:
        """
        Wait until these are the addresses of the last report.
        """
        wanted = frozenset(addresses)
        if not self.all or self.all[-1] != wanted:
            waiter: Deferred[None] = Deferred()
            self._waiting.append((wanted, waiter))
            await waiter


def until_state(dependency: Dependency, *states: State) -> Deferred[None]:
    """
    Wait until a dependency is in one of these states.
    """
    reached: Deferred[None] = Deferred()

    def changed(_: Dependency) -> None:
        if dependency.state in states and not reached.called:
            reached.callback(None)

    dependency.on_change(changed)
    changed(dependency)
    return reached


def make_discovery_tests(
    make_place: Callable[[TestCase], Awaitable[Place]],
) -> type[TestCase]:
    """
    Return tests of the behaviour that every L{IDiscovery} has.

    @param make_place: makes a source with the address C{a:1} if its addresses are
        configured (hosts are written as numbers: C{127.0.0.1:1}).
    """

    class DiscoveryTests(TestCase):
        timeout = 300

        async def setUp(self) -> None:  # type: ignore[override]
            self.place = await make_place(self)
            self.discovery = self.place.discovery()
            self.reports = Reports()
            self.addCleanup(self.discovery.stop)

        async def begun(self) -> None:
            """
            Start, and wait for the first address.
            """
            await self.place.put("127.0.0.1:1")
            self.discovery.start(self.reports.changed)
            await self.reports.until("127.0.0.1:1")

        async def test_interface(self) -> None:
            """
            A discovery provides its interface, and its dependency is not required.
            """
            verifyObject(IDiscovery, self.discovery)
            dependency = self.discovery.dependency
            self.assertTrue(dependency is None or not dependency.required)

        async def test_finds(self) -> None:
            """
            Addresses are reported once they are known, and then the discovery is up.
            """
            await self.begun()
            self.assertEqual(self.reports.all, [frozenset({"127.0.0.1:1"})])
            if self.discovery.dependency is not None:
                await until_state(self.discovery.dependency, State.UP)

        async def test_stopped(self) -> None:
            """
            After it has stopped a discovery reports nothing and leaves nothing behind.
            """
            await self.begun()
            await self.discovery.stop()
            if self.discovery.dependency is not None:
                self.assertIs(self.discovery.dependency.state, State.STOPPED)

        async def test_stopped_at_once(self) -> None:
            """
            A discovery can be stopped during its first look.
            """
            await self.place.put("127.0.0.1:1")
            self.discovery.start(self.reports.changed)
            await self.discovery.stop()

        async def test_come_and_go(self) -> None:
            """
            Each change of the addresses is reported, with all addresses.
            """
            await self.begun()
            if self.place.fixed:
                return
            await self.place.put("127.0.0.1:1", "127.0.0.2:1")
            await self.reports.until("127.0.0.1:1", "127.0.0.2:1")
            await self.place.put("127.0.0.2:1")
            await self.reports.until("127.0.0.2:1")

        async def test_fails_and_heals(self) -> None:
            """
            During a failure the addresses stay, with the reason shown; afterwards the
            discovery goes on by itself.
            """
            await self.begun()
            if self.place.fixed:
                return
            await self.place.fail()
            await until_state(self.discovery.dependency, State.CONNECTING, State.DOWN)
            self.assertTrue(self.discovery.dependency.snapshot().last_error)
            self.assertEqual(self.reports.all, [frozenset({"127.0.0.1:1"})])
            await self.place.heal()
            await until_state(self.discovery.dependency, State.UP)
            await self.place.put("127.0.0.3:1")
            await self.reports.until("127.0.0.3:1")

        async def test_nobody_can_be_asked(self) -> None:
            """
            A discovery that starts during a failure reports its addresses afterwards.
            """
            if self.place.fixed:
                return
            await self.place.put("127.0.0.1:1")
            await self.place.fail()
            self.discovery.start(self.reports.changed)
            await self.place.heal()
            await self.reports.until("127.0.0.1:1")
            self.assertEqual(self.reports.all, [frozenset({"127.0.0.1:1"})])

    return DiscoveryTests
