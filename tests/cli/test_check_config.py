"""
C{wsmsg check-config}.
"""

from __future__ import annotations

import json

from click.testing import CliRunner

from tests.settings.files import Folder
from wsmsg.cli.check_config import check_config
from wsmsg.settings.sources import Sources, load_settings
from wsmsg.settings.values import ConnectSettings


class CheckConfigTests(Folder):
    """
    C{wsmsg check-config}.
    """

    def run_with(self, *arguments: str) -> tuple[int, str, str]:
        result = CliRunner().invoke(check_config, arguments)
        return result.exit_code, result.stdout, result.stderr

    def test_good(self) -> None:
        """
        A valid file leads to status 0.
        """
        file = str(self.file("[connect]\nheartbeat_s = 1\n"))
        self.assertEqual(self.run_with(file), (0, f"{file}: no mistakes\n", ""))

    def test_noted(self) -> None:
        """
        A setting that is allowed and breaks a promise leads to a note, and status 0.
        """
        file = str(self.file("[connect]\nheartbeat_s = 5\n"))
        status, out, err = self.run_with(file)
        self.assertEqual((status, out), (0, f"{file}: no mistakes\n"))
        self.assertTrue(err.startswith("note: [connect] heartbeat_s = 5 and"), err)
        status, out, _ = self.run_with("--json", file)
        [note] = json.loads(out)["notes"]
        self.assertEqual((status, f"note: {note}\n"), (0, err))

    def test_bad(self) -> None:
        """
        The mistakes of both daemons appear on stderr, common ones once, with status 2.
        """
        file = str(
            self.file(
                '[common]\nstop_s = 0\n[connect]\na = 1\n[message]\nlisten = ""\nb=1'
            )
        )
        status, out, err = self.run_with(file)
        self.assertEqual((status, out), (2, ""))
        self.assertTrue(err.startswith("3 mistakes in the settings:\n"), err)
        self.assertEqual(err.count("stop_s"), 1)

    def test_json(self) -> None:
        """
        C{--json} prints the mistakes as JSON, with the same status.
        """
        file = str(self.file("[connect]\nlisten = 5\n"))
        status, out, _ = self.run_with("--json", file)
        self.assertEqual(status, 2)
        self.assertEqual(
            json.loads(out),
            {
                "ok": False,
                "mistakes": [
                    {
                        "source": f"{file} [connect]",
                        "key": "listen",
                        "reason": "must be text, not 5",
                    }
                ],
                "notes": [],
            },
        )

    def test_show(self) -> None:
        """
        C{--show} prints all settings as a file that is itself valid, with stars for
        secrets.
        """
        secret = "s" * 40
        file = self.file(f'[connect]\ntoken.secret = "{secret}"\nheartbeat_s = 5\n')
        status, out, _ = self.run_with("--show", str(file))
        self.assertEqual(status, 0)
        self.assertIn("heartbeat_s = 5.0\n", out)
        self.assertNotIn(secret, out)
        shown = self.file(out.replace('"**********"', f'"{secret}"'), "shown.toml")
        self.assertEqual(
            load_settings(ConnectSettings, Sources(file=shown)),
            load_settings(ConnectSettings, Sources(file=file)),
        )
