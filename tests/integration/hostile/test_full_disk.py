"""
Tests of a full disk.
"""

from __future__ import annotations

import resource
from typing import Any

from tests.integration.cases import IntegrationTestCase, with_daemons
from tests.integration.device import Device
from wsmsg.model import conversation_of
from wsmsg.protocol import client_pb2 as pb

_CONTENT = "x" * 10_000


class FullDiskTests(IntegrationTestCase):
    """
    P7: a full file system, simulated with a limit on the size of files; SQLite sees the
    same error, and the limit can be lifted while the daemon runs.
    """

    def limit(self, size: int) -> None:
        """
        Limit the size of Message's files to this number of bytes.
        """
        pid = self.installation.message.pid
        _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, hard))

    @with_daemons
    async def test_full_disk(self) -> None:
        """
        P1, P7: while nothing can be written, sends are rejected as C{unavailable} with
        a retry hint, and Message reports why it is not ready; with space again it
        recovers without a restart, and every accepted message is stored once.
        """
        message = self.installation.message
        one, two = self.user(), self.user()
        device = await self.device(one)
        self.assertTrue((await device.send(two, "before", "before")).time)
        await device.expect("deliver", client_id="before")
        files = self.installation.folder.rglob("*")
        self.limit(max(f.stat().st_size for f in files if f.is_file()) + 4096)
        accepted, rejected = await self.until_rejected(device, two)
        self.assertEqual(rejected.code, "unavailable")
        self.assertGreater(rejected.retry_after_ms, 0)
        await message.ready(False)
        status, told = await message.get("/readyz")
        self.assertEqual((status, told["ready"]), (503, False))
        down = [d for d in told["dependencies"] if d["state"] != "up"]
        self.assertTrue(all(d["last_error"] for d in down), told)
        self.limit(resource.RLIM_INFINITY)
        await message.ready()
        await device.send_until_accepted(two, rejected.client_id, _CONTENT)
        await device.expect("deliver", client_id=rejected.client_id)
        stored = await self.stored(device, two)
        self.assertEqual(stored, ["before", *accepted, rejected.client_id])

    async def until_rejected(self, device: Device, to: int) -> tuple[list[str], Any]:
        """
        Send until a message is rejected.

        @return: the accepted client ids, and the rejection.
        """
        accepted: list[str] = []
        for n in range(200):
            send = pb.Send(client_id=f"id-{n}", to=to, content=_CONTENT)
            await device.send_frame(send=send)
            answer = await device.answer(f"id-{n}")
            if getattr(answer, "code", ""):
                return accepted, answer
            accepted.append(f"id-{n}")
        raise AssertionError("everything was accepted")

    async def stored(self, device: Device, other: int) -> list[str]:
        """
        Return the client ids in the conversation.
        """
        name, after, found = conversation_of(device.user, other), 0, list[str]()
        while True:
            await device.send_frame(
                sync=pb.Sync(id="s", conversation=name, after=after)
            )
            page = await device.expect("page", id="s")
            found += [m.client_id for m in page.messages]
            if not page.more:
                return found
            after = page.messages[-1].seq
