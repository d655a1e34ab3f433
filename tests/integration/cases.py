"""
Base classes of the tests with real daemons: one installation a class, tests as
coroutines of asyncio, and the daemons' logs when a test fails.
"""

from __future__ import annotations

import asyncio
import atexit
import functools
import itertools
import sys
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, ClassVar, TypeVar

from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from tests.integration.device import Device
from tests.integration.installation import DaemonProcess, Installation
from wsmsg.prove.clients.raw import RawClient

T = TypeVar("T", bound="IntegrationTestCase")

#: Counts users, so that no two tests use the same ones.
_USERS = itertools.count(100_001)


class Shared:
    """
    The installations of one class of tests, kept while its tests run. Trial has no
    tearDownClass, so they end when another class begins or this process ends.
    """

    def __init__(self) -> None:
        self._owner: type | None = None
        self._installations: dict[str, Installation] = {}
        atexit.register(self._end)

    async def begin(self, owner: type) -> None:
        """
        Begin a test of this class.
        """
        if owner is not self._owner:
            self._owner = owner
            for installation in self._installations.values():
                await installation.stop()
            self._installations.clear()

    def get(self, name: str, make: Callable[[], Installation]) -> Installation:
        """
        Return the installation of this name, made on first use.
        """
        if name not in self._installations:
            self._installations[name] = make()
        return self._installations[name]

    def _end(self) -> None:
        for installation in self._installations.values():
            installation.end()


SHARED = Shared()


def with_daemons(
    test: Callable[[T], Coroutine[Any, Any, None]],
) -> Callable[[T], Deferred[None]]:
    """
    Run a test that is a coroutine of asyncio, with the daemons running and ready.
    """

    @functools.wraps(test)
    def run(self: T) -> Deferred[None]:
        return Deferred.fromFuture(asyncio.ensure_future(self.run_test(test(self))))

    return run


class IntegrationTestCase(TestCase):
    """
    Base class of tests that each leave the daemons running, as they found them.

    @cvar message: settings of Message.
    @cvar connect: settings of Connect.
    @cvar alone: each test has an installation of its own, which is not started.
    """

    timeout = 240
    message: ClassVar[dict[str, Any]] = {}
    connect: ClassVar[dict[str, Any]] = {}
    alone: ClassVar[bool] = False

    installation: Installation

    async def run_test(self, test: Awaitable[None]) -> None:
        self._closing: list[Callable[[], Awaitable[object]]] = []
        try:
            await SHARED.begin(type(self))
            self.installation = self._installed()
            self.installed()
            if not self.alone:
                await self._running()
            await test
            self.assertEqual(self.installation.logged("Traceback"), [])
        except BaseException:
            self._tell()
            raise
        finally:
            for close in reversed(self._closing):
                await close()
            if self.alone:
                await self.installation.stop()

    def installed(self) -> None:
        """
        Prepare the installation, before its daemons start.
        """

    def _installed(self) -> Installation:
        def make() -> Installation:
            return Installation(message=self.message, connect=self.connect)

        return make() if self.alone else SHARED.get("", make)

    async def _running(self) -> None:
        daemons = (self.installation.message, self.installation.connect)
        for daemon in daemons:
            if not daemon.running:
                await daemon.start()
        await asyncio.gather(*(daemon.ready() for daemon in daemons))

    def _tell(self) -> None:
        for daemon in (self.installation.message, self.installation.connect):
            text = f"--- {self.id()}: {daemon.name}\n{daemon.tail()}"
            sys.__stderr__ and print(text, file=sys.__stderr__, flush=True)

    # -- what tests use

    def at_end(self, close: Callable[[], Awaitable[object]]) -> None:
        """
        Await this after the test, in reverse order of the calls.
        """
        self._closing.append(close)

    def user(self) -> int:
        """
        Return a user that no other test uses.
        """
        return next(_USERS)

    async def device(self, user: int, name: str = "phone", **more: Any) -> Device:
        """
        Return a device of the user that has received its welcome; it is closed after
        the test.
        """
        device = await self.dial(user, **more)
        await device.greet(name, position=more.get("position", ""))
        return device

    async def dial(self, user: int, **more: Any) -> Device:
        """
        Return a connection of the user that has not sent hello.
        """
        more.pop("position", None)
        token = more.pop("token", None) or self.installation.token(user)
        device = await Device.dial(
            more.pop("url", self.installation.url), token, user, **more
        )
        self.at_end(device.close)
        return device

    def person(self, user: int, name: str = "raw") -> RawClient:
        """
        Return a client of the user that reconnects and syncs; it is stopped after the
        test.
        """
        installation = self.installation
        client = RawClient(installation.urls, installation.token(user), user, name)
        client.start()
        self.at_end(client.stop)
        return client


async def eventually(
    what: str, test: Callable[[], Awaitable[object] | object], limit_s: float = 45
) -> None:
    """
    Wait until a condition in another process holds.
    """
    async with asyncio.timeout(limit_s):
        while True:
            found = test()
            if isinstance(found, Awaitable):
                found = await found
            if found:
                return
            await asyncio.sleep(0.02)  # other processes have no event to wait for


async def metric(daemon: DaemonProcess, name: str) -> float:
    """
    Return the value of a metric in C{/metrics}, 0 if it is missing.
    """
    _, text = await daemon.get("/metrics")
    for line in str(text).splitlines():
        if line.startswith(f"{name} "):
            return float(line.split()[1])
    return 0.0
