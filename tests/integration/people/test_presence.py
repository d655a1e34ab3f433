"""
Tests of how long a user who disconnected still counts as online.
"""

from __future__ import annotations

import asyncio
import signal
import sys

from tests.integration.cases import (
    SHARED,
    IntegrationTestCase,
    eventually,
    with_daemons,
)
from tests.integration.device import Device
from tests.integration.installation import Installation, http_post
from tests.integration.proven import online_status, share_secret
from tests.stalls import Span
from wsmsg.protocol import client_pb2 as pb
from wsmsg.prove.faults.proxy import Proxy

#: The bound of promise P9, in seconds.
_LIMIT_S = 5.0


class TwoConnectsTestCase(IntegrationTestCase):
    """
    Base class with a second Connect, from which another user watches.
    """

    async def other(self) -> Installation:
        """
        Start a second Connect at the same Message.
        """
        rpc_port = self.installation.ports["message.rpc_listen"]
        other = SHARED.get("other", lambda: Installation(upstream=rpc_port))
        share_secret(self.installation.folder, other.folder)
        if not other.connect.running:
            await other.connect.start()
        await other.connect.ready()
        return other

    async def watched(self, user: int, url: str = "") -> tuple[Device, Device]:
        """
        Return a device of C{user}, and a device of another user on the second Connect
        that has been notified that C{user} is online.

        @return: a device of C{user}, and a device of another on the second Connect
            that was told that the user is online.
        """
        other = await self.other()
        device = await self.device(user, url=url or self.installation.url)
        me = self.user()
        watcher = await Device.dial(other.url, other.token(me), me)
        self.at_end(watcher.close)
        await watcher.greet()
        await watcher.send_frame(watch=pb.Watch(users=[user]))
        await watcher.expect("presence", user=user, online=True)
        self.assertTrue(await self.asked(user))
        return device, watcher

    async def asked(self, user: int) -> bool:
        """
        Tell whether the user is online, according to the second Connect's HTTP and
        gRPC.
        """
        other = await self.other()
        ports = other.ports
        path = "/api/v1/connect/online_status"
        document = {"user_ids": [user]}
        status, told = await http_post(ports["connect.listen"], path, document)
        self.assertEqual(status, 200, told)
        rpc = ports["connect.rpc_listen"]
        answer = await online_status(rpc, other.folder, user)
        self.assertEqual(answer, told["status"][str(user)])
        return answer

    async def check_offline(self, user: int, watcher: Device, span: Span) -> None:
        """
        Check that watchers and queries show the user offline in time.
        """
        gone = await watcher.expect("presence", user=user, online=False)
        told = span.check(_LIMIT_S)
        sys.__stderr__ and print(f"offline {told}", file=sys.__stderr__)
        self.assertGreater(gone.last_seen, 0)
        self.assertFalse(await self.asked(user))


class OfflineTests(TwoConnectsTestCase):
    """
    P9, as seen by a watcher on another Connect and by queries to that Connect.
    """

    @with_daemons
    async def test_client_gone(self) -> None:
        """
        P9: a user whose program ended is offline at once.
        """
        user = self.user()
        device, watcher = await self.watched(user)
        span = Span()
        device.drop()
        await self.check_offline(user, watcher, span)

    @with_daemons
    async def test_client_half_open(self) -> None:
        """
        P9: a user whose network drops every packet is offline within 5 s.
        """
        proxy = await Proxy.open(self.installation.ports["connect.listen"])
        self.at_end(proxy.close)
        port = self.installation.ports["connect.listen"]
        url = self.installation.url.replace(str(port), str(proxy.port))
        user = self.user()
        _, watcher = await self.watched(user, url)
        span = Span()
        proxy.swallow()
        await self.check_offline(user, watcher, span)

    @with_daemons
    async def test_client_half_open_and_connect_killed(self) -> None:
        """
        P9: the same holds if the user's Connect is killed just before it noticed.
        """
        port = self.installation.ports["connect.listen"]
        proxy = await Proxy.open(port)
        self.at_end(proxy.close)
        url = self.installation.url.replace(str(port), str(proxy.port))
        user = self.user()
        _, watcher = await self.watched(user, url)
        span = Span()
        proxy.swallow()
        # a silent client is dead after 2 to 2.25 heartbeats of 1.5 s
        await asyncio.sleep(2.9)
        await self.installation.connect.kill()
        await self.check_offline(user, watcher, span)

    @with_daemons
    async def test_connect_killed(self) -> None:
        """
        P9: the users of a killed Connect are offline within 5 s.
        """
        user = self.user()
        _, watcher = await self.watched(user)
        span = Span()
        await self.installation.connect.kill()
        await self.check_offline(user, watcher, span)

    @with_daemons
    async def test_connect_frozen(self) -> None:
        """
        P9: the users of a Connect that hangs are offline within 5 s; those still
        connected are online again when it continues.
        """
        user = self.user()
        connect = self.installation.connect
        device, watcher = await self.watched(user)
        span = Span()
        await connect.signal(signal.SIGSTOP)
        try:
            await self.check_offline(user, watcher, span)
        finally:
            await connect.signal(signal.SIGCONT)
        await connect.ready()
        await device.pong()
        await watcher.expect("presence", user=user, online=True)

    @with_daemons
    async def test_connect_woken(self) -> None:
        """
        A Connect that continues after a suspension shows those users online that are
        still connected, and not for a moment those that vanished meanwhile.
        """
        connect = self.installation.connect
        port = connect.port("listen")
        proxy = await Proxy.open(port)
        self.at_end(proxy.close)
        url = self.installation.url.replace(str(port), str(proxy.port))
        there, dropped, cut = (self.user() for _ in range(3))
        _, watcher = await self.watched(there)
        leaving = await self.device(dropped, url=self.installation.url)
        await self.device(cut, url=url)
        await watcher.send_frame(watch=pb.Watch(users=[there, dropped, cut]))
        for user in (dropped, cut):
            await watcher.expect("presence", user=user, online=True)
        await connect.signal(signal.SIGSTOP)
        try:
            leaving.drop()
            proxy.swallow()
            for user in (there, dropped, cut):
                await watcher.expect("presence", user=user, online=False)
            before = len(watcher.all("presence"))
        finally:
            await connect.signal(signal.SIGCONT)
        await watcher.expect("presence", user=there, online=True)
        # nobody says that a user stays away: longer than a silent client is believed
        await asyncio.sleep(_LIMIT_S)
        shown = watcher.all("presence")[before:]
        self.assertEqual([(p.user, p.online) for p in shown], [(there, True)])


class HalfOpenStreamTests(TwoConnectsTestCase):
    """
    P9 with a network failure between Connect and Message.
    """

    alone = True

    @with_daemons
    async def test_stream_half_open(self) -> None:
        """
        P9: the users of a Connect that Message can no longer hear are offline within 5
        s, and Connect reports that it is not ready.
        """
        installation = self.installation
        proxy = await Proxy.open(installation.ports["message.rpc_listen"])
        self.at_end(proxy.close)
        installation.ports["upstream"] = proxy.port
        await installation.start()
        user = self.user()
        _, watcher = await self.watched(user)
        span = Span()
        proxy.swallow()
        await self.check_offline(user, watcher, span)
        await eventually("not ready", self._not_ready)

    async def _not_ready(self) -> bool:
        status, _ = await self.installation.connect.get("/readyz")
        return status == 503
