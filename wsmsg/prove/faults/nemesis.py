"""
Faults of daemons, of the ways between them and of their servers.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import resource
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Protocol

from wsmsg.prove.clients.crowd import Crowd
from wsmsg.prove.deployment.cluster import ServedInstallation
from wsmsg.prove.deployment.daemons import DaemonProcess
from wsmsg.prove.deployment.installation import Installation
from wsmsg.prove.faults.clocks import HOUR_S, SystemClock
from wsmsg.prove.faults.ledger import FaultLedger
from wsmsg.prove.faults.proxy import Proxy
from wsmsg.prove.faults.silent import SilentConnect

#: The steps of system clocks, in seconds.
_STEPS = (-HOUR_S, -30.0, 30.0, HOUR_S)
#: The space that is left on a full disk, in bytes: enough for some messages.
_LEFT = 16_384
#: The longest time for which a daemon stands still, or a way is broken, in seconds.
_LONGEST_S = 4.0
_FULL_S = 2.0
#: One in so many kills hits all daemons at once.
_ALL = 4
#: A Message that is suspended for so long wakes when others have its partitions.
_REPLACED_S = (4.0, 7.0)
_DELAYS_S = (0.05, 0.4)
_PATIENCE_S = 90.0
_RELOADED = "settings reloaded"
_RELOAD = """
[connect.limits]
sends_per_s = {n}
[message.limits]
sends_per_s = {n}
"""


class ServerProcess(Protocol):
    """
    A server that daemons use, such as a broker.
    """

    def suspend(self) -> None: ...

    def resume(self) -> None: ...

    async def kill_and_start(self) -> None:
        """
        Kill the server with SIGKILL, and start it again with its data.

        @raise NotImplementedError: nobody knows how to start it.
        """


class Nemesis:
    """
    The faults of one installation.  Each method injects one fault and repairs it.

    @param proxies: the ways from Connects to Messages.
    @param urls: the URLs of the Connects, as the load uses them.
    @param servers: the servers that the daemons use, and no one else, by their role:
        C{broker}, C{store}, C{users}.
    @ivar faults: the faults by their names.
    """

    def __init__(
        self,
        installation: Installation,
        proxies: Sequence[Proxy],
        urls: list[str],
        rng: random.Random,
        servers: Mapping[str, ServerProcess],
    ) -> None:
        self._installation = installation
        self._proxies = proxies
        self._urls = urls
        self._random = rng
        self._servers = servers
        self._ledger: FaultLedger
        self._crowd: Crowd
        self._clocks: list[SystemClock] = []
        self._locks: dict[str, asyncio.Lock] = {}
        self._membership = asyncio.Lock()
        self._numbers = itertools.count(1)
        self._settings = installation.folder / "prove.toml"
        self.faults: dict[str, Callable[[], Awaitable[None]]] = {
            "kill": self._kill,
            "stop": self._stop,
            "cut": self._cut,
            "half-open": self._half_open,
            "delay": self._delay,
            "clock": self._clock,
            "rolling": self._rolling,
            "reload": self._reload,
            "membership": self._change_nodes,
            "silent-connect": self._silent_connect,
        }
        self._is_served = isinstance(installation, ServedInstallation)
        if not self._is_served:
            self.faults["disk-full"] = self._full_disk
        for role in servers:
            self.faults[role] = lambda role=role: self._server(role)  # type: ignore[misc]

    def prepare(self) -> None:
        """
        Give each daemon a system clock of its own and a settings file, before it
        starts.
        """
        self._settings.write_text(_RELOAD.format(n=100))
        for daemon in self._installation.daemons:
            self._prepare(daemon)

    def _prepare(self, daemon: DaemonProcess) -> None:
        folder = (
            self._installation.folder / f"{daemon.name}-clock-{next(self._numbers)}"
        )
        clock = SystemClock(folder)
        daemon.prepare(clock.before_exec(), ["--config", str(self._settings)])
        self._clocks.append(clock)
        self._locks[daemon.name] = asyncio.Lock()

    def begin(self, ledger: FaultLedger, crowd: Crowd) -> None:
        """
        Take what writes the faults down, and whose connections they hit.
        """
        self._ledger, self._crowd = ledger, crowd

    async def ready(self) -> None:
        """
        Wait until every daemon is ready.
        """
        for daemon in self._installation.daemons:
            async with asyncio.timeout(_PATIENCE_S):
                while (await daemon.get("/readyz"))[0] != 200:
                    await asyncio.sleep(0.05)  # other processes have no event

    async def mend(self) -> None:
        """
        Start the daemons that a failed fault has left dead, while there is no fault.
        """
        for daemon in self._installation.daemons:
            if not daemon.running:
                await daemon.start()

    # -- daemons

    async def _kill(self) -> None:
        if self._one_in(_ALL):
            await self._kill_all()
            return
        async with self._any() as daemon:
            async with self._ledger.fault("kill", daemon.name, blinds=True):
                await daemon.kill()
                await asyncio.sleep(self._random.choice([0, 0, 0.5, _LONGEST_S]))
                await daemon.start()

    async def _kill_all(self) -> None:
        """
        Kill all daemons at the same moment, as when the machine fails.
        """
        async with AsyncExitStack() as held:
            for daemon in self._installation.daemons:
                await held.enter_async_context(self._locks[daemon.name])
            async with self._ledger.fault("kill", "all", blinds=True):
                daemons = self._installation.daemons
                await asyncio.gather(*(daemon.kill() for daemon in daemons))
                await asyncio.gather(*(daemon.start() for daemon in daemons))

    async def _stop(self) -> None:
        async with self._any() as daemon:
            async with self._ledger.fault("stop", daemon.name, blinds=True):
                await daemon.signal(signal.SIGSTOP)
                if daemon.kind == "message" and self._is_served and self._one_in(2):
                    await asyncio.sleep(self._random.uniform(*_REPLACED_S))
                else:
                    await self._for_a_while()
                await daemon.signal(signal.SIGCONT)

    async def _rolling(self) -> None:
        async with self._ledger.fault("rolling", "all", blinds=True):
            for daemon in self._installation.daemons:
                async with self._locks[daemon.name]:
                    status = await daemon.terminate()
                    self._ledger.stopped(daemon.name, status)
                    await daemon.start()
                    await daemon.ready()

    async def _reload(self) -> None:
        async with self._any() as daemon:
            async with self._ledger.fault("reload", daemon.name):
                before = _count(daemon, _RELOADED)
                n = self._random.choice([100, 150, 200])
                self._settings.write_text(_RELOAD.format(n=n))
                await daemon.signal(signal.SIGHUP)
                async with asyncio.timeout(_PATIENCE_S):
                    while _count(daemon, _RELOADED) == before:
                        await asyncio.sleep(0.05)  # a log has no event

    async def _change_nodes(self) -> None:
        async with self._membership:
            spares = self._installation.spares()
            async with self._ledger.fault("membership", "nodes", blinds=True):
                for spare in spares:
                    self._prepare(spare)
                    await spare.start()
                for spare in spares:
                    await spare.ready()
                urls = [s.client_url for s in spares if s.kind == "connect"]
                self._urls += urls
                for client in self._crowd.talkers[::3]:
                    client.drop()
                await self._for_a_while()
                for url in urls:
                    self._urls.remove(url)
                for spare in spares:
                    self._ledger.stopped(spare.name, await spare.terminate())

    async def _full_disk(self) -> None:
        message = self._random.choice(self._messages())
        async with self._locks[message.name]:
            async with self._ledger.fault("disk-full", message.name):
                folder = self._installation.folder / "data"
                sizes = [f.stat().st_size for f in folder.rglob("*") if f.is_file()]
                _limit_file_size(message.pid, max([*sizes, 0]) + _LEFT)
                await self._for_a_while(_FULL_S)
                _limit_file_size(message.pid, resource.RLIM_INFINITY)

    async def _clock(self) -> None:
        clock = self._random.choice(self._clocks)
        async with self._ledger.fault("clock", "a daemon"):
            clock.set(self._random.choice(_STEPS))
            await self._for_a_while()
            clock.set(0.0)

    # -- ways

    async def _cut(self) -> None:
        proxy = self._random.choice(self._proxies)
        async with self._ledger.fault("cut", "a way", blinds=True):
            if self._one_in(2):
                proxy.reset()
                return
            proxy.swallow()
            await self._for_a_while()
            proxy.forward()

    async def _half_open(self) -> None:
        proxy = self._random.choice(self._proxies)
        async with self._ledger.fault("half-open", "a way", blinds=True):
            proxy.reset_clients()

    async def _delay(self) -> None:
        proxy = self._random.choice(self._proxies)
        async with self._ledger.fault("delay", "a way"):
            proxy.delay(self._random.uniform(*_DELAYS_S))
            await self._for_a_while()
            proxy.delay(0.0)

    async def _silent_connect(self) -> None:
        message = self._random.choice(self._messages())
        connect = SilentConnect(
            message.port("rpc_listen"),
            self._installation.folder,
            f"silent-{next(self._numbers)}",
            [client.user for client in self._crowd.talkers],
        )
        async with self._ledger.fault("silent-connect", message.name):
            connect.start()
            await self._for_a_while()
            await connect.stop()

    async def _server(self, role: str) -> None:
        server = self._servers[role]
        async with self._locks.setdefault(role, asyncio.Lock()):
            async with self._ledger.fault(role, "server", blinds=role == "users"):
                if self._one_in(3):
                    try:
                        await server.kill_and_start()
                        return
                    except NotImplementedError:
                        pass  # it is suspended instead
                server.suspend()
                await self._for_a_while()
                server.resume()

    # -- choices

    def _messages(self) -> list[DaemonProcess]:
        return [d for d in self._installation.daemons if d.kind == "message"]

    @asynccontextmanager
    async def _any(self) -> AsyncIterator[DaemonProcess]:
        """
        Choose a daemon, which no other fault touches meanwhile.
        """
        daemon = self._random.choice(self._installation.daemons)
        async with self._locks[daemon.name]:
            yield daemon

    def _one_in(self, n: int) -> bool:
        return self._random.randrange(n) == 0

    async def _for_a_while(self, least_s: float = 0.2) -> None:
        await asyncio.sleep(self._random.uniform(least_s, _LONGEST_S))


def _count(daemon: DaemonProcess, text: str) -> int:
    return sum(text in line for line in daemon.lines())


def _limit_file_size(pid: int, size: int) -> None:
    _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, hard))
