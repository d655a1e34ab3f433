"""
Tests of two Connects and two Messages, some of which are killed.

Each Message has files of its own, so these tests do not read messages that another
Message stored; streams, the primary and presence do not need that.
"""

from __future__ import annotations

import asyncio
import shutil
import sys
import time
from functools import partial
from typing import Any

from tests.integration.cases import IntegrationTestCase, eventually, with_daemons
from tests.integration.device import Device, NotReceived
from tests.integration.installation import (
    DaemonProcess,
    Installation,
    free_ports,
    http_post,
)
from tests.integration.proven import online_status
from tests.stalls import Loss, Span
from wsmsg.message.store.sqlite.file import StoreWriter
from wsmsg.protocol import client_pb2 as pb
from wsmsg.prove.faults.proxy import Proxy

_LISTENERS = ("listen", "rpc_listen", "admin_listen")
#: Seconds of silence after which a stream may be closed.
_SILENT_S = 1.5
#: The bound of promise P9, in seconds.
_LIMIT_S = 5.0
#: Seconds within which a lost primary has a successor.
_MOVE_S = 1.0


class Many(Installation):
    """
    Two Messages and two Connects on embedded backends.  The stores are of one history,
    as far as Connects can see: as long as no message is stored.
    """

    def __init__(self) -> None:
        super().__init__()
        first, second = (self.folder / f"store-{n}.db" for n in (1, 2))
        store = StoreWriter(str(first))
        store.open()
        store.close()
        shutil.copy(first, second)
        # All ports at once, so that none is used twice.
        self._ports = iter(free_ports(5 * len(_LISTENERS)))
        self.messages = [self._daemon("message", n, self._files(n)) for n in (1, 2)]
        upstream = [f"127.0.0.1:{m.port('rpc_listen')}" for m in self.messages]
        self.connects = [self.connect_to(n, *upstream) for n in (1, 2)]
        self.message, self.connect = self.messages[0], self.connects[0]

    def connect_to(self, n: int, *upstream: str) -> DaemonProcess:
        """
        Return a Connect that dials the Messages at these addresses.
        """
        discovery = f"static:{','.join(upstream)}"
        return self._daemon("connect", n, {"discovery": discovery})

    def _files(self, n: int) -> dict[str, Any]:
        return {
            what: f"sqlite://{self.folder}/{what}-{n}.db"
            for what in ("journal", "store")
        }

    def _daemon(self, kind: str, n: int, extra: dict[str, Any]) -> DaemonProcess:
        name = f"{kind}-{n}"
        ports = {
            f"{name}.{listener}": port
            for listener, port in zip(_LISTENERS, self._ports, strict=False)
        }
        return DaemonProcess(name, self.folder, ports, {"node": name, **extra})

    @property
    def daemons(self) -> list[DaemonProcess]:
        return [*self.messages, *self.connects]

    def url_of(self, connect: DaemonProcess) -> str:
        """
        Return the URL at which clients reach this Connect.
        """
        return f"ws://127.0.0.1:{connect.port('listen')}/api/v1/connect/ws"


class ManyTestCase(IntegrationTestCase):
    """
    Base class of tests that have two of each daemon for themselves.
    """

    alone = True
    installation: Many

    def _installed(self) -> Installation:
        return Many()

    async def begun(self) -> None:
        """
        Start all four daemons, and wait until every stream is up.
        """
        await self.installation.start()
        for message in self.installation.messages:
            await eventually("two links", partial(self._links, message, 2))

    async def _links(self, message: DaemonProcess, n: int) -> bool:
        return len(await self.links(message)) == n

    async def links(self, message: DaemonProcess) -> dict[str, dict[str, Any]]:
        """
        Return the open links of a Message, by node id.
        """
        _, status = await message.get("/status")
        if not isinstance(status, dict):
            return {}
        return {x["node"]: x for x in status["message"]["links"] if x["open"]}

    async def primaries(self, connect: DaemonProcess) -> list[DaemonProcess]:
        """
        Return the Messages that claim to be the primary of this Connect.
        """
        found = []
        for message in self.installation.messages:
            if message.running:
                link = (await self.links(message)).get(connect.name)
                if link is not None and link["primary"]:
                    found.append(message)
        return found

    async def here(self, user: int, connect: DaemonProcess, name: str = "p") -> Device:
        """
        Return a device of the user at this Connect.
        """
        return await self.device(user, name, url=self.installation.url_of(connect))

    async def watcher(self, user: int, connect: DaemonProcess) -> Device:
        """
        Return a device at this Connect that has been notified that the user is online.
        """
        device = await self.here(self.user(), connect)
        await device.send_frame(watch=pb.Watch(users=[user]))
        await device.expect("presence", user=user, online=True)
        return device

    async def asked(self, user: int, connect: DaemonProcess) -> set[bool]:
        """
        Tell whether the user is online, according to this Connect's HTTP and gRPC.
        """
        path, body = "/api/v1/connect/online_status", {"user_ids": [user]}
        status, told = await http_post(connect.port("listen"), path, body)
        self.assertEqual(status, 200, told)
        port = connect.port("rpc_listen")
        answer = await online_status(port, self.installation.folder, user)
        return {answer, told["status"][str(user)]}

    async def stays_online(
        self, user: int, watcher: Device, connect: DaemonProcess, seconds: float
    ) -> None:
        """
        Check that the user is shown online for this long to every watcher and in every
        query. If the machine stalls for longer than a silent stream lives, the check
        begins again.
        """
        told = await self._told_offline(user, watcher, connect, seconds)
        while told and told[1].largest_s >= _SILENT_S:
            text = f"{told[0]}, begun anew: the machine lost {told[1]}"
            sys.__stderr__ and print(text, file=sys.__stderr__)
            await eventually("online again", lambda: self._online(user, connect))
            watcher.received.clear()
            told = await self._told_offline(user, watcher, connect, seconds)
        self.assertIsNone(told)

    async def _told_offline(
        self, user: int, watcher: Device, connect: DaemonProcess, seconds: float
    ) -> tuple[str, Loss] | None:
        """
        Return the devices that were notified that the user is offline, and the seconds
        that the machine lost until then.
        """
        span = Span()
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            answers = await self.asked(user, connect)
            if answers != {True}:
                return f"who asks is told {answers}", span.now()[1]
            await asyncio.sleep(0.1)  # the interval between queries
        for name, frame, _ in watcher.received:
            if name == "presence" and frame.user == user and not frame.online:
                return "who watches is told", span.now()[1]
        return None

    async def _online(self, user: int, connect: DaemonProcess) -> bool:
        return await self.asked(user, connect) == {True}

    def _tell(self) -> None:
        for daemon in self.installation.daemons:
            text = f"--- {self.id()}: {daemon.name}\n{daemon.tail()}"
            sys.__stderr__ and print(text, file=sys.__stderr__, flush=True)


class PrimaryTests(ManyTestCase):
    """
    The Message that writes the presence of a Connect's users.
    """

    @with_daemons
    async def test_killed(self) -> None:
        """
        Another Message becomes primary within a second of the primary's death, and no
        user is shown offline meanwhile. When the killed Message returns, it is not the
        primary, and sends continue.
        """
        await self.begun()
        first, second = self.installation.connects
        user = self.user()
        device = await self.here(user, first)
        watcher = await self.watcher(user, second)
        (primary,) = await self.primaries(first)
        (other,) = [m for m in self.installation.messages if m is not primary]
        span = Span()
        await primary.kill()
        await eventually("moved", lambda: self._is_primary(first, other))
        told = span.check(_MOVE_S)
        sys.__stderr__ and print(f"moving {told}", file=sys.__stderr__)
        await self.stays_online(user, watcher, second, 6)
        await primary.start()
        await eventually("two links", lambda: self._links(primary, 2))
        await self.stays_online(user, watcher, second, 2)
        self.assertEqual(await self.primaries(first), [other])
        accepted = await device.send(self.user(), "after", "still here")
        self.assertGreater(accepted.time, 0)

    async def _is_primary(self, connect: DaemonProcess, message: DaemonProcess) -> bool:
        return await self.primaries(connect) == [message]

    @with_daemons
    async def test_stopped(self) -> None:
        """
        A Message that stops cleanly leaves no user offline.
        """
        await self.begun()
        first, second = self.installation.connects
        user = self.user()
        await self.here(user, first)
        watcher = await self.watcher(user, second)
        (primary,) = await self.primaries(first)
        self.assertEqual(await primary.terminate(), 0)
        await self.stays_online(user, watcher, second, 6)
        self.assertEqual(len(await self.primaries(first)), 1)


class PresenceTests(ManyTestCase):
    """
    Presence of users at several Connects.
    """

    @with_daemons
    async def test_at_two(self) -> None:
        """
        A user at two Connects, one of which is killed, stays online; when the last
        connection is gone, the user is offline within 5 s.
        """
        await self.begun()
        first, second = self.installation.connects
        user = self.user()
        await self.here(user, first, "phone")
        last = await self.here(user, second, "tablet")
        watcher = await self.watcher(user, second)
        await first.kill()
        await self.stays_online(user, watcher, second, 6)
        span = Span()
        last.drop()
        await watcher.expect("presence", user=user, online=False)
        span.check(_LIMIT_S)
        self.assertEqual(await self.asked(user, second), {False})

    @with_daemons
    async def test_connect_killed(self) -> None:
        """
        P9: the users of a killed Connect are shown offline within 5 s, exactly once.
        """
        await self.begun()
        first, second = self.installation.connects
        user = self.user()
        await self.here(user, first)
        watcher = await self.watcher(user, second)
        span = Span()
        await first.kill()
        gone = await watcher.expect("presence", user=user, online=False)
        told = span.check(_LIMIT_S)
        sys.__stderr__ and print(f"offline {told}", file=sys.__stderr__)
        self.assertGreater(gone.last_seen, 0)
        self.assertEqual(await self.asked(user, second), {False})
        try:
            await watcher.expect("presence", limit_s=1.0, user=user)
        except NotReceived:
            return
        self.fail("told twice")

    @with_daemons
    async def test_one_message_cannot_hear_one_connect(self) -> None:
        """
        A Message that lost its stream to a running Connect does not make that Connect's
        users offline for users elsewhere.
        """
        installation = self.installation
        one, two = installation.messages
        proxy = await Proxy.open(one.port("rpc_listen"))
        self.at_end(proxy.close)
        installation.connects[0] = installation.connect = installation.connect_to(
            1, f"127.0.0.1:{proxy.port}", f"127.0.0.1:{two.port('rpc_listen')}"
        )
        await self.begun()
        first, second = installation.connects
        user = self.user()
        await self.here(user, first)
        watcher = await self.watcher(user, second)
        proxy.swallow()
        await one.until_logged("link of connect-1 given up")
        end = time.monotonic() + 2
        while time.monotonic() < end:
            self.assertEqual(await self.primaries(first), [two])
            await asyncio.sleep(0.1)  # the interval between looks
        await self.stays_online_to(watcher, user)

    async def stays_online_to(self, watcher: Device, user: int) -> None:
        """
        Check that the watcher was not notified that the user is offline.
        """
        await watcher.pong()
        last = [
            frame.online
            for name, frame, _ in watcher.received
            if name == "presence" and frame.user == user
        ]
        self.assertNotIn(False, last)
