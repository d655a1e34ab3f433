"""
Tests of a Connect on another host, whose cable to Message is pulled.
"""

from __future__ import annotations

import asyncio

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SkipTest, TestCase

from tests.faults.network import NoNamespaces, SecondHost
from tests.stalls import Span
from wsmsg.model import conversation_of
from wsmsg.protocol import client_pb2 as pb
from wsmsg.prove.clients.raw import RawClient
from wsmsg.prove.deployment.daemons import DaemonProcess, free_ports
from wsmsg.prove.deployment.installation import Installation

_HERE, _THERE = 1001, 1002
#: The bound of promise P9, in seconds.
_LIMIT_S = 5.0
_PARTITIONS = 2


class Watcher(RawClient):
    """
    A client that watches a user.

    @ivar online: whether that user is online, as far as the client was told.
    """

    online = False

    async def _welcome(self, welcome: pb.Welcome) -> None:
        await super()._welcome(welcome)
        await self.frame(watch=pb.Watch(users=[_THERE]))

    async def _presence(self, presence: pb.Presence) -> None:
        self.online = presence.online


class PartitionTests(TestCase):
    """
    Two hosts, of which one has Message and a Connect, the other one a Connect.
    """

    timeout = 240

    def test_partition(self) -> Deferred[None]:
        """
        While no packet passes between the hosts, the users of the other one are offline
        within 5 s (P9); messages that they send and get meanwhile arrive once, in
        order, when the cable is back (P1, P4, P5).
        """
        host = SecondHost()
        try:
            host.make()
        except NoNamespaces as e:
            raise SkipTest(f"no network namespaces: {e}") from None
        self.addCleanup(host.remove)
        return Deferred.fromFuture(asyncio.ensure_future(self.run_on(host)))

    async def run_on(self, host: SecondHost) -> None:
        installation = Installation()
        rpc = f"{host.here}:{installation.message.port('rpc_listen')}"
        installation.message.extra |= {"rpc_listen": rpc, "trust_network": "rpc_listen"}
        installation.connect.extra |= {"discovery": f"static:{rpc}"}
        far, url = self.far_connect(installation, host, rpc)
        near = Watcher(
            installation.urls, installation.lasting_token(_HERE, 3600), _HERE
        )
        there = RawClient([url], installation.lasting_token(_THERE, 3600), _THERE)
        try:
            await installation.start()
            await far.start()
            near.start()
            there.start()
            await near.until(lambda: near.online, 60)
            for n in range(_PARTITIONS):
                await self.part(host, near, there, n)
            self.assertEqual(near.problems + there.problems, [])
            lines = [line for line in far.lines() if "Traceback" in line]
            self.assertEqual(installation.tracebacks() + lines, [])
        except BaseException:
            print(far.tail(), installation.message.tail(), sep="\n")
            raise
        finally:
            await asyncio.gather(near.stop(), there.stop())
            await far.kill()
            await installation.stop()

    def far_connect(
        self, installation: Installation, host: SecondHost, rpc: str
    ) -> tuple[DaemonProcess, str]:
        """
        Return a Connect on the second host, and its URL.
        """
        listen, admin, own = free_ports(3)
        listeners = {"listen": listen, "rpc_listen": own, "admin_listen": admin}
        ports = {f"connect-2.{name}": port for name, port in listeners.items()}
        settings = {
            "listen": f"{host.clients}:{listen}",
            "rpc_listen": f"{host.there}:{own}",
            "trust_network": "rpc_listen",
            "discovery": f"static:{rpc}",
        }
        connect = DaemonProcess("connect-2", installation.folder, ports, settings)
        connect.prepare(host.before_exec(), [])
        return connect, f"ws://{host.clients}:{listen}/api/v1/connect/ws"

    async def part(
        self, host: SecondHost, near: Watcher, there: RawClient, n: int
    ) -> None:
        """
        Pull the cable, and plug it in again.
        """
        host.pull_cable()
        span = Span()
        await near.send(_THERE, f"here {n}")
        await there.send(_HERE, f"there {n}")
        await near.until(lambda: not near.online, 60)
        span.check(_LIMIT_S)
        host.plug_cable()
        conversation = conversation_of(_HERE, _THERE)
        for client in (near, there):
            taken = await client.until_taken(conversation, 2 * n + 2)
            self.assertEqual(len(taken), 2 * n + 2)
            said = {m.content for m in taken[2 * n :]}
            self.assertEqual(said, {f"here {n}", f"there {n}"})
        await near.until(lambda: near.online, 60)
