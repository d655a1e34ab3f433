"""
Tests of C{wsmsg prove} on daemons that are not its own.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from tests.integration.cases import IntegrationTestCase, with_daemons
from tests.integration.device import Device
from wsmsg.protocol import client_pb2 as pb

_FIRST = 7_000_000


class OwnDaemonsTests(TestCase):
    """
    Daemons that the command starts.
    """

    timeout = 240

    def test_daemons_come_back(self) -> Deferred[None]:
        """
        Daemons start again although the command speaks gRPC itself meanwhile: every
        fault is recovered from.
        """
        return Deferred.fromFuture(asyncio.ensure_future(self._prove()))

    async def _prove(self) -> None:
        report = Path(self.mktemp())
        command = [str(Path(sys.executable).parent / "wsmsg"), "prove"]
        command += ["--embedded", "--minutes", "0.2", "--seed", "9"]
        command += ["--faults", "silent-connect,kill,rolling"]
        command += ["--report", str(report)]
        # As for somebody who runs it outside of these tests.
        environ = {k: v for k, v in os.environ.items() if not k.startswith("GRPC_")}
        process = await asyncio.create_subprocess_exec(
            *command,
            env=environ,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await process.communicate()
        self.assertEqual(process.returncode, 0, output.decode())
        self.assertNotIn(b"fork_posix", output)
        document = json.loads(report.read_text())
        self.assertEqual(document["violations"], [])
        self.assertEqual(set(document["faults"]), {"silent-connect", "kill", "rolling"})


class ProveTests(IntegrationTestCase):
    """
    A Message and a Connect that serve others too.
    """

    @with_daemons
    async def test_url(self) -> None:
        """
        The command finds that every promise holds, names its seed, and leaves no
        content behind.
        """
        report = Path(self.mktemp())
        command = [str(Path(sys.executable).parent / "wsmsg"), "prove"]
        command += ["--url", self.installation.url, "--minutes", "0.1", "--seed", "9"]
        command += ["--data-dir", str(self.installation.folder / "data")]
        command += ["--faults", "cut,storm", "--first-user", str(_FIRST)]
        command += ["--report", str(report)]
        process = await asyncio.create_subprocess_exec(
            *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        output, _ = await process.communicate()
        self.assertEqual(process.returncode, 0, output.decode())
        self.assertIn(b"seed 9", output)
        document = json.loads(report.read_text())
        self.assertEqual(document["violations"], [])
        self.assertEqual(set(document["faults"]), {"cut", "storm"})
        self.assertGreater(document["messages"], 50)
        self.assertEqual(document["cleaned"]["left"], 0)
        contents = await self.contents(_FIRST, _FIRST + 1)
        self.assertGreater(len(contents), 10)
        self.assertEqual([text for text in contents if "says" in text], [])

    async def contents(self, user: int, other: int) -> list[str]:
        """
        Return the contents of what two users said to each other.
        """
        token = self.installation.token(user)
        device = await Device.dial(self.installation.url, token, user)
        self.at_end(device.close)
        await device.greet()
        sync = pb.Sync(id="s", conversation=f"u:{user}:{other}")
        await device.send_frame(sync=sync)
        page = await device.expect("page", id="s")
        return [message.content for message in page.messages]
