"""
Faults that are injected into running daemons, one or two at a time, in a seeded order.
"""

from __future__ import annotations

import asyncio
import random
import resource
import signal
from collections import Counter
from collections.abc import Sequence
from typing import Protocol

from twisted.internet.defer import Deferred

from tests.clocks import HOUR_S, SystemClock
from tests.faults.silent_connect import SilentConnect
from tests.integration.installation import DaemonProcess, Installation
from tests.proxies import Proxy

#: The offsets of system clocks, in seconds.
_OFFSETS = (-HOUR_S, -30.0, 0.0, 30.0, HOUR_S)
#: The space that is left on a full disk, in bytes: enough for some messages.
_LEFT = 16_384
#: The longest time for which a daemon stands still, or a way is broken, in seconds.
_LONGEST_S = 4.0


class ServerProcess(Protocol):
    """
    A server that daemons use, such as a broker.
    """

    def suspend(self) -> None: ...

    def resume(self) -> None: ...

    def kill(self) -> None: ...

    def start(self) -> Deferred[None]: ...


class Nemesis:
    """
    The faults of one installation. Each method injects one fault and repairs it.

    @param proxies: the ways from Connects to Messages.
    @param users: users of the load, whom a Connect that does not acknowledge announces.
    @param servers: the servers that the daemons use, and no one else.
    @ivar done: how often each fault was injected.
    """

    def __init__(
        self,
        installation: Installation,
        proxies: Sequence[Proxy],
        users: Sequence[int],
        rng: random.Random,
        servers: Sequence[ServerProcess] = (),
    ) -> None:
        self.done: Counter[str] = Counter()
        self._installation = installation
        self._proxies = proxies
        self._users = users
        self._random = rng
        self._servers = servers
        self._serving = asyncio.Lock()
        self._clocks: list[SystemClock] = []
        self._locks = {daemon.name: asyncio.Lock() for daemon in installation.daemons}
        self._silent = 0

    def prepare(self) -> None:
        """
        Give each daemon a system clock of its own, before it starts.
        """
        for daemon in self._installation.daemons:
            clock = SystemClock(self._installation.folder / f"{daemon.name}-clock")
            daemon.before_exec = clock.before_exec()
            self._clocks.append(clock)

    async def inject(self, *names: str) -> None:
        """
        Inject faults at the same time, and wait until they are repaired.
        """
        self.done.update(names)
        await asyncio.gather(*(getattr(self, name)() for name in names))

    async def heal(self) -> None:
        """
        Wait until every daemon is ready.
        """
        await asyncio.gather(*(d.ready() for d in self._installation.daemons))

    # -- faults

    async def kill(self) -> None:
        """
        Kill a daemon with SIGKILL, and start it again.
        """
        async with self._any() as daemon:
            await daemon.kill()
            await asyncio.sleep(self._random.choice([0, 0, 0.5, 2]))
            await daemon.start()
            await daemon.ready()

    async def stop(self) -> None:
        """
        Suspend a daemon with SIGSTOP, and let it go on.
        """
        async with self._any() as daemon:
            await daemon.signal(signal.SIGSTOP)
            await self._for_a_while()
            await daemon.signal(signal.SIGCONT)

    async def restart(self) -> None:
        """
        Stop a daemon with SIGTERM, and start it again.
        """
        async with self._any() as daemon:
            status = await daemon.terminate()
            await daemon.start()
            await daemon.ready()
        assert status == 0, f"{daemon.name} ended with {status}:\n{daemon.tail()}"

    async def clock(self) -> None:
        """
        Step the system clock of a daemon by up to two hours.
        """
        self._random.choice(self._clocks).set(self._random.choice(_OFFSETS))

    async def half_open(self) -> None:
        """
        Reset a connection between the daemons at Connect's side only.
        """
        self._random.choice(self._proxies).reset_clients()

    async def swallow(self) -> None:
        """
        Stop forwarding between the daemons for a while, and close nothing.
        """
        proxy = self._random.choice(self._proxies)
        proxy.swallow()
        await self._for_a_while()
        proxy.forward()

    async def silent_connect(self) -> None:
        """
        Add a Connect that announces the users and does not acknowledge.
        """
        self._silent += 1
        message = self._random.choice(self._messages())
        connect = SilentConnect(
            message.port("rpc_listen"),
            self._installation.folder,
            f"silent-{self._silent}",
            self._users,
        )
        connect.start()
        await self._for_a_while()
        await connect.stop()

    async def full_disk(self) -> None:
        """
        Leave a Message without space on its disk for a while.
        """
        message = self._random.choice(self._messages())
        async with self._locks[message.name]:
            folder = self._installation.folder / "data"
            sizes = [f.stat().st_size for f in folder.rglob("*") if f.is_file()]
            limit_file_size(message.pid, max([*sizes, 0]) + _LEFT)
            await self._for_a_while()
            limit_file_size(message.pid, resource.RLIM_INFINITY)

    async def suspend_server(self) -> None:
        """
        Suspend a server, and let it go on.
        """
        async with self._serving:
            server = self._random.choice(self._servers)
            server.suspend()
            await self._for_a_while()
            server.resume()

    async def kill_server(self) -> None:
        """
        Kill a server with SIGKILL, and start it again with its data.
        """
        async with self._serving:
            server = self._random.choice(self._servers)
            server.kill()
            await asyncio.sleep(self._random.choice([0, 0.5, 2]))
            await server.start().asFuture(asyncio.get_running_loop())

    # -- choices

    def _messages(self) -> list[DaemonProcess]:
        return [d for d in self._installation.daemons if d.kind == "message"]

    def _any(self) -> _Held:
        daemon = self._random.choice(self._installation.daemons)
        return _Held(daemon, self._locks[daemon.name])

    async def _for_a_while(self) -> None:
        await asyncio.sleep(self._random.uniform(0.2, _LONGEST_S))


class _Held:
    """
    A daemon that no other fault touches meanwhile.
    """

    def __init__(self, daemon: DaemonProcess, lock: asyncio.Lock) -> None:
        self._daemon = daemon
        self._lock = lock

    async def __aenter__(self) -> DaemonProcess:
        await self._lock.acquire()
        return self._daemon

    async def __aexit__(self, *_: object) -> None:
        self._lock.release()


def limit_file_size(pid: int, size: int) -> None:
    """
    Limit the size of the files of a process, in bytes.
    """
    _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, hard))
