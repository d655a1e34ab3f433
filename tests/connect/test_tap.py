"""
The composition of a Connect: the modules that it loads.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

#: Runs a Connect for a moment, then prints the modules that were imported.
_RUN = """
import json, sys
from wsmsg.daemon.reactor import install_asyncio
install_asyncio()
from twisted.internet import reactor
from wsmsg.connect.tap import Options, makeService
options = Options()
options.parseOptions(sys.argv[1:])
service = makeService(options)
service.startService()
def stop():
    service.stopService().addBoth(lambda _: reactor.stop())
reactor.callLater(0.5, stop)
reactor.run()
print(json.dumps(sorted(sys.modules)))
"""


class KeyTests(SynchronousTestCase):
    """
    The key of the data directory, at the start.
    """

    def test_lax_key(self) -> None:
        """
        A C{token.key} that others may read ends the start with one line and status 1.
        """
        data = Path(self.mktemp())
        data.mkdir()
        (data / "token.key").write_text("x" * 40)
        (data / "token.key").chmod(0o644)
        command = [
            *(sys.executable, "-c", _RUN, f"--data-dir={data}"),
            *("--listen=127.0.0.1:0", "--rpc-listen=", "--admin-listen="),
        ]
        done = subprocess.run(
            command, check=False, capture_output=True, text=True, timeout=60
        )
        self.assertEqual(done.returncode, 1)
        (line,) = done.stderr.splitlines()
        expected = "wsmsg connect: cannot check tokens: .*token.key: other users may"
        self.assertRegex(line, expected)


class ImportTests(SynchronousTestCase):
    """
    The modules that a Connect loads.
    """

    def modules(self, *options: str) -> list[str]:
        """
        Run a Connect in a process of its own, without a Message.

        @return: the modules that were imported.
        """
        command = [
            *(sys.executable, "-c", _RUN, f"--data-dir={self.mktemp()}"),
            *("--listen=127.0.0.1:0", "--rpc-listen=", "--admin-listen="),
            "--discovery=static:127.0.0.1:1",
        ]
        done = subprocess.run(
            [*command, *options], check=True, capture_output=True, text=True, timeout=60
        )
        modules: list[str] = json.loads(done.stdout.splitlines()[-1])
        return modules

    def test_no_legacy(self) -> None:
        """
        A Connect whose settings name no legacy system loads none of its modules.
        """
        modules = self.modules()
        self.assertIn("wsmsg.connect.session.session", modules)
        legacy = ("wsmsg.connect.legacy", "wsmsg.legacy")
        self.assertEqual([m for m in modules if m.startswith(legacy)], [])

    def test_legacy_redis(self) -> None:
        """
        The setting C{legacy.redis} loads the plug-in that uses it, and only that.
        """
        modules = self.modules("--set=legacy.redis=redis://127.0.0.1:1/0")
        self.assertIn("wsmsg.connect.legacy.redis.presence", modules)
        self.assertNotIn("wsmsg.connect.legacy.clients", modules)
        self.assertNotIn("wsmsg.connect.legacy.upstream", modules)
