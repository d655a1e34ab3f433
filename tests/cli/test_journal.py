"""
Tests for C{wsmsg journal}; those with servers are in
L{tests.stack.faults.test_repartition}.
"""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner, Result
from twisted.trial.unittest import TestCase

from wsmsg.cli.main import main


def run(*arguments: str) -> Result:
    """
    Run C{wsmsg journal repartition}.
    """
    return CliRunner().invoke(main, ("journal", "repartition", *arguments))


class RepartitionCommandTests(TestCase):
    """
    Mistakes that show before any server is asked.
    """

    def settings(self, text: str) -> str:
        """
        Return a settings file with this text.
        """
        path = Path(self.mktemp())
        path.write_text(text)
        return str(path)

    def test_usage(self) -> None:
        """
        The number of partitions is needed, unless a run is to be undone.
        """
        for arguments in ((), ("--partitions", "3", "--cancel")):
            result = run(*arguments)
            self.assertEqual(result.exit_code, 2)
            self.assertIn("either --partitions or --cancel", result.output)

    def test_embedded_journal(self) -> None:
        """
        A journal on this machine has no partitions.
        """
        config = self.settings("[message]\n")
        result = run("--partitions", "3", "--config", config)
        self.assertEqual(result.exit_code, 1)
        self.assertIn("the journal is embedded", result.output)
