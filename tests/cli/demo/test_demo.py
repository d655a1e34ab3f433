"""
Tests for the script of the demo, its checks and its ports.
"""

from __future__ import annotations

import socket

from twisted.trial.unittest import SynchronousTestCase

from tests.cli.chat.test_pipe import message
from tests.cli.test_commands import run
from wsmsg.cli.demo.daemons import Ports
from wsmsg.cli.demo.people import USERS, SentLine, problems
from wsmsg.cli.demo.script import BadScript, ScriptLine, parse_script, read_script

LINES = [
    ScriptLine(0, "a", False),
    ScriptLine(1, "b", False),
    ScriptLine(0, "c", False),
]
SENT = [SentLine(line, str(n)) for n, line in enumerate(LINES)]


def seen(*rows: tuple[int, int, str]) -> list[str]:
    came = []
    for seq, speaker, text in rows:
        came.append(message(seq, text, mine=speaker == 0))
    return problems(SENT, came, base=4, user_of=lambda line: (1, 2)[line.speaker])


class ScriptTests(SynchronousTestCase):
    """
    The script file.
    """

    def test_ours(self) -> None:
        """
        The built-in script can be played, and has a crash in the middle.
        """
        script = read_script(None)
        away = [line.away for line in script.lines]
        self.assertGreaterEqual(len(away), 12)
        self.assertTrue(any(away))
        self.assertFalse(away[0] or away[-1])

    def test_mistakes(self) -> None:
        """
        The mistake about a script that cannot be played has the line.
        """
        for text, reason in (
            ("Ada: a\nBen: b\nCy: c", "f, line 3: Cy is a third"),
            ("Ada: a\nhello", "f, line 2: is not like"),
            ("Ada:", "f, line 1"),
            ("Ada: a", "two speakers"),
        ):
            with self.assertRaisesRegex(BadScript, reason):
                parse_script(text, "f")

    def test_no_such_file(self) -> None:
        """
        A missing file is one line and status 1.
        """
        result = run("demo", "--once", "--script", "/nowhere/x.txt")
        self.assertEqual(result.exit_code, 1)
        self.assertIn("/nowhere/x.txt: No such file", result.output)


class JudgeTests(SynchronousTestCase):
    """
    The check that every message arrived exactly once and in order.
    """

    def test_right(self) -> None:
        """
        Consecutive numbers pass, whichever user wrote first.
        """
        self.assertEqual(seen((5, 0, "a"), (6, 1, "b"), (7, 0, "c")), [])
        self.assertEqual(seen((5, 1, "b"), (6, 0, "a"), (7, 0, "c")), [])

    def test_wrong(self) -> None:
        """
        A lost, a doubled, a misplaced and a skipped message are all found.
        """
        self.assertNotEqual(seen((5, 0, "a"), (6, 1, "b")), [])
        doubled = ((5, 0, "a"), (6, 1, "b"), (7, 0, "c"), (8, 0, "c"))
        self.assertNotEqual(seen(*doubled), [])
        self.assertNotEqual(seen((5, 0, "c"), (6, 1, "b"), (7, 0, "a")), [])
        self.assertNotEqual(seen((5, 0, "a"), (6, 1, "b"), (8, 0, "c")), [])

    def test_users(self) -> None:
        """
        The two are those of the README.
        """
        self.assertEqual(USERS, (1001, 1002))


class PortsTests(SynchronousTestCase):
    """
    The ports of the demo.
    """

    def test_taken(self) -> None:
        """
        A port in use is named, and nothing is started.
        """
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen(1)
            port = taken.getsockname()[1]
            base = max(1024, port - 5)
            self.assertIn(port, Ports.from_base(base).taken())
            result = run("demo", "--port-base", str(base))
        self.assertEqual(result.exit_code, 1)
        self.assertIn(str(port), result.output)
