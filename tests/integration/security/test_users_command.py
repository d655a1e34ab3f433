"""
C{wsmsg users}: the sessions and tokens of a user, as an operator ends them.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from pathlib import Path

from websockets.exceptions import InvalidStatus

from tests.integration.cases import IntegrationTestCase, with_daemons
from wsmsg.errors import Close


class UsersCommandTests(IntegrationTestCase):
    """
    The command as a process, beside real daemons.
    """

    async def run_command(self, *arguments: str) -> tuple[int, str]:
        """
        Run C{wsmsg users}.

        @return: its exit status and its output.
        """
        url = f"http://127.0.0.1:{self.installation.message.port('listen')}"
        process = await asyncio.create_subprocess_exec(
            *(str(Path(sys.executable).parent / "wsmsg"), "users"),
            *(*arguments, "--url", url),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=dict(os.environ),
        )
        out, _ = await process.communicate()
        assert process.returncode is not None
        return process.returncode, out.decode()

    @with_daemons
    async def test_rows_2_and_3_revoke_tokens(self) -> None:
        """
        The sessions of a user end, the same token logs in no more, and a newer one
        does; a time in the past leaves tokens that are newer alone.
        """
        user, now = self.user(), int(time.time())
        old = self.installation.token(user, iat=now - 60)
        device = await self.device(user, token=old)
        status, out = await self.run_command(
            *("revoke-tokens", str(user), "--before", str(now - 600))
        )
        self.assertEqual(status, 0, out)
        self.assertIn(f"revoked the tokens of {user} that were issued before", out)
        await device.pong()
        status, out = await self.run_command(
            *("revoke-tokens", str(user), "--before", str(now), "--json")
        )
        self.assertEqual((status, json.loads(out)["connects"]), (0, 1))
        self.assertEqual(await device.closed(), Close.UNAUTHENTICATED)
        with self.assertRaises(InvalidStatus) as caught:
            await self.dial(user, token=old)
        self.assertEqual(caught.exception.response.status_code, 401)
        await self.device(user, token=self.installation.token(user, iat=now))

    @with_daemons
    async def test_rows_2_and_3_end_sessions(self) -> None:
        """
        One device or all sessions end, with the reason; with C{--revoke} their tokens
        are void.
        """
        user, now = self.user(), int(time.time())
        token = self.installation.token(user, iat=now - 60)
        phone = await self.device(user, "phone", token=token)
        tablet = await self.device(user, "tablet", token=token)
        status, out = await self.run_command(
            *("end-sessions", str(user), "--device", "phone", "--reason", "lost")
        )
        self.assertEqual(status, 0, out)
        self.assertEqual(await phone.closed(), Close.KICKED)
        await tablet.pong()
        status, out = await self.run_command("end-sessions", str(user), "--revoke")
        self.assertEqual(status, 0, out)
        await tablet.closed()
        with self.assertRaises(InvalidStatus):
            await self.dial(user, token=token)

    @with_daemons
    async def test_mistakes(self) -> None:
        """
        A mistake is one line, and status 1 or 2.
        """
        for status, reason, *arguments in (
            (2, "neither a user id nor a name", "revoke-tokens", "007"),
            (1, "bob", "revoke-tokens", "bob"),
            (2, "is not like 2026-11-30", "revoke-tokens", "1", "--before", "soon"),
            (1, "in the future", "revoke-tokens", "1", "--before", "4102444800"),
            (2, "leave --device out", "end-sessions", "1", "--device", "d", "--revoke"),
        ):
            found, out = await self.run_command(*arguments)
            self.assertEqual(found, status, out)
            self.assertIn(reason, out)
