"""
Tests for L{wsmsg.message.tap}.
"""

from __future__ import annotations

import json
import subprocess
import sys

from twisted.trial.unittest import SynchronousTestCase

_BUILD = """
import json, sys
from wsmsg.daemon.reactor import install_asyncio
install_asyncio()
from wsmsg.message.tap import Options, makeService
options = Options()
options.parseOptions(sys.argv[1:])
makeService(options)
print(json.dumps(sorted(sys.modules)))
"""


class ImportTests(SynchronousTestCase):
    """
    The modules that a Message loads.
    """

    def modules(self, *options: str) -> list[str]:
        """
        Build the tree of a Message in a process of its own.

        @return: the modules that were imported.
        """
        command = [
            *(sys.executable, "-c", _BUILD, f"--data-dir={self.mktemp()}"),
            *("--listen=127.0.0.1:0", "--rpc-listen=127.0.0.1:0", "--admin-listen="),
        ]
        done = subprocess.run(
            [*command, *options], check=True, capture_output=True, text=True, timeout=60
        )
        modules: list[str] = json.loads(done.stdout)
        return modules

    def test_no_legacy(self) -> None:
        """
        A Message loads no legacy module before it meets a legacy peer.
        """
        modules = self.modules()
        self.assertIn("wsmsg.message.rpc", modules)
        self.assertIn("wsmsg.message.http.api", modules)
        legacy = [m for m in modules if m.startswith("wsmsg.message.legacy")]
        self.assertEqual(legacy, [])

    def test_no_other_backends(self) -> None:
        """
        A Message with embedded backends loads no client of another one.
        """
        modules = self.modules()
        for name in ("txmongo", "confluent_kafka", "txredisapi"):
            self.assertNotIn(name, modules)
