"""
What every L{IDiscovery} does.
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
    Where a discovery looks, and what it finds there.

    @ivar fixed: what is there can neither change nor be missing.
    """

    fixed: bool

    def discovery(self) -> IDiscovery:
        """
        A new one that looks here.
        """

    async def put(self, *addresses: str) -> None:
        """
        These are there from now on, and no others.
        """

    async def fail(self) -> None:
        """
        It cannot be asked from now on.
        """

    async def heal(self) -> None:
        """
        It can be asked again.
        """


class Told:
    """
    What a discovery tells, and who waits for it.
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
        Wait until these are the last that were told.
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
    The behaviour that every L{IDiscovery} has.

    @param make_place: makes a place in which C{a:1} is, wherever such a thing can be
        had (addresses are of hosts by number: C{127.0.0.1:1}).
    """

    class DiscoveryTests(TestCase):
        timeout = 300

        async def setUp(self) -> None:  # type: ignore[override]
            self.place = await make_place(self)
            self.discovery = self.place.discovery()
            self.told = Told()
            self.addCleanup(self.discovery.stop)

        async def begun(self) -> None:
            """
            Start, and wait for the first address.
            """
            await self.place.put("127.0.0.1:1")
            self.discovery.start(self.told.changed)
            await self.told.until("127.0.0.1:1")

        async def test_interface(self) -> None:
            """
            It is what it says it is, and needs nothing that is required.
            """
            verifyObject(IDiscovery, self.discovery)
            dependency = self.discovery.dependency
            self.assertTrue(dependency is None or not dependency.required)

        async def test_finds(self) -> None:
            """
            What is there is told once it is known, and then the discovery is up.
            """
            await self.begun()
            self.assertEqual(self.told.all, [frozenset({"127.0.0.1:1"})])
            if self.discovery.dependency is not None:
                await until_state(self.discovery.dependency, State.UP)

        async def test_stopped(self) -> None:
            """
            After it has stopped nothing is told, and nothing of it is left.
            """
            await self.begun()
            await self.discovery.stop()
            if self.discovery.dependency is not None:
                self.assertIs(self.discovery.dependency.state, State.STOPPED)

        async def test_stopped_at_once(self) -> None:
            """
            It can be stopped while it looks for the first time.
            """
            await self.place.put("127.0.0.1:1")
            self.discovery.start(self.told.changed)
            await self.discovery.stop()

        async def test_come_and_go(self) -> None:
            """
            Addresses that come and go are told, all of them each time.
            """
            await self.begun()
            if self.place.fixed:
                return
            await self.place.put("127.0.0.1:1", "127.0.0.2:1")
            await self.told.until("127.0.0.1:1", "127.0.0.2:1")
            await self.place.put("127.0.0.2:1")
            await self.told.until("127.0.0.2:1")

        async def test_fails_and_heals(self) -> None:
            """
            While it cannot look, what was found stays, and it says why; then it goes
            on by itself.
            """
            await self.begun()
            if self.place.fixed:
                return
            await self.place.fail()
            await until_state(self.discovery.dependency, State.CONNECTING, State.DOWN)
            self.assertTrue(self.discovery.dependency.snapshot().last_error)
            self.assertEqual(self.told.all, [frozenset({"127.0.0.1:1"})])
            await self.place.heal()
            await until_state(self.discovery.dependency, State.UP)
            await self.place.put("127.0.0.3:1")
            await self.told.until("127.0.0.3:1")

        async def test_nobody_can_be_asked(self) -> None:
            """
            Started while it cannot look, it tells nothing, then what it finds.
            """
            if self.place.fixed:
                return
            await self.place.put("127.0.0.1:1")
            await self.place.fail()
            self.discovery.start(self.told.changed)
            await self.place.heal()
            await self.told.until("127.0.0.1:1")
            self.assertEqual(self.told.all, [frozenset({"127.0.0.1:1"})])

    return DiscoveryTests
