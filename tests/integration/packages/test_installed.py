"""
The wheels: daemons with no extra, and a program that has only the client.
"""

from __future__ import annotations

import asyncio

from tests.asyncio_case import AsyncioCase
from tests.integration.installation import Installation
from tests.integration.packages.bots import CHAT, IMPORT
from tests.test_packaging import client, server
from tests.wheels import environ


class InstalledTests(AsyncioCase):
    """
    Environments with what C{pip install} brings.
    """

    async def test_chat(self) -> None:
        """
        Both daemons run on the embedded backends, without the libraries of any extra,
        and a program that has only the client chats through them.
        """
        installation = Installation()
        for daemon in installation.daemons:
            daemon.commands = server().commands
            daemon.environ = environ()
        try:
            await installation.start()
            tokens = [installation.token(user) for user in (1001, 1002)]
            program = await asyncio.create_subprocess_exec(
                client().commands / "python",
                *("-c", CHAT, installation.url, *tokens),
                stdout=asyncio.subprocess.PIPE,
                env=environ(),
            )
            async with asyncio.timeout(60):
                said, _ = await program.communicate()
            self.assertEqual(said.decode(), "Good morning | Good morning to you\n")
            self.assertEqual(installation.tracebacks(), [])
        finally:
            await installation.stop()

    async def test_import(self) -> None:
        """
        The import of the client, whose time is printed, works in a new process.
        """
        client().python("import wsmsg_client")  # compiles the modules
        seconds = min(float(client().python(IMPORT)) for _ in range(5))
        print(f"\nimport wsmsg_client: {seconds * 1000:.0f} ms of CPU")
