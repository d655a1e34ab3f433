"""
A person at C{wsmsg chat} and one with a legacy client.
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
    A terminal with C{wsmsg chat} on it.

    @ivar shown: all that was written to it, without control sequences.
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
        As a person does.
        """
        os.write(self._master, keys.encode())

    async def shows(self, text: str) -> None:
        """
        Wait until this was written to it.
        """
        async with asyncio.timeout(45):
            while text not in self.shown:
                self._more.clear()
                await self._more.wait()

    async def ended(self) -> int:
        """
        The exit status of what ran on it.
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
    Neither knows what the other has.
    """

    async def chat(self, user: int, target: int) -> Terminal:
        """
        Somebody at a terminal.
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
        A person at the terminal and a legacy client read what the other types, earlier
        messages included; a message that the terminal showed is read.
        """
        port = self.installation.message.port("listen")
        one, user = await self.client(http_port=port), self.user()
        two = self.stranger(user, http_port=port)
        await one.say(user, "are you there?")
        terminal = await self.chat(user, one.user)
        await terminal.shows("are you there?")
        terminal.type("yes, at a terminal\r")
        heard = await one.hears("yes, at a terminal")
        self.assertEqual((getattr(heard, "from"), heard.to), (user, one.user))
        await one.say(user, "I hear you")
        await terminal.shows("I hear you")
        terminal.type("\x04")
        self.assertEqual(await terminal.ended(), 0)

        async def all_read() -> bool:
            return not await two.unread()

        await eventually("all is read", all_read)
