"""
Message on a disk that becomes full.
"""

from __future__ import annotations

import asyncio
import resource
from typing import Any, ClassVar

from tests.integration.cases import (
    IntegrationTestCase,
    eventually,
    metric,
    with_daemons,
)
from tests.integration.device import Device
from tests.integration.small_disk import SmallDisk
from wsmsg.protocol import client_pb2 as pb

MIB = 2**20
#: Long contents fill the disk with few messages.
_CONTENT = "x" * 3_000


class FullDisk(IntegrationTestCase):
    """
    Base class of tests that fill a disk, make room, and look for what was accepted.
    """

    alone = True
    connect: ClassVar[dict[str, Any]] = {
        "send_timeout_s": 2,
        "limits.sends_per_s": 10_000,
        "limits.sends_burst": 10_000,
    }

    async def fill(self, device: Device, to: int) -> list[str]:
        """
        Send until a send is refused, and return what was accepted.
        """
        accepted: list[str] = []
        n = 0
        while True:
            answer = await device.send(to, f"id-{n}", f"{n} {_CONTENT}")
            if isinstance(answer, pb.Rejected):
                self.assertEqual(answer.code, "unavailable")
                self.assertGreater(answer.retry_after_ms, 0)
                return accepted
            accepted.append(str(n))
            n += 1

    async def accepts_again(self, device: Device, to: int) -> None:
        """
        Repeat a message until it is accepted.
        """

        async def accepted() -> bool:
            answer = await device.send(to, "id-last", "last")
            return not isinstance(answer, pb.Rejected)

        await eventually("accepted again", accepted)

    async def check_stored(self, one: int, two: int, accepted: list[str]) -> None:
        """
        Check that all accepted messages are in the store, once and in order.
        """
        person = self.person(two)

        def messages() -> list[str]:
            taken = person.taken[f"u:{one}:{two}"]
            return [m.content.split()[0] for m in taken]

        await eventually("all messages", lambda: "last" in messages(), 60)
        # The outcome of the send that was refused is not known.
        refused = str(len(accepted))
        found = [n for n in messages() if n != refused]
        self.assertEqual(found, [*accepted, "last"])


class ReserveTests(FullDisk):
    """
    The reserve of the disk.
    """

    @with_daemons
    async def test_reserve(self) -> None:
        """
        Message refuses messages before the disk is full, says so in its readiness and
        metrics, and goes on by itself once there is room; nothing accepted is lost.
        """
        disk = SmallDisk.mount("48m")
        if disk is None:
            self.skipTest("no disk can be mounted")

        async def unmount() -> None:
            await self.installation.message.kill()
            disk.unmount()

        self.at_end(unmount)
        message = self.installation.message
        message.extra["journal"] = f"sqlite://{disk.folder}/journal.db"
        message.extra["store"] = f"sqlite://{disk.folder}/store.db"
        disk.occupy(8 * MIB)
        await self.installation.start()
        one, two = self.user(), self.user()
        device = await self.device(one)
        accepted = await self.fill(device, two)
        await message.until_logged("alarm disk:", 10)
        status, told = await message.get("/readyz")
        self.assertEqual((status, told["degraded"]), (200, True), told)
        self.assertEqual([a["name"] for a in told["alarms"]], ["disk"])
        self.assertGreater(
            await metric(message, 'wsmsg_message_gate_refused_total{alarm="disk"}'), 0
        )
        self.assertGreater(disk.free, 0)
        disk.empty()
        await self.accepts_again(device, two)
        _, told = await message.get("/readyz")
        self.assertEqual((told["degraded"], told["alarms"]), (False, []))
        await self.check_stored(one, two, accepted)


class FileSizeTests(FullDisk):
    """
    A disk that takes nothing more, seen as a limit of the size of files.
    """

    message: ClassVar[dict[str, Any]] = {"disk_reserve_bytes": 0}

    @with_daemons
    async def test_full(self) -> None:
        """
        Message refuses messages on a disk that is full, is not ready meanwhile, and
        goes on by itself once there is room; nothing accepted is lost, and the log has
        no traceback.
        """
        message = self.installation.message
        limit = 6 * MIB
        infinite = resource.RLIM_INFINITY
        message.before_exec = lambda: resource.setrlimit(
            resource.RLIMIT_FSIZE, (limit, infinite)
        )
        await self.installation.start()
        one, two = self.user(), self.user()
        device = await self.device(one)
        accepted = await self.fill(device, two)
        self.assertGreater(len(accepted), 10)
        await message.ready(False)
        resource.prlimit(message.pid, resource.RLIMIT_FSIZE, (infinite, infinite))
        await message.ready()
        await self.accepts_again(device, two)
        await asyncio.wait_for(self.check_stored(one, two, accepted), 90)
