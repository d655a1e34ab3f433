"""
The examples of configurations work as they stand, with the commands of their pages.
"""

from __future__ import annotations

import json
import re
import shutil
from unittest import SkipTest
from urllib.parse import quote

from twisted.trial.unittest import SynchronousTestCase

from tests.integration.documents.pages import ROOT
from tests.integration.documents.terminal import Machine, forged_handshake

SEVERAL = ROOT / "examples" / "several-connects"
_PROXY = "https://localhost:8443"


class SeveralConnectsTests(SynchronousTestCase):
    """
    C{examples/several-connects}, on a machine of its own.
    """

    def setUp(self) -> None:
        """
        Type the commands of the page, and wait until all of them are up.
        """
        for program in ("haproxy", "prometheus"):
            if shutil.which(program) is None:
                raise SkipTest(f"there is no {program}")
        self.machine = Machine()
        self.addCleanup(self.machine.close)
        if not self.machine.usable:
            raise SkipTest("the daemons' ports are in use, and unshare is not allowed")
        for path in SEVERAL.iterdir():
            shutil.copy(path, self.machine.folder)
        page = (SEVERAL / "README.md").read_text()
        certificate, daemons, chat = re.findall(r"```sh\n(.*?)```", page, re.S)
        self.daemons = daemons.splitlines()
        self.token, self.chat = chat.splitlines()
        self.typed(certificate)
        for command in self.daemons:
            self.machine.start(command)
        self.machine.ready("message", "connect")
        self.until(f"curl -sf --cacert chat.pem {_PROXY}/readyz")
        self.until("curl -sf http://127.0.0.1:33005/readyz")

    def typed(self, command: str) -> str:
        """
        Type a command that must succeed.
        """
        done = self.machine.type(command)
        told = f"{command}: {done.stdout}{done.stderr}\n{self.machine.logs()}"
        self.assertEqual(done.returncode, 0, told)
        return done.stdout

    def until(self, command: str) -> None:
        """
        Wait until a command succeeds.
        """
        self.typed(f"timeout 60 bash -c 'until {command}; do sleep 0.05; done'")

    def up(self, instance: str, value: int) -> str:
        """
        Return a command that succeeds if Prometheus has this value of C{up}.
        """
        query = quote(f'up{{instance="{instance}"}}')
        url = f"http://127.0.0.1:9090/api/v1/query?query={query}"
        return f'curl -sf "{url}" | grep -q ",.{value}.\\]"'

    def test_moved(self) -> None:
        """
        Messages are accepted through both Connects, and through the other one when one
        has stopped; each is stored once. Prometheus sees which daemons are up.
        """
        self.typed(self.token)
        for _ in range(4):
            self.typed(self.chat)
        used = []
        for port in (23005, 33005):
            metrics = self.typed(f"curl -s http://127.0.0.1:{port}/metrics")
            (count,) = re.findall(r"^wsmsg_connect_accepted_total (\d+)", metrics, re.M)
            used.append(int(count))
        self.assertEqual((sum(used), min(used) > 0), (4, True), used)
        for instance in ("127.0.0.1:23004", "127.0.0.1:23005", "127.0.0.1:33005"):
            self.until(self.up(instance, 1))
        self.assertEqual(self.machine.stop(self.daemons[1]), 0)
        for _ in range(3):
            self.typed(self.chat)
        self.until(self.up("127.0.0.1:23005", 0))
        url = "http://127.0.0.1:21004/api/v1/users/1002/unread"
        self.assertEqual(json.loads(self.typed(f"curl -s {url}"))["total"], 7)

    def test_addresses(self) -> None:
        """
        Connect sees the address of the client, and not that of the proxy.
        """
        self.assertEqual(self.typed(forged_handshake(_PROXY)), "401")
        self.assertIn("refused 127.0.0.2: token_unreadable", self.machine.logs())
