"""
The demo and its links, in Chromium.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import sys
import tempfile
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from tests.ports import free_base
from tools.typescript import PACKAGE

_LINK = re.compile(r"^  \w+: (http://\S+/chat#token=\S+)$")
_PID = re.compile(r"^Kill one of them: kill -9 (\d+)")


class DemoLinkTests(TestCase):
    """
    C{wsmsg demo}, which stays up.
    """

    timeout = 240

    def test_links(self) -> Deferred[None]:
        """
        Each of the two links that the demo prints opens the chat of one person, and a
        daemon that is killed comes back.
        """
        return Deferred.fromCoroutine(_run(self._links()))

    async def _links(self) -> None:
        folder = Path(tempfile.mkdtemp(prefix="wsmsg-demo-test-"))
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        wsmsg = str(Path(sys.executable).parent / "wsmsg")
        base = free_base()
        demo = await _start(
            *(wsmsg, "demo", "--no-open", "--port-base", str(base)),
            *("--data-dir", str(folder)),
        )
        try:
            links, pid = await _invited(demo)
            node = await _start("node", "build/chat/test/demo.js", *links)
            told: list[str] = []
            assert node.stdout and node.stdin
            async for line in node.stdout:
                told.append(line.decode().rstrip())
                if told[-1] == "kill message":
                    os.kill(pid, signal.SIGKILL)
                    node.stdin.write(b"done\n")
            self.assertEqual(await node.wait(), 0, "\n".join(told))
            self.assertEqual(told[-1], "all is well")
        finally:
            demo.send_signal(signal.SIGTERM)
            await demo.wait()


async def _run(test: Coroutine[Any, Any, None]) -> None:
    """
    Run a coroutine of asyncio.
    """
    await Deferred.fromFuture(asyncio.ensure_future(test))


async def _start(*command: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *command,
        cwd=PACKAGE,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )


async def _invited(demo: asyncio.subprocess.Process) -> tuple[list[str], int]:
    """
    Read what the demo prints until its invitation.

    @return: the two links, and the process id of Message.
    """
    links: list[str] = []
    said: list[str] = []
    assert demo.stdout
    async for line in demo.stdout:
        said.append(line.decode().rstrip())
        if found := _LINK.match(said[-1]):
            links.append(found[1])
        elif found := _PID.match(said[-1]):
            return links, int(found[1])
    raise AssertionError("\n".join(said))
