"""
Tests for L{wsmsg.client.environment}.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from shlex import join
from typing import cast

from tests.asyncio_case import AsyncioCase
from wsmsg.client import Client
from wsmsg.client.environment import EnvironmentSettings, settings_in
from wsmsg.errors import BadRequest

URL = {"WSMSG_URL": "wss://chat.example"}


class EnvironmentTests(AsyncioCase):
    """
    C{Client.from_env}.
    """

    async def token(self, settings: EnvironmentSettings) -> str:
        source = cast("Callable[[], Awaitable[str]]", settings.token_source)
        return await source()

    async def test_all(self) -> None:
        """
        Every variable is taken, and a URL without a path gets that of Connect.
        """
        settings = settings_in(
            {
                **URL,
                "WSMSG_TOKEN": "a.b.c",
                "WSMSG_DEVICE": "bot",
                "WSMSG_POSITION_FILE": "/var/lib/bot/position",
                "WSMSG_CA": "/etc/ca.pem",
            }
        )
        self.assertEqual(settings.url, "wss://chat.example/api/v1/connect/ws")
        self.assertEqual((settings.token_source, settings.device), ("a.b.c", "bot"))
        self.assertEqual(settings.position_file, "/var/lib/bot/position")
        self.assertEqual(settings.ca, "/etc/ca.pem")
        self.assertNotIn("a.b.c", repr(settings))

    async def test_client(self) -> None:
        """
        A client is made from the environment of the process, or from another one.
        """
        Client.from_env({**URL, "WSMSG_TOKEN": "a.b.c"})

    async def test_mistakes(self) -> None:
        """
        A variable that is missing or wrong is named, with the remedy.
        """
        token = {"WSMSG_TOKEN": "t"}
        for environ, reason in (
            (token, "WSMSG_URL is not set"),
            ({**token, "WSMSG_URL": "http://a"}, "is 'http://a', which is not ws://"),
            ({**token, "WSMSG_URL": "ws://"}, "which is not ws://"),
            ({**token, "WSMSG_URL": "ws://a:b"}, "which is not ws://"),
            (URL, "set WSMSG_TOKEN, or WSMSG_TOKEN_COMMAND"),
            ({**URL, **token, "WSMSG_TOKEN_COMMAND": "a"}, "both set"),
            ({**URL, "WSMSG_TOKEN_COMMAND": "a 'b"}, "WSMSG_TOKEN_COMMAND: No closing"),
            ({**URL, "WSMSG_TOKEN_COMMAND": " "}, "names no program"),
        ):
            with self.assertRaisesRegex(BadRequest, reason):
                Client.from_env(environ)

    async def test_command(self) -> None:
        """
        The program runs for each token, and what it prints is the token.
        """
        counter = Path(self.id())
        self.addCleanup(counter.unlink)
        code = (
            f"from pathlib import Path; p = Path({str(counter)!r}); "
            "n = len(p.read_text()) if p.exists() else 0; "
            "p.write_text('x' * (n + 1)); print(f'token-{n}')"
        )
        command = join([sys.executable, "-c", code])
        settings = settings_in({**URL, "WSMSG_TOKEN_COMMAND": command})
        self.assertEqual(await self.token(settings), "token-0")
        self.assertEqual(await self.token(settings), "token-1")

    async def test_command_fails(self) -> None:
        """
        A program that fails is named with its status and its last line.
        """
        code = "import sys; print('no', file=sys.stderr); sys.exit('no key')"
        command = join([sys.executable, "-c", code])
        settings = settings_in({**URL, "WSMSG_TOKEN_COMMAND": command})
        with self.assertRaisesRegex(OSError, "ended with 1: no key"):
            await self.token(settings)
        missing = settings_in({**URL, "WSMSG_TOKEN_COMMAND": "/no/such/program"})
        with self.assertRaises(OSError):
            await self.token(missing)
