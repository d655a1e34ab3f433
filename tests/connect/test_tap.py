"""
Tests for L{wsmsg.connect.tap}.
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
from wsmsg.connect.tap import Options, makeService
options = Options()
options.parseOptions(sys.argv[1:])
makeService(options)
print(json.dumps(sorted(sys.modules)))
"""


class ImportTests(SynchronousTestCase):
    """
    The modules that a Connect loads.
    """

    def modules(self, *options: str) -> list[str]:
        """
        Build the tree of a Connect in a process of its own.

        @return: the modules that were imported.
        """
        command = [sys.executable, "-c", _BUILD, f"--data-dir={self.mktemp()}"]
        done = subprocess.run(
            [*command, *options], check=True, capture_output=True, text=True, timeout=60
        )
        modules: list[str] = json.loads(done.stdout)
        return modules

    def test_no_legacy(self) -> None:
        """
        A Connect whose settings name no legacy system loads none of its modules.
        """
        modules = self.modules()
        self.assertIn("wsmsg.connect.session.session", modules)
        legacy = ("wsmsg.connect.legacy", "wsmsg.protocol.legacy")
        self.assertEqual([m for m in modules if m.startswith(legacy)], [])

    def test_legacy_redis(self) -> None:
        """
        The setting C{legacy.redis} loads the part that uses it, and only that.
        """
        modules = self.modules("--set=legacy.redis=redis://127.0.0.1:1/0")
        self.assertIn("wsmsg.connect.legacy.redis.presence", modules)
        self.assertNotIn("wsmsg.connect.legacy.clients", modules)
