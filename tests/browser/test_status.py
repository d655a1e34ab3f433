"""
The status pages of both daemons, in a browser.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path

from tests.integration.cases import IntegrationTestCase, with_daemons
from tools.typescript import PACKAGE

#: Screenshots, for people to look at.
SHOTS = Path(__file__).resolve().parent.parent.parent / "build" / "screenshots"

_MESSAGES = 200


class StatusPageTests(IntegrationTestCase):
    """
    Pages of Chromium.
    """

    timeout = 600

    @with_daemons
    async def test_pages(self) -> None:
        """
        Both pages ask for the key, show the node in words, and follow a daemon that is
        killed and starts again, or hangs; they load nothing from elsewhere, break no
        rule of accessibility, and show hostile names as text.
        """
        SHOTS.mkdir(parents=True, exist_ok=True)
        installation = self.installation
        daemons = {"connect": installation.connect, "message": installation.message}
        process = await asyncio.create_subprocess_exec(
            *("node", "build/test/status.js", str(SHOTS)),
            *(
                f"{name}=http://127.0.0.1:{daemon.port('admin_listen')}/="
                f"{daemon.admin_key.read_text().strip()}"
                for name, daemon in daemons.items()
            ),
            cwd=PACKAGE,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        self.at_end(lambda: _ended(process))
        wishes: dict[str, Callable[[], Awaitable[object]]] = {
            "kill message": daemons["message"].kill,
            "kill connect": daemons["connect"].kill,
            "start message": daemons["message"].start,
            "start connect": daemons["connect"].start,
            "suspend connect": lambda: daemons["connect"].signal(signal.SIGSTOP),
            "continue connect": lambda: daemons["connect"].signal(signal.SIGCONT),
            "talk": self._talk,
        }
        told: list[str] = []
        assert process.stdout and process.stdin and process.stderr
        async for line in process.stdout:
            told.append(line.decode().strip())
            if told[-1] in wishes:
                await wishes[told[-1]]()
                process.stdin.write(b"done\n")
        errors = (await process.stderr.read()).decode()
        self.assertEqual(await process.wait(), 0, f"{told}\n{errors}")
        self.assertEqual(told[-1], "all is well")

    async def _talk(self) -> None:
        """
        Have a user send messages, so that the charts have something to show.
        """
        [sender, recipient] = [await self.device(self.user()) for _ in range(2)]
        for number in range(_MESSAGES):
            await sender.send_until_accepted(recipient.user, f"m{number}", "hello")


async def _ended(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.kill()
    await process.wait()
