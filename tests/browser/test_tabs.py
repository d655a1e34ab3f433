"""
Two people in a browser, one of them with five tabs.
"""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

from tests.integration.cases import IntegrationTestCase, with_daemons
from tests.integration.installation import free_ports
from tools.typescript import PACKAGE


class TabTests(IntegrationTestCase):
    """
    Pages of Chromium.
    """

    timeout = 600
    connect: ClassVar[dict[str, Any]] = {
        "limits.sends_per_s": 2000,
        "limits.sends_burst": 2000,
    }

    @with_daemons
    async def test_tabs(self) -> None:
        """
        Five tabs are one device; the next leads when the leading one is closed; a
        reload keeps unsent messages; killed daemons and a denied IndexedDB lose
        nothing, double nothing and change no order.
        """
        installation = self.installation
        users = [self.user() for _ in range(3)]
        [port] = free_ports(1)
        process = await asyncio.create_subprocess_exec(
            *("node", "build/test/browser.js", installation.url, str(port)),
            *(f"{user}={installation.token(user)}" for user in users),
            cwd=PACKAGE,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        self.at_end(lambda: self._ended(process))
        daemons = {"connect": installation.connect, "message": installation.message}
        told: list[str] = []
        assert process.stdout and process.stdin and process.stderr
        async for line in process.stdout:
            told.append(line.decode().strip())
            verb, _, name = told[-1].partition(" ")
            if verb == "kill":
                await daemons[name].kill()
            elif verb == "start":
                await daemons[name].start()
            else:
                continue
            process.stdin.write(b"done\n")
        errors = (await process.stderr.read()).decode()
        self.assertEqual(await process.wait(), 0, f"{told}\n{errors}")
        self.assertEqual(told[-1], "all is well")
        print("; ".join(told))

    async def _ended(self, process: asyncio.subprocess.Process) -> None:
        if process.returncode is None:
            process.kill()
        await process.wait()
