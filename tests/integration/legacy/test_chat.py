"""
Tests of C{wsmsg chat} with a user of a legacy client.
"""

from __future__ import annotations

import asyncio
import os
import re
import sys

from tests.integration.cases import eventually, with_daemons
from tests.integration.legacy.cases import LegacyTestCase

_CONTROLS = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")


class Terminal:
    """
    A pseudo-terminal that runs C{wsmsg chat}.

    @ivar shown: the output so far, without control sequences.
    """

    def __init__(self) -> None:
        self.shown = ""
        self._master, self._slave = os.openpty()
        self._process: asyncio.subprocess.Process | None = None
        self._more = asyncio.Event()

    async def start(self, *arguments: str) -> None:
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", "from wsmsg.cli.main import main; main()"),
            *arguments,
            stdin=self._slave,
            stdout=self._slave,
            stderr=self._slave,
            env={**os.environ, "TERM": "xterm"},
        )
        asyncio.get_running_loop().add_reader(self._master, self._read)

    def type(self, keys: str) -> None:
        """
        Type a line.
        """
        os.write(self._master, keys.encode())

    async def shows(self, text: str) -> None:
        """
        Wait until the terminal shows this text.
        """
        async with asyncio.timeout(45):
            while text not in self.shown:
                self._more.clear()
                await self._more.wait()

    async def ended(self) -> int:
        """
        Return the exit status of the command.
        """
        assert self._process is not None
        return await asyncio.wait_for(self._process.wait(), 45)

    async def stop(self) -> None:
        asyncio.get_running_loop().remove_reader(self._master)
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()
        os.close(self._master)
        os.close(self._slave)

    def _read(self) -> None:
        data = os.read(self._master, 65536)
        self.shown += _CONTROLS.sub("", data.decode("utf-8", "replace"))
        self._more.set()


class ChatTests(LegacyTestCase):
    """
    A user at the terminal and a user of a legacy client.
    """

    async def chat(self, user: int, target: int) -> Terminal:
        """
        Start C{wsmsg chat} as this user.
        """
        terminal = Terminal()
        self.at_end(terminal.stop)
        installation = self.installation
        await terminal.start(
            *("chat", "--user", str(user), "--target", str(target)),
            *("--url", installation.url, "--token", installation.token(user)),
        )
        return terminal

    @with_daemons
    async def test_chat(self) -> None:
        """
        Each user reads what the other types, earlier messages included; a message that
        the terminal has shown is marked as read.
        """
        port = self.installation.message.port("listen")
        one, user = await self.client(http_port=port), self.user()
        two = self.stranger(user, http_port=port)
        await one.send_text(user, "are you there?")
        terminal = await self.chat(user, one.user)
        await terminal.shows("are you there?")
        terminal.type("yes, at a terminal\r")
        received = await one.expect("yes, at a terminal")
        self.assertEqual((getattr(received, "from"), received.to), (user, one.user))
        await one.send_text(user, "I hear you")
        await terminal.shows("I hear you")
        terminal.type("\x04")
        self.assertEqual(await terminal.ended(), 0)

        async def all_read() -> bool:
            return not await two.unread()

        await eventually("all is read", all_read)
