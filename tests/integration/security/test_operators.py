"""
Row 7 of issue 11: the admin listeners tell other accounts of the machine nothing but
health and metrics, and web pages nothing at all.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

from tests.conformance.plain_http import ask
from tests.integration.cases import IntegrationTestCase, with_daemons
from tests.integration.installation import DaemonProcess

NOBODY = 65534
_CLI = "from wsmsg.cli.main import main; main()"
# The modules first: another account may not be able to read this Python.
_AS_NOBODY = (
    "import os, encodings.ascii, encodings.idna, wsmsg.cli.main, wsmsg.cli.status,"
    " wsmsg.cli.dead_letters; os.getuid() or (os.setgroups([]), os.setgid(65534),"
    " os.setuid(65534)); "
)
_ROOT = str(Path(__file__).parents[3])


class OperatorTests(IntegrationTestCase):
    """
    Both daemons as they are without any settings.
    """

    async def wsmsg(self, *arguments: str, nobody: bool = False) -> tuple[int, str]:
        """
        Run a command against the daemons, with their data directory as the only hint.

        @return: its exit status, and what it says.
        """
        folder, ports = self.installation.folder, self.installation.ports
        environ = {
            **os.environ,
            "PYTHONPATH": _ROOT,
            "PYTHONDONTWRITEBYTECODE": "1",
            "HOME": "/",
            "WSMSG_COMMON__DATA_DIR": str(folder / "data"),
            "WSMSG_MESSAGE__ADMIN_LISTEN": f"127.0.0.1:{ports['message.admin_listen']}",
            "WSMSG_CONNECT__ADMIN_LISTEN": f"127.0.0.1:{ports['connect.admin_listen']}",
        }
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", (_AS_NOBODY if nobody else "") + _CLI, *arguments),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=environ,
            cwd="/",
        )
        told, _ = await process.communicate()
        assert process.returncode is not None
        return process.returncode, told.decode()

    async def get(self, daemon: DaemonProcess, path: str, **more: Any) -> int:
        """
        Send a request without the key, and return the status.
        """
        body = {"numbers": [1]} if path.endswith("replay") else None
        method = "GET" if body is None else "POST"
        port = daemon.port("admin_listen")
        return (await ask(port, method, path, body, **more)).status

    @with_daemons
    async def test_another_account(self) -> None:
        """
        Another account is told no status and no dead letter, and replays none; it may
        not read the key.  Probes and a scraper need none.
        """
        message, connect = self.installation.message, self.installation.connect
        self.assertEqual(message.admin_key.stat().st_mode & 0o777, 0o600)
        for daemon in (message, connect):
            for path in ("/healthz", "/readyz", "/metrics"):
                self.assertEqual(await self.get(daemon, path), 200)
            self.assertEqual(await self.get(daemon, "/status"), 401)
            self.assertEqual((await daemon.get("/status"))[0], 200)
        for path in ("/dead-letters", "/dead-letters/replay"):
            self.assertEqual(await self.get(message, path), 401)
        line = await message.until_logged("POST /dead-letters/replay")
        self.assertIn("(unknown) of 127.0.0.1", line)
        if os.getuid() != 0:
            return  # there is no other account to try
        self.installation.folder.chmod(0o755)
        for command in ("status", "dead-letters list"):
            status, told = await self.wsmsg(*command.split(), nobody=True)
            self.assertEqual(status, 1, told)
            self.assertIn("401", told)
            self.assertIn("--key-file", told)
            self.assertNotIn("uptime", told)

    @with_daemons
    async def test_own_account(self) -> None:
        """
        The account of the daemons, and root, need no setting; another account needs a
        copy of the key.  A replay leaves a line in the audit.
        """
        message = self.installation.message
        status, told = await self.wsmsg("status", "--json")
        self.assertEqual(status, 0, told)
        self.assertEqual(set(json.loads(told)), {"connect", "message"})
        status, told = await self.wsmsg("dead-letters", "list")
        self.assertEqual((status, told), (0, "There are no dead letters.\n"))
        status, told = await self.wsmsg("dead-letters", "replay", "77")
        self.assertEqual(status, 1, told)
        line = await message.until_logged("(operator) of 127.0.0.1")
        replay = "POST /dead-letters/replay: dead_letters=77: 200 ok"
        self.assertTrue(line.endswith(replay), line)
        status, told = await self.wsmsg("doctor")
        self.assertIn("message: ready", told)
        copy = self.installation.folder / "copy.key"
        copy.write_text(message.admin_key.read_text())
        if os.getuid() == 0:
            self.installation.folder.chmod(0o755)
            os.chown(copy, NOBODY, NOBODY)
        copy.chmod(0o600)
        status, told = await self.wsmsg(
            "status", "--json", "--key-file", str(copy), nobody=True
        )
        self.assertEqual(status, 0, told)

    @with_daemons
    async def test_web_page(self) -> None:
        """
        A page of another site gets nothing, even with the key.
        """
        message = self.installation.message
        key = message.admin_key.read_text().strip()
        for page in (
            {"Origin": "https://evil.example"},
            {"Sec-Fetch-Site": "cross-site"},
            {"Origin": "null"},
        ):
            headers = {"Authorization": f"Bearer {key}", **page}
            for path in ("/status", "/metrics", "/dead-letters/replay"):
                self.assertEqual(await self.get(message, path, headers=headers), 403)
