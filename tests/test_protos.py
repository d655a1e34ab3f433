"""
The protos, by the rules of buf.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tools import check_protos

ROOT = Path(__file__).resolve().parent.parent
CLIENT = Path("protos") / "wsmsg" / "protocol" / "client.proto"


class ProtoTests(SynchronousTestCase):
    """
    C{protos/}, and copies with mistakes.
    """

    def setUp(self) -> None:
        self.copy = Path(self.mktemp())
        shutil.copytree(ROOT / "protos", self.copy / "protos")

    def change(self, old: str, new: str) -> None:
        """
        Change the proto of the client protocol in the copy.
        """
        text = (self.copy / CLIENT).read_text()
        self.assertIn(old, text)
        (self.copy / CLIENT).write_text(text.replace(old, new, 1))

    def git(self, *arguments: str) -> None:
        """
        Run git in the copy.
        """
        who = ("-c", "user.name=t", "-c", "user.email=t@example.org")
        command = ["git", "-C", str(self.copy), *who, *arguments]
        subprocess.run(command, check=True, capture_output=True)

    def test_rules(self) -> None:
        """
        The protos keep the rules, and whoever has those of the last release
        understands them.
        """
        self.assertEqual(check_protos.problems(), [])

    def test_lint(self) -> None:
        """
        A field that is named against the rules is found.
        """
        self.change("string nonce = 1;", "string nonce = 1;\n  string newOne = 9;")
        [problem] = check_protos.problems(self.copy)
        self.assertIn('Field name "newOne" should be lower_snake_case', problem)

    def test_breaking(self) -> None:
        """
        A field with another number is found by the baseline.
        """
        self.change("string nonce = 1;", "string nonce = 2;")
        found = check_protos.problems(self.copy)
        self.assertIn('field "1" with name "nonce"', found[0])
        self.assertTrue(found[0].endswith("(compared with protos/baseline.txtpb)"))

    def test_tag(self) -> None:
        """
        The newest tag of a release counts, where there is one, and not the baseline.
        """
        self.change("string nonce = 1;", "string nonce = 1;\n  string more = 9;")
        self.git("init")
        self.git("add", ".")
        self.git("commit", "--message", "a release")
        self.git("tag", "v0.1.0")
        self.assertEqual(check_protos.problems(self.copy), [])
        self.change("string more = 9;", "int64 more = 9;")
        [problem] = check_protos.problems(self.copy)
        self.assertIn('"9" with name "more"', problem)
        self.assertTrue(problem.endswith("(compared with v0.1.0)"), problem)

    def test_baseline(self) -> None:
        """
        A new baseline has the protos as they are.
        """
        self.change("string nonce = 1;", "string nonce = 2;")
        self.assertEqual(check_protos.make_baseline(self.copy), [])
        self.assertEqual(check_protos.problems(self.copy), [])
