"""
A Connect of two processes on one port, with one status, one reload and one drain.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from functools import partial
from pathlib import Path
from typing import Any

from tests.integration.cases import IntegrationTestCase, eventually, with_daemons
from tests.integration.device import Device
from wsmsg.errors import Close
from wsmsg.model import conversation_of
from wsmsg.prove.clients.raw import RawClient

_USERS = 16


class WorkersTests(IntegrationTestCase):
    """
    C{twistd connect --workers 2}.
    """

    alone = True
    connect = {
        "workers": 2,
        "node": "edge",
        "limits.sends_per_s": 10_000,
        "limits.sends_burst": 10_000,
    }

    async def workers(self) -> list[dict[str, Any]]:
        """
        Return the workers, as the status has them.
        """
        _, status = await self.installation.connect.get("/status")
        found: list[dict[str, Any]] = status["workers"]
        return found

    async def processes(self) -> list[int]:
        return [worker["process"] for worker in await self.workers()]

    async def sessions(self) -> list[int]:
        return [w["connect"].get("connections", 0) for w in await self.workers()]

    async def devices(self) -> list[Device]:
        """
        Return devices of different users, some at each worker.
        """
        found: list[Device] = []

        async def both() -> bool:
            found.append(await self.device(self.user()))
            counts = await self.sessions()
            return len(found) >= _USERS and all(counts)

        await eventually("both workers have sessions", both)
        return found

    async def command(self, *words: str) -> str:
        connect = self.installation.connect
        process = await asyncio.create_subprocess_exec(
            str(Path(sys.executable).parent / "wsmsg"),
            *words,
            f"--connect-admin=http://127.0.0.1:{connect.port('admin_listen')}",
            f"--key-file={connect.admin_key}",
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await process.communicate()
        self.assertEqual(process.returncode, 0, output.decode())
        return output.decode()

    def free(self) -> bool:
        """
        Return whether nobody listens on the port of the clients.
        """
        with socket.socket() as probe:
            probe.settimeout(1)
            port = self.installation.connect.port("listen")
            return probe.connect_ex(("127.0.0.1", port)) != 0

    @with_daemons
    async def test_one_port(self) -> None:
        """
        Two workers share the port; users of both talk, and the status and the metrics
        of the supervisor are those of both.
        """
        await self._running()
        devices = await self.devices()
        for i, device in enumerate(devices):
            other = devices[(i + 1) % len(devices)]
            await device.send(other.user, f"c{i}", f"m{i}")
        for i, device in enumerate(devices):
            content = f"m{(i or len(devices)) - 1}"
            await device.expect("deliver", content=content)
        connect = self.installation.connect
        _, status = await connect.get("/status")
        names = [worker["node"] for worker in status["workers"]]
        self.assertEqual(names, ["edge-1", "edge-2"])
        self.assertEqual(status["connect"]["users"], len(devices))
        self.assertEqual(status["figures"]["messages_accepted"], len(devices))
        [of_message] = status["connect"]["nodes"]
        self.assertEqual((of_message["kind"], of_message["up"]), ("message", True))
        _, page = await connect.get("/metrics")
        for number in (1, 2):
            self.assertIn(f'\nwsmsg_ready{{worker="{number}"}} 1.0\n', page)
        self.assertEqual(page.count("# TYPE wsmsg_ready gauge"), 1)

    @with_daemons
    async def test_deaths(self) -> None:
        """
        Workers are killed one by one while users talk: nothing is lost or doubled, each
        is started again under its name, and the daemon is degraded meanwhile.  When
        all are gone at once, the supervisor stays, says so, and starts them again.
        """
        await self._running()
        connect = self.installation.connect
        one, two = self.user(), self.user()
        sender, receiver = self.person(one), self.person(two)
        others = [self.person(self.user(), f"other-{i}") for i in range(6)]
        for person in (sender, receiver, *others):
            await person.until(partial(_connected, person))
        talking = asyncio.ensure_future(self.say(sender, two, 600))
        for death in range(4):
            await receiver.until_taken(conversation_of(one, two), 100 * (death + 1))
            before = await self.processes()
            os.kill(before[death % 2], signal.SIGKILL)
            await self.replaced(before, death % 2)
        await talking
        taken = await receiver.until_taken(conversation_of(one, two), 600)
        self.assertEqual([m.content for m in taken], [str(n) for n in range(600)])
        await sender.until(lambda: sender.idle)
        self.assertEqual(sender.problems + receiver.problems + sender.rejected, [])
        for process in await self.processes():
            os.kill(process, signal.SIGKILL)
        await connect.ready(False)
        _, ready = await connect.get("/readyz")
        self.assertIn("worker", ready["in_words"])
        await connect.ready()
        await self.device(self.user())
        self.assertEqual([w["losses"] for w in await self.workers()], [3, 3])

    async def say(self, sender: Any, to: int, n: int) -> None:
        for i in range(n):
            await sender.send(to, str(i))
            if i % 20 == 0:
                await sender.until(lambda: sender.waiting < 40)

    async def replaced(self, before: list[int], which: int) -> None:
        """
        Wait until another process has taken the place of one, and the daemon was
        degraded meanwhile.
        """
        connect, degraded = self.installation.connect, []

        async def replaced() -> bool:
            now = await self.processes()
            _, ready = await connect.get("/readyz")
            degraded.append(ready["degraded"])
            return now[which] not in (0, before[which]) and not ready["degraded"]

        await eventually("the worker was replaced", replaced)
        self.assertIn(True, degraded)

    @with_daemons
    async def test_reload(self) -> None:
        """
        SIGHUP to the supervisor is a reload of each worker; a mistake in the settings
        is said once, and no worker is asked.
        """
        connect = self.installation.connect
        config = self.installation.folder / "a.toml"
        config.write_text("[connect]\nlog.level = 'info'\n")
        connect.arguments = [f"--config={config}"]
        await self._running()
        config.write_text("[connect]\nlimits.window = 3\n")
        await connect.signal(signal.SIGHUP)
        await connect.until_logged("2 workers reloaded, one after another")
        for number in (1, 2):
            line = f"worker {number}: settings reloaded; changed: limits.window"
            self.assertEqual(len(self.installation.logged(line)), 1)
        device = await self.device(self.user())
        self.assertEqual(device.all("welcome")[0].limits.window, 3)
        config.write_text("[connect]\nlimits.window = 'x'\n")
        await connect.signal(signal.SIGHUP)
        await connect.until_logged("the settings were not reloaded")
        lines = self.installation.logged("the settings were not reloaded")
        self.assertEqual(len(lines), 1)

    @with_daemons
    async def test_drain(self) -> None:
        """
        C{wsmsg drain} drains both workers, also one that is started meanwhile; after an
        undo, clients are served again.
        """
        await self._running()
        devices = await self.devices()
        self.assertIn("Drained: no client is left.", await self.command("drain"))
        for device in devices:
            self.assertEqual(await device.closed(), Close.DRAIN)
        connect = self.installation.connect
        _, ready = await connect.get("/readyz")
        self.assertEqual(ready["reason"], "an operator drains this Connect")
        before = await self.processes()
        os.kill(before[0], signal.SIGKILL)

        async def drained_again() -> bool:
            moves = [w["connect"].get("moves") for w in await self.workers()]
            phases = [m["phase"] for m in moves if m]
            return phases == ["drained", "drained"] and before != (
                await self.processes()
            )

        await eventually("the new process is drained as well", drained_again)
        self.assertIn("undone", await self.command("drain", "--undo"))
        await connect.ready()
        await self.device(self.user())

    @with_daemons
    async def test_stop(self) -> None:
        """
        SIGTERM to the supervisor stops both workers in order, with status 0.
        """
        await self._running()
        devices = await self.devices()
        self.assertEqual(await self.installation.connect.terminate(), 0)
        for device in devices:
            self.assertEqual(await device.closed(), Close.DRAIN)
        self.assertTrue(self.free())

    @with_daemons
    async def test_supervisor_killed(self) -> None:
        """
        The workers of a supervisor that is killed stop in order and leave the port, and
        the next supervisor takes it.
        """
        await self._running()
        devices = await self.devices()
        await self.installation.connect.kill()
        for device in devices:
            self.assertEqual(await device.closed(), Close.DRAIN)
        await eventually("the port is free", self.free)
        await self._running()
        await self.device(self.user())
        said = self.installation.logged("the supervisor is gone")
        self.assertEqual(len(said), 2)

    @with_daemons
    async def test_hanging(self) -> None:
        """
        A worker that hangs is killed and replaced.
        """
        await self._running()
        before = await self.processes()
        os.kill(before[1], signal.SIGSTOP)
        await self.installation.connect.until_logged("was silent for")
        await self.replaced_hanging(before)

    async def replaced_hanging(self, before: list[int]) -> None:
        async def replaced() -> bool:
            now = await self.processes()
            return now[0] == before[0] and now[1] not in (0, before[1])

        await eventually("the worker was replaced", replaced)
        await self.installation.connect.ready()


def _connected(person: RawClient) -> bool:
    return person.connects >= 1
