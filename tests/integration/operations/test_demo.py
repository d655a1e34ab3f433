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
from pathlib import Path

from tests.asyncio_case import AsyncioCase
from tests.integration.cases import eventually
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
        demo = await _begin(folder.name, "--no-open")
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

    async def test_opened(self) -> None:
        """
        The demo opens the link of the first person in the browser of a desktop, and
        none where there is no display, or if it is told not to.
        """
        folder = tempfile.TemporaryDirectory(prefix="wsmsg-demo-test-")
        self.addCleanup(folder.cleanup)
        browser, opened = Path(folder.name) / "browser", Path(folder.name) / "opened"
        browser.write_text(
            f'#!/bin/sh\necho "$1" > {opened}.new\nmv {opened}.new {opened}\n'
        )
        browser.chmod(0o700)
        shown = {"DISPLAY": ":9", "WAYLAND_DISPLAY": "", "BROWSER": str(browser)}
        hidden = {**shown, "DISPLAY": ""}
        for arguments, display, opens in (
            ((), shown, True),
            (("--no-open",), shown, False),
            ((), hidden, False),
        ):
            demo = await _begin(folder.name, *arguments, **display)
            assert demo.stdout is not None
            try:
                async with asyncio.timeout(120):
                    link = await _until(demo.stdout, r"^  \w+: (http://\S+)$")
                    await _until(demo.stdout, "Ctrl-C stops everything")
                    if opens:
                        await eventually("opened", opened.exists)
                        self.assertEqual(opened.read_text().strip(), link[1])
                        opened.unlink()
            finally:
                demo.send_signal(signal.SIGINT)
                await demo.wait()
            self.assertFalse(opened.exists())


async def _begin(
    folder: str, *arguments: str, **environment: str
) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-u", "-c", _RUN, "demo", *arguments),
        *("--port-base", str(free_base()), "--data-dir", folder),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, "HOME": folder, **environment},
    )


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
