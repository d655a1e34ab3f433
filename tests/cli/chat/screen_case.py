"""
A chat on a terminal that is a pipe, and its server.
"""

from __future__ import annotations

import asyncio
from contextlib import ExitStack

from prompt_toolkit.application import create_app_session
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput

from tests.asyncio_case import AsyncioCase
from tests.client.doubles import FakeServer
from wsmsg.cli.chat.screen import ChatScreen
from wsmsg.cli.chat.target import ChatTarget
from wsmsg.client import Client, Reconnect

URL = "ws://server.example/"


class ScreenCase(AsyncioCase):
    """
    A chat whose keys the test types.
    """

    async def asyncSetUp(self) -> None:
        self.server = FakeServer()
        reconnect = Reconnect(URL, first_s=0.0)
        self.client = Client(URL, "t", dial=self.server.dial, reconnect=reconnect)
        self.addAsyncCleanup(self.client.close)
        terminal = ExitStack()
        self.addCleanup(terminal.close)
        self.keys = terminal.enter_context(create_pipe_input())
        terminal.enter_context(
            create_app_session(input=self.keys, output=DummyOutput())
        )

    def chat(self, target: ChatTarget) -> None:
        """
        Begin the chat.
        """
        self.screen = ChatScreen(self.client, target)
        self.running = asyncio.create_task(self.screen.run())

    async def type(self, keys: str, text: str) -> None:
        """
        Type keys, and wait until the input line has a text.
        """
        typed = asyncio.Event()

        def changed(buffer: Buffer) -> None:
            if buffer.text == text:
                typed.set()

        self.screen._input.buffer.on_text_changed += changed
        self.keys.send_text(keys)
        await typed.wait()

    def lines(self) -> list[str]:
        """
        The lines on the screen.
        """
        rows = self.screen.draw(200, 100)
        return ["".join(part[1] for part in row) for row in rows]

    async def quit(self) -> None:
        """
        Leave the chat.
        """
        self.keys.send_text("\x03y" if self.client.unsent else "/quit\r")
        await self.running
