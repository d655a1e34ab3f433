"""
Base classes of the kit's own tests: tests as coroutines of asyncio, and peers that end
with the test that started them.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from tests.conformance.peer_client import ScriptedClient
from tests.conformance.peer_connect import ScriptedConnect
from tests.conformance.peer_message import ScriptedMessage

T = TypeVar("T", bound="PeerTestCase")


def on_asyncio(
    test: Callable[[T], Coroutine[Any, Any, None]],
) -> Callable[[T], Deferred[None]]:
    """
    Run a test that is a coroutine of asyncio.
    """

    @functools.wraps(test)
    def run(self: T) -> Deferred[None]:
        return Deferred.fromFuture(asyncio.ensure_future(self.run_test(test(self))))

    return run


class PeerTestCase(TestCase):
    """
    Tests of scripted peers with each other.
    """

    timeout = 300

    async def run_test(self, test: Awaitable[None]) -> None:
        self._closing: list[Callable[[], Awaitable[object]]] = []
        try:
            await test
        finally:
            for close in reversed(self._closing):
                await close()

    def at_end(self, close: Callable[[], Awaitable[object]]) -> None:
        """
        Await this after the test, in reverse order of the calls.
        """
        self._closing.append(close)

    async def message(self, **more: Any) -> ScriptedMessage:
        """
        Return a Message that serves.
        """
        peer = ScriptedMessage(**more)
        self.at_end(peer.kill)
        await peer.start()
        return peer

    async def connect(
        self, target: ScriptedMessage, *, listens: bool = True, **more: Any
    ) -> ScriptedConnect:
        """
        Return a Connect with a stream to a Message, subscribed.
        """
        peer = ScriptedConnect(target.rpc_port, **more)
        self.at_end(peer.kill)
        if listens:
            await peer.listen()
        before = len(target.subscribers)
        await peer.connect()
        if peer.subscribes:
            await target.subscribed(before + 1)
        return peer

    async def client(
        self, user: int, connect: ScriptedConnect, message: ScriptedMessage, **more: Any
    ) -> ScriptedClient:
        """
        Return a connected client.
        """
        peer = ScriptedClient(user, connect.port, message.http_port, **more)
        self.at_end(peer.drop)
        await peer.login()
        return peer
