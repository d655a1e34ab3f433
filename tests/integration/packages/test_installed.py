"""
The wheels: daemons with no extra, and a program that has only the client.
"""

from __future__ import annotations

import asyncio
import signal

from tests.asyncio_case import AsyncioCase
from tests.integration.installation import Installation
from tests.integration.packages.bots import ANSWERS, CHAT, ECHO, IMPORT
from tests.test_packaging import client, server
from tests.wheels import environ
from wsmsg_client import Client, MessageReceived


class InstalledTests(AsyncioCase):
    """
    Environments with what C{pip install} brings.
    """

    async def asyncSetUp(self) -> None:
        self.installation = Installation()
        for daemon in self.installation.daemons:
            daemon.commands = server().commands
            daemon.environ = environ()
        self.addAsyncCleanup(self.installation.stop)
        await self.installation.start()

    async def program(
        self, text: str, *arguments: str, **variables: str
    ) -> asyncio.subprocess.Process:
        """
        Start a program where only the client is installed.
        """
        return await asyncio.create_subprocess_exec(
            # In the background of a shell, SIGINT is ignored.
            *("env", "--default-signal=INT", client().commands / "python"),
            *("-c", text, *arguments),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**environ(), **variables},
        )

    async def test_chat(self) -> None:
        """
        Both daemons run on the embedded backends, without the libraries of any extra,
        and a program that has only the client chats through them.
        """
        tokens = [self.installation.token(user) for user in (1001, 1002)]
        program = await self.program(CHAT, self.installation.url, *tokens)
        async with asyncio.timeout(60):
            said, problem = await program.communicate()
        self.assertEqual(said.decode(), "Good morning | Good morning to you\n")
        self.assertEqual(problem, b"")
        self.assertEqual(self.installation.tracebacks(), [])

    async def test_echo(self) -> None:
        """
        The bot of the README, as it stands there, echoes what a user says, and ends
        with Ctrl-C.
        """
        port = self.installation.ports["connect.listen"]
        bot = await self.program(
            ECHO,
            WSMSG_URL=f"ws://127.0.0.1:{port}",
            WSMSG_TOKEN=self.installation.token(4001),
        )
        token = self.installation.token(1003)
        try:
            async with (
                asyncio.timeout(60),
                Client(self.installation.url, token) as user,
            ):
                await user.send(4001, "is anybody there?")
                answer = None
                async for event in user.events():
                    if isinstance(event, MessageReceived) and not event.mine:
                        answer = event.sender, event.content
                        break
            self.assertEqual(answer, (4001, "is anybody there?"))
        finally:
            bot.send_signal(signal.SIGINT)
            _, problem = await bot.communicate()
        self.assertIn(b"KeyboardInterrupt", problem)

    async def test_killed_after_a_reply(self) -> None:
        """
        A bot that dies between its reply and the next event gets the event again when
        it runs again, and replies again; the user sees one answer.
        """
        variables = {
            "WSMSG_URL": self.installation.url,
            "WSMSG_TOKEN": self.installation.token(4002),
        }
        heard: list[str] = []
        async with (
            asyncio.timeout(90),
            Client(self.installation.url, self.installation.token(1004)) as user,
        ):
            await user.send(4002, "one")
            bot = await self.program(ANSWERS, "dies", **variables)
            self.assertEqual(await bot.wait(), 9)
            bot = await self.program(ANSWERS, **variables)
            assert bot.stdout is not None
            try:
                self.assertEqual(await bot.stdout.readline(), b"one\n")
                await user.send(4002, "two")
                self.assertEqual(await bot.stdout.readline(), b"two\n")
                async for message in user.history("u:1004:4002"):
                    if isinstance(message, MessageReceived):
                        heard.append(message.content)
            finally:
                bot.kill()
                await bot.communicate()
        self.assertEqual(heard, ["one", "pong", "two", "pong"])


class ImportTests(AsyncioCase):
    """
    The cost of the import.
    """

    async def test_import(self) -> None:
        """
        The import of the client, whose time is printed, works in a new process.
        """
        client().python("import wsmsg_client")  # compiles the modules
        seconds = min(float(client().python(IMPORT)) for _ in range(5))
        print(f"\nimport wsmsg_client: {seconds * 1000:.0f} ms of CPU")
