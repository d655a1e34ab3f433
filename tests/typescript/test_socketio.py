"""
The benchmark against a real Socket.IO: C{examples/socketio-relay}.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from wsmsg.bench.against.systems import SYSTEMS
from wsmsg.bench.load.plan import Plan
from wsmsg.bench.scenarios import BenchFailed, run_load

EXAMPLE = Path(__file__).parents[2] / "examples" / "socketio-relay"


class SocketIOServerTests(SynchronousTestCase):
    """
    The example, installed as its page says.
    """

    def setUp(self) -> None:
        folder = Path(tempfile.mkdtemp("-wsmsg-socketio"))
        self.addCleanup(shutil.rmtree, folder)
        for path in EXAMPLE.iterdir():
            shutil.copy(path, folder)
        subprocess.run(
            ["npm", "ci", "--silent"],
            cwd=folder,
            check=True,
            stdin=subprocess.DEVNULL,
            timeout=120,
        )
        self.server = subprocess.Popen(
            ["node", "server.mjs", "0"], cwd=folder, stdout=subprocess.PIPE, text=True
        )
        self.addCleanup(self.stop)
        assert self.server.stdout is not None
        word, _, port = self.server.stdout.readline().partition(" ")
        self.assertEqual(word, "port")
        self.url = SYSTEMS["socketio"].address(f"ws://127.0.0.1:{int(port)}")

    def stop(self) -> None:
        """
        Stop the server.
        """
        self.server.terminate()
        self.server.wait(10)
        assert self.server.stdout is not None
        self.server.stdout.close()

    def plan(self, system: str, url: str) -> Plan:
        """
        Make the plan of a moment.
        """
        return Plan(
            kind="foreign",
            system=system,
            host="127.0.0.1",
            port=0,
            path=url,
            count=5,
            rate=100.0,
            seconds=1.0,
            warm_s=0.2,
            pids={system: self.server.pid},
        )

    def test_messages(self) -> None:
        """
        All messages arrive once, in order, and are acknowledged.
        """
        result = run_load(self.plan("socketio", self.url), "wsmsg.bench.against.load")
        totals = result.totals
        self.assertGreater(totals.sent, 0)
        self.assertEqual(totals.accepted, totals.sent)
        odd = (totals.lost, totals.doubled, totals.unordered, totals.unanswered)
        self.assertEqual(odd, (0, 0, 0, 0))
        self.assertRegex(result.version, r"^4\.")
        self.assertIn("socketio", result.usage)

    def test_other_system(self) -> None:
        """
        Another system's adapter is refused with a reason.
        """
        plan = self.plan("tinode", self.url)
        with self.assertRaises(BenchFailed) as caught:
            run_load(plan, "wsmsg.bench.against.load")
        self.assertIn("the URL may be that of another system", str(caught.exception))
