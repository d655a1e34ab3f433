"""
The image of both daemons, as far as it needs no containers.
"""

from __future__ import annotations

import re
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.utils import getProcessOutputAndValue
from twisted.trial.unittest import SynchronousTestCase, TestCase
from twisted.web.resource import Resource
from twisted.web.server import Site

ROOT = Path(__file__).resolve().parent.parent.parent
COMPOSE = ROOT / "deploy" / "compose"
SCRIPTS = Path(sysconfig.get_path("scripts"))


class ImageTests(SynchronousTestCase):
    """
    C{Dockerfile}.
    """

    def test_dockerfile(self) -> None:
        """
        Every file that the image copies exists, and no ignore rule excludes it.
        """
        text = (COMPOSE / "Dockerfile").read_text()
        kept = (COMPOSE / "Dockerfile.dockerignore").read_text().splitlines()
        copied = [
            source
            for line in re.findall(r"(?m)^COPY (?!--from)(.*)$", text)
            for source in line.split()[:-1]
            if not source.startswith("--")
        ]
        self.assertIn("deploy/compose/ready", copied)
        for source in copied:
            self.assertTrue((ROOT / source).exists(), source)
            self.assertIn(f"!{source}", kept)

    def test_dockerfile_rules(self) -> None:
        """
        hadolint finds nothing in the Dockerfile, and the image runs as a number that is
        not root's, with a health check.
        """
        file = COMPOSE / "Dockerfile"
        command = [str(SCRIPTS / "hadolint"), "--no-color", str(file)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))
        text = file.read_text()
        [user] = re.findall(r"(?m)^USER (\d+)$", text)
        self.assertIn(f"--uid {user} ", text)
        self.assertRegex(text, r'(?m)^HEALTHCHECK .* CMD \["ready"\]$')


class ReadyTests(TestCase):
    """
    C{ready}, the health check of the image.
    """

    def setUp(self) -> None:
        """
        Begin to serve C{/readyz}, of a daemon that is not ready yet.
        """
        self.status, root = 503, Resource()
        answer = Resource()
        answer.render_GET = self.answer  # type: ignore[attr-defined]
        root.putChild(b"readyz", answer)
        listening: Any = reactor
        port = listening.listenTCP(0, Site(root), interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        self.port = port.getHost().port

    def answer(self, request: Any) -> bytes:
        """
        Answer as the daemon does.
        """
        request.setResponseCode(self.status)
        return b"waiting for the journal"

    async def ready(self, *ports: int) -> tuple[int, str]:
        """
        Return the exit status of C{ready}, and its reason.
        """
        arguments = [str(COMPOSE / "ready"), *map(str, ports)]
        _, reason, status = await getProcessOutputAndValue(sys.executable, arguments)
        return status, reason.decode().strip()

    async def test_ready(self) -> None:
        """
        The check fails with the reason while the daemon is not ready, passes when it
        is, whichever of the ports is the daemon's, and fails without a daemon.
        """
        found = await self.ready(self.port)
        self.assertEqual(found, (1, "waiting for the journal"))
        self.status = 200
        self.assertEqual(await self.ready(self.port), (0, ""))
        self.assertEqual(await self.ready(1, self.port), (0, ""))
        status, reason = await self.ready(1)
        self.assertEqual(status, 1)
        self.assertIn("port 1: ", reason)
