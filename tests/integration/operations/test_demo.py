"""
The demo that stays up.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
import tempfile

from tests.asyncio_case import AsyncioCase
from tests.ports import free_base

_RUN = "from wsmsg.cli.main import main; main()"


class DemoTests(AsyncioCase):
    """
    C{wsmsg demo}, for a person who tries things out.
    """

    async def test_killed(self) -> None:
        """
        Whichever daemon the person kills is started again, and Ctrl-C ends the demo
        with status 0.
        """
        folder = tempfile.TemporaryDirectory(prefix="wsmsg-demo-test-")
        self.addCleanup(folder.cleanup)
        base = free_base()
        demo = await asyncio.create_subprocess_exec(
            *(sys.executable, "-u", "-c", _RUN, "demo"),
            *("--port-base", str(base), "--data-dir", folder.name),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env={**os.environ, "HOME": folder.name},
        )
        assert demo.stdout is not None
        try:
            async with asyncio.timeout(120):
                asked = await _until(demo.stdout, r"kill -9 (\d+)  \(or (\d+)\)")
                for pid in asked.groups():
                    os.kill(int(pid), signal.SIGKILL)
                    await _until(demo.stdout, rf"\(pid {pid}\) was killed \(SIGKILL\)")
                    await _until(demo.stdout, r"is ready \(kill -9 \d+\)")
                demo.send_signal(signal.SIGINT)
                self.assertEqual(await demo.wait(), 0)
        finally:
            if demo.returncode is None:
                demo.terminate()
                await demo.wait()


async def _until(out: asyncio.StreamReader, pattern: str) -> re.Match[str]:
    """
    Read lines until one matches.
    """
    told = ""
    while line := (await out.readline()).decode():
        told += line
        if found := re.search(pattern, line):
            return found
    raise AssertionError(f"no {pattern} in:\n{told}")
