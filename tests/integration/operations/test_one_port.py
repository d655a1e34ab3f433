"""
Tests of two Connects on one port, whose sockets are passed in as by systemd with
C{ReusePort=}.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from typing import Any

from tests.integration.cases import IntegrationTestCase, with_daemons
from tests.integration.device import Device
from tests.integration.installation import DaemonProcess, Installation, free_ports

#: As systemd does for a service (sd_listen_fds(3)): the socket is descriptor 3.
_AS_SYSTEMD = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
told = {"FDS": "1", "FDNAMES": "clients", "PID": str(os.getpid())}
os.environ.update({f"LISTEN_{name}": value for name, value in told.items()})
os.execv(sys.argv[2], sys.argv[2:])
"""
#: The kernel chooses among the sockets by the port of the client.
_DIALS = 64


class Activated(DaemonProcess):
    """
    A Connect that receives its listening socket.
    """

    def __init__(self, held: socket.socket, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.held = held
        self.passed = (held.fileno(),)

    def _command(self) -> list[str]:
        held = str(self.held.fileno())
        return [sys.executable, "-c", _AS_SYSTEMD, held, *super()._command()]


class OnePort(Installation):
    """
    One Message, and two Connects that share the port of the first.
    """

    def __init__(self) -> None:
        super().__init__()
        self.held = [self._hold() for _ in range(2)]
        self.connects = [self._connect(n) for n in range(2)]
        self.connect = self.connects[0]

    def _hold(self) -> socket.socket:
        held = socket.socket()
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        held.bind(("127.0.0.1", self.ports["connect.listen"]))
        held.listen(128)
        return held

    def _connect(self, n: int) -> DaemonProcess:
        name = f"connect-{n}"
        rpc, admin = free_ports(2)
        ports = {f"{name}.rpc_listen": rpc, f"{name}.admin_listen": admin}
        ports["upstream"] = self.ports["upstream"]
        extra = {"node": name, "listen": "systemd:domain=INET:index=0"}
        return Activated(self.held[n], name, self.folder, ports, extra)

    @property
    def daemons(self) -> list[DaemonProcess]:
        return [self.message, *self.connects]

    async def stop(self) -> None:
        await super().stop()
        for held in self.held:
            held.close()


class OnePortTests(IntegrationTestCase):
    """
    Several processes share the clients' port.
    """

    alone = True
    installation: OnePort

    def _installed(self) -> Installation:
        return OnePort()

    async def arrive(self) -> tuple[Device, str]:
        """
        Log a user in.

        @return: the device, and the Connect that accepted it.
        """
        device = await self.dial(self.user())
        welcome = await device.greet()
        return device, welcome.session.rpartition("-")[0]

    @with_daemons
    async def test_shared(self) -> None:
        """
        Both Connects accept connections on one port, and their users can talk to each
        other.
        """
        await self.installation.start()
        came: dict[str, Device] = {}
        for _ in range(_DIALS):
            device, node = await self.arrive()
            came.setdefault(node, device)
            if len(came) == 2:
                break
        self.assertEqual(sorted(came), ["connect-0", "connect-1"])
        one, other = came.values()
        await one.send(other.user, "id-1", "across")
        await other.expect("deliver", content="across")

    @with_daemons
    async def test_restarted(self) -> None:
        """
        A client that dials while one Connect restarts waits for it, and is not refused.
        """
        await self.installation.start()
        restarted = self.installation.connects[1]
        self.assertEqual(await restarted.terminate(), 0)
        arriving = [asyncio.ensure_future(self.arrive()) for _ in range(16)]
        _, waiting = await asyncio.wait(arriving, return_when=asyncio.FIRST_COMPLETED)
        self.assertTrue(waiting)
        await restarted.start()
        nodes = {node for _, node in await asyncio.gather(*arriving)}
        self.assertEqual(nodes, {"connect-0", "connect-1"})
