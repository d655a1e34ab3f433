"""
C{wsmsg bench --against}, from the command line to the table.
"""

from __future__ import annotations

import json
import subprocess
import sys

from twisted.trial.unittest import SynchronousTestCase

_WSMSG = "from wsmsg.cli.main import main; main()"


class AgainstTests(SynchronousTestCase):
    """
    The comparison with the relay, which needs no server of anybody's.
    """

    def test_figures(self) -> None:
        """
        wsmsg and the floor carry the same open loop, lose nothing, and their CPU is
        known.
        """
        command = ["bench", "--against", "websockets", "--only", "latency"]
        small = ["--pairs", "3", "--seconds", "1", "--rate", "50", "--json", "-"]
        done = subprocess.run(
            [sys.executable, "-c", _WSMSG, *command, *small],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("websockets       wsmsg", done.stderr)
        measured = json.loads(done.stdout)["measured"]
        names = [system["name"] for system in measured["systems"]]
        self.assertEqual(names, ["websockets", "wsmsg"])
        for system in measured["systems"]:
            totals = system["latency"]["totals"]
            self.assertGreater(totals["accepted"], 0)
            odd = (totals["lost"], totals["doubled"], totals["unanswered"])
            self.assertEqual(odd, (0, 0, 0))
            self.assertIsNone(system["idle"])
        relay, ours = (system["latency"]["usage"] for system in measured["systems"])
        self.assertEqual(list(relay), ["websockets"])
        self.assertEqual(sorted(ours), ["connect", "message"])
