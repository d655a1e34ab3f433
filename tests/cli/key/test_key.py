"""
C{wsmsg key}.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from pathlib import Path

from click.testing import CliRunner, Result
from twisted.trial.unittest import SynchronousTestCase

from wsmsg.auth.key_file import read_keys
from wsmsg.auth.scopes import GRANTED
from wsmsg.cli.main import main


class KeyTests(SynchronousTestCase):
    """
    Row 8 of issue 11: an operator makes, lists and revokes keys.
    """

    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="wsmsg-test-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.path = self.folder / "api.keys"

    def key(self, *arguments: str, given: str | None = None) -> Result:
        """
        Run C{wsmsg key}.
        """
        place = ("--data-dir", str(self.folder))
        return CliRunner().invoke(main, ["key", *arguments, *place], input=given)

    def test_new(self) -> None:
        """
        The secret is printed once, alone on the standard output; the file has its hash.
        """
        told = self.key(
            "new", "billing", "--scopes", "read, send", "--from", "10.0.0.0/8"
        )
        self.assertEqual(told.exit_code, 0, told.output)
        secret = told.stdout.strip()
        self.assertIn("reload the daemons", told.stderr)
        self.assertNotIn(secret, told.stderr + self.path.read_text())
        (key,) = read_keys("", self.folder).keys or ()
        self.assertEqual(read_keys("", self.folder).find(secret), key)
        self.assertEqual([str(network) for network in key.networks], ["10.0.0.0/8"])
        told = self.key("list")
        self.assertEqual(told.output, "billing  read,send  from 10.0.0.0/8\n")
        more = ("--from", "::1", "--from", "10.1.0.1,10.1.0.2")
        told = self.key("new", "all", "--scopes", "all", *more, "--json")
        document = json.loads(told.output)
        self.assertEqual((document["name"], document["file"]), ("all", str(self.path)))
        listed = json.loads(self.key("list", "--json").output)["keys"]
        self.assertEqual(len(listed[1]["scopes"]), len(GRANTED))
        self.assertEqual(listed[1]["from"], ["::1/128", "10.1.0.1/32", "10.1.0.2/32"])

    def test_own_secret(self) -> None:
        """
        A secret that callers have already is read from a file or the standard input,
        and never from the command line, which other accounts can see.
        """
        old = "0123456789abcdef"
        told = self.key("new", "a", "--scopes", "read", "--secret-file", "-", given=old)
        self.assertEqual((told.exit_code, told.stdout.strip()), (0, old))
        self.assertIsNotNone(read_keys("", self.folder).find(old))
        for given in ("", "short"):
            told = self.key(
                "new", "b", "--scopes", "read", "--secret-file", "-", given=given
            )
            self.assertEqual(told.exit_code, 1, told.output)

    def test_revoke(self) -> None:
        """
        A revoked key is gone; one that is not there is said so.
        """
        self.key("new", "a", "--scopes", "read")
        self.assertEqual(self.key("revoke", "a").exit_code, 0)
        self.assertEqual(
            self.key("list").output, f"There are no keys in {self.path}.\n"
        )
        told = self.key("revoke", "a")
        self.assertEqual(told.exit_code, 1)
        self.assertIn("there is no key a", told.output)

    def test_mistakes(self) -> None:
        """
        A mistake is one line that names it, and changes nothing.
        """
        self.key("new", "a", "--scopes", "read")
        before = self.path.read_text()
        for arguments, word in (
            (("a", "--scopes", "read"), "two keys with the name a"),
            (("b", "--scopes", "fly"), "'fly' is not a scope; the scopes are send"),
            (("b", "--scopes", ","), "has no scope"),
            (("b c", "--scopes", "read"), "is not the name of a key"),
            (("b", "--scopes", "read", "--from", "here"), "is no address or network"),
        ):
            told = self.key("new", *arguments)
            self.assertEqual(told.exit_code, 1, told.output)
            self.assertIn(word, told.output)
            self.assertEqual(len(told.output.splitlines()), 1)
        self.assertEqual(self.path.read_text(), before)
        self.path.write_text("nonsense\n")
        for words in ("list", "revoke a", "new b --scopes read"):
            told = self.key(*words.split())
            self.assertEqual(told.exit_code, 1)
            self.assertIn("line 1: has 1 field", told.output)

    def test_owner(self) -> None:
        """
        Root makes a file that belongs to the account of the daemon.
        """
        if os.getuid() == 0:
            os.chown(self.folder, 65534, 65534)
        self.key("new", "a", "--scopes", "read")
        self.assertEqual(self.path.stat().st_uid, self.folder.stat().st_uid)

    def test_settings(self) -> None:
        """
        The file is that of the settings; check-config reports what is wrong with it.
        """
        config = self.folder / "wsmsg.toml"
        path = self.folder / "elsewhere.keys"
        config.write_text(f'[common]\napi_keys = "{path}"\n')
        run = CliRunner().invoke
        told = run(main, ["check-config", str(config)])
        self.assertEqual(told.exit_code, 2)
        self.assertIn(f"api_keys: {path}: No such file", told.output)
        told = run(
            main, ["key", "new", "a", "--scopes", "kick", "--config", str(config)]
        )
        self.assertEqual(told.exit_code, 0, told.output)
        self.assertTrue(path.exists())
        self.assertEqual(run(main, ["check-config", str(config)]).exit_code, 0)
