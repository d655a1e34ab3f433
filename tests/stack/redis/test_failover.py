"""
Tests of a Redis whose host name begins to resolve to another server.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.interfaces import (
    IHostnameResolver,
    IHostResolution,
    IResolutionReceiver,
)
from twisted.protocols.portforward import ProxyFactory
from twisted.trial.unittest import TestCase
from zope.interface import implementer

from tests.connect.discovery.discovery_contract import until_state
from tests.message.sqlite_paths import REACTOR
from tests.stack.redis.places import opened, place, presence_at
from tests.stack.servers import needs, own_redis
from tools.stack.ports import free_ports
from wsmsg.dependency.state import State

_NAME = "redis.example"


@implementer(IHostResolution)
class Resolution:
    """
    A resolution of one name that has already ended.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def cancel(self) -> None:
        """
        Do nothing: the resolution has ended.
        """


@implementer(IHostnameResolver)
class OneName:
    """
    A resolver of one name, whose address a test can change.
    """

    def __init__(self, address: str) -> None:
        self.address = address

    def resolveHostName(
        self,
        resolutionReceiver: IResolutionReceiver,
        hostName: str,
        portNumber: int = 0,
        addressTypes: object = None,
        transportSemantics: str = "TCP",
    ) -> IHostResolution:
        resolution = Resolution(hostName)
        resolutionReceiver.resolutionBegan(resolution)
        found = self.address if hostName == _NAME else hostName
        resolutionReceiver.addressResolved(IPv4Address("TCP", found, portNumber))
        resolutionReceiver.resolutionComplete()
        return resolution


@needs("redis")
class FailoverTests(TestCase):
    """
    The server dies, and its name resolves to another one.
    """

    timeout = 300

    async def test_another_address(self) -> None:
        """
        Presence resolves the name again, and writes all online users to the new server.
        """
        old, new = await own_redis(self), await own_redis(self)
        [port] = free_ports(["front"]).values()
        for server, host in ((old, "127.0.0.2"), (new, "127.0.0.3")):
            self.forward(port, host, server.address)
        names = OneName("127.0.0.2")
        before = REACTOR.installNameResolver(names)
        self.addCleanup(REACTOR.installNameResolver, before)
        presence = await opened(self, presence_at(place(f"redis://{_NAME}:{port}")))
        await presence.replace("a", [7])

        names.address = "127.0.0.3"
        old.kill()
        await until_state(presence.dependency, State.CONNECTING, State.DOWN)
        await until_state(presence.dependency, State.UP)
        await presence.renew("a")

        self.assertEqual(
            [p.online for p in await presence.look_up([7, 8])], [True, False]
        )

    def forward(self, port: int, host: str, address: str) -> None:
        """
        Forward a port of a loopback address to a server.
        """
        to_host, _, to_port = address.rpartition(":")
        factory: Any = ProxyFactory(to_host, int(to_port))
        factory.noisy = False
        listening = REACTOR.listenTCP(port, factory, interface=host)
        self.addCleanup(listening.stopListening)
