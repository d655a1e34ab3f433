"""
The tests that the TypeScript client has in its own language.
"""

from __future__ import annotations

import gzip
import re
import subprocess
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tools.make_pages import differences
from tools.make_typescript import SCHEMA, schema
from tools.typescript import PACKAGE

#: The most bytes of the client with its codec, compressed for transport.
_BYTES = 15_000


def _run(*command: str) -> tuple[int, str]:
    done = subprocess.run(
        command,
        check=False,
        cwd=PACKAGE,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=240,
    )
    return done.returncode, done.stdout


class NodeTests(SynchronousTestCase):
    """
    Tests that Node runs.
    """

    def test_own_tests(self) -> None:
        """
        Node's test runner finds no failure, and runs the shared vectors.
        """
        build = PACKAGE / "build"
        found = [*build.glob("test/*.test.js"), *build.glob("chat/test/*.test.js")]
        files = sorted(map(str, found))
        self.assertNotEqual(files, [], "python -m tools.typescript builds them")
        status, output = _run("node", "--test", "--test-reporter=tap", *files)
        counts = dict(re.findall(r"^# (tests|pass|fail|skipped) (\d+)$", output, re.M))
        if status or counts.get("fail") != "0" or counts.get("skipped") != "0":
            self.fail(output[-20_000:])
        self.assertGreater(int(counts["pass"]), 100)

    def test_schema(self) -> None:
        """
        The messages of the protobuf codec are those of the proto file.
        """
        self.assertEqual(SCHEMA.read_text("utf-8"), schema(), "run make protos")

    def test_pages(self) -> None:
        """
        The chat page in the Python package is what its sources make.
        """
        self.assertEqual(differences(), [], "run make pages")

    def test_size(self) -> None:
        """
        The client with its codec for JSON is small: the entry point as a module that is
        bundled, minified and compressed with C{gzip -9}.
        """
        with tempfile.TemporaryDirectory() as folder:
            bundle = Path(folder) / "client.js"
            status, output = _run(
                *("npx", "--no-install", "esbuild", "dist/index.js", "--bundle"),
                *("--minify", "--format=esm", "--target=es2022"),
                f"--outfile={bundle}",
            )
            self.assertEqual(status, 0, output)
            size = len(gzip.compress(bundle.read_bytes(), 9))
        self.assertLessEqual(size, _BYTES)
        print(f"the TypeScript client has {size} bytes, compressed")

    def test_no_dependencies(self) -> None:
        """
        The package depends on nothing at run time, and its lock file names no registry.
        """
        package = (PACKAGE / "package.json").read_text()
        self.assertNotIn('"dependencies"', package)
        self.assertNotIn("http", (PACKAGE / "package-lock.json").read_text())
