"""
Tests of the command line of C{wsmsg bench}: mistakes and their reasons.
"""

from __future__ import annotations

import cProfile
from pathlib import Path

from click.testing import CliRunner
from twisted.trial.unittest import SynchronousTestCase

from wsmsg.bench import profiles
from wsmsg.cli.bench.bench import bench


class MistakeTests(SynchronousTestCase):
    """
    Each mistake names the option and the reason, and nothing is started.
    """

    def refuses(self, arguments: list[str], *reasons: str) -> None:
        """
        Check that the arguments lead to status 2 and all of these words.
        """
        result = CliRunner().invoke(bench, arguments)
        self.assertEqual(result.exit_code, 2, result.output)
        for reason in reasons:
            self.assertIn(reason, result.output)

    def test_only(self) -> None:
        """
        An unknown measurement is named, with the known ones.
        """
        self.refuses(["--only", "floor,speed"], "'speed'", "saturation")

    def test_size(self) -> None:
        """
        A content too small for its number is refused.
        """
        self.refuses(["--size", "3"], "--size", "20")

    def test_set(self) -> None:
        """
        A setting must be one of a daemon, with a value.
        """
        self.refuses(["--set", "limits.window=3"], "'limits.window=3'", "connect.KEY")

    def test_url(self) -> None:
        """
        An address must be that of a WebSocket, and needs a key or a token.
        """
        self.refuses(["--url", "http://127.0.0.1:1"], "ws://host:port")
        self.refuses(["--url", "ws://127.0.0.1:1"], "--key-file", "--debug-token")

    def test_pid(self) -> None:
        """
        A process must be given with its name.
        """
        self.refuses(["--pid", "123"], "NAME=PID", "connect", "kafka")
        self.refuses(["--pid", "mysql=123"], "NAME=PID")

    def test_against(self) -> None:
        """
        An unknown system is named with the known ones, and a URL must be of its kind.
        """
        self.refuses(["--against", "slack=ws://127.0.0.1"], "'slack'", "centrifugo")
        self.refuses(["--against", "openim=ws://127.0.0.1"], "no adapter for openim")
        self.refuses(["--against", "tinode=http://127.0.0.1"], "is not like ws://")
        self.refuses(["--against", "matrix=ws://127.0.0.1"], "is not like http://")
        self.refuses(["--against", "tinode=ws://127.0.0.1:x"], "tinode")
        twice = ["--against", "websockets", "--against", "websockets"]
        self.refuses(twice, "named twice")

    def test_against_keys(self) -> None:
        """
        A key is a file of a known system.
        """
        self.refuses(["--against-key", "centrifugo"], "NAME=FILE")
        self.refuses(["--against-key", "slack=key"], "NAME=FILE")
        self.refuses(["--against-key", "tinode=/nothing"], "No such file")

    def test_against_others(self) -> None:
        """
        A comparison has its own measurements, and no profiles; its processes must
        exist.
        """
        against = ["--against", "websockets"]
        self.refuses([*against, "--only", "logins"], "saturation, latency, idle")
        self.refuses([*against, "--profile"], "exclude each other")
        self.refuses([*against, "--pid", "websockets=4194999"], "no such process")

    def test_stack(self) -> None:
        """
        A running Connect cannot be combined with servers for Message.
        """
        arguments = ["--stack", "--url", "ws://127.0.0.1:1", "--debug-token", "x"]
        self.refuses(arguments, "exclude --url")

    def test_no_server(self) -> None:
        """
        A missing server is named with a remedy, before any load.
        """
        arguments = ["--only", "saturation", "--journal", "kafka://127.0.0.1:1/topic"]
        result = CliRunner().invoke(bench, arguments)
        self.assertEqual(result.exit_code, 1, result.output)
        self.assertIn("no kafka at 127.0.0.1:1 for the journal", result.output)
        self.assertIn("python -m tools.stack up", result.output)

    def test_profile(self) -> None:
        """
        Running daemons cannot be profiled.
        """
        self.refuses(["--profile", "both", "--url", "ws://127.0.0.1:1"], "--profile")


class ProfileTests(SynchronousTestCase):
    """
    The table of a profile.
    """

    def test_top(self) -> None:
        """
        A called function is listed with its file and the number of calls.
        """
        path = Path(self.mktemp())
        profile = cProfile.Profile()
        for _ in range(3):
            profile.runcall(_called)
        profile.dump_stats(path)
        found = profiles.rows(path)
        (row,) = [row for row in found if row.name.endswith("_called")]
        self.assertEqual(row.calls, 3)
        self.assertIn("bench/test_command.py", row.name)
        self.assertIn("_called", profiles.as_text("daemon", found))


def _called() -> int:
    return sum(range(1000))
