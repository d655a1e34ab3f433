"""
Tests of Messages and Connects that find each other through Redis.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

from tests.asyncio_case import AsyncioCase
from tests.integration.installation import DaemonProcess, Installation, free_ports
from tests.stack.servers import Own, needs
from tests.stalls import Span
from tools.stack.redis import Redis

_LIMIT_S = 60.0


async def until_told(
    daemon: DaemonProcess, wanted: Callable[[Any], bool], path: str = "/readyz"
) -> Any:
    """
    Wait until C{/readyz}, or another path, shows the wanted state.
    """
    end = time.monotonic() + _LIMIT_S
    while time.monotonic() < end:
        _, told = await daemon.get(path)
        if told and wanted(told):
            return told
        await asyncio.sleep(0.05)  # other processes have no event to wait for
    raise AssertionError(f"{daemon.name} says {told}\n{daemon.tail()}")


def degraded(told: Any) -> bool:
    """
    Tell whether the daemon is ready but lacks a dependency.
    """
    return told["ready"] is True and told["degraded"] is True


def whole(told: Any) -> bool:
    """
    Tell whether the daemon has all its dependencies.
    """
    return told["ready"] is True and told["degraded"] is False


@needs("redis")
class RegistryTests(AsyncioCase):
    """
    One Message and one Connect with a Redis of their own.
    """

    async def asyncSetUp(self) -> None:
        self.redis: Own[Redis] = Own(Redis)
        self.addCleanup(self.redis.remove)
        await self.redis_up()
        url = f"redis://{self.redis.address}/0?prefix=t:"
        self.both = Installation(
            message={"presence": url, "journal": "sqlite:"}, connect={"discovery": url}
        )
        self.addAsyncCleanup(self.both.stop)
        await self.both.start()

    async def redis_up(self) -> None:
        """
        Start Redis, and wait until it serves.
        """
        await asyncio.to_thread(self.redis.server.up, detached=False)

    async def test_come_and_go(self) -> None:
        """
        Without a restart, Connect follows a Message that is killed and comes back at
        another address, and one that stops.
        """
        message, connect = self.both.message, self.both.connect
        old = f"message 127.0.0.1:{message.port('rpc_listen')}"
        await message.kill()
        await connect.ready(False)
        (self.both.ports["message.rpc_listen"],) = free_ports(1)
        await message.start()
        await connect.ready()
        told = await until_told(connect, whole)
        self.assertNotIn(old, str(told))
        self.assertIn(f"127.0.0.1:{message.port('rpc_listen')}", str(told))
        span = Span()
        self.assertEqual(await message.terminate(), 0)
        await connect.ready(False)
        await until_told(connect, lambda t: "message 127.0.0.1" not in str(t))
        span.check(4)

    async def test_status(self) -> None:
        """
        The status of a Message has the other Messages of the list, and names one that
        left it without a word.
        """
        other = "message-2"
        names = ("listen", "rpc_listen", "admin_listen")
        ports = dict(zip((f"{other}.{n}" for n in names), free_ports(3), strict=True))
        folder = self.both.folder / other
        folder.mkdir()
        second = DaemonProcess(other, folder, ports, self.both.message.extra)
        self.addAsyncCleanup(second.kill)
        await second.start()
        address = f"127.0.0.1:{second.port('rpc_listen')}"
        node = await self._node(address, up=True)
        self.assertEqual(node["kind"], "message")
        await second.kill()
        node = await self._node(address, up=False)
        self.assertEqual(node["about"], "it is not in the list of Messages any more")

    async def _node(self, name: str, *, up: bool) -> Any:
        """
        Wait until a node of Message's status answers, or does not; and return it.
        """
        found: list[Any] = []

        def is_there(status: Any) -> bool:
            nodes = status["message"]["nodes"]
            found[:] = [n for n in nodes if n["node"] == name and n["up"] is up]
            return bool(found)

        await until_told(self.both.message, is_there, "/status")
        return found[0]

    async def test_redis_killed(self) -> None:
        """
        Without Redis both daemons continue and report that it is missing; with Redis
        again they report that all is well.
        """
        for daemon in self.both.daemons:
            await until_told(daemon, whole)
        self.redis.kill()
        for daemon in self.both.daemons:
            told = await until_told(daemon, degraded)
            self.assertIn("redis 127.0.0.1:", str(told))
        await self.redis_up()
        for daemon in self.both.daemons:
            await until_told(daemon, whole)
        port = self.both.message.port("rpc_listen")
        self.assertTrue(self.both.logged(f"message 127.0.0.1:{port}: up after"))
        self.assertEqual(self.both.logged(f"message 127.0.0.1:{port}: lost"), [])
        self.assertEqual(self.both.tracebacks(), [])
