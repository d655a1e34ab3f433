"""
The programs on the page of the client.
"""

from __future__ import annotations

import ast
import asyncio
import os
import sys

from tests.asyncio_case import AsyncioCase
from tests.integration.packages.bots import PROGRAMS
from tests.syntax import ROOT
from wsmsg_client.testing import FakeServer


class ReadmeTests(AsyncioCase):
    """
    C{clients/python/README.md}.
    """

    def program(self, text: str) -> str:
        """
        Return the program that has this text.
        """
        (found,) = [program for program in PROGRAMS if text in program]
        return found

    async def run_program(self, program: str, **variables: str) -> None:
        running = await asyncio.create_subprocess_exec(
            *(sys.executable, "-W", "error", "-c", program),
            cwd=ROOT,
            env={**os.environ, **variables},
            stderr=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(60):
            _, problem = await running.communicate()
        self.assertEqual((running.returncode, problem.decode()), (0, ""))

    def test_all_compile(self) -> None:
        """
        Every program and every part of one is valid Python.
        """
        self.assertGreater(len(PROGRAMS), 3)
        for program in PROGRAMS:
            compile(program, "README", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)

    async def test_script(self) -> None:
        """
        The script without asyncio sends its message.
        """
        async with FakeServer() as server:
            script = self.program("wsmsg_client.sync import")
            await self.run_program(script, **server.environ(7))
            self.assertEqual((await server.sent()).content, "the backup is done")

    async def test_test(self) -> None:
        """
        The test of a bot passes.
        """
        await self.run_program(self.program("FakeServer"))
