"""
Tests of the guide for moving from the legacy system.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from pathlib import Path

from click.testing import CliRunner
from twisted.trial.unittest import SynchronousTestCase

from wsmsg.cli.check_config import check_config

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "how-to" / "legacy" / "migrate.md").read_text()

_TOML = re.compile(r"^```toml\n(.*?)^```", re.M | re.S)
_KEY = re.compile(r"`((?:legacy|upstream|http|token)\.[a-z_]+)\b")


class MigrationTests(SynchronousTestCase):
    """
    The examples that operators copy from the guide.
    """

    def test_settings(self) -> None:
        """
        C{wsmsg check-config} accepts each example.
        """
        folder = Path(tempfile.mkdtemp(prefix="wsmsg-test-"))
        self.addCleanup(shutil.rmtree, folder)
        file = folder / "wsmsg.toml"
        examples = _TOML.findall(PAGE)
        self.assertGreaterEqual(len(examples), 3)
        for example in examples:
            file.write_text(example)
            result = CliRunner().invoke(check_config, [str(file)])
            self.assertEqual(result.exit_code, 0, example + result.output)

    def test_keys(self) -> None:
        """
        Each setting that the guide names is in the tables of settings.
        """
        tables = (ROOT / "docs" / "reference" / "settings.md").read_text()
        keys = set(_KEY.findall(PAGE))
        self.assertGreaterEqual(len(keys), 6)
        for key in keys:
            self.assertIn(f"\n| `{key}` |", tables)
