"""
Tests of histories as files, and of the commands that check them.
"""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner, Result
from twisted.trial.unittest import SynchronousTestCase

from tests.prove.sample import good
from wsmsg.cli.main import main
from wsmsg.prove.plant import PLANTS


class HistoryCommandTests(SynchronousTestCase):
    """
    C{wsmsg prove check} and C{wsmsg prove plant}.
    """

    def setUp(self) -> None:
        self.path = Path(self.mktemp())
        self.lines = [json.dumps(line) for line in good().lines()]

    def run_on(self, text: str | bytes, *command: str) -> Result:
        data = text.encode() if isinstance(text, str) else text
        self.path.write_bytes(data)
        return CliRunner().invoke(main, ["prove", *command, str(self.path)])

    def assert_unusable(self, text: str | bytes, *words: str) -> None:
        result = self.run_on(text, "check")
        self.assertEqual(result.exit_code, 2, result.output)
        for word in (str(self.path), *words):
            self.assertIn(word, result.output)

    def test_good(self) -> None:
        """
        The status is 0 for a history in which every promise held.
        """
        result = self.run_on("\n".join([*self.lines, ""]), "check")
        self.assertEqual(result.exit_code, 0, result.output)
        self.assertIn("P10  holds", result.output)
        self.assertIn("seed 7", result.output)

    def test_planted(self) -> None:
        """
        The status is 1 for a history with a planted violation, which the output names.
        """
        for kind, (promise, _) in PLANTS.items():
            planted = self.run_on("\n".join(self.lines), "plant", kind)
            self.assertEqual(planted.exit_code, 0, planted.output)
            result = self.run_on(planted.output, "check", "--json")
            self.assertEqual(result.exit_code, 1, kind)
            document = json.loads(result.output)
            self.assertGreater(document["promises"][promise], 0, kind)
            self.assertFalse(document["holds"])

    def test_cut_short(self) -> None:
        """
        A history that is cut short is none, wherever it is cut.
        """
        lines = self.lines
        self.assert_unusable("", "empty")
        self.assert_unusable("\n".join(lines[:-1]), f"line {len(lines) - 1}", "cut")
        half = "\n".join([*lines[:4], lines[4][:10]])
        self.assert_unusable(half, "line 5", "cut short in the middle")
        without = "\n".join([*lines[:4], *lines[5:]])
        self.assert_unusable(without, f"{len(lines)} lines were written")
        more = "\n".join([*lines, lines[-2]])
        self.assert_unusable(more, f"line {len(lines) + 1}", "goes on")

    def test_out_of_order(self) -> None:
        """
        Lines in another order than that of their times are named.
        """
        lines = self.lines
        swapped = [*lines[:4], lines[5], lines[4], *lines[6:]]
        self.assert_unusable("\n".join(swapped), "line 6", "out of order")

    def test_other_version(self) -> None:
        """
        A history of another version, or another file, is refused by its first line.
        """
        other = self.lines[0].replace('"version": 1', '"version": 2')
        self.assert_unusable("\n".join([other, *self.lines[1:]]), "line 1", "version 2")
        self.assert_unusable("\n".join(self.lines[1:]), "line 1", "not the header")
        self.assert_unusable('{"t": 0}\n', "line 1", "not the header")

    def test_not_json(self) -> None:
        """
        A line that is no JSON object with a time is named.
        """
        lines = self.lines
        for wrong in ("{", "[]", "7", '{"t": "x"}', '{"t": NaN}', "[" * 100_000):
            text = "\n".join([*lines[:2], wrong, *lines[3:]])
            self.assert_unusable(text, "line 3")
        self.assert_unusable(b"\xff\xfe", "UTF-8")

    def test_unknown_lines(self) -> None:
        """
        A line that is no event, or lacks a field, is named.
        """
        lines = self.lines
        t = json.loads(lines[2])["t"]
        for wrong, reason in (
            ({"t": t, "e": "miracle"}, "'miracle'"),
            ({"t": t, "e": "info", "op": "push"}, "lacks"),
            ({"t": t, "e": "info", "op": "stall", "s": []}, "wrong value"),
        ):
            text = "\n".join([*lines[:2], json.dumps(wrong), *lines[3:]])
            self.assert_unusable(text, "line 3", reason)

    def test_nothing_to_plant_in(self) -> None:
        """
        A violation that a history has no place for is refused with the reason.
        """
        begin, end = json.loads(self.lines[0]), json.loads(self.lines[-1])
        short = [json.dumps(begin), json.dumps({**end, "lines": 2})]
        for kind in PLANTS:
            result = self.run_on("\n".join(short), "plant", kind)
            self.assertEqual(result.exit_code, 1, kind)
            self.assertIn("Error:", result.output)
